"""Notes as plain arrays, which all other files share. Knows neither audio nor networks.

A clip's notes are a float64 array [n, 6] with the columns START, END (seconds), PROGRAM, KEY,
VELOCITY, DRUM.
"""
import numpy as np

START, END, PROGRAM, KEY, VELOCITY, DRUM = range(6)


def as_array(rows):
    """List of (start, end, program, key, velocity, drum) -> [n, 6], sorted by start; overlapping
    notes of one key are cut.

    A key that is struck again while it sounds ends the earlier note, as on a keyboard.
    """
    notes = np.asarray(sorted(rows), dtype=np.float64).reshape(-1, 6)
    last = {}
    keep = np.ones(len(notes), bool)
    for i, note in enumerate(notes):
        if note[DRUM]:
            continue
        voice = (note[PROGRAM], note[KEY])
        if voice in last:
            earlier = last[voice]
            if notes[earlier, START] >= note[START] - 0.01:
                keep[earlier] = False
            notes[earlier, END] = min(notes[earlier, END], note[START])
        last[voice] = i
    return notes[keep]
