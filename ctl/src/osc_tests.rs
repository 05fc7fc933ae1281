//! Tests of the meaning of messages. They use no socket.

use rosc::OscType::{Blob, Bool, Double, Float, Inf, Int, Long, Nil};

use super::*;
use crate::action::{RELOAD, SAVE_STATE};
use crate::arguments::arguments;
use crate::instruments::DRUM_CHANNEL;
use crate::parameters::{PARAMETERS, find};

fn ask(address: &str, args: Vec<OscType>) -> Result<Vec<Request>, ControlError> {
    read(&message(address, args))
}

fn code(address: &str, args: Vec<OscType>) -> Code {
    ask(address, args).unwrap_err().code
}

fn text(text: &str) -> OscType {
    OscType::String(text.to_owned())
}

#[test]
fn every_parameter_can_be_asked_for_and_what_can_be_set_is_set() {
    for id in ids() {
        let address = id.address();
        assert_eq!(ask(&address, vec![]), Ok(vec![Request::Get(id)]));
        let value = match id.parameter.key {
            Key::Instrument if id.channel == DRUM_CHANNEL => text("brush"),
            Key::Instrument => text("flute"),
            Key::Model => text("live"),
            Key::Sampler => text("ddim"),
            Key::ReverbType => text("hall"),
            _ => Int(1),
        };
        match ask(&address, vec![value]) {
            Ok(requests) => {
                assert!(matches!(requests.as_slice(), [Request::Set { .. }]), "{address}");
                assert!(id.parameter.settable());
            }
            Err(e) => {
                assert_eq!(e.code, Code::ReadOnly, "{address}");
                assert!(!id.parameter.settable());
            }
        }
    }
}

#[test]
fn any_number_type_is_taken_and_clamped() {
    for arg in [Int(3), Float(3.0), Long(3), Double(3.0)] {
        let id = find("/ch/2/gain").unwrap();
        let wanted = Request::Set { id, value: Value::Number(3.0), exact: true };
        assert_eq!(ask("/ch/2/gain", vec![arg]), Ok(vec![wanted]));
    }
    for (arg, on) in [(Bool(true), true), (Bool(false), false), (Int(1), true), (Float(0.0), false)]
    {
        let id = find("/ch/2/mute").unwrap();
        let wanted = Request::Set { id, value: Value::Bool(on), exact: true };
        assert_eq!(ask("/ch/2/mute", vec![arg]), Ok(vec![wanted]));
    }
    let id = find("/master/gain").unwrap();
    let wanted = Request::Set { id, value: Value::Number(12.0), exact: false };
    assert_eq!(ask("/master/gain", vec![Int(99)]), Ok(vec![wanted]));
    let id = find("/engine/guidance").unwrap();
    for arg in [Nil, text("model")] {
        let wanted = Request::Set { id, value: Value::Model, exact: true };
        assert_eq!(ask("/engine/guidance", vec![arg]), Ok(vec![wanted]));
    }
    assert_eq!(value(&Float(0.1)), Some(Value::Number(0.1)));
    assert_eq!(value(&Float(f32::INFINITY)), Some(Value::Number(f64::INFINITY)));
}

#[test]
fn what_is_wrong_has_its_code() {
    assert_eq!(code("/master/gian", vec![]), Code::UnknownAddress);
    assert_eq!(code("/ch/17/gain", vec![]), Code::UnknownAddress);
    assert_eq!(code("/ch/*/gian", vec![]), Code::UnknownAddress);
    assert_eq!(code("/ch/[/gain", vec![]), Code::UnknownAddress);
    assert_eq!(code("/master/gain", vec![text("loud")]), Code::WrongArguments);
    assert_eq!(code("/master/gain", vec![Int(1), Int(2)]), Code::WrongArguments);
    assert_eq!(code("/master/gain", vec![Blob(vec![])]), Code::WrongArguments);
    assert_eq!(code("/master/gain", vec![Float(f32::NAN)]), Code::BadValue);
    assert_eq!(code("/ch/1/instrument", vec![text("kazoo")]), Code::BadValue);
    assert_eq!(code("/engine/load", vec![Int(1)]), Code::ReadOnly);
    assert_eq!(code("/engine/l*", vec![Int(1)]), Code::ReadOnly);
    assert_eq!(code("/status", vec![Int(1)]), Code::WrongArguments);
}

