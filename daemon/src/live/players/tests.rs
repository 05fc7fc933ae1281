//! Tests of the players, with messages from several sources.
use std::collections::HashMap;

use timbre_models::event::NoteId;

use super::*;

const A: SourceId = SourceId(1);
const B: SourceId = SourceId(2);

/// The (key, velocity) of every event; releases have velocity 0.
#[derive(Default)]
struct Heard {
    keys: HashMap<NoteId, u8>,
    events: Vec<(u8, u8)>,
}

impl Heard {
    fn take(&mut self, event: &Event) {
        match event.what {
            What::On(strike) => {
                self.keys.insert(strike.note, strike.voice.key);
                self.events.push((strike.voice.key, strike.velocity));
            }
            What::Off(note) => self.events.push((self.keys.remove(&note).unwrap_or(0), 0)),
            _ => {}
        }
    }
}

/// Players, and the events that they have made.
struct Rig {
    players: Players,
    heard: Heard,
}

impl Rig {
    fn new() -> Self {
        Self { players: Players::new(), heard: Heard::default() }
    }

    /// Plays messages and returns the (key, velocity) of every event.
    fn play(&mut self, source: SourceId, messages: &[[u8; 3]]) -> Vec<(u8, u8)> {
        messages.iter().for_each(|bytes| self.say(source, Midi::Message(*bytes)));
        std::mem::take(&mut self.heard.events)
    }

    fn say(&mut self, source: SourceId, midi: Midi) {
        let heard = &mut self.heard;
        self.players.input(0.0, source, midi, &mut |event| heard.take(&event));
    }

    fn strips(&mut self, change: impl Fn(&mut [Channel; 16])) -> Vec<(u8, u8)> {
        let mut strips = self.players.strips.clone();
        change(&mut strips);
        let heard = &mut self.heard;
        self.players.strips(1.0, &strips, &mut |event| heard.take(&event));
        std::mem::take(&mut self.heard.events)
    }
}

/// The value to which messages set a control of the first part.
fn control(messages: &[[u8; 3]], wanted: Control) -> Option<f32> {
    let (mut players, mut last) = (Players::new(), None);
    for bytes in messages {
        players.input(0.0, A, Midi::Message(*bytes), &mut |event| match event.what {
            What::Control(control, value) if control == wanted => last = Some(value),
            _ => {}
        });
    }
    last
}

#[test]
fn a_source_that_is_gone_leaves_nothing_behind() {
    let mut rig = Rig::new();
    rig.play(A, &[[0xB0, 64, 127], [0x90, 60, 100], [0x90, 64, 100], [0x80, 60, 0]]);
    assert_eq!(rig.players.held(), 2);
    rig.say(A, Midi::Gone);
    assert_eq!(rig.heard.events, [(60, 0), (64, 0)]);
    assert_eq!(rig.players.held(), 0);
}

#[test]
fn a_key_that_two_sources_play_is_two_notes() {
    let mut rig = Rig::new();
    assert_eq!(rig.play(A, &[[0x90, 60, 100]]), [(60, 100)]);
    assert_eq!(rig.play(B, &[[0x90, 60, 50]]), [(60, 50)]);
    assert_eq!(rig.players.held(), 2);
    assert_eq!(rig.play(A, &[[0x80, 60, 0]]), [(60, 0)]);
    assert_eq!(rig.play(B, &[[0x90, 60, 0]]), [(60, 0)]);
    assert_eq!(rig.players.held(), 0);
}

#[test]
fn a_key_is_released_as_it_was_struck() {
    let mut rig = Rig::new();
    rig.strips(|s| s[0].transpose = 12);
    assert_eq!(rig.play(A, &[[0x90, 60, 100]]), [(72, 100)]);
    rig.strips(|s| s[0].transpose = -12);
    assert_eq!(rig.play(A, &[[0x80, 60, 0]]), [(72, 0)]);
    assert_eq!(rig.play(A, &[[0x90, 5, 100]]), [], "below the keyboard");
}

#[test]
fn mute_and_solo_let_go_of_what_they_silence() {
    let mut rig = Rig::new();
    rig.play(A, &[[0x90, 60, 100], [0x91, 62, 100]]);
    assert_eq!(rig.strips(|s| s[1].solo = true), [(60, 0)]);
    assert_eq!(rig.play(A, &[[0x90, 61, 100]]), []);
    assert_eq!(rig.strips(|s| s[1].mute = true), [(62, 0)]);
    rig.strips(|s| (s[1].solo, s[1].mute) = (false, false));
    assert_eq!(rig.play(A, &[[0x90, 61, 100]]), [(61, 100)]);
}

