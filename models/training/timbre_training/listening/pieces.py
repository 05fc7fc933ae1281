"""The notes that are played to be measured: single held notes, repeated keys, and pieces.

Knows no audio. Training uses none of it: clips have seeds that training never uses, and scores are
those that `scores.py` leaves out.
"""

import numpy as np

from .. import music, scores
from ..evaluation.pieces import ENSEMBLES, FIRST_SEED, Piece
from ..instruments import Instruments
from ..notes import as_array

PROGRAMS = {
    0: "piano", 4: "e-piano", 6: "harpsichord", 11: "vibraphone", 13: "xylophone", 16: "organ",
    19: "church organ", 21: "accordion", 24: "nylon guitar", 25: "steel guitar",
    30: "distorted guitar", 33: "finger bass", 38: "synth bass", 40: "violin", 42: "cello",
    46: "harp", 48: "strings", 50: "synth strings", 52: "choir", 56: "trumpet", 60: "horn",
    61: "brass", 65: "alto sax", 68: "oboe", 71: "clarinet", 73: "flute", 75: "pan flute",
    80: "square lead", 89: "warm pad", 105: "banjo",
}  # fmt: skip
# A selection with all kinds of sound: struck, blown, bowed, wide, with and without beats.
QUICK_PROGRAMS = (0, 16, 24, 40, 48, 73)
# The usual range of keys of each family of General MIDI.
FAMILIES = (
    (28, 96), (48, 96), (36, 84), (36, 84), (26, 55), (36, 88), (36, 84), (36, 84),
    (44, 84), (55, 92), (40, 88), (40, 88), (36, 88), (40, 84), (40, 84), (36, 84),
)  # fmt: skip
VELOCITIES = (50, 100)
FIRST_S, SLOT_S, HELD_S, TAIL_S = 0.5, 6.0, 3.0, 2.0
SECONDS, CLIPS = 12.0, 14
STRUCK = ((0, 60), (0, 84), (24, 52), (13, 72), (11, 67), (56, 67), (48, 60))


def hz_of(key):
    return 440.0 * 2 ** ((key - 69) / 12)


def keys(program):
    low, high = FAMILIES[program // 8]
    return [round(key) for key in np.linspace(low + 2, high - 6, 5)]


def held(program):
    """(start_s, key, velocity) of the notes of a program: five keys, soft and loud."""
    pairs = [(key, velocity) for velocity in VELOCITIES for key in keys(program)]
    return [(FIRST_S + SLOT_S * i, *pair) for i, pair in enumerate(pairs)]


def held_notes(programs):
    return [
        Piece(f"note-{p:03}", as_array([(s, s + HELD_S, p, k, v, 0) for s, k, v in held(p)]))
        for p in programs
    ]


def program_of(name):
    """The program of a piece that `held_notes` made."""
    return int(name.removeprefix("note-"))


def repeats(programs=None):
    """One key, repeated 40 times in 3.6 s, for a few programs."""
    struck = STRUCK if programs is None else [(p, keys(p)[2]) for p in programs]
    return [
        Piece(
            f"repeat-{p:03}-{key}",
            as_array(
                [(0.1 + 0.09 * i, 0.17 + 0.09 * i, p, key, 60 + 8 * (i % 4), 0) for i in range(40)]
            ),
        )
        for p, key in struck
    ]


def spread(items, count):
    """`count` of the items at equal distances, so that all kinds are among them."""
    if count >= len(items):
        return items
    return [items[round(i * (len(items) - 1) / max(1, count - 1))] for i in range(count)]


def pieces(count, programs=None):
    """`count` of the clips and scores. If programs are given, these alone play, without drums."""
    ensembles, instruments = list(ENSEMBLES), Instruments()
    if programs is not None:
        instruments = Instruments(tuple(programs), drums=False)
    every = [("clip", i) for i in range(CLIPS)]
    every += [("score", i) for i in range(len(scores.EVALUATION))]
    found = []
    for kind, i in spread(every, count):
        if kind == "clip":
            notes = music.clip(FIRST_SEED + 100 + i, SECONDS, instruments)
            found.append(Piece(f"clip-{i:02}", notes))
            continue
        ensemble, players = ensembles[i % len(ensembles)], programs
        if programs is None:
            players = ENSEMBLES[ensemble]
        notes = scores.passage(
            scores.evaluation_parts(scores.EVALUATION[i]), np.random.default_rng([FIRST_SEED, i]),
            SECONDS, players,
        )
        found.append(Piece(f"score-{i:02}-{ensemble.replace(' ', '-')}", notes))
    return found
