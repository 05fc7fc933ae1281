"""Writes the MIDI files, renders them with every system, measures the sound, and prints one table.

Results are stored in work/listen, and a second run makes only the missing ones. Sound of an earlier
build or model is removed, but its measured figures stay.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # every core has a file of its own

from . import pieces, table, tagger
from .kept import REFERENCE, STEPS, Kept

QUICK = {"programs": list(pieces.QUICK_PROGRAMS), "pieces": 6, "visqol": 2}
FULL = {"programs": sorted(pieces.PROGRAMS), "pieces": 26, "visqol": 24}


def arguments():
    p = argparse.ArgumentParser(prog="timbre_training.listening", description=__doc__)
    p.add_argument("program", help="timbred, built for release")
    p.add_argument("--model", help="folder or name of another model than the bundled one")
    p.add_argument(
        "--soundfont", type=Path,
        help="reference in place of FluidR3: what the model learned from; the bundled plays too",
    )
    p.add_argument(
        "--programs", type=int, nargs="+", metavar="N",
        help="of held notes; with --soundfont, of everything",
    )
    p.add_argument("--pieces", type=int, help="how many [default: 26, or 6]")
    p.add_argument("--quick", action="store_true", help="a small part, in some minutes")
    p.add_argument("--json", type=Path, help="also write the table here")
    return p.parse_args()


def main():
    a = arguments()
    size = QUICK if a.quick else FULL
    began = time.monotonic()
    os.nice(5)
    tagger.prepare()
    kept = Kept(a.program, a.model, a.soundfont)
    kept.forget_earlier_sound()
    alone = a.programs if a.soundfont else None
    held_notes = pieces.held_notes(a.programs or size["programs"])
    played = {
        "notes": held_notes,
        "sides": held_notes,
        "pieces": pieces.pieces(a.pieces or size["pieces"], alone),
        "repeats": pieces.repeats(alone),
    }
    midis = {kind: [kept.put(kind, piece) for piece in found] for kind, found in played.items()}
    names = {step: [m.stem for m in midis[kind]] for step, (_, kind, *_) in STEPS.items()}
    names["visqol"] = pieces.spread(names["visqol"], size["visqol"])
    measured = {system: {} for system in kept.systems}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for step, (_, kind, *_) in STEPS.items():
            for system in kept.heard(step):
                done = lambda m: kept.figure(step, system, m.stem).exists()
                missing = [m for m in midis[kind] if m.stem in names[step] and not done(m)]
                for player in dict.fromkeys((REFERENCE, system)):
                    kept.play(pool, kind, missing, player)
                measured[system][step] = kept.measure(pool, step, names[step], system)
    rows, took = table.table(measured, REFERENCE), table.took(measured, REFERENCE)
    print("\n".join(table.markdown(rows)))
    used = f"{time.monotonic() - began:.0f} s, {sum(os.times()[:4]):.0f} s of CPU time"
    print(f"\nTook {'a quick part: ' if a.quick else ''}{took}; {used}.")
    if a.json:
        a.json.write_text(json.dumps({"rows": rows, "took": took}, indent=1) + "\n")


if __name__ == "__main__":
    main()