#[test]
fn notes_controllers_and_bends_become_midi() {
    let midi = |address: &str, args: Vec<OscType>| match ask(address, args).unwrap().as_slice() {
        [Request::Midi(bytes)] => *bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(midi("/ch/1/note", vec![Int(60), Float(1.0)]), [0x90, 60, 127]);
    assert_eq!(midi("/ch/1/note", vec![Int(60), Int(1)]), [0x90, 60, 1]);
    assert_eq!(midi("/ch/16/note", vec![Int(60), Float(100.0)]), [0x9f, 60, 100]);
    assert_eq!(midi("/ch/16/note", vec![Int(60), Float(0.001)]), [0x9f, 60, 1]);
    assert_eq!(midi("/ch/2/note", vec![Float(60.0), Float(0.0)]), [0x81, 60, 0]);
    assert_eq!(midi("/ch/2/note", vec![Int(999), Bool(false)]), [0x81, 127, 0]);
    assert_eq!(midi("/ch/2/note", vec![Int(1), Bool(true)]), [0x91, 1, 127]);
    assert_eq!(midi("/ch/3/cc", vec![Int(7), Float(0.5)]), [0xb2, 7, 64]);
    assert_eq!(midi("/ch/3/cc", vec![Int(64), Int(127)]), [0xb2, 64, 127]);
    assert_eq!(midi("/ch/1/bend", vec![Float(0.0)]), [0xe0, 0, 64]);
    assert_eq!(midi("/ch/1/bend", vec![Int(-1)]), [0xe0, 0, 0]);
    assert_eq!(midi("/ch/1/bend", vec![Float(2.0)]), [0xe0, 127, 127]);
    assert_eq!(code("/ch/1/note", vec![Int(60)]), Code::WrongArguments);
    assert_eq!(code("/ch/1/note", vec![]), Code::WrongArguments);
    assert_eq!(code("/ch/1/bend", vec![Float(f32::NAN)]), Code::WrongArguments);
    assert_eq!(ask("/ch/*/note", vec![Int(60), Float(1.0)]).unwrap().len(), 16);
}

#[test]
fn patterns_reach_every_value_and_no_command() {
    let all = ask(EVERYTHING, vec![]).unwrap();
    assert_eq!(all.len(), ids().count());
    assert!(all.iter().all(|r| matches!(r, Request::Get(_))));
    assert_eq!(ask("/ch/{1,10}/gain", vec![Int(0)]).unwrap().len(), 2);
    // A pattern that sets values skips parameters that can only be read.
    let settable = PARAMETERS.iter().filter(|p| p.address.starts_with("/master/") && p.settable());
    assert_eq!(ask("/{master,meter}/*", vec![Int(1)]).unwrap().len(), settable.count());
    // If one of the values has another type, none is set.
    assert_eq!(code("/engine/*", vec![Int(1)]), Code::WrongArguments);
}

#[test]
fn buttons_act_when_pressed() {
    for address in [PANIC, ALL_NOTES_OFF, ALL_SOUND_OFF, RECORD_STOP, RELOAD, SAVE_STATE] {
        for args in [vec![], vec![Int(1)], vec![Float(0.5)], vec![Bool(true)], vec![Inf]] {
            assert_eq!(ask(address, args).unwrap().len(), 1, "{address}");
        }
        assert_eq!(ask(address, vec![Float(0.0)]), Ok(vec![]));
        assert_eq!(code(address, vec![text("x")]), Code::WrongArguments);
    }
}

#[test]
fn recordings_take_a_path_or_a_button() {
    let start = |path: Option<&str>| Ok(vec![Request::RecordStart(path.map(str::to_owned))]);
    assert_eq!(ask(RECORD_START, vec![]), start(None));
    assert_eq!(ask(RECORD_START, vec![Float(1.0)]), start(None));
    assert_eq!(ask(RECORD_START, vec![Float(0.0)]), Ok(vec![]));
    assert_eq!(ask(RECORD_START, vec![text("take.wav")]), start(Some("take.wav")));
    let wrong = ask(RECORD_START, vec![text("a"), text("b")]).unwrap_err();
    assert!(wrong.code == Code::WrongArguments && wrong.text.contains("a path"), "{wrong}");
    assert_eq!(code("/record", vec![Int(1)]), Code::ReadOnly);
}

#[test]
fn answers_are_not_answered() {
    assert_eq!(ask(ERROR, vec![text("/x"), Int(1), text("y")]), Ok(vec![]));
    assert_eq!(ask(PING, vec![text(NAME)]), Ok(vec![]));
    assert_eq!(ask(PING, vec![Int(7), text(NAME)]), Ok(vec![]));
    assert_eq!(ask(PING, vec![Int(7)]), Ok(vec![Request::Ping(Some(Int(7)))]));
}

#[test]
fn subscriptions_name_any_of_their_parts() {
    let subscribe = |args: Vec<OscType>| match ask(SUBSCRIBE, args).unwrap().as_slice() {
        [Request::Subscribe(s)] => {
            (s.host.map(|h| h.to_string()), s.port, s.pattern.as_str().to_owned(), s.hz)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(subscribe(vec![]), (None, None, EVERYTHING.to_owned(), 30.0));
    let all = vec![text("10.0.0.7"), Int(9001), text("/ch/*/gain"), Float(99.0)];
    let wanted = (Some("10.0.0.7".to_owned()), Some(9001), "/ch/*/gain".to_owned(), 30.0);
    assert_eq!(subscribe(all), wanted);
    assert_eq!(subscribe(vec![text("/a"), Int(5)]), (None, None, "/a".to_owned(), 5.0));
    let local = subscribe(vec![text("localhost"), Int(7), Int(0)]);
    assert_eq!(local, (Some("127.0.0.1".to_owned()), Some(7), EVERYTHING.to_owned(), 0.1));
    assert_eq!(code(SUBSCRIBE, vec![text("example.org")]), Code::BadValue);
    assert_eq!(code(SUBSCRIBE, vec![Int(0)]), Code::BadValue);
    assert_eq!(code(SUBSCRIBE, vec![Int(70_000)]), Code::BadValue);
    assert_eq!(code(SUBSCRIBE, vec![text("/[")]), Code::BadValue);
    assert_eq!(code(SUBSCRIBE, vec![Blob(vec![])]), Code::WrongArguments);
}

#[test]
fn values_are_said_in_their_types() {
    assert_eq!(arguments(&Value::Whole(i64::MAX)), [Long(i64::MAX)]);
    assert_eq!(arguments(&Value::Whole(-3)), [Int(-3)]);
    assert_eq!(arguments(&Value::Bool(true)), [Bool(true)]);
    assert_eq!(arguments(&Value::Pair(1.0, 2.0)), [Float(1.0), Float(2.0)]);
    let wrong = ControlError::new(Code::ReadOnly, "no");
    assert_eq!(error("/x", &wrong).args, [text("/x"), Int(4), text("no")]);
}
