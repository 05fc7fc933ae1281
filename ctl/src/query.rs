//! The tree of addresses for OSCQuery (Vidvox, OSCQueryProposal): JSON that is made of the tables
//! of parameters and actions and of the current values. It knows no transport.

use serde_json::{Map, Value as Json, json};

use crate::action::ACTIONS;
use crate::instruments;
use crate::learn::LEARN;
use crate::osc::{
    ALL_NOTES_OFF, ALL_SOUND_OFF, AUTH, PANEL, PANIC, PING, RECORD_START, RECORD_STOP, STATUS,
    SUBSCRIBE, UNSUBSCRIBE, VERSION,
};
use crate::parameters::{Access, CHANNEL_PLACE, CHANNELS, Id, Key, Kind, Parameter, ids};
use crate::value::Value;

/// Attributes that can be asked for by name.
pub const ATTRIBUTES: [&str; 10] = [
    "FULL_PATH",
    "CONTENTS",
    "TYPE",
    "ACCESS",
    "VALUE",
    "RANGE",
    "DESCRIPTION",
    "UNIT",
    "CLIPMODE",
    "TAGS",
];

/// The values of ACCESS: for containers, for what can only be read, for what only acts, and for
/// both.
const NONE: u8 = 0;
const READ: u8 = 1;
const WRITE: u8 = 2;
const BOTH: u8 = 3;

/// Addresses that do something and have no value, with their type and help. `{n}` stands for the
/// channel.
const ACTING: [(&str, &str, &str); 15] = [
    ("/ch/{n}/note", "if", "A key, 0 to 127, and its velocity, 0 to 1; 0 releases it"),
    ("/ch/{n}/cc", "if", "A controller, 0 to 127, and its value, 0 to 1 or 0 to 127"),
    ("/ch/{n}/bend", "f", "Pitch bend, -1 to 1"),
    (PANIC, "N", "Silence, all pedals up, all notes off"),
    (ALL_NOTES_OFF, "N", "All fingers up; pedals hold"),
    (ALL_SOUND_OFF, "N", "Silence"),
    (RECORD_START, "s", "A recording begins, of this name; with an empty one the time is its name"),
    (RECORD_STOP, "N", "The recording ends; answered with its file and its length in seconds"),
    (LEARN, "s", "The next controller that moves sets the parameter of this address"),
    (STATUS, "N", "How the daemon is, answered as JSON"),
    (VERSION, "N", "Answered with timbred and its version"),
    (PING, "N", "Answered when all that was asked for before is done"),
    (SUBSCRIBE, "sf", "Changes of what a pattern matches are sent, at most so often a second"),
    (UNSUBSCRIBE, "s", "They are not sent any more"),
    (AUTH, "s", "The token, where one is wanted"),
];

/// The answer to a question about one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// An object with that attribute.
    Found(Json),
    /// The node has none (204).
    Absent,
    /// There is no attribute of that name (400).
    Unknown,
    /// There is no node at the path (404).
    Nowhere,
}

/// The node at a path with everything below it; none if nothing is there. `values` are the values
/// of all parameters in their order.
pub fn node(path: &str, values: &[Value]) -> Option<Json> {
    let path = path.trim_end_matches('/');
    let below = format!("{path}/");
    let is_meant = |address: &str| address == path || address.starts_with(&below);
    let parameters = ids().zip(values).map(|(id, value)| (id.address(), Leaf::Value(id, value)));
    let acting = acting().map(|(address, kind, help)| (address, Leaf::Acts(kind, help)));
    let mut root: Option<Json> = None;
    for (address, leaf) in parameters.chain(acting).filter(|(address, _)| is_meant(address)) {
        let rest = address.strip_prefix(path).unwrap_or_default();
        put(root.get_or_insert_with(|| container(path)), path, rest, leaf.attributes());
    }
    root
}

