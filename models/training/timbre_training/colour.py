"""Measures how loud each instrument sounds in each band, compared with the reference, to correct
the note prior.

The prior learns the mean of the log-mel of single notes, and a vocoder turns that into sound. The
sound does not have the same mean: noise at the level of the mean logarithm is 1 to 2 dB softer than
the noise from which the mean was computed, and a network always has some error. So the program
itself plays notes of every instrument live, the reference plays the same notes, and the power of
each band over the whole of a note is compared. Part of the median difference (`KEPT`) is stored in
the table `colour` of the prior, which is added to its gains.

    python -m timbre_training.colour --timbred BIN --model FOLDER --prior PRIOR.npz [--rounds 2]

FOLDER is a bundle packed from PRIOR.npz, into which the table is written; after each round the
bundle is packed again. A round takes about 5 minutes on one core.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from . import bundled, mel, midi
from .kits import KEYS as STANDARD_DRUMS
from .notes import as_array
from .synth import Reference

DRUMS = 128  # of the prior's instruments, the first drum
KEYS = {"program": range(36, 85, 12), "drum": range(27, 88)}
VELOCITIES = {"program": (60, 105), "drum": (50, 80, 110)}
HELD_S, APART_S = 1.0, 1.6
PART = 12  # instruments that are rendered at a time
GROUP = 4  # bands of the mel that are measured together
RANGE_DB = 40  # softer bands of a note than this say nothing
# The largest correction of an instrument, nats. It is limited because all keys of a program share
# it.
MOST = {"program": 0.4, "drum": 1.4}
TRUSTED = 0.8  # of what is measured
# The share of the table that is kept in the end. With all of it, whole pieces of drums were 1.6 dB
# too loud, their log-mel L1 rose from 0.514 to 0.569 nats, and rests were at -69 instead of -71
# dBFS. With these shares the mean level of pieces is within 0.4 dB (`make evaluate`).
KEPT = {"program": 0.3, "drum": 0.4}


def notes_of(instrument, kits, start_s):
    """Single notes of an instrument that begin at `start_s`, as rows of (start, end, program, key,
    velocity, drum)."""
    kind = "drum" if instrument >= DRUMS else "program"
    program, keys = instrument, KEYS[kind]
    if kind == "drum":
        program, key = kits.drum(instrument - DRUMS)
        keys = [key]
    struck = [(key, velocity) for key in keys for velocity in VELOCITIES[kind]]
    return [
        (start_s + i * APART_S, start_s + i * APART_S + HELD_S, program, key, velocity,
         kind == "drum")
        for i, (key, velocity) in enumerate(struck)
    ]


def powers(sound, starts_s):
    """Mono sound at 16 kHz -> mel power of each note in groups of bands [notes, groups]."""
    frames = np.exp(2 * mel.log_mel(sound.astype(np.float32)))
    per_s = mel.RATE / mel.HOP
    of_note = [
        frames[int(s * per_s): int((s + APART_S) * per_s)].sum(0) for s in starts_s
    ]
    return np.array(of_note).reshape(len(starts_s), -1, GROUP).sum(-1)


def played(timbred, model, notes, seconds):
    """The sound of notes as the program plays them, mono at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        song, wav = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
        midi.write(song, notes, seconds)
        subprocess.run(
            [timbred, "render", song, wav, "--live", "--hop-ms", "20", "--dry", "--quiet",
             "--rate", str(mel.RATE), "--format", "32f", "--tail", "0", "--model", model],
            check=True,
        )
        return soundfile.read(wav)[0]


def lacking(ours, theirs):
    """The correction of an instrument for each group of bands in nats, from powers [notes, groups];
    nan for groups that no note has."""
    loud = theirs > theirs.max(1, keepdims=True) * 10 ** (-RANGE_DB / 10)
    apart = 0.5 * np.log((theirs + 1e-12) / (ours + 1e-12))
    apart = np.where(loud, apart, np.nan)
    known = (~np.isnan(apart)).sum(0) > 0
    out = np.full(apart.shape[1], np.nan)
    out[known] = np.nanmedian(apart[:, known], axis=0)
    return out


def smooth(groups):
    """Values of groups of bands, nan if unknown -> values of all bands [128], interpolated and
    smoothed."""
    known = np.flatnonzero(~np.isnan(groups))
    if not len(known):
        return np.zeros(mel.BINS)
    whole = np.interp(np.arange(len(groups)), known, groups[known])
    padded = np.pad(whole, 1, mode="edge")
    whole = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    centres = np.arange(len(groups)) * GROUP + (GROUP - 1) / 2
    return np.interp(np.arange(mel.BINS), centres, whole)


def measure(timbred, model, instruments, kits):
    """-> the correction of each instrument in nats [instruments, 128]"""
    reference, lacks = Reference(), []
    for first in range(0, len(instruments), PART):
        rows, of = [], []
        for instrument in instruments[first: first + PART]:
            own = notes_of(instrument, kits, len(rows) * APART_S)
            of.append(slice(len(rows), len(rows) + len(own)))
            rows += own
        notes = as_array(rows)
        seconds = len(rows) * APART_S
        starts = [row[0] for row in rows]
        theirs = powers(reference.render(notes, seconds), starts)
        ours = powers(played(timbred, model, notes, seconds), starts)
        found = [lacking(ours[own], theirs[own]) for own in of]
        lacks += [smooth(groups) for groups in found]
        worst = np.nanmedian(np.abs(np.concatenate(found))) * 8.686
        print(
            f"{min(first + PART, len(instruments))} of {len(instruments)} instruments, "
            f"bands {worst:.1f} dB off in the median", flush=True,
        )
    return np.array(lacks)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--timbred", required=True)
    p.add_argument("--model", required=True, type=Path)
    p.add_argument("--prior", required=True, type=Path)
    p.add_argument("--rounds", type=int, default=2)
    a = p.parse_args()
    weights, kits = dict(np.load(a.prior)), bundled.kits(a.model)
    count = len(weights["instruments"])
    drums = [*KEYS["drum"], *range(STANDARD_DRUMS, count - DRUMS)]
    instruments = [*range(DRUMS), *(DRUMS + number for number in drums)]
    colour = np.zeros((count, 2 * mel.BINS), np.float32)

    def pack(table):
        np.savez(a.prior, **{**weights, "colour": table})
        subprocess.run([a.timbred, "pack", a.prior.parent, "--out", a.model], check=True)

    pack(colour)  # without what an earlier run has stored
    for _ in range(a.rounds):
        lacks = measure(a.timbred, a.model, instruments, kits)
        for instrument, lack in zip(instruments, lacks):
            most = MOST["drum" if instrument >= DRUMS else "program"]
            whole = colour[instrument, : mel.BINS] + TRUSTED * lack
            colour[instrument] = np.tile(whole.clip(-most, most), 2)
        pack(colour)
    colour[:DRUMS] *= KEPT["program"]
    colour[DRUMS:] *= KEPT["drum"]
    pack(colour)


if __name__ == "__main__":
    main()
