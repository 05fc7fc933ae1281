//! Holds notes and makes hops of 20 ms, to count what they cost (`make instructions`):
//! `cargo run --release --example hold -- FOLDER NOTES HOPS [BEFORE]`. FOLDER holds a model, such
//! as `bundled/live`. With BEFORE, it first makes so many hops of the same notes, and then starts
//! again. The note prior knows its points then, as it does in live playing, where another thread
//! computes them.

use std::error::Error;

use timbre_models::notes::{NoteEvent, Voice};
use timbre_models::{Bundle, Buses, StreamOptions, Streamer};

/// The programs that share the notes, one after the other.
const PROGRAMS: [u8; 8] = [0, 16, 24, 40, 48, 56, 73, 80];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, notes, hops, before) = match arguments.as_slice() {
        [folder, notes, hops] => (folder, notes, hops, "0"),
        [folder, notes, hops, before] => (folder, notes, hops, before.as_str()),
        _ => return Err("give a model's folder, and how many notes and hops".into()),
    };
    let bundle = Bundle::open(folder)?;
    let options = StreamOptions::live(&bundle).ok_or("the model has no live mode")?;
    let options = StreamOptions { hop_frames: 1, buses: Buses::Stereo, ..options };
    let mut streamer = Streamer::new(&bundle, options)?;
    for hops in [before.parse::<usize>()?, hops.parse()?] {
        streamer.restart(options)?;
        for n in 0..notes.parse::<usize>()? {
            let program = PROGRAMS[n % PROGRAMS.len()];
            // Five octaves, in steps that meet every key before they repeat.
            let voice = Voice { is_drum: false, program, key: 36 + (7 * n % 60) as u8 };
            streamer.push(NoteEvent { time_s: 0.0, voice, velocity: 100 });
        }
        for _ in 0..hops {
            streamer.hop()?;
        }
    }
    Ok(())
}
