//! A long evening under load: `make soak MINUTES=10`. The real daemon has more steps set than there
//! is time for, 32 notes held on 16 channels and 25 new ones a second, program changes, a thousand
//! OSC messages a second, a recording, and for the second half one core less. It runs without a
//! sound device, because a JACK server without real-time priority is late itself when the machine
//! is busy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rosc::OscType::{self, Float, Int};
use timbre_control::client::Client;
use timbre_control::osc::{RECORD_START, RECORD_STOP, STATUS, message};
use timbre_control::status::Status;
use timbred_tests::garbage::bytes;
use timbred_tests::live::Daemon;

const RATE_HZ: f64 = 48_000.0;
/// More steps than any machine has time for, so that the governor must reduce them.
const STEPS: i32 = 64;
const NOTES: usize = 32;
const MESSAGES_HZ: u64 = 1000;
/// How often the state is checked.
const LOOK: Duration = Duration::from_secs(1);
/// The most sound that the daemon may have in its ring or be making, seconds.
const AHEAD_S: f64 = 1.5;

/// Asks the daemon in the same way as `timbrectl`.
struct Desk(Client);

impl Desk {
    fn ask(&mut self, address: &str, args: Vec<OscType>) -> Vec<OscType> {
        let answers = self.0.ask(vec![message(address, args)]).unwrap();
        answers.into_iter().find(|m| m.addr == address).map(|m| m.args).unwrap_or_default()
    }

