"""How a held note lives: the vibrato, tremolo and beating that every key of every program has, and what they do to its tone. Rust twin:
models/src/vocoder/life.rs; `measure_life.py` measures the table.

The same key lives in the same way each time it sounds, as the recording in the soundfont does. A row of the table says, of one key of one program:
"""
import numpy as np

from . import mel, note_table
from .notes import KEY, PROGRAM

# Columns: rate of the vibrato (Hz), its size (cents), the time in which it comes in (s), where in its period it begins (turns); rate of the tremolo
# (Hz), its size (nats), where it begins (turns); the share of the power that voices beside the main one have, and how far away they lie (cents).
VIBRATO_HZ, VIBRATO_CENTS, VIBRATO_S, VIBRATO_TURN, TREMOLO_HZ, TREMOLO_NATS, TREMOLO_TURN, SIDE_SHARE, SIDE_CENTS = range(9)
COLUMNS = 9
PITCHES = note_table.HIGH - note_table.LOW + 1
ROWS = note_table.PROGRAMS * PITCHES
GRID = 32  # samples between values of vibrato and tremolo; evenly in between
# The voices at the side: parts of their power, and of how far away they lie; their mean pitch is the main one's. And where their periods begin.
SIDES = ((7 / 17, 1.0, 0.31), (10 / 17, -0.7, 0.73))
CENT = np.log(2) / 1200  # nats of frequency


def row(note):
    """The row of a note [6] that is no drum; keys beyond a piano's live as its first and last."""
    return int(note[PROGRAM]) * PITCHES + int(np.clip(note[KEY] - note_table.LOW, 0, PITCHES - 1))


def voices(values):
    """A row [9] -> (amplitude, multiple of the key's frequency, turns at the key press) of each voice; their power is 1 together."""
    share = float(values[SIDE_SHARE])
    main = [(np.sqrt(1 - share), 1.0, 0.0)]
    return main + [(np.sqrt(share * part), np.exp(CENT * away * values[SIDE_CENTS]), turn) for part, away, turn in SIDES if share > 0]


def swing(values, seconds, hz):
    """A row [9], seconds after the key press, the key's frequency -> the turns by which vibrato has moved the tone, and tremolo's factor."""
    come = np.clip(seconds / max(values[VIBRATO_S], 1e-3), 0, 1)
    rate = values[VIBRATO_HZ]
    turns = np.zeros(len(seconds))
    if rate > 0:
        size = hz * CENT * values[VIBRATO_CENTS] / (2 * np.pi * rate)
        turns = -size * come * np.cos(2 * np.pi * (rate * seconds + values[VIBRATO_TURN]))
    wave = np.sin(2 * np.pi * (values[TREMOLO_HZ] * seconds + values[TREMOLO_TURN]))
    return turns, np.exp(values[TREMOLO_NATS] * come * wave)


def swing_at(values, n, hz):
    """`swing` at samples n (one after the other) after the key press, from its values every GRID samples."""
    at = np.arange(n[0] // GRID, n[-1] // GRID + 2) if len(n) else np.arange(2)
    turns, factor = swing(values, at * (GRID / mel.RATE), hz)
    return np.interp(n, at * GRID, turns), np.interp(n, at * GRID, factor)


def scaled(table, by):
    """A table [ROWS, COLUMNS] -> the same whose vibrato, tremolo and beating are `by` times as large; 0 is stillness."""
    out = np.array(table, np.float32) if by else np.zeros((ROWS, COLUMNS), np.float32)
    out[:, [VIBRATO_CENTS, TREMOLO_NATS, SIDE_SHARE]] *= by
    return out


def table_or_still(table):
    """A table [ROWS, COLUMNS], or, without one, that of notes that do not move."""
    return np.zeros((ROWS, COLUMNS), np.float32) if table is None else table
