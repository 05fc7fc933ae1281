//! Messages of several sources, and what becomes of them.
use super::*;

const A: SourceId = SourceId(1);
const B: SourceId = SourceId(2);

/// Plays messages and gives (key, velocity) of every event.
fn play(players: &mut Players, source: SourceId, messages: &[[u8; 3]]) -> Vec<(u8, u8)> {
    let mut events = vec![];
    for bytes in messages {
        players.input(0.0, source, Midi::Message(*bytes), &mut |e| {
            events.push((e.voice.key, e.velocity));
        });
    }
    events
}

fn strips(players: &mut Players, change: impl Fn(&mut [Channel; 16])) -> Vec<(u8, u8)> {
    let mut strips = players.strips.clone();
    change(&mut strips);
    let mut events = vec![];
    players.strips(1.0, &strips, &mut |e| events.push((e.voice.key, e.velocity)));
    events
}

#[test]
fn a_source_that_is_gone_leaves_nothing_behind() {
    let mut players = Players::new();
    play(&mut players, A, &[[0xB0, 64, 127], [0x90, 60, 100], [0x90, 64, 100], [0x80, 60, 0]]);
    assert_eq!(players.held(), 2);
    let mut released = vec![];
    players.input(1.0, A, Midi::Gone, &mut |e| released.push((e.voice.key, e.velocity)));
    assert_eq!(released, [(60, 0), (64, 0)]);
    assert_eq!(players.held(), 0);
}

#[test]
fn a_voice_two_sources_hold_is_released_by_the_last() {
    let mut players = Players::new();
    assert_eq!(play(&mut players, A, &[[0x90, 60, 100]]), [(60, 100)]);
    assert_eq!(play(&mut players, B, &[[0x90, 60, 50]]), [(60, 0), (60, 50)]);
    assert_eq!(play(&mut players, A, &[[0x80, 60, 0]]), []);
    assert_eq!(play(&mut players, B, &[[0x90, 60, 0]]), [(60, 0)]);
}

#[test]
fn a_key_is_released_as_it_was_struck() {
    let mut players = Players::new();
    strips(&mut players, |s| s[0].transpose = 12);
    assert_eq!(play(&mut players, A, &[[0x90, 60, 100]]), [(72, 100)]);
    strips(&mut players, |s| s[0].transpose = -12);
    assert_eq!(play(&mut players, A, &[[0x80, 60, 0]]), [(72, 0)]);
    assert_eq!(play(&mut players, A, &[[0x90, 5, 100]]), [], "below the keyboard");
}

#[test]
fn mute_and_solo_let_go_of_what_they_silence() {
    let mut players = Players::new();
    play(&mut players, A, &[[0x90, 60, 100], [0x91, 62, 100]]);
    assert_eq!(strips(&mut players, |s| s[1].solo = true), [(60, 0)]);
    assert_eq!(play(&mut players, A, &[[0x90, 61, 100]]), []);
    assert_eq!(strips(&mut players, |s| s[1].mute = true), [(62, 0)]);
    strips(&mut players, |s| (s[1].solo, s[1].mute) = (false, false));
    assert_eq!(play(&mut players, A, &[[0x90, 61, 100]]), [(61, 100)]);
}

#[test]
fn gain_volume_and_curve_act_on_velocity() {
    let mut players = Players::new();
    play(&mut players, A, &[[0xB0, 7, 50]]);
    assert_eq!(play(&mut players, A, &[[0x90, 60, 100]]), [(60, 50)]);
    play(&mut players, A, &[[0xB0, 7, 100]]);
    strips(&mut players, |s| s[0].gain = -40.0);
    assert_eq!(play(&mut players, A, &[[0x90, 61, 100]]), [(61, 10)]);
    strips(&mut players, |s| (s[0].gain, s[0].velocity_curve) = (0.0, 2.0));
    assert_eq!(play(&mut players, A, &[[0x90, 62, 64]]), [(62, 32)]);
}

#[test]
fn a_channel_that_was_turned_down_comes_back() {
    let mut players = Players::new();
    let strike = [[0x90, 60, 100], [0x80, 60, 0]];
    assert_eq!(play(&mut players, A, &[[0xB0, 11, 0], strike[0]]), []);
    assert_eq!(players.expressions()[0], 0);
    for from in [A, SourceId::OSC] {
        play(&mut players, A, &[[0xB0, 11, 0]]);
        play(&mut players, from, &[[0xB0, 121, 0]]);
        assert_eq!(play(&mut players, A, &strike), [(60, 100), (60, 0)]);
    }
    play(&mut players, A, &[[0xB0, 7, 0], [0xB0, 121, 0]]);
    assert_eq!(play(&mut players, A, &strike), [], "RP-015: volume is not reset");
    players.input(1.0, A, Midi::Message([0xFF, 0, 0]), &mut |_| {});
    assert_eq!(players.volumes()[0], 100);
    assert_eq!(play(&mut players, A, &strike), [(60, 100), (60, 0)]);
}

#[test]
fn panic_from_osc_reaches_every_source() {
    let mut players = Players::new();
    play(&mut players, A, &[[0xB0, 64, 127], [0x90, 60, 100]]);
    assert_eq!(play(&mut players, SourceId::OSC, &[[0xB0, 120, 0]]), [(60, 0)]);
    assert_eq!(players.held(), 0);
}

#[test]
fn a_reset_ends_the_notes_and_takes_controllers_back() {
    let mut players = Players::new();
    play(&mut players, A, &[[0xB3, 7, 0], [0x93, 60, 100], [0x90, 61, 100]]);
    assert_eq!(play(&mut players, A, &[[0xFF, 0, 0], [0x93, 60, 100]]), [(61, 0), (60, 100)]);
}

#[test]
fn a_program_is_the_channels_not_the_sources() {
    let mut players = Players::new();
    let mut programs = vec![];
    let mut out = |e: NoteEvent| programs.push(e.voice.program);
    players.input(0.0, A, Midi::Message([0xC0, 48, 0]), &mut out);
    players.input(0.0, B, Midi::Message([0x90, 60, 90]), &mut out);
    players.input(0.0, B, Midi::Message([0xC0, 12, 0]), &mut out);
    players.input(0.0, A, Midi::Message([0x90, 62, 90]), &mut out);
    assert_eq!(programs, [48, 12]);
    assert_eq!(players.programs()[0], 12);
}
