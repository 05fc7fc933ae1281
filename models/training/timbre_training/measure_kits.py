"""Finds the drums by which the kits of a soundfont differ from its standard kit, by playing all of
them. `python -m timbre_training.measure_kits` prints them as `kits` of a manifest."""

import json
import os
from multiprocessing import get_context

import numpy as np

from . import mel
from .kits import KEYS, NAMED, STANDARD, Kits
from .soundfont import DRUM_BANK, presets

VELOCITIES, STRUCK_S, LENGTH_S = (50, 100), 0.1, 1.5
DIFFERENT = 0.15  # mean over the log-mel, nats


def _kit(program):
    """The log-mels of the drums of a kit [128, velocities, frames, 128]."""
    from .synth import Reference

    reference = Reference()
    struck = lambda key, velocity: np.array([[0, STRUCK_S, program, key, velocity, 1]])
    return np.stack([
        [mel.log_mel(reference.render(struck(key, v), LENGTH_S)) for v in VELOCITIES]
        for key in range(KEYS)
    ])


def find(has, workers=None):
    """`has`: the programs of the kits in the soundfont -> `Kits`"""
    asked = [program for program in NAMED if program in has]
    if STANDARD not in has or not asked:
        return Kits()
    with get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        standard, *others = pool.map(_kit, [STANDARD, *asked], chunksize=1)
    differ = lambda kit: np.abs(kit - standard).mean((2, 3)).max(1) > DIFFERENT
    own = [(p, tuple(np.flatnonzero(differ(kit)).tolist())) for p, kit in zip(asked, others)]
    return Kits(tuple((program, keys) for program, keys in own if keys))


def read_or_find(path, soundfont):
    """The kits of a soundfont from a file, which is written if it does not exist."""
    if not path.exists():
        print("kits: playing the drums of all kits", flush=True)
        has = {program for bank, program in presets(soundfont) if bank == DRUM_BANK}
        path.write_text(json.dumps(find(has).own))
    return Kits(tuple((program, tuple(keys)) for program, keys in json.loads(path.read_text())))


def main():
    from .synth import SOUNDFONT

    kits = find({program for bank, program in presets(SOUNDFONT) if bank == DRUM_BANK})
    print(f"kits = {[{'program': p, 'keys': list(k)} for p, k in kits.own]}")


if __name__ == "__main__":
    main()
