"""Corrects the keys of the note prior whose loudness is off, in its note table alone.

The prior learns the mean error over all bands, in which one partial that is 20 dB too loud hardly
counts. Here the looks of a key (`note_table`) are also compared by the level of its loudest bands
and by its whole power. Rows are moved the further, the more a key is off: on music, which the looks
do not show, a row that was right gets a little worse.

    python -m timbre_training.refit LOOKS.npy PRIOR.npz

LOOKS is the file that `note_table` wrote. PRIOR has the weights of a note prior, as in `start`, and
is written anew. It takes about 20 minutes on one core.
"""

import argparse
import time

import numpy as np
import torch

from . import bundled, note_table
from .prior import SIZES, Prior, features, log_mel_of, note_row

SILENT = 1e-3  # the power of a key that cannot be heard
RANGE = 1e-3  # of power, below the loudest look: softer ones have no weight
# A row keeps its place if its level is off by less than the first, and takes the fitted one from
# the second on, nats.
OFF = 0.15, 0.5
AT_ONCE, STEPS, RATE = 64, 60, 0.08
PITCHES = note_table.HIGH + 1 - note_table.LOW


def questions():
    """The looks in which notes sound [questions], and the features of these notes."""
    asked = [row for notes in note_table.questions() for row in notes]
    look, *heard = (np.array(column) for column in zip(*asked))
    return torch.from_numpy(look), torch.from_numpy(features(*heard)).float()


def looks_of(model, notes, program, key):
    """The looks of keys [n] as the model has them with another note table, [n, looks, 128] nats."""
    look, heard = questions()
    each = (x.repeat_interleave(len(look)) for x in (program, key))
    power = torch.func.functional_call(
        model, {"notes": notes}, (*each, heard.repeat(len(key), 1))
    ).unflatten(0, (len(key), len(look)))
    empty = torch.zeros(len(key), len(note_table.LOOKS), power.shape[-1])
    return log_mel_of(empty.index_add(1, look, power))


def errors(ours, truth):
    """Looks [n, looks, 128] -> three errors of each key in nats: of all bands, of its loudest ones,
    and of its level."""
    power = (2 * truth).exp()
    whole = power.sum(-1) + 1e-8
    loud = (whole > RANGE * whole.amax(1, keepdim=True)).float()
    weight = power.sqrt() / (power.sqrt().sum(-1, keepdim=True) + 1e-6)
    level = 0.5 * ((2 * ours).exp().sum(-1) + 1e-8).log() - 0.5 * whole.log()
    mean = lambda of_looks: (of_looks * loud).sum(1) / loud.sum(1)
    apart = (ours - truth).abs()
    return apart.mean((1, 2)), mean((apart * weight).sum(-1)), mean(level.abs())


def fitted(model, program, key, truth):
    """The rows of keys that fit their looks best."""
    table, rows = model.notes.detach(), note_row(program, key)
    own = table[rows].clone().requires_grad_(True)
    optimizer, best = torch.optim.Adam([own]), (torch.full((len(key),), torch.inf), own.detach())
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - step / STEPS))
        found = errors(looks_of(model, table.index_copy(0, rows, own), program, key), truth)
        error = 2 * found[0] + 0.5 * found[1] + 0.5 * found[2]
        better = error.detach() < best[0]
        best = (
            torch.where(better, error.detach(), best[0]),
            torch.where(better[:, None], own.detach(), best[1]),
        )
        optimizer.zero_grad()
        error.sum().backward()
        optimizer.step()
    return best[1]


def refit(model, looks):
    """Moves rows of the model's note table; `looks` [128 programs, 88 keys, looks, 128] nats."""
    key = torch.arange(PITCHES) + note_table.LOW
    of_program = lambda program: torch.full((PITCHES,), program)
    with torch.no_grad():
        off = torch.stack([
            errors(looks_of(model, model.notes, of_program(p), key), looks[p])[2]
            for p in range(len(looks))
        ])
    audible = (2 * looks).exp().sum(-1).amax(-1) > SILENT
    wrong = ((off > OFF[0]) & audible).nonzero()
    print(f"refit: {len(wrong)} keys, their levels {off[audible].mean():.3f} nats off", flush=True)
    start = time.time()
    for done in range(0, len(wrong), AT_ONCE):
        program, pitch = wrong[done : done + AT_ONCE].T
        rows = note_row(program, pitch + note_table.LOW)
        best = fitted(model, program, pitch + note_table.LOW, looks[program, pitch])
        share = ((off[program, pitch] - OFF[0]) / (OFF[1] - OFF[0])).clamp(0, 1)[:, None]
        with torch.no_grad():
            model.notes[rows] += share * (best - model.notes[rows])
        left = (time.time() - start) / (done + len(rows)) * (len(wrong) - done - len(rows)) / 60
        print(f"refit: {done + len(rows)}/{len(wrong)} keys, {left:.1f} min left", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("looks")
    p.add_argument("prior")
    a = p.parse_args()
    with np.load(a.prior) as file:
        weights = {name: torch.from_numpy(file[name].astype(np.float32)) for name in file.files}
        kinds = {name: file[name].dtype for name in file.files}
    model = Prior(**SIZES, kits=bundled.kits().own)
    model.load_state_dict({"colour": model.colour, **weights})
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    refit(model, torch.from_numpy(np.load(a.looks).astype(np.float32)))
    weights["notes"] = model.notes
    np.savez_compressed(a.prior, **{k: v.numpy().astype(kinds[k]) for k, v in weights.items()})


if __name__ == "__main__":
    main()
