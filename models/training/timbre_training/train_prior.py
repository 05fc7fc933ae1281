"""Trains the note prior on single notes for a number of minutes. Stop it any time; it goes on where it was.

Loss: log-mel L1 in nats, what the evaluation measures.
"""
import argparse

import numpy as np
import torch

from . import note_set
from .prior import SIZES, Prior, features, log_mel_of
from .training import Run, pick_device


class Rows:
    """Random frames of a note set: instrument, key, features, mel."""

    def __init__(self, directory, seed):
        self.columns, self.rng = note_set.load(directory), np.random.default_rng(seed)

    def draw(self, count):
        i = np.sort(self.rng.integers(0, len(self.columns["key"]), count))
        c = {k: v[i] for k, v in self.columns.items()}
        return {"instrument": torch.from_numpy(c["instrument"].astype(np.int64)), "key": torch.from_numpy(c["key"].astype(np.int64)),
                "features": torch.from_numpy(features(c["velocity"], c["age"], c["release"])),
                "mel": torch.from_numpy(c["mel"].astype(np.float32))}


def error(model, rows):
    """Mean absolute error in nats."""
    return (log_mel_of(model(rows["instrument"], rows["key"], rows["features"])) - rows["mel"]).abs().mean()


def train(directory, checkpoint, minutes, sizes, batch, rate, device, held=None, seed=0):
    """`sizes`: the arguments of `Prior`."""
    torch.manual_seed(seed)
    model = Prior(**sizes).to(device)
    run = Run(checkpoint, model, minutes, rate, sizes)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters on {device}", flush=True)
    source, unseen = Rows(directory, seed + run.step), held and Rows(held, 0).draw(8192)
    while run.running():
        run.learn(error(model, {k: v.to(device) for k, v in source.draw(batch).items()}))
        if unseen and run.step % 500 == 0:
            with torch.no_grad():
                print(f"unseen notes {float(error(model, {k: v.to(device) for k, v in unseen.items()})):.4f} nats", flush=True)
    run.save()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data")
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
    train(a.data, a.checkpoint, a.minutes, sizes, a.batch, a.rate, pick_device(a.device), a.held)


if __name__ == "__main__":
    main()