    fn status(&mut self) -> Status {
        match self.ask(STATUS, vec![]).as_slice() {
            [OscType::String(json)] => serde_json::from_str(json).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// Plays until told to stop, with every message in its millisecond, and counts the messages.
fn play(to: SocketAddr, stop: &AtomicBool, sent: &AtomicU64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket.set_nonblocking(true).unwrap();
    let send = |address: String, args: Vec<OscType>| {
        let _ = socket.send(&bytes(message(address, args)));
        sent.fetch_add(1, Ordering::Relaxed);
    };
    let (mut held, mut struck): (Vec<(u64, i32)>, u64) = (vec![], 0);
    let begun = Instant::now();
    let mut buffer = [0; 65_536];
    for n in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let due = Duration::from_micros(n * 1_000_000 / MESSAGES_HZ);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        while socket.recv(&mut buffer).is_ok() {}
        let channel = 1 + n * 7 % 16;
        match n % 40 {
            // 25 times a second one key is released and another is struck.
            0 if held.len() >= NOTES => {
                let (channel, key) = held.remove(0);
                send(format!("/ch/{channel}/note"), vec![Int(key), Int(0)]);
            }
            0 | 20 if held.len() < NOTES => {
                // The channels take turns; drums are not held.
                let (channel, key) = (1 + struck % 16, 36 + (struck * 7 % 60) as i32);
                struck += 1;
                held.push((channel, key));
                send(format!("/ch/{channel}/note"), vec![Int(key), Int(70 + (n % 50) as i32)]);
            }
            1 if n % 500 == 1 => {
                send(format!("/ch/{channel}/program"), vec![Int((n / 500 % 128) as i32)]);
            }
            2 => send("/ch/*/gain".to_owned(), vec![]),
            3 => send(format!("/ch/{channel}/cc"), vec![Int(11), Int(100 + (n % 28) as i32)]),
            _ => send(format!("/ch/{channel}/gain"), vec![Float(-((n % 60) as f32) / 10.0)]),
        }
    }
}

/// A process that keeps a core busy. It ends when this is dropped.
struct Busy(Child);

impl Busy {
    fn new() -> Self {
        Self(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The values that are checked every second.
#[derive(Default)]
struct Seen {
    /// The longest times for which the device and the stream did not advance, seconds.
    device_stood_s: f64,
    stream_stood_s: f64,
    fewest_steps: u32,
    most_steps: u32,
    quiet: u32,
    /// How often there were fewer notes than there should be; two of 32 are drums.
    few: u32,
    looks: u32,
}

#[test]
#[ignore = "a measurement: make soak MINUTES=10"]
fn a_long_hard_evening() {
    let minutes: f64 = std::env::var("MINUTES").map_or(0.5, |m| m.parse().unwrap());
    let daemon = Daemon::start(|command| {
        command.args(["--audio", "null", "--steps", &STEPS.to_string()]);
    });
    let mut desk =
        Desk(Client::new("127.0.0.1", daemon.osc().port(), Duration::from_secs(10)).unwrap());
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (to, stopped, count) = (daemon.osc(), stop.clone(), sent.clone());
    let player = std::thread::spawn(move || play(to, &stopped, &count));
    // Allocations that happen only once have happened by now.
    std::thread::sleep(Duration::from_secs(5));
    let wav = match desk.ask(RECORD_START, vec![]).as_slice() {
        [OscType::String(wav)] => wav.clone(),
        other => panic!("{other:?}"),
    };

    let begun = Instant::now();
    let (first, sent_before) = (desk.status(), sent.load(Ordering::Relaxed));
    let length = Duration::from_secs_f64(minutes * 60.0);
    let mut seen = Seen { fewest_steps: u32::MAX, ..Seen::default() };
    let (mut last, mut looked) = (first.clone(), begun);
    let (mut device_moved, mut stream_moved) = (begun, begun);
    let mut memory_kb = vec![];
    let mut busy = None;
    println!(
        "{:>6} {:>5} {:>5} {:>6} {:>6} {:>9} {:>8} {:>7}",
        "s", "load", "steps", "notes", "misses", "underruns", "peak dB", "VmRSS"
    );
    while begun.elapsed() < length {
        std::thread::sleep(LOOK);
        if busy.is_none() && begun.elapsed() > length / 2 {
            busy = Some(Busy::new());
            println!("       a core is busy with something else from here on");
        }
        let now = desk.status();
        let at = Instant::now();
        for (moved, is_moving, stood_s) in [
            (&mut device_moved, now.frames_played > last.frames_played, &mut seen.device_stood_s),
            (&mut stream_moved, now.stream_frames > last.stream_frames, &mut seen.stream_stood_s),
        ] {
            if is_moving {
                *moved = at;
            }
            *stood_s = stood_s.max((at - *moved).as_secs_f64());
        }
        seen.fewest_steps = seen.fewest_steps.min(now.steps_now);
        seen.most_steps = seen.most_steps.max(now.steps_now);
        seen.quiet += u32::from(now.peak_dbfs < -60.0);
        seen.few += u32::from(now.notes < 24);
        seen.looks += 1;
        memory_kb.push(daemon.memory_kb());
        if looked.elapsed() > length / 20 {
            looked = at;
            print_row(begun.elapsed(), &now, &first, daemon.memory_kb());
        }
        last = now;
    }
    drop(busy);
    let seconds = begun.elapsed().as_secs_f64();
    let messages_hz = (sent.load(Ordering::Relaxed) - sent_before) as f64 / seconds;
    stop.store(true, Ordering::Relaxed);
    player.join().unwrap();
    let recorded_s = match desk.ask(RECORD_STOP, vec![]).as_slice() {
        [_, Float(seconds)] => f64::from(*seconds),
        other => panic!("{other:?}"),
    };
    let last = desk.status();
    report(&seen, &first, &last, seconds, messages_hz, recorded_s, &memory_kb);
    let whole = hound::WavReader::open(Path::new(&wav)).unwrap();
    assert!((f64::from(whole.duration()) / RATE_HZ - recorded_s).abs() < 0.01);
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
}

fn print_row(since: Duration, now: &Status, first: &Status, memory_kb: u64) {
    println!(
        "{:6.0} {:5.2} {:5} {:6} {:6} {:9} {:8.1} {memory_kb:7}",
        since.as_secs_f64(),
        now.load,
        now.steps_now,
        now.notes,
        now.misses - first.misses,
        now.underruns - first.underruns,
        now.peak_dbfs,
    );
}

fn report(
    seen: &Seen,
    first: &Status,
    last: &Status,
    seconds: f64,
    messages_hz: f64,
    recorded_s: f64,
    memory_kb: &[u64],
) {
    let played_s = (last.frames_played - first.frames_played) as f64 / RATE_HZ;
    let streamed_s = (last.stream_frames - first.stream_frames) as f64 / RATE_HZ;
    let underruns = last.underruns - first.underruns;
    // The recorded and the played sound may differ by what is in the queues, however long the test
    // runs.
    let drift_s = recorded_s - streamed_s;
    let quarter = memory_kb.len() / 4;
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len().max(1) as f64 / 1000.0;
    let (early_mb, late_mb) = (
        mean(&memory_kb[quarter..2 * quarter.max(1)]),
        mean(&memory_kb[memory_kb.len() - quarter.max(1)..]),
    );
    println!(
        "time        {seconds:.1} s; the device played {played_s:.1} s, of the stream \
         {streamed_s:.1} s, recorded {recorded_s:.1} s"
    );
    println!(
        "OSC         {messages_hz:.0} messages/s; {} packets, {} errors, {} garbage",
        last.osc.packets, last.osc.errors, last.osc.garbage
    );
    println!(
        "governor    {} of {STEPS} steps at least, {} at most",
        seen.fewest_steps, seen.most_steps
    );
    println!(
        "trouble     {underruns} underruns ({:.1} a minute), {} misses, {} overflows",
        underruns as f64 / seconds * 60.0,
        last.misses - first.misses,
        last.overflows - first.overflows
    );
    println!(
        "stood still device {:.1} s, stream {:.1} s; quiet in {} of {} looks",
        seen.device_stood_s, seen.stream_stood_s, seen.quiet, seen.looks
    );
    println!("drift       {drift_s:.3} s between what was made and what was played");
    println!("memory      {early_mb:.1} MB in the second quarter, {late_mb:.1} MB in the last");
    println!("latency     {:.1} ms at first, {:.1} ms at last", first.latency_ms, last.latency_ms);
    assert!(messages_hz > 0.9 * MESSAGES_HZ as f64, "the player was too slow");
    assert!(seen.few <= seen.looks / 20, "fewer notes than there should be");
    assert!(seen.fewest_steps < STEPS as u32, "the governor did nothing");
    assert!(seen.device_stood_s < 2.5 && (played_s / seconds - 1.0).abs() < 0.05, "the device");
    assert!(seen.stream_stood_s < 2.5, "the stream stalled");
    assert!(streamed_s > 0.5 * played_s, "more gaps than sound: too slow for so many notes");
    // Every gap of the stream was counted.
    let gaps_s = played_s - streamed_s;
    assert!(gaps_s < 0.1 || underruns > 0, "{gaps_s} s of gaps and no underrun");
    assert!(drift_s.abs() < AHEAD_S, "the clocks drift apart");
    assert!(late_mb < 1.05 * early_mb + 4.0, "memory grows");
    assert_eq!((last.recording.lost_samples, last.recording.lost_notes), (0, 0));
}
