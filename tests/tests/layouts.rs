//! The layouts for Open Stage Control and TouchOSC (`config/layouts`): the daemon has every address
//! in them and accepts their arguments, and both files are those that their script makes.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;

use rosc::OscType::{self, Bool, Float, Int};
use serde_json::Value;
use timbre_control::osc::{self, Request, message};
use timbre_control::parameters::find;
use timbre_control::pattern::Pattern;

/// The controls that every strip must have.
const STRIP: [&str; 7] =
    ["gain", "mute", "solo", "program", "morph/amount", "morph/pressure", "spread"];

/// One control: its address, and everything that it can send.
struct Control {
    address: String,
    /// None for a control that only shows a value.
    sends: Option<Vec<Vec<OscType>>>,
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/layouts"))
}

/// Checks that the daemon would accept a control.
fn check(control: &Control) {
    let Control { address, sends } = control;
    let Some(sends) = sends else {
        find(address).unwrap_or_else(|e| panic!("{e}"));
        return;
    };
    for args in sends {
        let requests = osc::read(&message(address.as_str(), args.clone()));
        let requests = requests.unwrap_or_else(|e| panic!("{address} {args:?}: {e}"));
        assert_eq!(requests.len(), 1, "{address} {args:?}");
        if let Some(Request::Set { exact, .. }) = requests.first() {
            assert!(exact, "{address}: {args:?} is beyond its range");
        }
    }
}

/// Checks everything that a script of the layout sends.
fn check_script(script: &str) {
    let addresses: Vec<&str> = script.split('\'').filter(|part| part.starts_with('/')).collect();
    assert!(addresses.contains(&"/subscribe") && addresses.contains(&"//*"), "{script}");
    for address in addresses {
        match address.contains('*') {
            true => assert!(Pattern::new(address).unwrap().matches("/ch/1/gain")),
            false => drop(osc::read(&message(address, vec![])).unwrap()),
        }
    }
}

fn check_all(controls: &[Control]) {
    controls.iter().for_each(check);
    let there: BTreeSet<&str> = controls.iter().map(|c| c.address.as_str()).collect();
    let strips = (1..=16).flat_map(|n| STRIP.map(|name| format!("/ch/{n}/{name}")));
    let master = ["/master/gain", "/master/mute", "/panic", "/meter/master", "/record/start"];
    for address in strips.chain(master.map(str::to_owned)) {
        assert!(there.contains(address.as_str()), "{address} is missing");
    }
}

/// Collects the controls of a widget and of all widgets within it.
fn widgets(widget: &Value, controls: &mut Vec<Control>) {
    let text = |key: &str| widget[key].as_str().unwrap_or_default();
    let address = text("address").to_owned();
    if address.starts_with('/') {
        let number = |value: &Value| match value {
            Value::Bool(value) => Bool(*value),
            value if text("typeTags") == "i" => Int(value.as_i64().unwrap() as i32),
            value => Float(value.as_f64().unwrap() as f32),
        };
        let all = |values: &[&Value]| Some(values.iter().map(|v| vec![number(v)]).collect());
        let sends = match text("type") {
            _ if widget["interaction"] == Value::Bool(false) => None,
            "fader" => all(&[&widget["range"]["min"], &widget["range"]["max"]]),
            "button" if text("mode") == "tap" => all(&[&widget["on"]]),
            "button" => all(&[&widget["on"], &widget["off"]]),
            "dropdown" => all(&widget["values"].as_object().unwrap().values().collect::<Vec<_>>()),
            "input" => all(&[&widget["default"]]),
            other => panic!("{other}"),
        };
        controls.push(Control { address, sends });
    }
    for inner in widget["widgets"].as_array().into_iter().flatten() {
        widgets(inner, controls);
    }
}

#[test]
fn the_session_of_open_stage_control_has_the_daemons_addresses() {
    let text = std::fs::read_to_string(folder().join("open-stage-control.json")).unwrap();
    let session: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&session["type"], &session["content"]["type"]),
        (&"session".into(), &"root".into())
    );
    let mut controls = vec![];
    widgets(&session["content"], &mut controls);
    check_all(&controls);
    check_script(session["content"]["onCreate"].as_str().unwrap());
    let mut names = BTreeSet::new();
    for widget in session["content"]["widgets"].as_array().unwrap() {
        assert!(names.insert(widget["id"].as_str().unwrap()), "{} twice", widget["id"]);
    }
}

#[test]
fn the_layout_of_touchosc_has_the_daemons_addresses() {
    let file = std::fs::File::open(folder().join("touchosc.tosc")).unwrap();
    let mut xml = String::new();
    flate2::read::ZlibDecoder::new(file).read_to_string(&mut xml).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "lexml");
    let named = |name: &'static str| document.descendants().filter(move |n| n.has_tag_name(name));
    let controls: Vec<Control> = named("osc").map(control).collect();
    check_all(&controls);
    let script = named("property").find(|property| {
        property.children().any(|key| key.has_tag_name("key") && key.text() == Some("script"))
    });
    check_script(script.unwrap().last_child().unwrap().text().unwrap());
    let ids: BTreeSet<&str> = named("node").map(|node| node.attribute("ID").unwrap()).collect();
    assert_eq!(ids.len(), named("node").count());
}

/// The control of an `<osc>` of TouchOSC, with the messages for both ends of its range.
fn control(osc: roxmltree::Node<'_, '_>) -> Control {
    let child = |node: roxmltree::Node<'_, '_>, name: &str| {
        let found = node.children().find(|n| n.has_tag_name(name));
        found.and_then(|n| n.text()).unwrap_or_default().to_owned()
    };
    let partials = |name: &str| {
        let list = osc.children().find(|n| n.has_tag_name(name)).unwrap();
        list.children().filter(|n| n.has_tag_name("partial")).collect::<Vec<_>>()
    };
    let address = partials("path").into_iter().map(|part| child(part, "value")).collect();
    let argument = |end: &str| -> Vec<OscType> {
        let parts = partials("arguments").into_iter();
        parts
            .map(|part| {
                let x: f32 = child(part, end).parse().unwrap();
                match child(part, "conversion").as_str() {
                    "FLOAT" => Float(x),
                    "INTEGER" => Int(x as i32),
                    "BOOLEAN" => Bool(x > 0.5),
                    other => panic!("{other}"),
                }
            })
            .collect()
    };
    let is_press = osc.descendants().any(|n| n.text() == Some("RISE"));
    let sends = (child(osc, "send") == "1").then(|| match is_press {
        true => vec![argument("scaleMax")],
        false => vec![argument("scaleMin"), argument("scaleMax")],
    });
    Control { address, sends }
}

#[test]
fn both_are_as_their_script_makes_them() {
    let script = folder().join("make_layouts.py");
    let ran = Command::new("python3").arg(script).arg("--check").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