/// One attribute of the node at a path.
pub fn attribute(path: &str, name: &str, values: &[Value]) -> Attribute {
    if !ATTRIBUTES.contains(&name) {
        return Attribute::Unknown;
    }
    match node(path, values) {
        None => Attribute::Nowhere,
        Some(node) => match node.get(name) {
            Some(found) => Attribute::Found(json!({ name: found })),
            None => Attribute::Absent,
        },
    }
}

/// What lies at an address.
enum Leaf<'a> {
    Value(Id, &'a Value),
    Acts(&'static str, &'static str),
}

fn acting() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let actions = ACTIONS.iter().map(|row| (row.address, row.osc_type(), row.help));
    let panel = (PANEL, "N", "Where the panel is, answered with its addresses");
    ACTING.into_iter().chain(actions).chain([panel]).flat_map(|(address, kind, help)| {
        let channels = if address.contains(CHANNEL_PLACE) { CHANNELS } else { 1 };
        (1..=channels)
            .map(move |channel| (address.replace(CHANNEL_PLACE, &channel.to_string()), kind, help))
    })
}

fn container(path: &str) -> Json {
    let full = if path.is_empty() { "/" } else { path };
    json!({ "FULL_PATH": full, "ACCESS": NONE })
}

/// Puts the attributes of a leaf at the place `rest` below `node`, whose path is `path`.
fn put(node: &mut Json, path: &str, rest: &str, attributes: Map<String, Json>) {
    let Some(node) = node.as_object_mut() else { return };
    let rest = rest.trim_start_matches('/');
    if rest.is_empty() {
        return node.extend(attributes);
    }
    let (name, after) = rest.split_once('/').unwrap_or((rest, ""));
    let path = format!("{path}/{name}");
    let contents = node.entry("CONTENTS").or_insert_with(|| json!({}));
    if let Some(contents) = contents.as_object_mut() {
        let child = contents.entry(name).or_insert_with(|| container(&path));
        put(child, &path, after, attributes);
    }
}

impl Leaf<'_> {
    fn attributes(&self) -> Map<String, Json> {
        let mut all = Map::new();
        let mut set = |name: &str, value: Json| drop(all.insert(name.to_owned(), value));
        match self {
            Self::Acts(kind, help) => {
                set("ACCESS", json!(WRITE));
                set("TYPE", json!(kind));
                set("DESCRIPTION", json!(help));
            }
            Self::Value(id, value) => {
                let p = id.parameter;
                set("ACCESS", json!(if p.access == Access::Read { READ } else { BOTH }));
                set("TYPE", json!(osc_type(p)));
                set("DESCRIPTION", json!(p.help));
                set("VALUE", values(value));
                let count = osc_type(p).len();
                let of_each = |one: Json| Json::Array(vec![one; count]);
                if let Some(range) = range(*id) {
                    set("RANGE", of_each(range));
                }
                if matches!(p.kind, Kind::Number | Kind::Whole) && p.settable() {
                    set("CLIPMODE", of_each(json!("both")));
                }
                if !p.unit.is_empty() {
                    set("UNIT", of_each(json!(p.unit)));
                }
                set("TAGS", json!([tag(p)]));
            }
        }
        all
    }
}

/// The values of a node, one for each letter of its type. Null means that it is left to the model.
fn values(value: &Value) -> Json {
    match value {
        Value::Pair(a, b) => json!([a, b]),
        one => json!([one.to_json()]),
    }
}

/// The types of a parameter in the notation of OSC.
pub const fn osc_type(parameter: &Parameter) -> &'static str {
    match parameter.kind {
        Kind::Number => "f",
        // Wider than an int.
        Kind::Whole if parameter.max > i32::MAX as f64 => "h",
        Kind::Whole => "i",
        Kind::Bool => "T",
        Kind::Text => "s",
        Kind::Pair => "ff",
    }
}

