"""The fixed set of pieces that is measured. Knows no audio.

Training uses none of it: the seeds of procedural clips begin at 90,000,000, and `scores.EVALUATION`
is left out of the scores for training.
"""
from dataclasses import dataclass

import numpy as np

from .. import music, scores
from ..instruments import Instruments
from ..notes import END, as_array

FIRST_SEED, SECONDS, TAIL_S = 90_000_000, 8.0, 3.0
CLIPS = 40
PROGRAMS = (
    0, 4, 6, 11, 13, 16, 19, 21, 24, 30, 33, 38, 40, 42, 46, 48, 52, 56, 60, 65, 71, 73, 80, 89,
)
KEYS = tuple(range(33, 97, 7))  # A1 to C7
VELOCITIES = (20, 45, 70, 95, 120)
HELD_S, SLOT_S = 0.55, 1.1  # of a note of a scale: how long it is held, from one to the next
KIT_S = 0.7  # from one drum to the next where every drum of the kit is struck
DECAY_KEYS, DECAY_HELD_S, DECAY_SLOT_S = (48, 72), 3.0, 5.0
ENSEMBLES = {
    "piano": [0], "string quartet": [40, 40, 41, 42], "church organ": [19],
    "woodwinds": [73, 68, 71, 70], "brass": [56, 60, 57, 58], "choir": [52],
    "guitars and bass": [24, 24, 32], "vibraphone and harp": [11, 46], "harpsichord": [6],
    "string ensemble": [48], "synthesizers": [80, 89, 38], "saxophones": [64, 65, 66, 67],
}


@dataclass
class Piece:
    """Notes [n, 6] with a name that is also a file name."""

    name: str
    notes: np.ndarray

    @property
    def end_s(self):
        """The time of the last note-off."""
        return float(self.notes[:, END].max())


def clips(count=CLIPS):
    clip = lambda i: music.clip(FIRST_SEED + i, SECONDS, Instruments())
    return [Piece(f"clip-{i:02}", clip(i)) for i in range(count)]


def real(count=len(scores.EVALUATION)):
    """A passage of every score in two orchestrations."""
    found, names = [], list(ENSEMBLES)
    for i, name in enumerate(scores.EVALUATION[:count]):
        for ensemble in (names[i % len(names)], names[(i + 5) % len(names)]):
            rows = scores.passage(
                scores.evaluation_parts(name), np.random.default_rng([FIRST_SEED, i]), SECONDS,
                ENSEMBLES[ensemble],
            )
            found.append(
                Piece(
                    f"{name}-{ensemble}".replace("/", "-").replace(" ", "-").replace(".", "-"), rows
                )
            )
    return found


def scale_notes():
    """(start_s, key, velocity) of a scale: every key at every velocity, in an order in which
    successive keys are far apart."""
    return [
        (0.5 + SLOT_S * i, KEYS[(3 * i + i // len(KEYS)) % len(KEYS)], VELOCITIES[i // len(KEYS)])
        for i in range(len(KEYS) * len(VELOCITIES))
    ]


def scales(programs=PROGRAMS):
    return [
        Piece(f"scale-{p:03}", as_array([(s, s + HELD_S, p, k, v, 0) for s, k, v in scale_notes()]))
        for p in programs
    ]


def decays(programs=PROGRAMS):
    """Two long notes for each program, with time to ring out."""
    starts = [0.5 + DECAY_SLOT_S * i for i in range(len(DECAY_KEYS))]
    return [
        Piece(
            f"decay-{p:03}",
            as_array([(s, s + DECAY_HELD_S, p, k, 90, 0) for s, k in zip(starts, DECAY_KEYS)]),
        )
        for p in programs
    ]


def kit_notes():
    """(start_s, key, velocity) of every drum of the kit, at different positions within a frame."""
    return [(0.5 + (KIT_S + 0.0023) * i, 35 + i, VELOCITIES[1 + i % 4]) for i in range(47)]


def drums(count=6):
    """The whole kit one stroke at a time, and patterns."""
    kit = Piece("drums-kit", as_array([(s, s + 0.1, 0, k, v, 1) for s, k, v in kit_notes()]))
    return [kit] + [
        Piece(f"drums-{i}", as_array(music.drums(np.random.default_rng(FIRST_SEED + i), SECONDS)))
        for i in range(count)
    ]


def phrases():
    """The same four notes for each of the 128 programs; those of basses are two octaves lower."""
    phrase = lambda program, low: as_array(
        [
            (0.2 + 0.5 * i, 0.6 + 0.5 * i, program, low + k, 60 + 15 * i, 0)
            for i, k in enumerate((0, 4, 7, 12))
        ]
    )
    return [Piece(f"phrase-{p:03}", phrase(p, 36 if 32 <= p < 40 else 55)) for p in range(128)]
