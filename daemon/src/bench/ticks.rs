//! Measures how long a tick takes, and how long the denoiser takes once a hop, for several numbers
//! of notes. It does not judge the results.

use std::time::{Duration, Instant};

use serde_json::json;
use timbre_models::bundle::Bundle;
use timbre_models::event::{Event, NoteId, Part, Strike, What};
use timbre_models::notes::Voice;
use timbre_models::parts::Buses;
use timbre_models::streamer::{Denoiser, StreamError, StreamOptions, Streamer};
use timbre_models::units::TICKS_PER_FRAME;

use super::Stage;
use crate::error::Error;
use crate::live::pacing::HopLength;

/// The numbers of notes that sound together.
const NOTES: [usize; 6] = [0, 1, 8, 32, 64, 128];
/// The programs among which the notes are divided.
const PROGRAMS: [u8; 8] = [0, 24, 48, 56, 73, 19, 40, 61];
/// The time between two strikes of the same key when keys are repeated, seconds.
const STRIKES_S: f64 = 0.125;
/// How many frames come before the measured ones, until the first notes have begun and the note
/// prior has computed rows.
const WARM_UP: u64 = 50;

/// Measures a model that is made tick by tick, in stereo, on one thread. Prints a table if `prints`
/// is set, and returns the same as JSON.
///
/// # Errors
/// The model cannot be used.
pub fn run(bundle: &Bundle, frames: u64, prints: bool) -> Result<Vec<serde_json::Value>, Error> {
    let Some(live) = StreamOptions::live(bundle) else { return Ok(vec![]) };
    let options = StreamOptions { hop_frames: 1, buses: Buses::Stereo, ..live };
    let mut streamer = Streamer::new(bundle, options)?;
    let Some(mut denoiser) = streamer.separate() else { return Ok(vec![]) };
    if prints {
        println!(
            "ticks of 2.5 ms, stereo; hops of 20 ms, longer as live where the denoiser is slow"
        );
        println!("notes          |    tick ms    | hop |  denoiser ms  | share of");
        println!("               |    p50    p99 |  ms |    p50    p99 | one core");
    }
    let mut rows = vec![];
    for notes in NOTES {
        for is_struck in [false, true].into_iter().take(if notes == 0 { 1 } else { 2 }) {
            streamer.restart(options)?;
            strike(&mut streamer, notes, is_struck, (WARM_UP + frames) as f64 / 50.0);
            let [mut ticks, mut hops] = [vec![], vec![]].map(Stage);
            measure(&mut streamer, &mut denoiser, frames, [&mut ticks, &mut hops])?;
            let hop_ms = 20 * streamer.options().hop_frames;
            let spent_ms: f64 = ticks.0.iter().chain(&hops.0).sum();
            let share = spent_ms / (frames as f64 * 20.0);
            let how = if is_struck { "struck" } else { "held" };
            if prints {
                println!(
                    "{notes:>4} {how:<9} | {} | {hop_ms:>3} | {} | {share:6.3}",
                    ticks.show(),
                    hops.show()
                );
            }
            rows.push(
                json!({"notes": notes, "struck": is_struck, "hop_ms": hop_ms, "tick": ticks.json(),
                "denoiser": hops.json(), "share_of_a_core": share}),
            );
        }
    }
    Ok(rows)
}

/// Strikes notes, which are then held or, if `is_struck`, struck again and again until `end_s`.
fn strike(streamer: &mut Streamer, notes: usize, is_struck: bool, end_s: f64) {
    for n in 0..notes {
        let program = PROGRAMS[n % PROGRAMS.len()];
        let voice = Voice { is_drum: false, program, key: (36 + n * 7 % 60) as u8 };
        let note = NoteId(n as u64);
        let strike =
            Strike { note, voice, velocity: 90, tuning: 0.0, glide: None, is_legato: false };
        let part = Part((n % PROGRAMS.len()) as u8);
        // The first strikes are spread over the time between strikes, because nobody presses all
        // keys at once.
        let mut at_s = 0.02 + STRIKES_S * n as f64 / notes as f64;
        while at_s < end_s {
            streamer.event(Event { at_s, part, what: What::On(strike) });
            at_s += if is_struck { STRIKES_S } else { f64::INFINITY };
        }
    }
}

/// How many rows of the note prior are computed in advance after each frame. In live playing
/// another thread does this.
const ROWS: usize = 32;

/// Measures the time of each tick and of each request to the denoiser, milliseconds. The rows that
/// are computed in advance count towards the denoiser.
fn measure(
    streamer: &mut Streamer,
    denoiser: &mut Denoiser,
    frames: u64,
    [ticks, hops]: [&mut Stage; 2],
) -> Result<(), Error> {
    let options = *streamer.options();
    let mut length = HopLength::default();
    let mut rows = streamer.row_network();
    for frame in 0..WARM_UP + frames {
        for _ in 0..TICKS_PER_FRAME {
            let begun = Instant::now();
            streamer.tick()?;
            let took = begun.elapsed();
            if let Some(question) = streamer.question() {
                let begun = Instant::now();
                streamer.answer(denoiser.answer(question)?);
                let hop_frames = streamer.options().hop_frames;
                length.hop(begun.elapsed(), Duration::from_millis(20 * hop_frames as u64));
                let wanted = streamer.rows_wanted(&[], ROWS);
                if let (Some(rows), false) = (&mut rows, wanted.is_empty()) {
                    streamer.fill_rows(&rows.fill(wanted).map_err(StreamError::from)?);
                }
                if frame >= WARM_UP {
                    hops.0.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                let hop_frames = length.factor() * options.hop_frames;
                streamer.set(StreamOptions { hop_frames, ..options })?;
            }
            if frame >= WARM_UP {
                ticks.0.push(took.as_secs_f64() * 1e3);
            }
        }
    }
    Ok(())
}
