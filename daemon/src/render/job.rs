//! Renders one song: it cuts out the part that is wanted, puts the events into the stream, makes
//! hop after hop, and converts the rate. It knows no files and no terminal.

use timbre_models::event::{Event, NoteId, What};
use timbre_models::notes::Song;
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::tokens::EncodeReport;
use timbre_models::units::{HOP_SAMPLES, MEL_BINS, SAMPLE_RATE_HZ};

use crate::error::Error;
use crate::songs::Piece;

/// A part of a song.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The first second. Notes that are held there are struck again.
    pub from_s: f64,
    /// The last second; none for the end of the song and its tail.
    pub to_s: Option<f64>,
    /// The length of the tail behind the last note, seconds.
    pub tail_s: f64,
}

/// The amount of sound of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Samples at the model's rate.
    pub samples: u64,
    /// Samples a second of them.
    pub rate_hz: u32,
    /// Mel frames of 20 ms; the last may be longer than the samples.
    pub frames: usize,
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

    /// The events from `from_s` on, counted from there. Notes that sound at `from_s` are struck
    /// there, and what was set before is set there.
    fn events(&self, piece: &Piece) -> Vec<Event> {
        let from_s = self.from_s;
        let is_before = |event: &&Event| event.at_s < from_s;
        let mut held: Vec<Event> = vec![];
        let mut events: Vec<Event> = vec![];
        for event in piece.events.iter().filter(is_before) {
            match event.what {
                What::On(strike) if !strike.voice.is_drum => held.push(*event),
                What::Off(note) => held.retain(|held| !is_strike_of(held, note)),
                What::Silence => held.retain(|held| held.part != event.part),
                What::On(_) => {}
                _ => events.push(*event),
            }
        }
        events.append(&mut held);
        events.iter_mut().for_each(|event| event.at_s = 0.0);
        let later = piece.events.iter().filter(|event| !is_before(event));
        events.extend(later.map(|event| Event { at_s: event.at_s - from_s, ..*event }));
        events
    }
}

/// Whether an event strikes this note.
fn is_strike_of(event: &Event, note: NoteId) -> bool {
    matches!(event.what, What::On(strike) if strike.note == note)
}

/// Restarts `streamer` with the notes of the part, and returns how much sound that will be.
///
/// # Errors
/// Those of the engine and of the part.
pub fn begin(
    piece: &Piece,
    part: &Part,
    streamer: &mut Streamer,
    options: StreamOptions,
) -> Result<Extent, Error> {
    let length_s = part.length_s(&piece.song)?;
    streamer.restart(options)?;
    let rate_hz = streamer.sample_rate_hz();
    let samples = (length_s * f64::from(rate_hz)).round() as u64;
    if samples == 0 {
        return Err(Error::Usage("nothing lies between --from and --to".to_owned()));
    }
    part.events(piece).into_iter().for_each(|event| streamer.event(event));
    let frames = (length_s * f64::from(SAMPLE_RATE_HZ)).round() as usize;
    Ok(Extent { samples, rate_hz, frames: frames.div_ceil(HOP_SAMPLES) })
}

/// Takes the samples of all buses, mel, and the seconds that are done with them.
pub type Take<'a> = dyn FnMut(&[Vec<f32>], &[f32], f64) -> Result<(), Error> + 'a;

/// Renders what [`begin`] has prepared. For each hop `take` gets the samples of each bus, the
/// natural-log mel [frames, 128], and how many seconds are done; in all it gets exactly as much as
/// `extent` says. An error of `take` ends the work. Returns what the token limit cost.
///
/// # Errors
/// Those of the engine, and whatever `take` says.
pub fn render(
    extent: Extent,
    streamer: &mut Streamer,
    take: &mut Take<'_>,
) -> Result<EncodeReport, Error> {
    let mut left_out = EncodeReport::default();
    let mut samples = extent.samples;
    let mut values = extent.frames * MEL_BINS;
    let mut up_to = |all: usize| {
        let here = samples.min(all as u64);
        samples -= here;
        here as usize
    };
    let mut here = vec![];
    while streamer.position().0 < extent.frames as u64 {
        let hop = streamer.hop()?;
        cut(hop.buses, up_to(hop.samples.len()), &mut here);
        let mel = hop.mel.get(..values.min(hop.mel.len())).unwrap_or_default();
        values -= mel.len();
        let one = hop.report;
        left_out.tokens += one.tokens;
        left_out.dropped_offs += one.dropped_offs;
        left_out.dropped_held += one.dropped_held;
        left_out.dropped_ons += one.dropped_ons;
        let done_s = (hop.start.0 as usize + hop.mel.len() / MEL_BINS) as f64
            * (HOP_SAMPLES as f64 / f64::from(SAMPLE_RATE_HZ));
        take(&here, mel, done_s)?;
    }
    let rest = streamer.finish()?;
    cut(rest, up_to(rest.first().map_or(0, Vec::len)), &mut here);
    take(&here, &[], extent.samples as f64 / f64::from(extent.rate_hz))?;
    Ok(left_out)
}

/// The first samples of each bus.
fn cut(buses: &[Vec<f32>], count: usize, out: &mut Vec<Vec<f32>>) {
    out.resize_with(buses.len(), Vec::new);
    for (out, bus) in out.iter_mut().zip(buses) {
        out.clear();
        out.extend_from_slice(bus.get(..count).unwrap_or_default());
    }
}

/// What did not fit into the model's token limit, in words.
pub fn left_out(report: &EncodeReport) -> Option<String> {
    let parts = [
        (report.dropped_ons, "strikes"),
        (report.dropped_offs, "releases"),
        (report.dropped_held, "held keys"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let all = parts.join(", ");
    (!parts.is_empty()).then(|| {
        format!(
            "{all} left out: more notes at once than the model takes; shorter hops (--hop-ms) hold \
             fewer"
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use timbre_models::event::Control;
    use timbre_models::notes::{Note, Voice};

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
    fn held_notes_are_struck_and_controls_set_where_the_part_begins() {
        let part = Part { from_s: 2.0, to_s: None, tail_s: 1.0 };
        let mut piece = Piece::from(song());
        let volume = What::Control(Control::Volume, 0.25);
        piece.events.insert(0, Event { at_s: 0.0, what: volume, ..piece.events[0] });
        let events = part.events(&piece);
        let keys: Vec<(f64, u8)> = events
            .iter()
            .filter_map(|event| match event.what {
                What::On(strike) => Some((event.at_s, strike.voice.key)),
                _ => None,
            })
            .collect();
        assert_eq!(keys, [(0.0, 62), (0.5, 64)], "the drum was struck before");
        assert_eq!((events[0].at_s, events[0].what), (0.0, volume));
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
        let mut report = EncodeReport::default();
        assert_eq!(left_out(&report), None);
        report.dropped_offs = 12;
        report.dropped_held = 3;
        let said = left_out(&report).unwrap();
        assert!(said.starts_with("12 releases, 3 held keys left out"), "{said}");
    }
}