#[test]
fn volume_and_gain_are_controls_and_the_curve_acts_on_velocity() {
    let mut rig = Rig::new();
    rig.play(A, &[[0xB0, 7, 50]]);
    assert_eq!(rig.play(A, &[[0x90, 60, 100]]), [(60, 100)], "the hand's");
    assert_eq!(control(&[[0xB0, 7, 127]], Control::Volume), Some(1.0));
    rig.strips(|s| s[0].velocity_curve = 2.0);
    assert_eq!(rig.play(A, &[[0x90, 62, 64]]), [(62, 32)]);
    let mut gains = vec![];
    let mut strips = rig.players.strips.clone();
    (strips[3].gain, strips[4].morph.pressure) = (-6.0, 0.5);
    rig.players.strips(1.0, &strips, &mut |event| gains.push((event.part, event.what)));
    let wanted = [
        (Part(3), What::Control(Control::Gain, -6.0)),
        (Part(4), What::Control(Control::MorphPressure, 0.5)),
    ];
    assert_eq!(gains, wanted);
}

#[test]
fn controllers_that_were_turned_down_come_back() {
    let place = |rig: &Rig, controller| rig.players.controllers().get(0, controller);
    let mut rig = Rig::new();
    for from in [A, SourceId::OSC] {
        rig.play(A, &[[0xB0, 11, 0]]);
        assert_eq!(place(&rig, 11), 0);
        rig.play(from, &[[0xB0, 121, 0]]);
        assert_eq!(place(&rig, 11), 127);
    }
    rig.play(A, &[[0xB0, 7, 0], [0xB0, 121, 0]]);
    assert_eq!(place(&rig, 7), 0, "RP-015: volume is not reset");
    rig.play(A, &[[0xFF, 0, 0]]);
    assert_eq!(place(&rig, 7), 100);
    assert_eq!(control(&[[0xB0, 11, 0], [0xB0, 121, 0]], Control::Expression), Some(1.0));
}

#[test]
fn panic_from_osc_reaches_every_source() {
    let mut rig = Rig::new();
    rig.play(A, &[[0xB0, 64, 127], [0x90, 60, 100]]);
    assert_eq!(rig.play(SourceId::OSC, &[[0xB0, 120, 0]]), [(60, 0)]);
    assert_eq!(rig.players.held(), 0);
}

#[test]
fn a_reset_ends_the_notes_of_all_and_takes_controllers_back() {
    let mut rig = Rig::new();
    rig.play(A, &[[0xB3, 7, 0], [0x93, 60, 100], [0x90, 61, 100]]);
    let mut after = rig.play(B, &[[0xFF, 0, 0]]);
    after.sort_unstable();
    assert_eq!(after, [(60, 0), (61, 0)]);
    assert_eq!(rig.play(A, &[[0x93, 60, 100]]), [(60, 100)]);
}

#[test]
fn a_program_is_the_channels_not_the_sources() {
    let mut players = Players::new();
    let mut programs = vec![];
    let mut out = |event: Event| {
        if let What::On(strike) = event.what {
            programs.push(strike.voice.program);
        }
    };
    players.input(0.0, A, Midi::Message([0xC0, 48, 0]), &mut out);
    players.input(0.0, B, Midi::Message([0x90, 60, 90]), &mut out);
    players.input(0.0, B, Midi::Message([0xC0, 12, 0]), &mut out);
    players.input(0.0, A, Midi::Message([0x90, 62, 90]), &mut out);
    assert_eq!(programs, [48, 12]);
    assert_eq!(players.programs()[0], 12);
}

#[test]
fn another_model_hears_where_all_controls_are() {
    let mut players = Players::new();
    for bytes in [[0xB0, 10, 0], [0xB0, 91, 127], [0xE0, 127, 127]] {
        players.input(0.0, A, Midi::Message(bytes), &mut |_| {});
    }
    let mut said = HashMap::new();
    players.controls(0.0, &mut |event| {
        if let What::Control(control, value) = event.what
            && event.part == Part(0)
        {
            said.insert(control, value);
        }
    });
    assert_eq!((said[&Control::Pan], said[&Control::Reverb]), (-1.0, 1.0));
    assert_eq!(said[&Control::Bend], 2.0);
}
