//! A JACK client that plays single notes at known frames and records the answer. It knows no daemon
//! and no expected result.
//!
//! `jack_probe MIDI_INPUT AUDIO_OUTPUT NOTES GAP_MS FILE.wav [hold|knob|bytes|mixed]` connects
//! itself, strikes NOTES keys that are GAP_MS apart, each for 60 ms, records until a second after
//! the last, and writes the recording. For each key it prints a line CHANNEL:KEY FRAME, with the
//! channel counted from 0 and the frame counted in the recording; then `xruns N`, how often the
//! server itself was late. With `mixed` it strikes one to eight keys at a time, of five programs
//! and drums, as in `timbred_tests::chords`, and prints CHANNEL:KEY+KEY FRAME. With `hold` the keys
//! stay down, and the program ends without releasing them, like a player that crashes. With `knob`
//! controller 74 of channel 3 is turned up before the notes. With `bytes` notes with data bytes
//! over 127 come before the notes, and a reset (FF) one second after the first. This is a separate
//! process because JACK finds its server by the environment. Sending and recording are two clients,
//! because a single client would have to run both before and after the daemon.
#![allow(clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use jack::contrib::ClosureProcessHandler;
use jack::{
    AudioIn, Client, ClientOptions, Control, MidiOut, NotificationHandler, ProcessScope, RawMidi,
};

use timbred_tests::chords::{DOWN_S, MIXED, chord};

/// Counts the late cycles of the server.
struct Xruns(Arc<AtomicU32>);

impl NotificationHandler for Xruns {
    fn xrun(&mut self, _: &Client) -> Control {
        self.0.fetch_add(1, Ordering::Relaxed);
        Control::Continue
    }
}

/// Messages in order, each with its frame counted from the start.
type Plan = Vec<(u32, [u8; 3])>;

/// The messages to play, and the line to print for each note.
fn planned(
    notes: usize,
    gap_s: f64,
    rate_hz: f64,
    is: impl Fn(&str) -> bool,
) -> (Plan, Vec<String>) {
    let mut plan: Plan = vec![];
    let mut told = vec![];
    for n in 0..notes {
        // The times do not fit any grid of periods or hops.
        let at_s = 0.5 + n as f64 * gap_s + (n * 7919 % 1000) as f64 * 2e-5;
        let (channel, keys) = match is("mixed") {
            true => chord(n),
            false => (0, vec![48 + (n * 5 % 25) as u8]),
        };
        for key in &keys {
            plan.push(((at_s * rate_hz) as u32, [0x90 | channel, *key, 100]));
            if !is("hold") {
                plan.push((((at_s + DOWN_S) * rate_hz) as u32, [0x80 | channel, *key, 0]));
            }
        }
        let keys: Vec<String> = keys.iter().map(u8::to_string).collect();
        told.push(format!("{channel}:{} {}", keys.join("+"), (at_s * rate_hz) as u32));
    }
    if is("mixed") {
        plan.extend(MIXED.map(|(channel, program, _)| (0, [0xC0 | channel, program, 0])));
    }
    if is("knob") {
        plan.push((0, [0xB2, 74, 127]));
    }
    if is("bytes") {
        plan.extend([[0x90, 0x80, 90], [0x80, 0x80, 0], [0x90, 60, 0xFF]].map(|bytes| (0, bytes)));
        plan.push(((1.5 * rate_hz) as u32, [0xFF, 0, 0]));
    }
    plan.sort_by_key(|(at, _)| *at);
    (plan, told)
}

/// The first `frames` frames from frame `first` on of the recorded pieces.
fn heard(recorded: &Receiver<(u32, Vec<f32>)>, first: u32, frames: usize) -> Vec<f32> {
    let mut sound = vec![0.0f32; frames];
    loop {
        let heard = recorded.recv_timeout(Duration::from_secs(10));
        let (at, samples) = heard.expect("the server calls its clients");
        let offset = at.wrapping_sub(first) as i32;
        for (i, sample) in (offset..).zip(&samples) {
            if let Some(slot) = usize::try_from(i).ok().and_then(|i| sound.get_mut(i)) {
                *slot = *sample;
            }
        }
        if offset > frames as i32 {
            return sound;
        }
    }
}

