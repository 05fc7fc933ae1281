"""The movement of held notes: how vibrato, beating strings and ensembles change the partials of
every key over time, in the middle and at the sides. Rust twin: models/src/vocoder/life.rs;
`measure_life.py` measures the table.

A key moves in the same way each time it sounds, like the recording in the soundfont. Keys that
share a recording share a row, and time in that row runs as fast as the recording is played: faster
for keys above the row's own key, as on a sampler.

The partials of a tone are grouped by their number. All partials of a group are multiplied by the
same complex envelope: one for the middle, (L + R) / 2, and one for the side, (L - R) / 2. The level
of an envelope is constant over about a second, because the mel says how loud the tone is.
"""

import numpy as np

from . import mel, note_table
from .notes import KEY, PROGRAM

# The number of the first partial of each group. The last group is everything from 8 to 16 kHz.
GROUP_FIRST = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 18, 24, 34, 49)
GROUPS = len(GROUP_FIRST) + 1
UPPER = GROUPS - 1
PITCHES = note_table.HIGH - note_table.LOW + 1
ROWS = note_table.PROGRAMS * PITCHES
GRID = 32  # samples between values of an envelope that are worked out; evenly in between
# The columns of the facts of a zone: its own key; the number of points in a second of that key, and
# in all; the index of its first value; the largest value of the sway, in turns of the tone of the
# key; then for each group how many turns it gets ahead of its partials in a period of the tone, and
# the largest values of its middle and of its side.
OWN_KEY, POINT_HZ, POINTS, FIRST, SWAY, SHIFT = range(6)
MIDDLE, SIDE = SHIFT + GROUPS, SHIFT + 2 * GROUPS
# Also the share of noise in the power of each quarter of the bands of the mel, as a natural
# logarithm.
NOISE = SHIFT + 3 * GROUPS
NOISE_BANDS = mel.BINS // 4
FACTS = NOISE + NOISE_BANDS
LEAST_NOISE, DRUM_NOISE, TONAL_DRUM_NOISE = 1e-6, 1.0, 0.5  # shares
# The values of a zone are integers up to LARGEST, point by point: the sway, then for each group the
# middle and the side, each as real and imaginary part. A curve whose largest value is 0 is left
# out: without a middle a group is not changed, without a side it has none. At its end an envelope
# runs back to a third of its length, and then forward again.
LARGEST = 127


def size(facts):
    """The number of values of a zone with these facts [FACTS]."""
    curves = (facts[SWAY] > 0) + 2 * int((facts[MIDDLE:NOISE] > 0).sum())
    return int(facts[POINTS]) * int(curves)


def row(note):
    """The row of a note [6] that is no drum. Keys outside of the range of a piano use the nearest
    row."""
    return int(note[PROGRAM]) * PITCHES + int(np.clip(note[KEY] - note_table.LOW, 0, PITCHES - 1))


class Life:
    """The life of one key, from the facts [FACTS] of its zone and the values of all zones:
    envelopes `parts` [GROUPS, middle and side, points], `shifts` [GROUPS], `sway` [points]."""

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
        """Evaluates curves [..., points] at samples 0 to `count` after the key press -> [...,
        count]. They are computed every GRID samples and interpolated linearly."""
        known = cubic(curves, np.arange(-(-count // GRID) + 1) * (GRID * self.pace))[..., None]
        share = np.arange(GRID, dtype=np.float32) / GRID
        between = known[..., :-1, :] + share * np.diff(known, axis=-2)
        return between.reshape(*known.shape[:-2], -1)[..., :count]


def cubic(curves, where):
    """Evaluates curves [..., points] at positions counted in points, by the cubic of Catmull and
    Rom. Past the end they run back, and then forward again."""
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
    """The table in a file that `measure_life` wrote, or one of notes that do not move: `zone`
    [ROWS] of each key, `facts` [zones, FACTS], `values` of all zones."""

    def __init__(self, path=None):
        if path is None:
            self.zone, self.facts = np.zeros(ROWS, int), still()[None]
            self.values = np.zeros(1, np.int8)
        else:
            with np.load(path) as file:
                self.zone, self.facts = file["zone"].astype(int), file["facts"]
                self.values = file["values"]

    def of(self, note):
        """The `Life` of a note [6] that is no drum."""
        return Life(self.facts[self.zone[row(note)]], self.values, int(note[KEY]))

    def noise(self, programs, keys):
        """Programs and keys [n], no drums -> the share of noise in the power of each band, [n,
        128]."""
        pitches = np.clip(keys.astype(int) - note_table.LOW, 0, PITCHES - 1)
        zones = self.zone[programs.astype(int) * PITCHES + pitches]
        return np.exp(np.repeat(self.facts[zones, NOISE:], mel.BINS // NOISE_BANDS, axis=-1))


def still():
    """The facts of a zone without movement and without a side."""
    facts = np.zeros(FACTS, np.float32)
    facts[[OWN_KEY, POINT_HZ, POINTS]] = 60, 25, 75
    facts[NOISE:] = np.log(0.05)
    return facts
