#!/usr/bin/env python3
"""Writes demo.mid: J. S. Bach, Prelude in C major, BWV 846 (1722), bars 1-19, our own encoding.
Needs mido.

Piano with a quiet string pad on the two lowest voices. The sustain pedal is pressed again in each
bar.
"""
from pathlib import Path

import mido

BARS = """C4 E4 G4 C5 E5|C4 D4 A4 D5 F5|B3 D4 G4 D5 F5|C4 E4 G4 C5 E5|C4 E4 A4 E5 A5
C4 D4 F#4 A4 D5|B3 D4 G4 D5 G5|B3 C4 E4 G4 C5|A3 C4 E4 G4 C5|D3 A3 D4 F#4 C5|G3 B3 D4 G4 B4
G3 Bb3 E4 G4 C#5|F3 A3 D4 A4 D5|F3 Ab3 D4 F4 B4|E3 G3 C4 G4 C5|E3 F3 A3 C4 F4|D3 F3 A3 C4 F4
G2 D3 G3 B3 F4|C3 E3 G3 C4 E4""".replace("\n", "|").split("|")
NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
TICKS = 480
STEP = TICKS // 4  # a sixteenth


def key(name):
    return 12 * (int(name[-1]) + 1) + NAMES[name[0]] + name.count("#") - name[1:].count("b")


def track(name, events):
    out = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for at, message in sorted(events, key=lambda e: e[0]):
        out.append(message.copy(time=at - now))
        now = at
    return out


piano = [(0, mido.Message("program_change", channel=0, program=0))]
pad = [(0, mido.Message("program_change", channel=1, program=48))]
for bar, text in enumerate(BARS):
    keys = [key(name) for name in text.split()]
    last = bar == len(BARS) - 1
    start = bar * 16 * STEP
    down, up = (mido.Message("control_change", channel=0, control=64, value=n) for n in (127, 0))
    piano += [(start + 1, down), (start + 15 * STEP + 60, up)]
    for i in range(1 if last else 16):
        which = [0, 1, 2, 3, 4, 2, 3, 4][i % 8]
        chord = keys if last else [keys[which]]
        for k in chord:
            loud = 58 + bar % 8 * 3 + (8 if which == 0 else 0) - (6 if i >= 8 else 0)
            at = start + i * STEP
            end = at + (14 * STEP if last else STEP)
            piano += [(at, mido.Message("note_on", channel=0, note=k, velocity=loud)),
                      (end, mido.Message("note_off", channel=0, note=k))]
    for k in keys[:2]:
        pad += [(start, mido.Message("note_on", channel=1, note=k, velocity=44)),
                (start + 15 * STEP + 80, mido.Message("note_off", channel=1, note=k))]
song = mido.MidiFile(ticks_per_beat=TICKS)
tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(80))])
song.tracks += [tempo, track("piano", piano), track("strings", pad)]
song.save(Path(__file__).with_name("demo.mid"))
print(f"{song.length:.1f} s")
