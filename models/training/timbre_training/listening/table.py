"""Prints the measured figures as one table.

A figure is a function of all measurements of a system and of the reference. Knows no files.
"""

import numpy as np

from . import closeness, tagger
from .pieces import PROGRAMS, program_of

WIDE_DB = -12  # a side from here on is a program's that is recorded in stereo


def ratio(measures, reference, key):
    """Divided by the reference's: the median over programs, how many are within a factor of 2, and
    how many there are."""
    ratios = []
    for name, notes in measures["notes"].items():
        pairs = _pairs(notes, reference["notes"][name], key)
        if pairs:
            logs = [np.log(max(a, 1e-3) / max(b, 1e-3)) for a, b in pairs]
            ratios.append(float(np.exp(np.median(logs))))
    near = sum(0.5 <= r <= 2 for r in ratios)
    return f"{np.median(ratios):.2f}; {near} of {len(ratios)}" if ratios else ""


def _pairs(notes, others, key):
    pairs = [(a.get(key), b.get(key)) for a, b in zip(notes, others)]
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def harmonics(measures, reference):
    """Harmonics to noise, less the reference's: the median over notes, and the worst tenth."""
    found = []
    for name, notes in measures["notes"].items():
        found += [a - b for a, b in _pairs(notes, reference["notes"][name], "hnr")]
    return "{:+.1f}; {:+.1f}".format(*np.percentile(found, [50, 10])) if found else ""


def sides(measures, reference):
    """The median difference of the sides, over programs whose reference is wide."""
    middle = {name: np.median(values) for name, values in reference["sides"].items()}
    off = [
        abs(np.median(values) - middle[name])
        for name, values in measures.get("sides", {}).items()
        if middle[name] > WIDE_DB
    ]
    return f"{np.median(off):.1f} (of {len(off)})" if off else ""


def line(measures, _reference):
    notes = [note for found in measures["notes"].values() for note in found]
    lines = [db for note in notes for db in note.get("line", [])]
    return f"{np.median(lines):+.1f}" if lines else ""


def cloud(measures, which, names):
    return np.concatenate([measures["windows"][name][which] for name in names])


def frechet(measures, reference, which):
    """For the reference itself, one half of its pieces is compared with the other, four times."""
    names = sorted(reference["windows"])
    if measures is not reference:
        return f"{closeness.frechet(*(cloud(m, which, names) for m in (measures, reference))):.2f}"
    halves = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(names)
        pair = [cloud(reference, which, part) for part in (order[::2], order[1::2])]
        halves.append(closeness.frechet(*pair))
    return f"(halves {np.mean(halves):.2f})"


def mean(measures, step, *keys):
    """The mean over all pieces. The reference has no such figures."""
    found = list(measures.get(step, {}).values())
    return "; ".join(f"{np.mean([f[key] for f in found]):{form}}" for key, form in keys if found)


ROWS = [
    *[
        (f"{title}, by the reference's; programs within a factor of 2", "1.00; all",
         lambda m, r, key=key: ratio(m, r, key))
        for key, title in (
            ("am", "AM"), ("fm", "FM"), ("width", "width"), ("flicker", "flicker"),
        )
    ],
    ("harmonics to noise, dB off; worst tenth", "0; 0", harmonics),
    ("side against middle, dB off, wide programs", "0", sides),
    ("line at 50 Hz, dB over its neighbours", "as the reference", line),
    *[
        (f"FAD, {which}", "0", lambda m, r, which=which: frechet(m, r, which))
        for which in tagger.TAGGERS
    ],
    ("log-mel L1, nats", "0", lambda m, _: mean(m, "pieces", ("log_mel", ".3f"))),
    ("Zimtohrli, MOS; distance", "5; 0",
     lambda m, _: mean(m, "pieces", ("mos", ".2f"), ("distance", ".4f"))),
    ("ViSQOL, MOS", "5",
     lambda m, _: f"{np.mean(list(m['visqol'].values())):.2f}" if m.get("visqol") else ""),
    ("repetitions, Zimtohrli's distance; peaks, dB off", "0; 0",
     lambda m, _: mean(m, "repeats", ("distance", ".4f"), ("peaks", "+.1f"))),
]  # fmt: skip


def table(measured, reference):
    """SYSTEM: STEP: NAME: result -> rows of texts, the head first; `reference` is the name of a
    system."""
    systems = [reference, *(s for s in measured if s != reference)]
    rows = [["measure", "good", *systems]]
    for title, good, figure in ROWS:
        rows.append([title, good, *(figure(measured[s], measured[reference]) for s in systems)])
    return rows


def markdown(rows):
    """-> lines"""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]


def took(measured, reference):
    """What the table shows, on one line."""
    found = measured[reference]
    numbers = [program_of(name) for name in sorted(found["notes"])]
    programs = ", ".join(PROGRAMS.get(number, f"program {number}") for number in numbers)
    notes = sum(map(len, found["notes"].values()))
    others = [steps for system, steps in measured.items() if system != reference]
    return (
        f"{notes} held notes of {programs}; {len(found['windows'])} pieces, ViSQOL of "
        f"{len(others[0]['visqol'])}; repetitions of {len(others[0]['repeats'])} keys"
    )
