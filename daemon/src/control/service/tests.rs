//! Tests of the server from the side of its clients, with real sockets on the loopback device.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering::Relaxed;

use rosc::OscType::{self, Bool, Float, Int, Long};
use timbre_control::action::{Action, RELOAD};
use timbre_control::client::{Client, ClientError};
use timbre_control::learn::LEARN;
use timbre_control::osc::{ERROR, LEASE_S, NAME, PANIC, STATUS, SUBSCRIBE, UNSUBSCRIBE, VERSION};
use timbre_control::parameters::{find, ids};
use timbre_control::settings::Settings;
use timbre_control::status::Status;

use super::*;
use crate::control::test_peer::{LONG, Peer, daemon, daemon_on, daemon_with};

#[test]
fn values_are_set_and_asked_for() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    assert_eq!(peer.one("/master/gain"), Float(0.0));
    assert_eq!(peer.ask("/master/gain", vec![Int(-6)]), []);
    assert_eq!(peer.one("/master/gain"), Float(-6.0));
    peer.ask("/ch/3/gain", vec![Float(0.1)]);
    peer.ask("/engine/seed", vec![Long(1 << 40)]);
    peer.ask("/engine/steps", vec![Int(4)]);
    peer.ask("/ch/16/mute", vec![Bool(true)]);
    peer.ask("/ch/2/transpose", vec![Float(999.0)]);
    let settings = daemon.settings();
    assert_eq!((settings.master.gain, settings.channels[2].gain), (-6.0, 0.1));
    assert_eq!((settings.engine.seed, settings.engine.steps), (1 << 40, 4));
    assert!(settings.channels[15].mute);
    assert_eq!(settings.channels[1].transpose, 48);
    assert_eq!(peer.one("/engine/guidance"), OscType::String("model".to_owned()));
    assert_eq!(peer.one("/engine/model"), OscType::String("live".to_owned()));
    daemon.handles.telemetry.latency_us.store(87_500, Relaxed);
    assert_eq!(peer.one("/engine/latency_ms"), Float(87.5));
}

#[test]
fn patterns_set_and_ask_for_many() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    assert_eq!(peer.ask("/ch/{1,10}/gain", vec![Float(-3.0)]), []);
    let gains: Vec<f64> = daemon.settings().channels.iter().map(|c| c.gain).collect();
    assert_eq!((gains[0], gains[9], gains.iter().sum::<f64>()), (-3.0, -3.0, -6.0));
    let answers = peer.ask("/ch/*/gain", vec![]);
    assert_eq!(answers.len(), 16);
    assert_eq!(answers[9].addr, "/ch/10/gain");
    assert_eq!(peer.ask("//*", vec![]).len(), ids().count());
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    let text = || OscType::String("loud".to_owned());
    assert_eq!(peer.code("/nothing", vec![]), 1);
    assert_eq!(peer.code("/master/gain", vec![text()]), 2);
    assert_eq!(peer.code("/ch/1/gain", vec![Int(1), Int(2)]), 2);
    assert_eq!(peer.code("/ch/1/gain", vec![Float(f32::NAN)]), 3);
    assert_eq!(peer.code("/ch/*/gain", vec![text()]), 2);
    assert_eq!(peer.code("/engine/load", vec![Int(1)]), 4);
    assert_eq!(peer.code("/midi/learn", vec![Int(1)]), 2);
    assert_eq!(peer.code("/record/stop", vec![]), 7);
    assert_eq!(*daemon.settings(), Settings::default());
    assert_eq!(daemon.played(), [[0; 3]; 0]);
}

#[test]
fn playing_and_programs_become_midi() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    peer.ask("/ch/2/note", vec![Int(60), Float(0.5)]);
    peer.ask("/ch/2/note", vec![Int(60), Int(0)]);
    peer.ask("/ch/2/cc", vec![Int(64), Int(127)]);
    assert_eq!(daemon.played(), [[0x91, 60, 64], [0x81, 60, 0], [0xb1, 64, 127]]);
    peer.ask("/ch/2/instrument", vec![OscType::String("church".to_owned())]);
    assert_eq!(daemon.played(), [[0xc1, 19, 0]]);
    // The answer has the new program before the inference thread has applied it.
    assert_eq!(peer.one("/ch/2/program"), Int(19));
    assert_eq!(peer.one("/ch/2/instrument"), OscType::String("Church Organ".to_owned()));
    daemon.handles.telemetry.programs.set(&std::array::from_fn(|n| if n == 4 { 40 } else { 0 }));
    assert_eq!(peer.one("/ch/5/program"), Int(40));
    peer.ask(PANIC, vec![Float(1.0)]);
    peer.ask(PANIC, vec![Float(0.0)]);
    let panic = daemon.played();
    assert_eq!(panic.len(), 48);
    assert!(panic.contains(&[0xbf, 120, 0]) && panic.contains(&[0xb0, 121, 0]));
}

