//! One song -> its samples: cut to the part asked for, events into the stream, hop after hop, other rate.
//! Knows no files and no terminal.

use timbre_models::notes::{Note, Song, note_events};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::tokens::EncodeReport;
use timbre_models::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};

use crate::audio::resample::resample;
use crate::error::Error;

/// Which part of a song.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// First second; notes that sound there are struck anew.
    pub from_s: f64,
    /// Last second; None is the end of the song and its tail.
    pub to_s: Option<f64>,
    /// Seconds behind the last note.
    pub tail_s: f64,
}

/// A song made sound.
#[derive(Debug, Default)]
pub struct Rendered {
    /// One channel; exactly as long as the part.
    pub samples: Vec<f32>,
    /// Samples a second of them.
    pub rate_hz: u32,
    /// Natural-log mel [frames, 128]; the last frame may be longer than the samples. Empty unless asked for.
    pub mel: Vec<f32>,
    /// What the token limit cost in all hops together.
    pub left_out: EncodeReport,
}

impl Part {
    /// Seconds of sound it makes of `song`.
    ///
    /// # Errors
    /// Nothing of the song lies in it.
    pub fn length_s(&self, song: &Song) -> Result<f64, Error> {
        let end_s = song.total_time_s + self.tail_s;
        if self.from_s >= song.total_time_s && self.from_s > 0.0 {
            return Err(Error::Usage(format!(
                "--from {} is beyond the song, which ends at {:.2} s",
                self.from_s, song.total_time_s
            )));
        }
        Ok(self.to_s.map_or(end_s, |to_s| to_s.min(end_s)) - self.from_s)
    }

    /// The notes from `from_s` on, counted from there. Those that sound at `from_s` are struck there.
    fn notes(&self, song: &Song) -> Vec<Note> {
        let from_s = self.from_s;
        let sounds = |n: &&Note| n.start_s >= from_s || (!n.voice.is_drum && n.end_s > from_s);
        let moved = |n: &Note| Note {
            start_s: (n.start_s - from_s).max(0.0),
            end_s: n.end_s - from_s,
            ..*n
        };
        song.notes.iter().filter(sounds).map(moved).collect()
    }
}

/// Renders a part of a song with `streamer`, which starts anew. `on_hop` hears how many seconds are done after each hop
/// and can end the work; `with_mel` keeps the mel.
///
/// # Errors
/// Those of the engine, of the part, and whatever `on_hop` says.
pub fn render(
    song: &Song,
    part: &Part,
    streamer: &mut Streamer,
    options: StreamOptions,
    with_mel: bool,
    on_hop: &mut dyn FnMut(f64) -> Result<(), Error>,
) -> Result<Rendered, Error> {
    let length_s = part.length_s(song)?;
    streamer.restart(options)?;
    let rate_hz = streamer.sample_rate_hz();
    let samples = (length_s * f64::from(rate_hz)).round() as usize;
    if samples == 0 {
        return Err(Error::Usage("nothing lies between --from and --to".to_owned()));
    }
    let room = Vec::with_capacity(samples);
    let mut rendered = Rendered { samples: room, rate_hz, ..Rendered::default() };
    note_events(&part.notes(song)).into_iter().for_each(|event| streamer.push(event));
    let frames = (length_s * f64::from(SAMPLE_RATE_HZ)).round() as usize;
    let frames = frames.div_ceil(HOP_SAMPLES);
    while streamer.position().0 < frames as u64 {
        let hop = streamer.hop()?;
        rendered.samples.extend_from_slice(hop.samples);
        if with_mel {
            rendered.mel.extend_from_slice(hop.mel);
        }
        let (sum, one) = (&mut rendered.left_out, hop.report);
        sum.tokens += one.tokens;
        sum.dropped_offs += one.dropped_offs;
        sum.dropped_held += one.dropped_held;
        sum.dropped_ons += one.dropped_ons;
        on_hop(streamer.position().start().seconds().min(length_s))?;
    }
    rendered.samples.extend_from_slice(streamer.finish()?);
    rendered.samples.truncate(samples);
    rendered.mel.truncate(frames * MEL_BINS);
    Ok(rendered)
}

impl Rendered {
    /// The samples at another rate.
    ///
    /// # Errors
    /// A rate that cannot be made.
    pub fn at_rate(&self, rate_hz: u32) -> Result<Vec<f32>, Error> {
        resample(&self.samples, self.rate_hz, rate_hz).map_err(|e| Error::Usage(e.to_string()))
    }

    /// What did not fit into the model's token limit, in words.
    pub fn left_out(&self) -> Option<String> {
        let r = &self.left_out;
        let parts = [
            (r.dropped_ons, "strikes"),
            (r.dropped_offs, "releases"),
            (r.dropped_held, "held keys"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let all = parts.join(", ");
        (!parts.is_empty()).then(|| {
            format!("{all} left out: more notes at once than the model takes; shorter hops (--hop-ms) hold fewer")
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use timbre_models::notes::Voice;

    use super::*;

    fn note(is_drum: bool, key: u8, start_s: f64, end_s: f64) -> Note {
        let voice = Voice { is_drum, program: 0, key };
        Note { voice, velocity: 80, start_s, end_s }
    }

    fn song() -> Song {
        let notes = vec![
            note(false, 60, 0.0, 1.0),
            note(false, 62, 0.5, 3.0),
            note(true, 36, 1.0, 2.5),
            note(false, 64, 2.5, 4.0),
        ];
        Song { notes, total_time_s: 4.0 }
    }

    #[test]
    fn held_notes_are_struck_where_the_part_begins() {
        let part = Part { from_s: 2.0, to_s: None, tail_s: 1.0 };
        assert_eq!(
            part.notes(&song()),
            [note(false, 62, 0.0, 1.0), note(false, 64, 0.5, 2.0)],
            "the drum was struck before"
        );
        assert_eq!(part.length_s(&song()).unwrap(), 3.0);
    }

    #[test]
    fn a_part_ends_where_asked_or_with_the_tail() {
        let length_s = |from_s, to_s| Part { from_s, to_s, tail_s: 1.0 }.length_s(&song());
        assert_eq!(length_s(0.0, None).unwrap(), 5.0);
        assert_eq!(length_s(1.0, Some(2.5)).unwrap(), 1.5);
        assert_eq!(length_s(0.0, Some(99.0)).unwrap(), 5.0);
        assert!(length_s(4.0, None).is_err());
    }

    #[test]
    fn what_was_left_out_is_said_once() {
        let mut rendered = Rendered::default();
        assert_eq!(rendered.left_out(), None);
        rendered.left_out.dropped_offs = 12;
        rendered.left_out.dropped_held = 3;
        let said = rendered.left_out().unwrap();
        assert!(said.starts_with("12 releases, 3 held keys left out"), "{said}");
    }
}
