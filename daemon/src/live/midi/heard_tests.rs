#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use super::*;
use crate::bus::queues::{MidiReceiver, midi_queue};

/// Ports, the notes that the inference thread gets, and the number of connections that were made.
struct Rig {
    heard: Heard<()>,
    midi: MidiReceiver,
    connected: Cell<u32>,
}

/// Reads `name`, `name@place` or `name@place#number`.
fn there(text: &str) -> There {
    let (rest, id) = text.split_once('#').unwrap_or((text, text));
    let (name, place) = rest.split_once('@').unwrap_or((rest, "desk"));
    let [id, name, place] = [id, name, place].map(str::to_owned);
    There { id, name, place }
}

impl Rig {
    fn new() -> Self {
        let (queue, midi) = midi_queue();
        Self { heard: Heard::new(queue), midi, connected: Cell::new(0) }
    }

    fn look(&mut self, ports: &[&str]) -> String {
        let ports = ports.iter().map(|text| there(text)).collect();
        let Self { heard, connected, .. } = self;
        heard.look(ports, |name| name.starts_with("deaf"), |_| Ok(next(connected)));
        self.list()
    }

    fn listen(&mut self, name: &str, wanted: bool) -> Result<(), String> {
        let Self { heard, connected, .. } = self;
        heard.listen(name, wanted, |_| Ok(next(connected)))
    }

    /// The list of ports; a star marks those that are connected.
    fn list(&self) -> String {
        let star = |p: Port| format!("{}{} ", p.name, if p.is_heard { "*" } else { "" });
        self.heard.list().into_iter().map(star).collect::<String>().trim_end().to_owned()
    }

    fn released(&self) -> Vec<u32> {
        let gone = |input: MidiInput| (input.midi == Midi::Gone).then_some(input.source.0);
        std::iter::from_fn(|| self.midi.next()).filter_map(gone).collect()
    }
}

fn next(connected: &Cell<u32>) -> (SourceId, ()) {
    connected.set(connected.get() + 1);
    (SourceId(connected.get()), ())
}

#[test]
fn all_ports_are_heard_but_those_a_rule_ignores() {
    let mut rig = Rig::new();
    assert_eq!(rig.look(&["a", "deaf"]), "a* deaf");
    assert_eq!(rig.look(&["deaf", "a", "b"]), "a* deaf b*");
    assert_eq!(rig.connected.get(), 2, "each once");
    assert_eq!(rig.look(&["deaf", "b"]), "deaf b*");
    assert_eq!(rig.released(), [1]);
}

#[test]
fn what_somebody_says_of_a_port_overrides_rules_and_holds_when_it_comes_back() {
    let mut rig = Rig::new();
    rig.look(&["a", "deaf"]);
    rig.listen("deaf", true).unwrap();
    rig.listen("deaf", true).unwrap();
    rig.listen("a", false).unwrap();
    assert_eq!((rig.list(), rig.connected.get()), ("a deaf*".to_owned(), 2));
    assert_eq!(rig.released(), [1], "its notes are released");
    assert_eq!(rig.look(&["a", "deaf"]), "a deaf*", "looking changes nothing");
    rig.look(&[]);
    assert_eq!(rig.look(&["a@desk#28:0", "deaf"]), "a deaf*", "another number");
    rig.look(&[]);
    assert_eq!(rig.look(&["a@floor#24:0", "deaf"]), "a deaf*", "another socket");
    rig.listen("a", true).unwrap();
    assert_eq!(rig.list(), "a* deaf*");
    assert!(rig.listen("b", true).unwrap_err().contains("b is gone"));
}

#[test]
fn twins_are_told_apart_by_their_sockets() {
    let mut rig = Rig::new();
    assert_eq!(rig.look(&["a@left#20:0"]), "a*");
    assert_eq!(rig.look(&["a@left#20:0", "a@right#24:0"]), "a (left)* a (right)*");
    assert_eq!(rig.connected.get(), 2, "the first one goes on");
    rig.listen("a (left)", false).unwrap();
    rig.look(&[]);
    assert_eq!(rig.look(&["a@right#20:0"]), "a", "nobody is left where it was said");
    assert_eq!(rig.look(&["a@right#20:0", "a@left#24:0"]), "a (right)* a (left)");
    assert_eq!(rig.look(&["b@p#1", "b@p#2"]), "b (p, 1)* b (p, 2)*");
}

#[test]
fn a_cable_that_another_program_pulls_stays_pulled() {
    let mut rig = Rig::new();
    rig.look(&["a", "b"]);
    rig.heard.unplugged("a");
    rig.heard.unplugged("c");
    assert_eq!(rig.look(&["a", "b"]), "a b*");
    assert_eq!(rig.released(), [1]);
    rig.listen("a", true).unwrap();
    assert_eq!(rig.look(&["a", "b"]), "a* b*");
}

#[test]
fn a_port_that_refuses_is_listed_and_asked_again() {
    let mut rig = Rig::new();
    let asked = Cell::new(0);
    let refuse = |_: &There| {
        asked.set(asked.get() + 1);
        Err("busy".to_owned())
    };
    for _ in 0..3 {
        rig.heard.look(vec![there("a")], |_| false, refuse);
    }
    assert_eq!((rig.list(), asked.get()), ("a".to_owned(), 3));
    let error = rig.heard.listen("a", true, refuse).unwrap_err();
    assert_eq!(error, "the MIDI port a cannot be heard: busy");
    rig.heard.look(vec![there("a")], |_| false, |_| Ok((SourceId(1), ())));
    assert_eq!(rig.list(), "a*");
    assert_eq!(rig.released(), [0; 0]);
}
