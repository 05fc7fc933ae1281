"""Trains the note prior on single notes for a number of minutes. Stop it any time; it goes on where
it was.

Loss: log-mel L1 in nats, what the evaluation measures.
"""
import argparse

import numpy as np
import torch

from . import mel, note_set, note_table
from .prior import PITCHES, SIZES, Prior, features, log_mel_of
from .training import Run, pick_device

TABLE_AFTER = 1000  # steps without a note table, so that it says what the rest cannot


class Rows:
    """Random frames of a note set: instrument, key, features, mel."""

    def __init__(self, directory, seed):
        self.columns, self.rng = note_set.load(directory), np.random.default_rng(seed)

    def draw(self, count):
        i = np.sort(self.rng.integers(0, len(self.columns["key"]), count))
        c = {k: v[i] for k, v in self.columns.items()}
        return {
            "instrument": torch.from_numpy(c["instrument"].astype(np.int64)),
            "key": torch.from_numpy(c["key"].astype(np.int64)),
            "features": torch.from_numpy(features(c["velocity"], c["age"], c["release"])),
            "mel": torch.from_numpy(c["mel"].astype(np.float32)),
        }


def error(model, rows):
    """Mean absolute error in nats."""
    ours = log_mel_of(model(rows["instrument"], rows["key"], rows["features"]))
    return (ours - rows["mel"]).abs().mean()


@torch.no_grad()
def fill_table(model, looks):
    """Gives the note table what the model, which has none yet, gets wrong of each key; looks: what
    `note_table.build` wrote."""
    looks = torch.from_numpy(looks.astype(np.float32)).flatten(0, 1)
    device, count = model.notes.device, len(looks)
    program = torch.arange(count, device=device) // PITCHES
    key = torch.arange(count, device=device) % PITCHES + note_table.LOW
    power = torch.zeros(count, len(note_table.LOOKS), mel.BINS)
    for note in note_table.questions():
        for look, velocity, age, release in note:
            heard = features(np.full(1, velocity), np.full(1, age), np.full(1, release))
            heard = heard.repeat(count, 0)
            power[:, look] += model(program, key, torch.from_numpy(heard).to(device)).cpu()
    found = note_table.numbers((looks - log_mel_of(power)).numpy(), model.notes.shape[1])
    model.notes[:-1] = torch.from_numpy(found).to(device)


def train(directory, looks, checkpoint, minutes, sizes, batch, rate, device, held=None, seed=0):
    """`looks`: the file of `note_table.build`; `sizes`: the arguments of `Prior`."""
    torch.manual_seed(seed)
    model = Prior(**sizes).to(device)
    run = Run(checkpoint, model, minutes, rate, sizes)
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters on {device}",
        flush=True,
    )
    source, unseen = Rows(directory, seed + run.step), held and Rows(held, 0).draw(8192)
    empty = not model.notes.any()
    while run.running():
        if empty and run.step >= TABLE_AFTER:
            fill_table(model, np.load(looks))
            run.average["notes"].copy_(model.notes.detach())
            empty = False
        model.notes.requires_grad_(not empty)
        run.learn(error(model, {k: v.to(device) for k, v in source.draw(batch).items()}))
        if unseen and run.step % 500 == 0:
            with torch.no_grad():
                found = error(model, {k: v.to(device) for k, v in unseen.items()})
                print(f"unseen notes {float(found):.4f} nats", flush=True)
    run.save()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data")
    p.add_argument("looks", help="the file that note_table wrote")
    p.add_argument("checkpoint")
    p.add_argument("--held", help="a note set to measure on")
    p.add_argument("--minutes", type=float, default=30)
    for name, value in SIZES.items():
        p.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    p.add_argument("--batch", type=int, default=2048, help="frames of single notes a step")
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--threads", type=int)
    p.add_argument("--device")
    a = p.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    sizes = {name: getattr(a, name) for name in SIZES}
    train(
        a.data, a.looks, a.checkpoint, a.minutes, sizes, a.batch, a.rate, pick_device(a.device),
        a.held,
    )


if __name__ == "__main__":
    main()
