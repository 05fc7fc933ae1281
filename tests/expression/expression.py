"""Compares the effect of each control on a held note in our sound and in FluidSynth's, from the
same MIDI file.

`make expression` runs it: python3 expression.py TIMBRED SOUNDFONT [--json FILE]. The controller
moves in the middle of a held note. Every figure is the difference to the same note without the
controller, so that the note's own changes do not count. Our sound is the stem of the channel
(`render --stems`), without reverb, chorus and limiter. Ends with status 1 if a figure is beyond its
limit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import mido
import numpy as np
from scipy.io import wavfile
from scipy.signal import butter, hilbert, sosfiltfilt

RATE = 48_000
KEY = 60
HELD_S, MOVED_S = 3.2, 1.4
BEFORE, AFTER = (0.7, 1.3), (1.9, 3.0)
PROGRAMS = {0: "piano", 19: "organ", 24: "guitar", 40: "violin", 48: "strings", 56: "trumpet",
            73: "flute", 80: "lead"}
# Candidates for the comparison of pan: see `narrow`.
NARROW = [19, 24, 56, 11, 20, 21, 26, 27, 29, 32, 33, 57, 58, 60, 65, 68, 70, 71, 75]


def bend(value):
    return [mido.Message("pitchwheel", pitch=value)]


def cc(controller, value):
    return [mido.Message("control_change", control=controller, value=value)]


def registered(number, coarse):
    return cc(101, 0) + cc(100, number) + cc(6, coarse)


# The name, the messages in the middle of the note, the measure, and the largest allowed difference
# between us and FluidSynth.
CONTROLS = [
    ("bend +2 semitones", bend(8191), "cents", 3),
    ("bend -1 semitone", bend(-4096), "cents", 3),
    ("bend range 12, +12", registered(0, 12) + bend(8191), "cents", 3),
    ("coarse tuning +3", registered(2, 67), "cents", 3),
    ("fine tuning +50 cents", registered(1, 96), "cents", 3),
    ("volume 100 -> 64", cc(7, 64), "db", 1),
    ("volume 100 -> 127", cc(7, 127), "db", 1),
    ("expression 127 -> 80", cc(11, 80), "db", 1),
    ("expression 127 -> 40", cc(11, 40), "db", 1),
    ("pan 0", cc(10, 0), "balance", 1),
    ("pan 32", cc(10, 32), "balance", 1),
    ("pan 100", cc(10, 100), "balance", 1),
    ("wheel 127", cc(1, 127), "vibrato", 10),
    ("wheel 64", cc(1, 64), "vibrato", 10),
    ("pressure 127", [mido.Message("aftertouch", value=127)], "vibrato", 10),
]


def song(path, program, messages):
    track = mido.MidiTrack()
    file = mido.MidiFile(type=0, ticks_per_beat=1000)
    file.tracks.append(track)
    ticks = lambda seconds: round(seconds * 2000)
    track.append(mido.Message("program_change", program=program))
    track.append(mido.Message("note_on", note=KEY, velocity=100, time=ticks(0.1)))
    waits = [ticks(MOVED_S)] + [0] * (len(messages) - 1)
    track.extend(message.copy(time=wait) for message, wait in zip(messages, waits))
    rest = HELD_S - (MOVED_S if messages else 0)
    track.append(mido.Message("note_off", note=KEY, time=ticks(rest)))
    file.save(path)


def ours(timbred, midi, out):
    command = [timbred, "render", midi, out, "--live", "--stems", "--quiet", "--format", "32f",
               "--rate", str(RATE)]
    subprocess.run(command, check=True)
    return read(out.with_name(f"{out.stem}-part_01.wav"))


def theirs(soundfont, midi, out):
    command = ["fluidsynth", "-q", "-n", "-i", "-R", "0", "-C", "0", "-g", "0.3", "-r", str(RATE),
               "-T", "wav", "-O", "float", "-F", out, soundfont, midi]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return read(out)


def read(path):
    with warnings.catch_warnings():
        # The files have chunks other than the samples.
        warnings.simplefilter("ignore", wavfile.WavFileWarning)
        _, samples = wavfile.read(path)
    return samples.astype(np.float64)


def part(sound, span):
    start, end = (round((0.1 + at) * RATE) for at in span)
    return sound[start:end]


def level_db(sound, span):
    return 10 * np.log10(np.mean(part(sound, span) ** 2) + 1e-20)


def pitch_track(sound, span, around_hz):
    """The instantaneous frequency of the partial nearest `around_hz` in a span, Hz."""
    edges = [around_hz * 2 ** (-1.0 / 4), around_hz * 2 ** (1.0 / 4)]
    filtered = sosfiltfilt(butter(4, edges, "band", fs=RATE, output="sos"), sound.mean(axis=1))
    signal = part(hilbert(filtered), span)
    turns = np.angle(signal[1:] * np.conj(signal[:-1])) * RATE / (2 * np.pi)
    weight = np.abs(signal[1:]) ** 2
    window = np.hanning(2 * (RATE // 250) + 1)
    smooth = lambda x: np.convolve(x, window, "same")
    return smooth(turns * weight) / (smooth(weight) + 1e-20)


def strongest(sound, span, expected_hz):
    """The frequency of the strongest partial near a multiple of the expected pitch, divided by the
    number of that multiple."""
    piece = part(sound, span).mean(axis=1)
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 8 * len(piece)))
    hz = np.arange(len(spectrum)) * RATE / (8 * len(piece))
    best = (0, expected_hz)
    for n in range(1, 7):
        near = np.abs(1200 * np.log2(np.maximum(hz, 1) / (n * expected_hz))) < 60
        at = np.flatnonzero(near)[np.argmax(spectrum[near])]
        best = max(best, (spectrum[at], hz[at] / n))
    return best[1]


def cents_of(name):
    return {"bend +2 semitones": 200, "bend -1 semitone": -100, "bend range 12, +12": 1200,
            "coarse tuning +3": 300, "fine tuning +50 cents": 50}[name]


def measure(kind, name, sound, plain):
    base_hz = 440 * 2 ** ((KEY - 69) / 12)
    if kind == "db":
        return [level_db(sound, AFTER) - level_db(plain, AFTER)]
    if kind == "balance":
        side = lambda n: level_db(sound[:, [n]], AFTER) - level_db(plain[:, [n]], AFTER)
        return [np.clip(side(1) - side(0), -60, 60)]
    if kind == "cents":
        wanted = base_hz * 2 ** (cents_of(name) / 1200)
        own, moved = strongest(plain, AFTER, base_hz), strongest(sound, AFTER, wanted)
        return [1200 * np.log2(moved / own)]
    track = 1200 * np.log2(pitch_track(sound, AFTER, base_hz)[500:-500] / base_hz)
    track -= track.mean()
    spectrum = np.abs(np.fft.rfft(track * np.hanning(len(track)), 16 * len(track)))
    hz = np.arange(len(spectrum)) * RATE / (16 * len(track))
    within = (hz > 3) & (hz < 14)
    rate = hz[within][np.argmax(spectrum[within])]
    swing = 2 * np.abs(np.mean(track * np.exp(-2j * np.pi * rate * np.arange(len(track)) / RATE)))
    return [rate, swing]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("timbred", type=Path)
    arguments.add_argument("soundfont", type=Path)
    arguments.add_argument("--json", type=Path)
    arguments = arguments.parse_args()
    rows, missed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        plain = {}

        def without(program):
            """Both sounds of the note without any control."""
            if program not in plain:
                song(folder / "plain.mid", program, [])
                plain[program] = (
                    ours(arguments.timbred, folder / "plain.mid", folder / "o.wav"),
                    theirs(arguments.soundfont, folder / "plain.mid", folder / "t.wav"))
            return plain[program]

        def is_mono(program):
            _, sound = without(program)
            return np.abs(sound[:, 0] - sound[:, 1]).max() < 1e-4

        # FluidSynth keeps the width of samples that are stereo when it pans them. Our notes have
        # one position each, so only programs that are mono can be compared.
        narrow = [program for program in NARROW if is_mono(program)][:8]
        print(f"{'control':24} {'program':8} {'ours':>16} {'FluidSynth':>16}  difference")
        for name, messages, kind, limit in CONTROLS:
            programs = narrow if kind == "balance" else PROGRAMS
            for program in programs:
                called = PROGRAMS.get(program, f"GM {program + 1}")
                song(folder / "a.mid", program, messages)
                sounds = (ours(arguments.timbred, folder / "a.mid", folder / "o.wav"),
                          theirs(arguments.soundfont, folder / "a.mid", folder / "t.wav"))
                us, them = (measure(kind, name, sound, own)
                            for sound, own in zip(sounds, without(program)))
                if kind == "vibrato":
                    off = max(abs(a / b - 1) * 100 for a, b in zip(us, them))
                else:
                    off = abs(us[0] - them[0])
                if kind == "cents":
                    # FluidSynth divides a range by 128 where MIDI specifies semitones (12 are 1190
                    # cents), and sounds with several oscillators have no single pitch, so a figure
                    # may also match the specification.
                    off = min(off, abs(us[0] - cents_of(name)))
                unit = {"db": "dB", "balance": "dB", "cents": "cents", "vibrato": "%"}[kind]
                is_missed = not off <= limit
                missed += is_missed
                show = lambda values: " ".join(f"{value:.1f}" for value in values)
                print(f"{name:24} {called:8} {show(us):>16} {show(them):>16}  {off:.2f} {unit}"
                      f"{'  MISSED' if is_missed else ''}", flush=True)
                rows.append({"control": name, "program": program, "ours": us, "fluidsynth": them,
                             "difference": off, "limit": limit, "missed": bool(is_missed)})
    print(f"{len(rows) - missed} of {len(rows)} within their limits")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
