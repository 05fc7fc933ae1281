"""Note tokens: turns the notes of one target into model ids, in the published style and in that of
the live model. Knows no audio.

The published tie section lists held keys (program, pitch). The live style adds what cannot be seen
in a short hop: the velocity and age of each held key. The Rust encoder (models/src/tokens) is the
one that plays; tests compare both with the same vectors.
"""
import math

import numpy as np

from .notes import DRUM, END, KEY, PROGRAM, START, VELOCITY

PAD, EOS, OFFSET = 0, 1, 3


class Vocabulary:
    """The ranges of events in order: shift 0..1000, pitch, velocity 0..B, tie, program, drum; the
    table is padded to 128."""

    def __init__(self, velocity_bins):
        self.bins = velocity_bins
        self.shift = OFFSET
        self.pitch = self.shift + 1001
        self.velocity = self.pitch + 128
        self.tie = self.velocity + velocity_bins + 1
        self.program = self.tie + 1
        self.drum = self.program + 128
        self.size = -(-(self.drum + 128 + 100) // 128) * 128

    def velocity_id(self, velocity):
        return self.velocity + (0 if velocity == 0 else math.ceil(self.bins * velocity / 127))


def age_token(age):
    """The age of a held key in 10 ms steps -> 1..1000: exact up to 16, then eight values for each
    octave."""
    age = max(1, min(int(age), 1000))
    if age <= 16:
        return age
    return min(1000, math.floor(16 * 2 ** (math.floor(8 * math.log2(age / 16)) / 8)))


def _emit(ids, vocabulary, state, program, velocity):
    """Program and velocity tokens, each only if it differs from the last one of the segment."""
    if program is not None and program != state[0]:
        ids.append(vocabulary.program + program)
        state[0] = program
    v = vocabulary.velocity_id(velocity)
    if v != state[1]:
        ids.append(v)
        state[1] = v


def live_events(notes):
    """notes [n, 6] -> event array [m, 6]: step, time, drum, program, key, velocity (0 = off), in
    playing order."""
    on = np.stack(
        [
            np.floor(notes[:, START] * 100 + 1e-6), notes[:, START], notes[:, DRUM],
            notes[:, PROGRAM], notes[:, KEY], notes[:, VELOCITY],
        ],
        1,
    )
    pitched = notes[notes[:, DRUM] == 0]
    off = np.stack(
        [
            np.floor(pitched[:, END] * 100 + 1e-6), pitched[:, END], pitched[:, DRUM],
            pitched[:, PROGRAM], pitched[:, KEY], np.zeros(len(pitched)),
        ],
        1,
    )
    both = np.concatenate([off, on])
    order = np.lexsort((both[:, 4], both[:, 3], both[:, 2], both[:, 5] > 0, both[:, 1]))
    return both[order]


def live_segment(notes, events, start_step, end_step, vocabulary):
    """ids (with EOS) of the target that spans the 10 ms steps [start, end): held keys with velocity
    and age, then events."""
    on, off = np.floor(notes[:, START] * 100 + 1e-6), np.floor(notes[:, END] * 100 + 1e-6)
    held = notes[(notes[:, DRUM] == 0) & (on < start_step) & (off >= start_step)]
    ids, state = [], [None, None]
    for n in sorted(held.tolist(), key=lambda n: (n[PROGRAM], n[KEY])):
        _emit(ids, vocabulary, state, int(n[PROGRAM]), int(n[VELOCITY]))
        ids.append(vocabulary.shift + age_token(start_step - math.floor(n[START] * 100 + 1e-6)))
        ids.append(vocabulary.pitch + int(n[KEY]))
    ids.append(vocabulary.tie)
    low, high = np.searchsorted(events[:, 0], [start_step, end_step])
    shift = 0
    for step, _, drum, program, key, velocity in events[low:high].tolist():
        at = int(step) - start_step
        if at != shift:
            ids.append(vocabulary.shift + at)
            shift = at
        _emit(ids, vocabulary, state, None if drum else int(program), int(velocity))
        ids.append((vocabulary.drum if drum else vocabulary.pitch) + int(key))
    ids.append(EOS)
    return ids
