"""Procedural music: what hands, sequencers and drum machines play. Knows no audio.

Every function returns rows (start_s, end_s, program, key, velocity, drum) for `notes.as_array`.
"""
import numpy as np

from .instruments import ALL
from .notes import as_array

SCALES = [
    [0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 2, 3, 5, 7, 9, 10], [0, 2, 4, 7, 9],
    [0, 3, 5, 7, 10], [0, 2, 3, 5, 7, 8, 11], list(range(12)),
]
# The keys that sound natural for each family of eight programs (lowest, highest); most material
# stays within them.
FAMILY_RANGE = [(28, 96), (48, 96), (36, 84), (36, 84), (26, 55), (36, 88), (36, 84), (36, 84),
                (44, 84), (55, 92), (40, 88), (40, 88), (36, 88), (40, 84), (40, 84), (36, 84)]


class Part:
    """The settings of one instrument for a clip: program, scale, tempo, loudness and looseness of
    the hand."""

    def __init__(self, rng, seconds, program):
        self.rng, self.seconds = rng, seconds
        self.program = program
        low, high = FAMILY_RANGE[self.program // 8]
        if rng.random() < 0.2:
            low, high = 21, 108
        scale, root = SCALES[rng.integers(len(SCALES))], int(rng.integers(12))
        self.keys = [k for k in range(low, high + 1) if (k - root) % 12 in scale]
        self.beat = 60.0 / rng.uniform(55, 170)
        self.base = rng.uniform(30, 115)
        self.spread = rng.uniform(2, 28)
        self.loose = abs(rng.normal(0, 0.012))
        self.legato = rng.uniform(0.3, 1.15)

    def velocity(self):
        return int(np.clip(self.rng.normal(self.base, self.spread), 8, 127))

    def row(self, start, length, key):
        start = max(0.0, start + self.rng.normal(0, self.loose))
        return (start, start + max(0.03, length), self.program, int(key), self.velocity(), 0)


def melody(p):
    rows, t, at = [], p.rng.uniform(0, 1), p.rng.integers(len(p.keys))
    while t < p.seconds:
        length = p.beat * p.rng.choice([0.25, 0.5, 0.5, 1, 1, 2, 4])
        if p.rng.random() < 0.88:
            at = int(np.clip(at + p.rng.integers(-3, 4), 0, len(p.keys) - 1))
            rows.append(p.row(t, length * p.legato, p.keys[at]))
        t += length
    return rows


def chords(p):
    rows, t, size = [], p.rng.uniform(0, 1), int(p.rng.integers(2, 6))
    step = p.beat * p.rng.choice([0.5, 1, 2, 4])
    roll = p.rng.choice([0, 0, 0.015, 0.04])
    while t < p.seconds:
        root = p.rng.integers(max(1, len(p.keys) - 2 * size))
        for k in range(size):
            key = p.keys[min(root + 2 * k, len(p.keys) - 1)]
            rows.append(p.row(t + k * roll, step * p.legato, key))
        t += step * p.rng.choice([1, 1, 1, 2])
    return rows


def arpeggio(p):
    rows, t = [], p.rng.uniform(0, 1)
    step = p.beat * p.rng.choice([0.25, 0.25, 1 / 3, 0.5])
    hold = p.rng.choice([1, 1, 4])
    while t < p.seconds:
        root = p.rng.integers(max(1, len(p.keys) - 8))
        pattern = [p.keys[min(root + k, len(p.keys) - 1)] for k in (0, 2, 4, 7, 4, 2)]
        for key in pattern:
            rows.append(p.row(t, step * p.legato * hold, key))
            t += step
    return rows


def pad(p):
    rows, t = [], p.rng.uniform(0, 2)
    while t < p.seconds:
        length = p.rng.uniform(2, 8)
        for key in p.rng.choice(
            p.keys, size=min(len(p.keys), int(p.rng.integers(1, 5))), replace=False
        ):
            rows.append(p.row(t, length, key))
        t += length * p.rng.uniform(0.8, 1.3)
    return rows


def random_notes(p):
    return [p.row(p.rng.uniform(0, p.seconds), p.rng.exponential(0.6), p.rng.integers(21, 109))
            for _ in range(int(p.seconds * p.rng.uniform(0.5, 4)))]


def single_notes(p):
    """Single notes at all velocities, with time to ring out."""
    rows, t = [], p.rng.uniform(0, 0.5)
    while t < p.seconds:
        length = p.rng.uniform(0.1, 3.0)
        key = p.rng.choice(p.keys)
        start = max(0.0, t)
        rows.append((start, start + length, p.program, int(key), int(p.rng.integers(8, 128)), 0))
        t += length + p.rng.choice([0.1, 0.5, 1.0, 2.5])
    return rows


def repeated(p):
    rows, t = [], p.rng.uniform(0, 1)
    while t < p.seconds:
        key, step = p.rng.choice(p.keys), p.rng.uniform(0.08, 0.4)
        for _ in range(int(p.rng.integers(3, 12))):
            rows.append(p.row(t, step * 0.7, key))
            t += step
        t += p.rng.uniform(0, 1)
    return rows


def cluster(p):
    rows, t = [], p.rng.uniform(0, 1)
    while t < p.seconds:
        for key in p.rng.choice(
            p.keys, size=min(len(p.keys), int(p.rng.integers(4, 10))), replace=False
        ):
            rows.append(p.row(t, p.rng.uniform(0.1, 2), key))
        t += p.rng.uniform(0.5, 3)
    return rows


def drums(rng, seconds, kit=0):
    """A drum pattern with fills, or random hits over the whole kit (keys 35..81)."""
    rows, beat, base = [], 60.0 / rng.uniform(60, 170), rng.uniform(50, 115)
    hit = lambda t, key, accent=0: rows.append(
        (
            max(0.0, t + rng.normal(0, 0.004)), max(0.0, t) + 0.1, kit, int(key),
            int(np.clip(rng.normal(base + accent, 12), 8, 127)), 1,
        )
    )
    if rng.random() < 0.25:
        for _ in range(int(seconds * rng.uniform(1, 6))):
            hit(rng.uniform(0, seconds), rng.integers(35, 82))
        return rows
    kick, snare, hat = (
        rng.choice([35, 36]), rng.choice([37, 38, 39, 40]), rng.choice([42, 44, 46, 51, 70]),
    )
    grid = rng.random((3, 16)) < np.array([[0.25], [0.15], [0.6]])
    grid[0, [0, 8]] = True
    grid[1, [4, 12]] = True
    t, step = 0.0, beat / 4
    while t < seconds:
        for i in range(16):
            for key, row in zip((kick, snare, hat), grid):
                if row[i]:
                    hit(t + i * step, key, 8 if i % 4 == 0 else 0)
        if rng.random() < 0.3:
            for i in range(12, 16):
                hit(t + i * step, rng.choice([41, 43, 45, 47, 48, 50]))
            hit(t + 16 * step, rng.choice([49, 57, 55]), 10)
        t += 16 * step
    return rows


STYLES = [
    melody, melody, chords, chords, arpeggio, pad, random_notes, single_notes, single_notes,
    repeated, cluster,
]


def clip(seed, seconds=20.0, instruments=ALL):
    """One clip of procedural music from a seed -> notes [n, 6]; the same seed gives the same
    clip."""
    rng = np.random.default_rng(seed)
    sounding = seconds - (rng.uniform(2, 6) if rng.random() < 0.35 else 0.0)
    rows = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3, 4])) if instruments.programs else 0):
        part = Part(rng, sounding, instruments.draw(rng))
        rows += STYLES[rng.integers(len(STYLES))](part)
    if rng.random() < 0.2 and instruments.drums or not instruments.programs:
        rows += drums(rng, sounding, instruments.draw_kit(rng))
    if rng.random() < 0.3:  # a silence in the middle: everything must fall to nothing and come back
        a = rng.uniform(0.2, 0.6) * sounding
        b = a + rng.uniform(1.5, 4)
        rows = [(s, min(e, a) if s < a else e, *rest) for s, e, *rest in rows if not a <= s < b]
    rows = [
        (s, min(e, seconds), *rest) for s, e, *rest in rows if s < min(sounding, seconds - 0.05)
    ]
    return as_array(rows or [instruments.a_note()])
