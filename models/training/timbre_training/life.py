"""How a held note lives: what vibrato, beating strings and players who play together do to the
partials of every key, in the middle and at the sides. Rust twin: models/src/vocoder/life.rs;
`measure_life.py` measures the table.

The same key lives in the same way each time it sounds, as the recording in the soundfont does. Keys
that share a recording share a row, in which time runs as the recording is played: faster for a key
above the row's own, as a sampler's tape does.

The partials of a tone are put into groups by their number; all of a group are multiplied with the
same complex envelope, one for the middle, (L + R) / 2, and one for the side, (L - R) / 2, whose
levels are even over a second or so: the mel says how loud the tone is.
"""

import numpy as np

from . import mel, note_table
from .notes import KEY, PROGRAM

# The number of the first partial of each group; what lies from 8 to 16 kHz is the last group.
GROUP_FIRST = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 18, 24, 34, 49)
GROUPS = len(GROUP_FIRST) + 1
UPPER = GROUPS - 1
PITCHES = note_table.HIGH - note_table.LOW + 1
ROWS = note_table.PROGRAMS * PITCHES
GRID = 32  # samples between values of an envelope that are worked out; evenly in between
# Columns of a zone's facts: its own key; how many points there are in a second of that, and how
# many in all; where its values begin; how many turns of the key's tone the largest value of the
# sway is; then for each group how many turns it goes ahead of its partials in a period of the tone,
# and how large the largest value of its middle and of its side is.
OWN_KEY, POINT_HZ, POINTS, FIRST, SWAY, SHIFT = range(6)
MIDDLE, SIDE = SHIFT + GROUPS, SHIFT + 2 * GROUPS
# And of each quarter of the mel's bands the share of its power that is noise, as a natural
# logarithm.
NOISE = SHIFT + 3 * GROUPS
NOISE_BANDS = mel.BINS // 4
FACTS = NOISE + NOISE_BANDS
LEAST_NOISE, DRUM_NOISE, TONAL_DRUM_NOISE = 1e-6, 1.0, 0.5  # shares
# The values of a zone are whole numbers up to LARGEST, point by point: the sway, then of each group
# the middle and the side, real and imaginary part; each only where its largest value is more than
# 0. Without a middle a group stays as it is, without a side it has none. From its end an envelope
# goes back to a third of it and comes again.
LARGEST = 127


def size(facts):
    """How many values a zone of these facts [FACTS] has."""
    curves = (facts[SWAY] > 0) + 2 * int((facts[MIDDLE:NOISE] > 0).sum())
    return int(facts[POINTS]) * int(curves)


def row(note):
    """The row of a note [6] that is no drum; keys beyond a piano's live as its first and last."""
    return int(note[PROGRAM]) * PITCHES + int(np.clip(note[KEY] - note_table.LOW, 0, PITCHES - 1))


class Life:
    """The life of one key, from facts [FACTS] of its zone and the values of all: envelopes `parts`
    [GROUPS, middle and side, points], `shifts` [GROUPS], `sway` [points]."""

    def __init__(self, facts, values, key):
        facts = np.asarray(facts, np.float64)
        octaves = (key - facts[OWN_KEY]) / 12
        self.pace = facts[POINT_HZ] / mel.RATE * 2.0**octaves  # points a sample
        self.shifts = facts[SHIFT:MIDDLE]
        points, at = int(facts[POINTS]), int(facts[FIRST])

        def curve(size, width, otherwise):
            nonlocal at
            if size == 0:
                return np.full((points, width), otherwise)
            at += points * width
            found = np.asarray(values[at - points * width : at], np.float64) / LARGEST
            return size * found.reshape(points, width)

        self.sway = curve(facts[SWAY], 1, 0.0)[:, 0]
        self.parts = np.zeros((GROUPS, 2, points), np.complex64)
        for group in range(GROUPS):
            for side, otherwise in (0, [1.0, 0.0]), (1, 0.0):
                found = curve(facts[(MIDDLE, SIDE)[side] + group], 2, otherwise)
                self.parts[group, side] = found[:, 0] + 1j * found[:, 1]

    def at(self, curves, count):
        """Curves [..., points] at samples 0 to `count` after the key press, [..., count], from
        their values every GRID samples."""
        known = cubic(curves, np.arange(-(-count // GRID) + 1) * (GRID * self.pace))[..., None]
        share = np.arange(GRID, dtype=np.float32) / GRID
        between = known[..., :-1, :] + share * np.diff(known, axis=-2)
        return between.reshape(*known.shape[:-2], -1)[..., :count]


def cubic(curves, where):
    """Curves [..., points] at places counted in points: Catmull and Rom's cubic; past the end they
    go back and come again."""
    last = curves.shape[-1] - 1
    first = curves.shape[-1] // 3
    beyond = np.mod(where - first, 2 * (last - first))
    back = first + np.minimum(beyond, 2 * (last - first) - beyond)
    where = np.where(where < last, where, back)
    i = np.minimum(where.astype(int), last - 1)
    t = where - i
    if np.iscomplexobj(curves):
        t = t.astype(np.float32)
    a, b, c, d = (curves[..., np.clip(i + k, 0, last)] for k in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


class LifeTable:
    """The table of a file that `measure_life` wrote, or of notes that do not move: `zone` [ROWS] of
    each key, `facts` [zones, FACTS], `values` of all zones."""

    def __init__(self, path=None):
        if path is None:
            self.zone, self.facts = np.zeros(ROWS, int), still()[None]
            self.values = np.zeros(1, np.int8)
        else:
            with np.load(path) as file:
                self.zone, self.facts = file["zone"].astype(int), file["facts"]
                self.values = file["values"]

    def of(self, note):
        """How a note [6] lives that is no drum."""
        return Life(self.facts[self.zone[row(note)]], self.values, int(note[KEY]))

    def noise(self, programs, keys):
        """Programs and keys [n], no drums -> the share of each band's power that is noise, [n,
        128]."""
        pitches = np.clip(keys.astype(int) - note_table.LOW, 0, PITCHES - 1)
        zones = self.zone[programs.astype(int) * PITCHES + pitches]
        return np.exp(np.repeat(self.facts[zones, NOISE:], mel.BINS // NOISE_BANDS, axis=-1))


def still():
    """Facts of a zone in which nothing moves and nothing is at the side."""
    facts = np.zeros(FACTS, np.float32)
    facts[[OWN_KEY, POINT_HZ, POINTS]] = 60, 25, 75
    facts[NOISE:] = np.log(0.05)
    return facts
