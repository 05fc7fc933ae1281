//! Plays live on the default sound device: `cargo run --release --example play -- FOLDER`. FOLDER
//! holds a model, such as `bundled/live`.

use std::error::Error;
use std::sync::mpsc::sync_channel;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, StreamConfig};
use timbre_models::{Bundle, NoteEvent, StreamOptions, Streamer, Voice};

/// A broken chord with a key every half second, and the time at which the last key has rung out.
const KEYS: [u8; 8] = [60, 64, 67, 72, 76, 72, 67, 64];
const END_S: f64 = 7.0;
/// The most hops that may wait for the device.
const WAITING: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder of a model")?;
    let bundle = Bundle::open(&folder)?;
    let options = StreamOptions::live(&bundle).ok_or("this model cannot be played live")?;
    let mut streamer = Streamer::new(&bundle, options)?;
    let Some(device) = cpal::default_host().default_output_device() else {
        println!("there is no sound device: `--example render` writes a file instead");
        return Ok(());
    };
    let sample_rate = streamer.sample_rate_hz();
    let config = StreamConfig { channels: 2, sample_rate, buffer_size: BufferSize::Default };
    let (sound, device_takes) = sync_channel::<f32>(WAITING * sample_rate as usize / 50);
    // Samples that were not made in time are silence.
    let fill = move |out: &mut [f32], _: &_| {
        out.chunks_mut(2).for_each(|frame| frame.fill(device_takes.try_recv().unwrap_or(0.0)));
    };
    let stream = device.build_output_stream(config, fill, |e| eprintln!("{e}"), None)?;
    stream.play()?;
    let mut score = (0..).map(|n| f64::from(n) * 0.5).zip(KEYS).peekable();
    while streamer.next_s() < END_S {
        // Events are pushed when their time has come, as if somebody played.
        let now_s = streamer.next_s();
        while let Some((time_s, key)) = score.next_if(|(time_s, _)| *time_s <= now_s) {
            let voice = Voice { is_drum: false, program: 0, key };
            streamer.push(NoteEvent { time_s, voice, velocity: 90 });
            streamer.push(NoteEvent { time_s: time_s + 1.5, voice, velocity: 0 });
        }
        streamer.hop()?.samples.iter().try_for_each(|sample| sound.send(*sample))?;
    }
    Ok(())
}