fn write(file: &str, sample_rate: u32, sound: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(file, spec).expect("a file");
    sound.iter().for_each(|s| writer.write_sample(*s).expect("room on the disk"));
    writer.finalize().expect("room on the disk");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [midi_input, audio_output, notes, gap_ms, file, mode @ ..] = arguments.as_slice() else {
        panic!("wanted MIDI_INPUT AUDIO_OUTPUT NOTES GAP_MS FILE.wav [hold|knob|bytes|mixed]");
    };
    let notes: usize = notes.parse().expect("a number of notes");
    let gap_s = gap_ms.parse::<f64>().expect("milliseconds") / 1000.0;
    let is = |word: &str| mode.iter().any(|mode| mode == word);
    let client =
        |name| Client::new(name, ClientOptions::NO_START_SERVER).expect("a JACK server runs").0;
    let (player, recorder) = (client("probe_player"), client("probe_recorder"));
    let rate_hz = f64::from(player.sample_rate());
    let mut midi = player.register_port("out", MidiOut::default()).expect("a port");
    let audio = recorder.register_port("in", AudioIn::default()).expect("a port");

    let (plan, told) = planned(notes, gap_s, rate_hz, is);
    let seconds = 0.5 + notes as f64 * gap_s + 1.0;
    let frames = (seconds * rate_hz) as usize;

    let start = Arc::new(AtomicU32::new(0));
    let play = {
        let start = start.clone();
        let mut next = 0;
        move |_: &Client, scope: &ProcessScope| {
            let start = start.load(Ordering::Acquire);
            let mut out = midi.writer(scope);
            while let Some((at, bytes)) = plan.get(next).filter(|_| start > 0) {
                let time = start.wrapping_add(*at).wrapping_sub(scope.last_frame_time());
                if time >= scope.n_frames() {
                    break;
                }
                let bytes = match bytes[0] {
                    0xFF => &bytes[..1],
                    0xC0..=0xCF => &bytes[..2],
                    _ => bytes.as_slice(),
                };
                out.write(&RawMidi { time, bytes }).expect("room for a message");
                next += 1;
            }
            Control::Continue
        }
    };
    let (sender, recorded) = std::sync::mpsc::channel::<(u32, Vec<f32>)>();
    let record = move |_: &Client, scope: &ProcessScope| {
        // The recorder may allocate: the server waits for it, and it is not part of what is tested.
        let _ = sender.send((scope.last_frame_time(), audio.as_slice(scope).to_vec()));
        Control::Continue
    };
    let player =
        player.activate_async((), ClosureProcessHandler::new(play)).expect("a running client");
    let xruns = Arc::new(AtomicU32::new(0));
    let recorder = recorder
        .activate_async(Xruns(xruns.clone()), ClosureProcessHandler::new(record))
        .expect("a running client");
    player
        .as_client()
        .connect_ports_by_name("probe_player:out", midi_input)
        .unwrap_or_else(|e| panic!("{midi_input}: {e}"));
    recorder
        .as_client()
        .connect_ports_by_name(audio_output, "probe_recorder:in")
        .unwrap_or_else(|e| panic!("{audio_output}: {e}"));
    std::thread::sleep(Duration::from_millis(100));
    let first = player.as_client().frame_time().wrapping_add(4096);
    start.store(first, Ordering::Release);

    write(file, rate_hz as u32, &heard(&recorded, first, frames));
    told.iter().for_each(|line| println!("{line}"));
    println!("xruns {}", xruns.load(Ordering::Relaxed));
    if is("hold") {
        // The program ends as in a crash, without closing anything.
        std::process::exit(1);
    }
}
