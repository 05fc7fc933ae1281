//! Measures how fast an imported model is on this machine when it is imported, and says so in
//! words. It knows no file.

use std::time::{Duration, Instant};

use timbre_models::bundle::Bundle;
use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::streamer::{StreamOptions, Streamer};
use timbre_models::threads::Threads;

use crate::error::Error;
use crate::live::arithmetic::Forms;
use crate::live::fit::Costs;
use crate::live::quality::Quality;

/// The length of a frame, milliseconds.
const FRAME_MS: usize = 20;
/// How many denoising steps of a segment are measured.
const STEPS: usize = 2;
/// How many segments are measured. The fastest counts, as it does for hops, which are measured
/// twice: other load on the machine says nothing about the model.
const TRIALS: usize = 3;
/// A low number of steps for which the speed of a song is told, in addition to that of the model's
/// own number.
const FEW_STEPS: usize = 10;

/// The measured times.
pub(super) struct Speed {
    live: Option<Live>,
    song: Song,
    /// By how many frames a mel decoder looks ahead; none if the sound is made by a vocoder.
    ahead_frames: Option<usize>,
}

/// The measured times of live playing.
struct Live {
    hop: Duration,
    /// The time to compute a hop of that length.
    makes: Duration,
    quality: Quality,
}

/// The measured times of a segment of a song.
struct Song {
    segment: Duration,
    encode: Duration,
    step: Duration,
    vocode: Duration,
    own_steps: usize,
    is_guided: bool,
}

impl Speed {
    /// Loads the model on all cores, as for playing and rendering, and measures a hop and a
    /// segment.
    ///
    /// # Errors
    /// The model cannot be loaded or run.
    pub(super) fn measure(bundle: &Bundle) -> Result<Self, Error> {
        let frames = bundle.manifest().network.target_frames;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = Threads::new(cores);
        let arithmetic = Forms::default().choose(bundle, frames, &threads)?;
        let song = StreamOptions { arithmetic, ..StreamOptions::song(bundle) };
        let mut streamer = Streamer::new(bundle, song)?;
        streamer.set_threads(threads);
        let live = match (StreamOptions::live(bundle), bundle.manifest().live) {
            (Some(options), Some(mode)) => {
                let options = StreamOptions { arithmetic, ..options };
                let hops = mode.min_hop_frames..=mode.max_hop_frames;
                let wanted = Quality::of(&options);
                let mut measure = || Costs::measure(&mut streamer, options, frames, hops.clone());
                let (one, other) = (measure()?, measure()?);
                let is_faster = one.hop(wanted) < other.hop(wanted);
                let costs = if is_faster { one } else { other };
                let hop = frames_last(costs.shortest_hop(wanted, hops));
                let quality = wanted.at(wanted.governor(Some(&costs), hop).steps());
                Some(Live { hop, makes: costs.hop(quality), quality })
            }
            _ => None,
        };
        let song = Song::measure(&mut streamer, song)?;
        let ahead_frames = bundle.manifest().mel_decoder.map(|decoder| decoder.future_frames);
        Ok(Self { live, song, ahead_frames })
    }

    /// The result in lines of text.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![];
        if let Some(Live { hop, makes, quality }) = &self.live {
            let Quality { steps, is_guided } = quality;
            let guided = if *is_guided { "guided" } else { "unguided" };
            let said = format!(
                "hops of {} ms with {steps} {guided} step{}, made in {} ms",
                hop.as_millis(),
                if *steps == 1 { "" } else { "s" },
                makes.as_millis()
            );
            lines.push(match makes < hop {
                true => format!("live on this machine: {said}; a key sounds after about two hops"),
                false => format!("this machine is too slow to play it live: {said}"),
            });
        }
        let song = &self.song;
        let guided = if song.is_guided { "guided" } else { "unguided" };
        lines.push(format!(
            "a song: {:.2} x real time with {FEW_STEPS} {guided} steps, {:.2} x with {}, the \
             model's own",
            song.speed(FEW_STEPS),
            song.speed(song.own_steps),
            song.own_steps
        ));
        if let Some(ahead) = self.ahead_frames {
            let factor = song.segment.as_secs_f64() / song.vocode.as_secs_f64().max(1e-9);
            let ms = ahead * FRAME_MS;
            let heard = match ahead {
                0 => "it hears no frame ahead, so no sound waits".to_owned(),
                _ => format!(
                    "it hears {ahead} frames ahead, for which a song waits {ms} ms, and live \
                     nothing"
                ),
            };
            lines.push(format!("its mel decoder alone: {factor:.1} x real time; {heard}"));
        }
        lines
    }
}

