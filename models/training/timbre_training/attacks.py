"""The attack table, which says how each note begins, and the factors by which it shapes the sources
of the vocoder. Rust twin: models/src/vocoder/attack.rs.

A mel frame is 40 ms of sound, so it does not tell when in the frame a note became loud. Recorded
instruments take from 1 to 70 ms, and each key has its own time. For every key of every program and
for every drum the table has the times at which the amplitude first reaches 2, 10, 25, 50 and 90 %
of its maximum in 80 ms. The mel describes what comes after the maximum.
"""
import argparse
import os
import time
from multiprocessing import get_context

import numpy as np

from . import bundled, mel, note_table
from .instruments import ALL
from .kits import KEYS, NONE
from .notes import DRUM, KEY, PROGRAM

LEVELS = np.log([0.02, 0.1, 0.25, 0.5, 0.9])  # nats
SECONDS, SMOOTH = 0.08, 0.001  # that are looked at, and over which amplitude is taken
# The level in nats at which the rise begins, and how many seconds that is before the first level.
BEGINS, BEFORE = np.log(0.001), 0.001
PITCHES = note_table.HIGH - note_table.LOW + 1
DRUMS = note_table.PROGRAMS * PITCHES  # the first row of the drums, after all programs
VELOCITY = 100
HALF = mel.FRAME // 2  # samples from the centre of a frame's window to its end
GRID, SHAPES = 32, 61  # samples between values of a shape, and their number: 120 ms
LOUDEST = 1.5  # nats: a shape never raises a source by more


def rows(kits=NONE):
    """The number of rows in the table of a model with these kits."""
    return DRUMS + KEYS + len(kits.drums())


def row(note, kits=NONE):
    """The row of a note [6] as `kits` plays it. Keys outside of the range of a piano use the
    nearest row."""
    if note[DRUM]:
        return DRUMS + kits.number(note[PROGRAM], note[KEY])
    return int(note[PROGRAM]) * PITCHES + int(np.clip(note[KEY] - note_table.LOW, 0, PITCHES - 1))


def _rows(notes):
    """Measures the attacks of notes (program, key, drum): [notes, LEVELS] in seconds"""
    from .synth import RENDER_HZ, Reference

    reference, width, found = Reference(), round(SMOOTH * RENDER_HZ), []
    for program, key, drum in notes:
        note = np.array([[0, 1, program, key, VELOCITY, drum]])
        sound = reference.render(note, SECONDS, rate=RENDER_HZ)
        # The mean power up to and including each sample.
        power = np.convolve(sound.astype(float) ** 2, np.ones(width) / width)
        level = np.maximum.accumulate(np.sqrt(power[: len(sound)]))
        times = (np.searchsorted(level, np.exp(LEVELS) * level[-1]) - width / 2) / RENDER_HZ
        found.append(np.maximum(times, 0) if level[-1] > 1e-6 else np.zeros(len(LEVELS)))
    return np.array(found, np.float32)


def build(path, workers=None, instruments=ALL):
    """Writes the table [rows, LEVELS] float32 in seconds. Instruments that are not learned keep the
    attacks of the bundled model. Prints progress."""
    start, kits = time.time(), instruments.kits
    table = np.zeros((rows(kits), len(LEVELS)), np.float32)
    if instruments != ALL:
        known = bundled.attacks()[: len(table)]
        table[: len(known)] = known
    keys = range(note_table.LOW, note_table.HIGH + 1)
    learned = [(p * PITCHES, [(p, key, 0) for key in keys]) for p in instruments.programs]
    if instruments.drums:
        drums = [kits.drum(number) for number in range(len(table) - DRUMS)]
        learned.append((DRUMS, [(program, key, 1) for program, key in drums]))
    with get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        for done, found in enumerate(pool.imap(_rows, [notes for _, notes in learned]), 1):
            first = learned[done - 1][0]
            table[first : first + len(found)] = found
            if done % 16 == 0:
                left = (len(learned) - done) * (time.time() - start) / done
                print(
                    f"attacks: {done}/{len(learned)} instruments, {left / 60:.1f} min left",
                    flush=True,
                )
    for program, other in instruments.instead:
        mine, its = (slice(p * PITCHES, (p + 1) * PITCHES) for p in (program, other))
        table[mine] = table[its]
    np.save(path, table)


def rise(attack, seconds):
    """attack [LEVELS] in seconds -> the amplitude at `seconds` after the key press: 0 before it, 1
    at the end, and interpolated linearly in nats in between"""
    times = np.maximum.accumulate(
        np.concatenate(
            [[attack[0] - BEFORE], attack, [1.5 * attack[-1] - 0.5 * attack[-2] + BEFORE]]
        )
    )
    level = np.interp(seconds, times, np.concatenate([[BEGINS], LEVELS, [0.0]]))
    return np.where(np.asarray(seconds) < 0, 0.0, np.exp(level))


def shape(attack, age):
    """attack [LEVELS] in seconds, age: samples 1..320 from the key press to the end of its frame ->
    [SHAPES] factors, GRID samples apart.

    The factors for the sources of a note that give it the attack in the table. They are the attack
    divided by the course that the gains alone would give it, as these follow the mel frame by
    frame. The mel of a frame is its mean under a Hann window of 40 ms. In the frame of the key
    press it is raised to the value that it would have if the note filled the window, but not above
    that of the first full frame (`prior.mix`). The gains are linear in nats from frame to frame at
    the block ends, and linear within a block.
    """
    amplitude = lambda at: rise(attack, at / mel.RATE)
    window = np.arange(-HALF, HALF, GRID // 2) + GRID / 4
    weights = 0.5 + 0.5 * np.cos(np.pi * window / HALF)
    weights /= weights.sum()
    measured = lambda at: float(weights @ amplitude(at + window))
    coverage = float(weights @ (age + window >= 0))
    pressed = min(measured(HALF), measured(age) / coverage)
    frames = [pressed] + [measured(age + k * mel.HOP) for k in range(1, 8)]
    ends, levels = [age], [frames[0]]
    for k, (a, b) in enumerate(zip(frames, frames[1:])):
        ends += [age + k * mel.HOP + mel.HOP // 2, age + (k + 1) * mel.HOP]
        levels += [np.sqrt(a * b), b]
    at = np.arange(SHAPES) * GRID
    return np.minimum(amplitude(at) / np.interp(at, ends, levels), np.exp(LOUDEST))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the .npy to write")
    parser.add_argument("--workers", type=int)
    a = parser.parse_args()
    build(a.path, a.workers)
