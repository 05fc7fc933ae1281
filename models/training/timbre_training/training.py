"""What all trainings share: the clock, the learning rate, the moving average, checkpoints. Knows no
model."""
import copy
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch


# The weights of earlier runs, float16, by the name of the checkpoint; `python -m
# timbre_training.training CHECKPOINT` writes them.
START = Path(__file__).resolve().parent.parent / "start"


class Run:
    """A training run of a number of minutes that can be stopped and continued.

    The learning rate warms up over 300 steps, or `warm_up`, then stays constant, and falls to zero
    over the last quarter of the minutes. The moving average of the weights (0.998 a step) is
    exported.
    """

    def __init__(self, path, model, minutes, rate, config, warm_up=300):
        self.path, self.minutes, self.rate, self.config = Path(path), minutes, rate, config
        self.warm_up = warm_up
        self.device = next(model.parameters()).device
        self.model, self.step, self.elapsed = model, 0, 0.0
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        start = START / f"{self.path.stem}.npz"
        if not self.path.exists() and start.exists():
            self._begin_with(start)
        if self.path.exists():
            saved = torch.load(self.path, map_location=self.device, weights_only=True)
            model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.average, self.step, self.elapsed = (
                saved["average"], saved["step"], saved["elapsed"],
            )
            print(
                f"{self.path}: going on after {self.step} steps, {self.elapsed / 60:.1f} min",
                flush=True,
            )
        self.base, self.start, self.saved, self.shown = self.elapsed, time.time(), time.time(), []

    def _begin_with(self, start):
        """Loads the weights of an earlier run if they have the right size. The rates and the clock
        start anew, and missing weights keep their initial values."""
        weights, ours = _weights(start, self.model), self.model.state_dict()
        if any(k not in ours or v.shape != ours[k].shape for k, v in weights.items()):
            return print(f"{start}: of another size; starting from nothing", flush=True)
        self.model.load_state_dict(ours | weights)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        print(f"{start}: starting from these weights", flush=True)

    def running(self):
        self.elapsed = self.base + time.time() - self.start
        return self.elapsed < self.minutes * 60

    def learn(self, loss):
        """One optimizer step on a loss (scalar); prints and saves from time to time."""
        done = self.elapsed / (self.minutes * 60)
        now = min(1.0, (self.step + 1) / self.warm_up, max(0.0, (1 - done) / 0.25))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * now
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(0.998, self.step / (self.step + 10))
        with torch.no_grad():
            for k, v in self.model.state_dict().items():
                self.average[k].lerp_(v, 1 - decay)
        self.shown.append(float(loss.detach()))
        if self.step % 50 == 0:
            left = (self.minutes * 60 - self.elapsed) / 60
            print(f"step {self.step} loss {sum(self.shown) / len(self.shown):.4f} "
                  f"{self.elapsed / self.step:.2f} s a step, {left:.1f} min left", flush=True)
            self.shown = []
        if time.time() - self.saved > 180:
            self.save()

    def save(self):
        self.saved = time.time()
        part = self.path.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                "average": self.average, "step": self.step, "elapsed": self.elapsed,
                "config": self.config,
            },
            part,
        )
        os.replace(part, self.path)


def _weights(start, model):
    """The weights in a file of START, as the model takes them."""
    with np.load(start) as file:
        weights = {k: torch.from_numpy(file[k].astype("float32")) for k in file.files}
    return model.adapted(weights) if hasattr(model, "adapted") else weights


def started(run):
    """The model as it was before the first step of a run, from START."""
    model = copy.deepcopy(run.model)
    weights = _weights(START / f"{run.path.stem}.npz", model)
    model.load_state_dict(model.state_dict() | weights)
    return model.to(run.device)


def pick_device(name=None):
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def keep(checkpoint):
    """Writes the moving average of a checkpoint, or the weights of an adversary, to START, so that
    training can continue after a fresh clone."""
    START.mkdir(exist_ok=True)
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    average = saved.get("average", saved["model"])
    np.savez_compressed(
        START / f"{Path(checkpoint).stem}.npz", **{k: v.half().numpy() for k, v in average.items()}
    )


if __name__ == "__main__":
    for path in sys.argv[1:]:
        keep(path)
