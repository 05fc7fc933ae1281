"""Trains the denoiser for a number of minutes, on CUDA if available. It can be stopped at any time,
and continues where it was."""
import argparse

import torch

from . import diffusion, embedding
from .examples import VELOCITY_BINS, loader
from .network import Config, Denoiser
from .tokens import Vocabulary
from .training import Run, pick_device


def train(directory, checkpoint, minutes, config, batch, rate, unrolled, device, seed=0):
    torch.manual_seed(seed)
    model = Denoiser(config).to(device)
    with torch.no_grad():
        model.token_encoder.token_embedder.embedding.copy_(
            embedding.structured(Vocabulary(VELOCITY_BINS), config.emb, seed)
        )
    run = Run(checkpoint, model, minutes, rate, config.dict())
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters on {device}",
        flush=True,
    )
    for batch_now in loader(directory, config, batch, seed + run.step):
        if not run.running():
            break
        rows = {k: v.to(device, non_blocking=True) for k, v in batch_now.items()}
        # The first guesses of the model are too poor to be worth repairing.
        run.learn(diffusion.loss(model, rows, unrolled if run.step >= 800 else 0.0))
    run.save()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data")
    p.add_argument("checkpoint")
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument(
        "--batch", type=int, default=16,
        help="examples of 64 frames a step; two and four times as many shorter ones",
    )
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument(
        "--unrolled", type=float, default=0.0,
        help="share of rows that start from the model's own guess",
    )
    p.add_argument("--threads", type=int)
    p.add_argument("--device")
    for name, value in Config().dict().items():
        p.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    a = p.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    config = Config(**{k: getattr(a, k) for k in Config().dict()})
    train(
        a.data, a.checkpoint, a.minutes, config, a.batch, a.rate, a.unrolled, pick_device(a.device)
    )


if __name__ == "__main__":
    main()
