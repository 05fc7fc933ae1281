"""Measures the drums of each kit of a model, struck one by one, beside FluidSynth's:

    python -m timbre_training.evaluation.kits --timbred BIN [--model FOLDER]

Prints for each kit the mean error of the level of strokes, log-mel L1, and how much the level of
one drum differs from stroke to stroke. Kits share drums: only those of its own are struck, and of
the standard kit the 47 of General MIDI.
"""
import argparse
from pathlib import Path

import numpy as np

from .. import bundled, mel
from ..kits import STANDARD
from ..notes import START, as_array
from .pieces import Piece
from .program import Timbred, references
from .spectra import db, log_mel_l1

VELOCITIES, GENERAL_MIDI = (60, 100), range(35, 82)
APART_S, AUDIBLE = 0.9, 1e-5  # from stroke to stroke; the least energy that is measured
BODIES, STROKES, SHIFT_S = (36, 38), 24, 0.0071  # bass and snare drum, at places in a frame
MODE = "live, H = 1"


def struck(kit, strokes):
    """(key, velocity) one after the other -> a piece"""
    rows = []
    for i, (key, velocity) in enumerate(strokes):
        start = 0.2 + (APART_S + SHIFT_S) * i
        rows.append((start, start + 0.1, kit, key, velocity, 1))
    return Piece(f"kit-{kit}-{len(rows)}", as_array(rows))


def parts(sound, piece):
    """The sound of each stroke."""
    first = [round(note[START] * mel.RATE) for note in piece.notes]
    return [sound[at : at + round((APART_S - 0.05) * mel.RATE)] for at in first]


def row(kit, ours, theirs):
    """Sounds of the strokes of a kit -> a line of the table"""
    both = [(a, b) for a, b in zip(ours, theirs) if np.sum(np.square(b)) > AUDIBLE]
    level = np.mean([abs(db(a) - db(b)) for a, b in both])
    l1 = np.mean([log_mel_l1(mel.log_mel(a), mel.log_mel(b)) for a, b in both])
    return f"kit {kit:3}: {len(both):3} strokes, level {level:.1f} dB off, log-mel L1 {l1:.2f} nats"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--timbred", required=True, type=Path)
    p.add_argument("--model", type=Path, default=bundled.FOLDER)
    a = p.parse_args()
    timbred = Timbred(a.timbred.resolve(), ["--model", a.model.resolve()])
    of_kits = [(STANDARD, GENERAL_MIDI), *bundled.kits(a.model).own]
    pieces = [struck(kit, [(k, v) for k in keys for v in VELOCITIES]) for kit, keys in of_kits]
    alike = [struck(STANDARD, [(key, 100)] * STROKES) for key in BODIES]
    sounds, truths = timbred.sounds(pieces + alike, MODE), references(pieces + alike)
    cut = [(parts(s, piece), parts(t, piece)) for s, t, piece in
           zip(sounds, truths, pieces + alike)]
    for (kit, _), (ours, theirs) in zip(of_kits, cut):
        print(row(kit, ours, theirs))
    for key, (ours, theirs) in zip(BODIES, cut[len(pieces):]):
        ours, theirs = ([db(part) for part in of] for of in (ours, theirs))
        own, other = np.std(ours), np.std(theirs)
        print(f"drum {key}: {own:.1f} dB from stroke to stroke, there {other:.1f}")


if __name__ == "__main__":
    main()
