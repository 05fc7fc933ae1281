//! Tests of settings: each can be set and read within its range, and survives a file.

use super::*;
use crate::parameters::{Access, Kind, PARAMETERS};

fn is_setting(id: &Id) -> bool {
    matches!(id.parameter.access, Access::Live | Access::Restart)
}

#[test]
fn every_setting_can_be_set_and_read_back() {
    let mut settings = Settings::default();
    for id in ids().filter(is_setting) {
        let p = id.parameter;
        let value = match (p.kind, settings.value(id)) {
            (Kind::Number, _) => {
                let below = (0.25 + id.channel as f64 / 64.0) * (p.max - p.min).min(1.0);
                Value::Number(p.max - below)
            }
            (Kind::Whole, _) => Value::Whole(7 + id.channel as i64),
            (Kind::Bool, Some(Value::Bool(old))) => Value::Bool(!old),
            (Kind::Text, _) => Value::Text(p.choices[1].to_owned()),
            (kind, old) => panic!("{kind:?} {old:?}"),
        };
        let before = settings.clone();
        settings.set(&id.address(), &value).unwrap();
        assert_eq!(settings.get(&id.address()), Ok(value), "{}", id.address());
        assert_ne!(settings, before, "{}", id.address());
    }
    for id in ids().filter(is_setting) {
        assert_ne!(settings.value(id), Settings::default().value(id), "{}", id.address());
    }
}

#[test]
fn what_is_not_a_setting_can_be_neither_set_nor_read_here() {
    let mut settings = Settings::default();
    for id in ids().filter(|id| !is_setting(id)) {
        let value = match id.parameter.kind {
            Kind::Text => Value::Text(String::new()),
            _ => Value::Whole(1),
        };
        assert!(settings.set(&id.address(), &value).is_err(), "{}", id.address());
        assert_eq!(settings.value(id), None);
    }
    assert_eq!(settings, Settings::default());
}

#[test]
fn numbers_are_clamped_and_wrong_types_change_nothing() {
    let mut settings = Settings::default();
    let is_number = |id: &Id| matches!(id.parameter.kind, Kind::Number | Kind::Whole);
    for id in ids().filter(|id| is_setting(id) && is_number(id)) {
        for end in [-1e300, 1e300] {
            settings.set_value(id, &Value::Number(end)).unwrap();
            let edge = if end < 0.0 { id.parameter.min } else { id.parameter.max };
            let number = match settings.value(id) {
                Some(Value::Number(x)) => x,
                Some(Value::Whole(x)) => x as f64,
                other => panic!("{other:?}"),
            };
            assert_eq!(number, edge, "{} {end}", id.address());
        }
        let before = settings.clone();
        assert!(settings.set_value(id, &Value::Number(f64::NAN)).is_err());
        assert!(settings.set_value(id, &Value::Number(f64::INFINITY)).is_err());
        assert!(settings.set_value(id, &Value::Text("loud".to_owned())).is_err());
        assert_eq!(settings, before);
    }
}

#[test]
fn defaults_are_those_of_the_table() {
    let settings = Settings::default();
    for p in PARAMETERS.iter().filter(|p| !p.default.is_empty()) {
        let id = Id { parameter: p, channel: 0 };
        match settings.value(id) {
            Some(Value::Model) => assert_eq!(p.default, "the model's"),
            Some(Value::Whole(0)) if p.optional => assert_eq!(p.default, "the model's"),
            Some(value) => assert_eq!(value.to_string(), p.default, "{}", p.address),
            None => assert_eq!(p.access, Access::Midi),
        }
    }
    assert_eq!(settings.clamped(), settings);
}

#[test]
fn keys_of_the_serialized_form_are_the_names_of_the_table() {
    let json = serde_json::to_value(Settings::default()).unwrap();
    for id in ids().filter(is_setting) {
        let address = id.address();
        let place = match address.strip_prefix("/ch/") {
            Some(rest) => {
                format!("/channels/{}/{}", id.channel, rest.split_once('/').unwrap().1)
            }
            None => address.clone(),
        };
        assert!(json.pointer(&place).is_some(), "{place}");
    }
    assert!(serde_json::from_str::<Settings>(r#"{"master": {"gian": 1}}"#).is_err());
    assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
}

#[test]
fn clamping_the_whole_repairs_what_a_file_may_hold() {
    let mut settings = Settings::default();
    settings.master.gain = 1e9;
    settings.channels[3].velocity_curve = f64::NAN;
    settings.engine.hop_ms = Some(1.0);
    settings.engine.seed = u64::MAX;
    settings.engine.sampler = Some("euler".to_owned());
    let clamped = settings.clamped();
    assert_eq!(clamped.master.gain, 12.0);
    assert_eq!(clamped.channels[3].velocity_curve, 1.0);
    assert_eq!(clamped.engine.hop_ms, Some(20.0));
    assert_eq!(clamped.engine.seed, u64::MAX);
    assert_eq!(clamped.engine.sampler, None);
}