impl Song {
    /// Measures segments with a full context and a chord.
    fn measure(streamer: &mut Streamer, options: StreamOptions) -> Result<Self, Error> {
        streamer.restart(StreamOptions { steps: STEPS, ..options })?;
        let segment = frames_last(options.hop_frames);
        for n in 0..=TRIALS {
            let at = n as f64 * segment.as_secs_f64() + 0.05;
            for key in 48..56 {
                let voice = Voice { is_drum: false, program: 0, key };
                streamer.push(NoteEvent { time_s: at, voice, velocity: 90 });
            }
        }
        streamer.hop()?;
        let mut best = [Duration::MAX; 3];
        for _ in 0..TRIALS {
            let begun = Instant::now();
            streamer.encode()?;
            let encoded = Instant::now();
            streamer.denoise()?;
            let denoised = Instant::now();
            streamer.vocode()?;
            let times = [encoded - begun, denoised - encoded, denoised.elapsed()];
            best.iter_mut().zip(times).for_each(|(best, time)| *best = time.min(*best));
        }
        let [encode, denoise, vocode] = best;
        let (own_steps, is_guided) = (options.steps, options.guidance != 1.0);
        Ok(Self { segment, encode, step: denoise / STEPS as u32, vocode, own_steps, is_guided })
    }

    /// How many seconds of sound are rendered in a second, with a number of denoising steps.
    fn speed(&self, steps: usize) -> f64 {
        let makes =
            self.encode + self.step * u32::try_from(steps).unwrap_or(u32::MAX) + self.vocode;
        self.segment.as_secs_f64() / makes.as_secs_f64().max(1e-9)
    }
}

/// The time that a number of frames lasts.
fn frames_last(frames: usize) -> Duration {
    Duration::from_millis((frames * FRAME_MS) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_told() {
        let ms = Duration::from_millis;
        let song = Song {
            segment: ms(5120),
            encode: ms(100),
            step: ms(100),
            vocode: ms(180),
            own_steps: 25,
            is_guided: true,
        };
        let live = |makes| Live {
            hop: ms(2560),
            makes: ms(makes),
            quality: Quality { steps: 1, is_guided: false },
        };
        let lines = Speed { live: Some(live(700)), song, ahead_frames: Some(5) }.lines();
        assert!(
            lines[0].starts_with("live on this machine: hops of 2560 ms with 1 unguided step,")
        );
        assert!(lines[1].contains("4.00 x real time with 10 guided steps, 1.84 x with 25"));
        assert!(
            lines[2].contains("28.4 x real time") && lines[2].contains("waits 100 ms, and live")
        );
        let slow = Speed {
            live: Some(live(3000)),
            song: Song { is_guided: false, ..song_of_one() },
            ahead_frames: None,
        };
        assert!(slow.lines()[0].starts_with("this machine is too slow"));
        assert!(slow.lines()[1].contains("unguided") && slow.lines().len() == 2);
    }

    fn song_of_one() -> Song {
        let ms = Duration::from_millis(1);
        Song { segment: ms, encode: ms, step: ms, vocode: ms, own_steps: 1, is_guided: true }
    }
}
