//! A million broken OSC packets against the real daemon: the sound goes on, memory does not grow,
//! and nothing changes but settings that a packet validly sets.
//!
//! Every packet arrives, because the sender waits for a ping from time to time. Some broken packets
//! still have a meaning. The test decides this with the same reader, so that it knows all settings,
//! and the number of packets that are not OSC, at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::UdpSocket;
use std::time::{Duration, Instant, SystemTime};

use rosc::OscType;
use timbre_control::osc::{self, PING, Request, STATUS, message};
use timbre_control::packet::{ahead_s, decode};
use timbre_control::parameters::Key;
use timbre_control::settings::Settings;
use timbre_control::status::Status;
use timbred_tests::garbage::{Garbage, bytes};
use timbred_tests::live::Daemon;

/// The most packets a second. Making and sending them takes time, too, on two cores that others
/// use.
const MOST_HZ: f64 = 12_000.0;
/// How long the sound is watched before the garbage begins.
const QUIET: Duration = Duration::from_secs(3);
/// How many more gaps a second are allowed during the garbage, when three threads are busy on a
/// machine of two cores.
const MORE_GAPS_HZ: f64 = 0.25;
/// How many packets are sent between two pings: as many as fit into the daemon's socket.
const AT_ONCE: u64 = 48;

/// A socket that counts what it sends.
struct Peer {
    socket: UdpSocket,
    sent: u64,
}

