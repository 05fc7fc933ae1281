//! Renders a MIDI file to a WAV file:
//! `cargo run --release --example render -- FOLDER song.mid song.wav`. FOLDER holds a model, such
//! as `bundled/live`.

use std::error::Error;

use hound::{SampleFormat, WavSpec, WavWriter};
use timbre_models::{Bundle, Buses, StreamOptions, Streamer, read_mended};

/// How long the last notes ring out, seconds.
const TAIL_S: f64 = 2.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, midi, wav] = arguments.as_slice() else {
        return Err("give the folder of a model, a MIDI file, and the WAV file to write".into());
    };
    let file = read_mended(&std::fs::read(midi)?)?;
    let bundle = Bundle::open(folder)?;
    let options = StreamOptions { buses: Buses::Stereo, ..StreamOptions::song(&bundle) };
    let mut streamer = Streamer::new(&bundle, options)?;
    let rate_hz = streamer.sample_rate_hz();
    let length = ((file.song.total_time_s + TAIL_S) * f64::from(rate_hz)) as usize;
    file.events.into_iter().for_each(|event| streamer.event(event));

    let spec = WavSpec {
        channels: 2,
        sample_rate: rate_hz,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut writer = WavWriter::create(wav, spec)?;
    let mut written = 0;
    while written < length {
        // The buses after left and right are the inputs of reverb and chorus.
        let [left, right, ..] = streamer.hop()?.buses else { break };
        for (left, right) in left.iter().zip(right).take(length - written) {
            writer.write_sample(*left)?;
            writer.write_sample(*right)?;
        }
        written += left.len();
    }
    Ok(writer.finalize()?)
}