fn range(id: Id) -> Option<Json> {
    let parameter = id.parameter;
    match parameter.kind {
        Kind::Whole => Some(json!({"MIN": parameter.min as i64, "MAX": parameter.max as i64})),
        Kind::Number | Kind::Pair => Some(json!({"MIN": parameter.min, "MAX": parameter.max})),
        Kind::Text if parameter.key == Key::Instrument => {
            let names = instruments::all(id.channel).into_iter().map(|(_, name)| name);
            Some(json!({ "VALS": names.collect::<Vec<_>>() }))
        }
        Kind::Text if !parameter.choices.is_empty() => Some(json!({ "VALS": parameter.choices })),
        Kind::Text | Kind::Bool => None,
    }
}

/// The kind of a parameter, in a word.
fn tag(parameter: &Parameter) -> &'static str {
    match parameter.address.split('/').nth(1) {
        _ if parameter.access == Access::Read => "telemetry",
        Some("ch") => "channel",
        Some(first) => first,
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::PARAMETERS;

    fn values_of_all() -> Vec<Value> {
        ids().map(|id| Value::Whole(id.channel as i64)).collect()
    }

    #[test]
    fn every_row_is_in_the_tree_with_its_type_range_and_access() {
        let values = values_of_all();
        let root = node("/", &values).unwrap();
        assert_eq!(root["FULL_PATH"], "/");
        let mut count: usize = 0;
        for id in ids() {
            let pointer = id.address().replace('/', "/CONTENTS/");
            let found = root.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}"));
            let p = id.parameter;
            assert_eq!(found["FULL_PATH"], id.address());
            assert_eq!(found["ACCESS"], if p.settable() { 3 } else { 1 });
            assert_eq!(found["DESCRIPTION"], p.help);
            assert_eq!(found["VALUE"], json!([id.channel]));
            if matches!(p.kind, Kind::Number | Kind::Whole | Kind::Pair) {
                assert_eq!(found["RANGE"][0]["MIN"].as_f64(), Some(p.min), "{pointer}");
                assert_eq!(found["RANGE"][0]["MAX"].as_f64(), Some(p.max), "{pointer}");
            }
            assert_eq!(found.get("UNIT").is_some(), !p.unit.is_empty());
            assert_eq!(
                found["TYPE"].as_str().unwrap().len(),
                if p.kind == Kind::Pair { 2 } else { 1 }
            );
            count += 1;
        }
        let rows = PARAMETERS.iter().map(|p| if p.per_channel() { CHANNELS } else { 1 });
        assert_eq!(count, rows.sum::<usize>());
        assert_eq!(root["CONTENTS"]["record"]["ACCESS"], 1, "it has a value and contents");
        assert_eq!(root["CONTENTS"]["record"]["CONTENTS"]["start"]["ACCESS"], 2);
        assert_eq!(root["CONTENTS"]["ch"]["CONTENTS"]["16"]["CONTENTS"]["note"]["TYPE"], "if");
    }

    #[test]
    fn single_nodes_and_attributes() {
        let values = values_of_all();
        let gain = node("/ch/3/gain", &values).unwrap();
        assert_eq!(gain["VALUE"], json!([2]));
        assert!(gain.get("CONTENTS").is_none());
        assert_eq!(node("/ch/3/", &values).unwrap()["FULL_PATH"], "/ch/3");
        assert_eq!(node("/ch/3/gian", &values), None);
        assert_eq!(node("/ch/3/gai", &values), None);
        let ask = |path: &str, name: &str| attribute(path, name, &values);
        assert_eq!(ask("/ch/3/gain", "VALUE"), Attribute::Found(json!({"VALUE": [2]})));
        assert_eq!(
            ask("/reverb/type", "RANGE"),
            Attribute::Found(json!({
                "RANGE": [{"VALS": ["room", "hall", "plate"]}]
            }))
        );
        assert_eq!(ask("/ch/3", "VALUE"), Attribute::Absent);
        assert_eq!(ask("/panic", "VALUE"), Attribute::Absent);
        assert_eq!(ask("/ch/3/gain", "COLOUR"), Attribute::Unknown);
        assert_eq!(ask("/nothing", "VALUE"), Attribute::Nowhere);
    }
}