impl Peer {
    fn new(daemon: &Daemon) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(daemon.osc()).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        Self { socket, sent: 0 }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.send(bytes).unwrap();
        self.sent += 1;
    }

    /// Waits for the answer with this address and, if given, this first argument. Repeats the
    /// request, because answers can be lost among all the others.
    fn ask(&mut self, address: &str, token: Option<OscType>) -> Vec<OscType> {
        let patience = Instant::now();
        let mut buffer = [0; 65_536];
        loop {
            assert!(patience.elapsed() < Duration::from_secs(20), "no answer to {address}");
            self.send(&bytes(message(address, token.clone().into_iter().collect())));
            while let Ok(length) = self.socket.recv(&mut buffer) {
                let messages = decode(&buffer[..length]).unwrap().remove(0).messages;
                let is_it = |m: &&rosc::OscMessage| {
                    m.addr == address && (token.is_none() || m.args.first() == token.as_ref())
                };
                if let Some(answer) = messages.iter().find(is_it) {
                    return answer.args.clone();
                }
            }
        }
    }

    /// Waits until the daemon has handled everything.
    fn settle(&mut self) {
        let token = i32::try_from(self.sent % 1_000_000_007).unwrap();
        self.ask(PING, Some(OscType::Int(token)));
    }

    fn status(&mut self) -> Status {
        self.settle();
        match self.ask(STATUS, None).remove(0) {
            OscType::String(json) => serde_json::from_str(&json).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// The meaning of a packet.
enum Meaning {
    NoOsc,
    /// Settings, in order; empty for a question or an error.
    Sets(Vec<Request>),
    /// It is not sent, because it would act later, elsewhere, or on how the sound is made.
    /// Thousands of notes a second are not garbage, but a load that is too much for a hop.
    Unwanted,
}

fn meaning(packet: &[u8]) -> Meaning {
    let Ok(parts) = decode(packet) else { return Meaning::NoOsc };
    let waits = |s: f64| (-1.0..=1.0).contains(&s);
    if parts.iter().any(|part| ahead_s(part.at, SystemTime::now()).is_some_and(waits)) {
        return Meaning::Unwanted;
    }
    let messages = parts.iter().flat_map(|part| &part.messages);
    let Ok(requests) = messages.map(osc::read).collect::<Result<Vec<_>, _>>() else {
        return Meaning::Sets(vec![]);
    };
    let requests = requests.concat();
    let is_unwanted = |request: &Request| match request {
        Request::Set { id, .. } => {
            matches!(id.parameter.key, Key::Steps | Key::Guidance | Key::HopMs | Key::Governor)
        }
        Request::Subscribe(s) => s.host.is_some() || s.port.is_some(),
        Request::Unsubscribe { host, port, .. } => host.is_some() || port.is_some(),
        Request::Get(_) | Request::Ping(_) | Request::Version | Request::Status => false,
        _ => true,
    };
    match requests.len() > 1000 || requests.iter().any(is_unwanted) {
        true => Meaning::Unwanted,
        false => Meaning::Sets(requests),
    }
}

fn set(settings: &mut Settings, requests: &[Request]) -> u64 {
    let mut count = 0;
    for request in requests {
        if let Request::Set { id, value, .. } = request
            && !matches!(id.parameter.key, Key::Program | Key::Instrument)
        {
            settings.set_value(*id, value).unwrap();
            count += 1;
        }
    }
    count
}

#[test]
fn broken_packets_neither_stop_the_sound_nor_set_anything() {
    let packets: u64 =
        std::env::var("GARBAGE_PACKETS").map_or(100_000, |count| count.parse().unwrap());
    let daemon = Daemon::start(|command| {
        // The sound is made far ahead of the device with little work, so that a busy machine alone
        // causes no gap.
        command.args(["--audio", "null", "--hop-ms", "160"]);
        command.env("TIMBRED_AUDIO__LEAD_MS", "700");
    });
    let mut peer = Peer::new(&daemon);
    peer.send(&bytes(message("/ch/1/note", vec![OscType::Int(60), OscType::Int(100)])));
    // Measures the other load of the machine: the sound without garbage.
    std::thread::sleep(Duration::from_secs(1));
    let quiet = peer.status();
    std::thread::sleep(QUIET);
    let before = peer.status();
    let begun = Instant::now();
    let mut settings = before.settings.clone();
    let (mut no_osc, mut changes, mut memory_kb) = (0, 0, 0);
    let mut garbage = Garbage::new(0x2545_f491_4f6c_dd1d);
    let first = peer.sent;
    let mut count = 0;
    while count < packets {
        let packet = garbage.packet();
        match meaning(&packet) {
            Meaning::Unwanted => continue,
            Meaning::NoOsc => no_osc += 1,
            Meaning::Sets(requests) => changes += set(&mut settings, &requests),
        }
        peer.send(&packet);
        count += 1;
        if count % AT_ONCE == 0 {
            peer.settle();
            let due = Duration::from_secs_f64(count as f64 / MOST_HZ);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        if count == packets / 4 {
            memory_kb = daemon.memory_kb();
        }
    }
    let sent = peer.sent - first;
    let after = peer.status();
    let seconds = begun.elapsed().as_secs_f64();
    let played_s = (after.frames_played - before.frames_played) as f64 / 48_000.0;
    let streamed_s = (after.stream_frames - before.stream_frames) as f64 / 48_000.0;
    let gaps_hz =
        |from: &Status, to: &Status, seconds: f64| (to.underruns - from.underruns) as f64 / seconds;
    let quiet_hz = gaps_hz(&quiet, &before, QUIET.as_secs_f64());
    let noisy_hz = gaps_hz(&before, &after, seconds);
    let grown_kb = daemon.memory_kb().saturating_sub(memory_kb);
    println!(
        "{count} packets in {seconds:.1} s, {no_osc} of them no OSC, {changes} settings; played \
         {played_s:.1} s, of the stream {streamed_s:.1} s, underruns {noisy_hz:.2}/s after \
         {quiet_hz:.2}/s, memory {memory_kb} kB + {grown_kb} kB"
    );
    assert!(after.osc.packets - before.osc.packets >= sent, "packets were lost");
    assert_eq!(after.osc.garbage - before.osc.garbage, no_osc);
    assert!(no_osc > count / 4 && changes > count / 100 && after.osc.errors > count / 100);
    assert_eq!(after.settings, settings, "something was set that is no setting");
    assert!((played_s / seconds - 1.0).abs() < 0.02, "the device stood still");
    assert!(streamed_s > 0.9 * played_s, "the sound had gaps");
    assert!(noisy_hz <= quiet_hz + MORE_GAPS_HZ, "garbage makes gaps");
    // Garbage chooses programs too, and what the note prior knows of each is kept: 20 MB at most,
    // and 5 MB to find it by. A daemon that kept the packets would grow by 100 MB.
    let allowed_kb = 8_000 + (packets / 50).min(25_000);
    assert!(grown_kb < allowed_kb, "memory grew by {grown_kb} kB of {allowed_kb}");
    assert!(after.osc.subscribers <= 64 && after.osc.waiting_bundles == 0);
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
}