#[test]
fn volume_and_expression_are_set_by_midi_and_answered_at_once() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    assert_eq!(peer.one("/ch/3/volume"), Int(100));
    assert_eq!(peer.one("/ch/3/expression"), Int(127));
    peer.ask("/ch/3/volume", vec![Int(64)]);
    peer.ask("/ch/3/expression", vec![Int(0)]);
    assert_eq!(daemon.played(), [[0xB2, 7, 64], [0xB2, 11, 0]]);
    assert_eq!(peer.one("/ch/3/volume"), Int(64));
    assert_eq!(peer.one("/ch/3/expression"), Int(0));
}

#[test]
fn one_socket_of_ipv6_reaches_subscribers_of_ipv4() {
    let Ok(socket) = UdpSocket::bind("[::]:0") else { return };
    let daemon = daemon_on(socket, vec![]);
    let to = SocketAddr::from(([127, 0, 0, 1], daemon.server.address().port()));
    let mut peer = Peer::from(UdpSocket::bind("127.0.0.1:0").unwrap(), to);
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    listener.set_read_timeout(Some(LONG)).unwrap();
    let port = i32::from(listener.local_addr().unwrap().port());
    let args = vec!["127.0.0.1".into(), Int(port), "/master/*".into()];
    let answers = peer.ask(SUBSCRIBE, args);
    assert_eq!(answers[0].addr, SUBSCRIBE, "{answers:?}");
    // The change comes from another client, because clients are not told of their own changes.
    Peer::from(UdpSocket::bind("127.0.0.1:0").unwrap(), to).ask("/master/gain", vec![Int(-3)]);
    let mut buffer = [0; 1024];
    let length = listener.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"/master/"));
}

#[test]
fn subscribers_hear_every_change_but_their_own() {
    let fixed = UdpSocket::bind("127.0.0.1:0").unwrap();
    let daemon = daemon_with(vec![fixed.local_addr().unwrap()]);
    let (mut a, mut b) = (Peer::new(&daemon), Peer::new(&daemon));
    let answer = a.ask(SUBSCRIBE, vec![]);
    assert_eq!(answer.len(), 1);
    assert_eq!(answer[0].args[4], Int(LEASE_S));
    b.ask(SUBSCRIBE, vec![OscType::String("/master/*".to_owned())]);

    a.send("/master/gain", vec![Int(-4)]);
    let heard = b.receive(LONG).unwrap();
    assert_eq!((heard.addr.as_str(), heard.args), ("/master/gain", vec![Float(-4.0)]));
    let mut buffer = [0; 64];
    fixed.set_read_timeout(Some(LONG)).unwrap();
    let length = fixed.recv(&mut buffer).unwrap();
    assert_eq!(decode(&buffer[..length]).unwrap()[0].messages[0].addr, "/master/gain");

    // These changes do not come by OSC: another thread publishes settings, and MIDI changes a
    // program.
    let mut settings = Settings::clone(&daemon.settings());
    settings.channels[6].mute = true;
    settings.master.mute = true;
    daemon.handles.settings.store(Arc::new(settings));
    daemon.handles.telemetry.programs.set(&std::array::from_fn(|n| if n == 0 { 40 } else { 0 }));
    let mut heard: Vec<String> = (0..4).map(|_| a.receive(LONG).unwrap().addr).collect();
    heard.sort();
    assert_eq!(heard, ["/ch/1/instrument", "/ch/1/program", "/ch/7/mute", "/master/mute"]);
    assert_eq!(b.receive(LONG).unwrap().addr, "/master/mute");

    // The sender gets the value back because it was clamped.
    a.send("/master/gain", vec![Int(99)]);
    assert_eq!(a.receive(LONG).unwrap().args, [Float(12.0)]);
    assert_eq!(b.receive(LONG).unwrap().args, [Float(12.0)]);

    a.ask(UNSUBSCRIBE, vec![]);
    b.send("/master/gain", vec![Int(0)]);
    a.send("/master/gain", vec![Int(1)]);
    assert_eq!(b.receive(LONG).unwrap().args, [Float(1.0)]);
    assert_eq!(a.answers(), []);
}

