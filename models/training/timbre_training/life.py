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
GROUP_FIRST = (1, 2, 3, 4, 5, 7, 9, 12, 16, 23, 33, 49)
GROUPS = len(GROUP_FIRST) + 1
UPPER = GROUPS - 1
POINTS = 75  # values of an envelope
LOOP_FROM = 25  # from the end an envelope goes back to this value and comes again
PITCHES = note_table.HIGH - note_table.LOW + 1
ROWS = note_table.PROGRAMS * PITCHES
GRID = 32  # samples between values of an envelope that are worked out; evenly in between
# Columns of a zone's facts: its own key; how many points there are in a second of that; how many
# turns of the key's tone the largest value of the sway is; then for each group how many turns it
# goes ahead of its partials in a period of the tone, and how large the largest value of the middle
# and of the side is.
OWN_KEY, POINT_HZ, SWAY, SHIFT = 0, 1, 2, 3
MIDDLE, SIDE = SHIFT + GROUPS, SHIFT + 2 * GROUPS
# And of each quarter of the mel's bands the share of its power that is noise, as a natural
# logarithm.
NOISE = SHIFT + 3 * GROUPS
NOISE_BANDS = mel.BINS // 4
FACTS = NOISE + NOISE_BANDS
LEAST_NOISE, DRUM_NOISE, TONAL_DRUM_NOISE = 1e-6, 1.0, 0.5  # shares
LARGEST = 127  # of the values of a zone, which are whole numbers
# The sway, then for each group and point middle and side, real and imaginary.
VALUES = POINTS + GROUPS * POINTS * 4


def row(note):
    """The row of a note [6] that is no drum; keys beyond a piano's live as its first and last."""
    return int(note[PROGRAM]) * PITCHES + int(np.clip(note[KEY] - note_table.LOW, 0, PITCHES - 1))


class Life:
    """The life of one key, from facts [FACTS] and values [VALUES] of its zone: envelopes `parts`
    [GROUPS, middle and side, POINTS], `shifts` [GROUPS], `sway` [POINTS]."""

    def __init__(self, facts, values, key):
        facts, values = np.asarray(facts, np.float64), np.asarray(values, np.float64) / LARGEST
        # Points a sample.
        self.pace = facts[POINT_HZ] / mel.RATE * 2.0 ** ((key - facts[OWN_KEY]) / 12)
        self.sway = facts[SWAY] * values[:POINTS]
        self.shifts = facts[SHIFT : SHIFT + GROUPS]
        parts = values[POINTS:].reshape(GROUPS, POINTS, 4)
        sizes = np.stack([facts[MIDDLE:SIDE], facts[SIDE:NOISE]], 1)
        self.parts = (
            sizes[..., None] * (parts[..., ::2] + 1j * parts[..., 1::2]).swapaxes(1, 2)
        ).astype(np.complex64)

    def at(self, curves, count):
        """Curves [..., POINTS] at samples 0 to `count` after the key press, [..., count], from
        their values every GRID samples."""
        known = cubic(curves, np.arange(-(-count // GRID) + 1) * (GRID * self.pace))[..., None]
        share = np.arange(GRID, dtype=np.float32) / GRID
        between = known[..., :-1, :] + share * np.diff(known, axis=-2)
        return between.reshape(*known.shape[:-2], -1)[..., :count]


def cubic(curves, where):
    """Curves [..., POINTS] at places counted in points: Catmull and Rom's cubic; past the end they
    go back and come again."""
    last = POINTS - 1
    beyond = np.mod(where - LOOP_FROM, 2 * (last - LOOP_FROM))
    where = np.where(
        where < last, where, LOOP_FROM + np.minimum(beyond, 2 * (last - LOOP_FROM) - beyond)
    )
    i = np.minimum(where.astype(int), last - 1)
    t = (where - i).astype(np.float32) if np.iscomplexobj(curves) else where - i
    a, b, c, d = (curves[..., np.clip(i + k, 0, last)] for k in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


class LifeTable:
    """The table of a file that `measure_life` wrote, or of notes that do not move."""

    def __init__(self, path=None):
        if path is None:
            self.zone = np.zeros(ROWS, int)
            self.facts, self.values = still()[0][None], still()[1][None]
        else:
            with np.load(path) as file:
                self.zone, self.facts, self.values = (
                    file[name].astype(kind)
                    for name, kind in (("zone", int), ("facts", np.float32), ("values", np.int8))
                )

    def of(self, note):
        """How a note [6] lives that is no drum."""
        zone = self.zone[row(note)]
        return Life(self.facts[zone], self.values[zone], int(note[KEY]))

    def noise(self, programs, keys):
        """Programs and keys [n], no drums -> the share of each band's power that is noise,
        [n, 128]."""
        pitches = np.clip(keys.astype(int) - note_table.LOW, 0, PITCHES - 1)
        shares = self.facts[self.zone[programs.astype(int) * PITCHES + pitches], NOISE:]
        return np.exp(np.repeat(shares, mel.BINS // NOISE_BANDS, axis=-1))


def still():
    """Facts and values of a zone in which nothing moves and nothing is at the side."""
    facts, values = np.zeros(FACTS, np.float32), np.zeros(VALUES, np.int8)
    facts[[OWN_KEY, POINT_HZ]] = 60, 25
    facts[MIDDLE:SIDE] = 1
    facts[NOISE:] = np.log(0.05)
    values[POINTS:].reshape(GROUPS, POINTS, 4)[..., 0] = LARGEST
    return facts, values
