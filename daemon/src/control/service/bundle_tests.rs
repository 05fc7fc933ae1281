//! Tests of bundles from the side of their senders, with real sockets on the loopback device.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rosc::OscType::{self, Float, Int};
use timbre_control::error::Code;
use timbre_control::osc::{ERROR, STATUS, message};
use timbre_control::packet::{IMMEDIATELY, time_tag};
use timbre_control::settings::Settings;
use timbre_control::status::Status;

use super::super::test_peer::{LONG, Peer, daemon};

#[test]
fn a_bundle_is_applied_whole_or_not_at_all() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    let set = |address: &str, x: f32| message(address, vec![Float(x)]);
    let bad = message("/master/gain", vec![OscType::String("loud".to_owned())]);
    peer.bundle(IMMEDIATELY, vec![set("/ch/1/gain", -1.0), bad, set("/ch/2/gain", -2.0)]);
    let answers = peer.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].addr, ERROR);
    assert_eq!(*daemon.settings(), Settings::default());

    // Each published value of the settings has either the whole bundle or nothing of it.
    let settings = daemon.handles.settings.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let watcher = std::thread::spawn(move || {
        while !stopped.load(Ordering::Acquire) {
            let seen = settings.load_full();
            let first = seen.channels[0].gain;
            assert!(seen.channels.iter().all(|c| c.gain == first), "{:?}", seen.channels);
        }
    });
    for round in 0..200u8 {
        let gain = -f32::from(round % 60);
        let all = (1..=16).map(|n| set(&format!("/ch/{n}/gain"), gain)).collect();
        peer.bundle(IMMEDIATELY, all);
        peer.answers();
    }
    stop.store(true, Ordering::Release);
    watcher.join().unwrap();
    // A question in a bundle is answered with the values that the bundle has set before it.
    peer.bundle(IMMEDIATELY, vec![set("/master/gain", -5.0), message("/master/gain", vec![])]);
    assert_eq!(peer.answers()[0].args, [Float(-5.0)]);
}

#[test]
fn a_bundle_waits_for_its_time() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    let at = SystemTime::now() + Duration::from_millis(800);
    let set = message("/master/gain", vec![Int(-9)]);
    peer.bundle(time_tag(at), vec![set, message("/master/gain", vec![])]);
    assert_eq!(peer.one("/master/gain"), Float(0.0));
    let answer = peer.receive(LONG).unwrap();
    assert_eq!(answer.args, [Float(-9.0)]);
    assert!(SystemTime::now() >= at);
    let past = SystemTime::now() - Duration::from_secs(5);
    peer.bundle(time_tag(past), vec![message("/master/gain", vec![Int(-1)])]);
    assert_eq!(peer.one("/master/gain"), Float(-1.0));
}

#[test]
fn a_time_of_another_clock_is_now() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    for (gain, ahead_s) in [(-3, 7200), (-4, 30), (-5, 2)] {
        let at = time_tag(SystemTime::now() + Duration::from_secs(ahead_s));
        peer.bundle(at, vec![message("/master/gain", vec![Int(gain)])]);
        assert_eq!(peer.one("/master/gain"), Float(gain as f32));
    }
}

#[test]
fn too_many_waiting_bundles_are_refused() {
    let daemon = daemon();
    let mut peer = Peer::new(&daemon);
    // The time is almost as far ahead as a time tag may be, so that no bundle is due before the
    // last has arrived.
    let at = time_tag(SystemTime::now() + Duration::from_millis(950));
    for i in 0..1024 {
        peer.bundle(at, vec![message("/master/gain", vec![Int(-9)])]);
        if i % 64 == 63 {
            assert_eq!(peer.one("/master/gain"), Float(0.0));
        }
    }
    peer.bundle(at, vec![message("/master/gain", vec![Int(-9)])]);
    let answers = peer.answers();
    assert_eq!(answers[0].args[1], Int(Code::Full.number()));
    peer.ask("/master/gain", vec![Int(-2)]);
    assert_eq!(daemon.settings().master.gain, -2.0);
    let OscType::String(json) = peer.one(STATUS) else { panic!("no text") };
    let status: Status = serde_json::from_str(&json).unwrap();
    assert_eq!((status.osc.waiting_bundles, status.settings.master.gain), (1024, -2.0));
}