#[test]
fn the_newest_value_wins_and_no_more_than_asked_for_are_sent() {
    let daemon = daemon();
    let (mut a, b) = (Peer::new(&daemon), Peer::new(&daemon));
    let subscriber = b.socket.local_addr().unwrap();
    let args = vec![
        OscType::String(subscriber.ip().to_string()),
        Int(subscriber.port().into()),
        OscType::String("/master/gain".to_owned()),
        Int(2),
    ];
    // The subscription of a sends the changes of c to b.
    a.ask(SUBSCRIBE, args);
    let c = Peer::new(&daemon);
    let started = Instant::now();
    for i in 0..60 {
        c.send("/master/gain", vec![Float(-(i as f32))]);
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut heard = Vec::new();
    while heard.last() != Some(&Float(-59.0)) {
        heard.push(b.receive(LONG).unwrap().args.remove(0));
    }
    let most = started.elapsed().as_secs_f64() * 2.0 + 2.0;
    assert!((heard.len() as f64) < most, "{heard:?}");
}

#[test]
fn commands_go_to_the_supervisor_and_its_answers_back() {
    let daemon = daemon();
    let (mut peer, mut other) = (Peer::new(&daemon), Peer::new(&daemon));
    let text = |text: &str| Value::Text(text.to_owned());
    let ports = vec![text("Nord"), Value::Bool(true), text("Korg"), Value::Bool(false)];
    let refused = ControlError::new(Code::Failed, "the file is broken");
    let supervisor = daemon.supervise(vec![Ok(vec![]), Ok(ports), Err(refused)]);
    // The client that asked is answered before a later ping; the others do not wait.
    peer.send(RELOAD, vec![]);
    assert_eq!(other.ask("/master/gain", vec![]).len(), 1);
    assert_eq!(peer.answers(), []);
    let answer = peer.ask("/midi/ports", vec![]).remove(0);
    let words = ["Nord", "Korg"].map(|name| OscType::String(name.to_owned()));
    let [nord, korg] = words;
    assert_eq!(answer, message("/midi/ports", vec![nord, Bool(true), korg, Bool(false)]));
    let name = OscType::String("x".to_owned());
    assert_eq!(peer.code("/preset/load", vec![name]), Code::Failed.number());
    let actions = [Action::Reload, Action::ListPorts, Action::LoadPreset("x".to_owned())];
    assert_eq!(supervisor.join().unwrap(), actions);
    assert_eq!(other.answers(), []);
}

#[test]
fn another_model_is_a_command_and_its_name_is_told_when_it_plays() {
    let daemon = daemon();
    let (mut peer, mut other) = (Peer::new(&daemon), Peer::new(&daemon));
    let text = |text: &str| OscType::String(text.to_owned());
    other.ask(SUBSCRIBE, vec![text("/engine/model")]);
    let refused = ControlError::new(Code::Failed, "no such model");
    let supervisor = daemon.supervise(vec![Err(refused), Ok(vec![])]);
    assert_eq!(peer.code("/engine/model", vec![text("x")]), Code::Failed.number());
    assert_eq!(peer.one("/engine/model"), text("live"));
    assert_eq!(peer.ask("/engine/model", vec![text("small")]), []);
    daemon.handles.model.store(Arc::new("small".to_owned()));
    assert_eq!(other.receive(LONG).unwrap().args, [text("small")]);
    let wanted = ["x", "small"].map(|name| Action::UseModel(name.to_owned()));
    assert_eq!(supervisor.join().unwrap(), wanted);
    assert_eq!(peer.code("/engine/model", vec![Int(1)]), Code::WrongArguments.number());
}

#[test]
fn a_supervisor_that_is_busy_is_no_reason_to_wait() {
    let daemon = daemon();
    let peer = Peer::new(&daemon);
    for _ in 0..5 {
        peer.send("/state/save", vec![]);
    }
    let answer = peer.receive(LONG).unwrap();
    assert_eq!((answer.addr.as_str(), &answer.args[1]), (ERROR, &Int(Code::Full.number())));
    peer.send("/master/gain", vec![]);
    assert_eq!(peer.receive(LONG).unwrap().addr, "/master/gain");
}

#[test]
fn recordings_are_answered_with_their_file_and_subscribers_are_told() {
    let daemon = daemon();
    let (mut peer, mut other) = (Peer::new(&daemon), Peer::new(&daemon));
    assert_eq!(peer.one("/record"), OscType::from("off"));
    other.ask(SUBSCRIBE, vec![OscType::from("/record")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("take.wav").display().to_string();
    let answers = peer.ask(osc::RECORD_START, vec![OscType::from(file.as_str())]);
    assert_eq!(answers, [message(osc::RECORD_START, vec![OscType::from(file.as_str())])]);
    assert_eq!(other.receive(LONG).unwrap().args, [OscType::from(format!("on {file}"))]);
    assert_eq!(peer.code(osc::RECORD_START, vec![OscType::from(file.as_str())]), 7);
    // No sound has arrived, so this is an error, and no file is kept.
    assert_eq!(peer.code(osc::RECORD_STOP, vec![]), 7);
    assert_eq!(other.receive(LONG).unwrap().args, [OscType::from("off")]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(peer.code(osc::RECORD_START, vec![OscType::from("../x.wav")]), 3);
}

#[test]
fn the_service_answers_for_itself() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    assert_eq!(peer.ask(VERSION, vec![])[0].args[0], OscType::from(NAME));
    daemon.handles.telemetry.misses.store(3, Relaxed);
    let OscType::String(json) = peer.one(STATUS) else { panic!("no text") };
    let status: Status = serde_json::from_str(&json).unwrap();
    assert_eq!((status.model.as_str(), status.misses), ("live", 3));
    assert_eq!(status.peak_dbfs, -120.0);
    let (address, started) = (daemon.server.address(), Instant::now());
    assert!(!daemon.server.is_dead());
    drop(daemon);
    assert!(started.elapsed() < LONG);
    assert!(UdpSocket::bind(address).is_ok());
}

#[test]
fn a_hundred_thousand_random_packets_do_no_harm() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    noise.connect(daemon.server.address()).unwrap();
    noise.set_nonblocking(true).unwrap();
    let good = [
        encode(message("/ch/*/gain", vec![Float(1.0)])),
        encode(message(SUBSCRIBE, vec![OscType::String("/master/gain".to_owned()), Int(9)])),
        encode(message("/ch/1/note", vec![Int(60), Float(1.0)])),
        b"#bundle\0\0\0\0\0\0\0\0\x01\0\0\0\x0c/a\0\0,i\0\0\0\0\0\x01".to_vec(),
        Vec::new(),
    ];
    let mut buffer = [0; 2048];
    for i in 0..100_000u64 {
        let mut bytes = good[(random() % good.len() as u64) as usize].clone();
        if bytes.is_empty() {
            bytes.extend((0..random() % 64).map(|_| random() as u8));
        }
        for _ in 0..random() % 4 {
            let at = random() as usize % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random() as u8;
            }
        }
        let _ = noise.send(&bytes);
        while noise.recv(&mut buffer).is_ok() {}
        if i % 64 == 0 {
            // The answers are read so that the buffer of the socket does not overflow.
            peer.answers();
            daemon.played();
        }
    }
    assert_eq!(peer.ask("/master/mute", vec![Bool(true)]), []);
    assert_eq!(peer.one("/master/mute"), Bool(true));
    let OscType::String(json) = peer.one(STATUS) else { panic!("no text") };
    let status: Status = serde_json::from_str(&json).unwrap();
    assert!(status.osc.garbage > 10_000 && status.osc.packets > 90_000, "{:?}", status.osc);
    assert!(status.osc.subscribers <= 64);
}

#[test]
fn the_client_of_timbrectl_gets_answers_errors_and_silence() {
    let daemon = daemon();
    let address = daemon.server.address();
    let mut client = Client::new("127.0.0.1", address.port(), LONG).unwrap();
    let set = message("/master/gain", vec![Int(-7)]);
    let answers = client.ask(vec![set, message("/master/gain", vec![])]).unwrap();
    assert_eq!(answers, [message("/master/gain", vec![Float(-7.0)])]);
    match client.ask(vec![message("/master/gian", vec![])]) {
        Err(ClientError::Refused { address, code, text }) => {
            assert_eq!((address.as_str(), code), ("/master/gian", 1));
            assert!(text.contains("/master/gain"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(client.ask(vec![message("//*", vec![])]).unwrap().len(), ids().count());
    drop(daemon);
    let silent = client.ask(vec![message("/master/gain", vec![])]);
    assert!(matches!(silent, Err(ClientError::NoAnswer { .. })), "{silent:?}");
}

#[test]
fn who_teaches_a_controller_is_told_and_it_sets_from_then_on() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    assert_eq!(peer.ask(LEARN, vec!["/master/gain".into()]), []);
    daemon.handles.telemetry.controllers.set(4, 21, 127);
    let learned = peer.receive(LONG).filter(|m| m.addr == LEARN).unwrap().args;
    assert_eq!(learned, ["/master/gain".into(), Int(5), Int(21)]);
    let highest = find("/master/gain").unwrap().parameter.max as f32;
    assert_eq!(peer.one("/master/gain"), Float(highest));
    assert_eq!(peer.ask(LEARN, vec![])[0].args, learned);
}
