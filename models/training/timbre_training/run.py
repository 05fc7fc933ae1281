"""The whole training in one command: data, note prior, denoiser, vocoder, export. Resumable: run it
again and it goes on.

`--minutes` is the budget for the three trainings together: a quarter the note prior, which the
others build on, the rest in halves. Data are made first if missing (a hundredfold real time on one
core). Work is kept in `--work`.
"""
import argparse
from pathlib import Path

from . import (
    attacks, data, export, fed, measure_life, note_set, note_table, prior as prior_model, scores,
    train_denoiser, train_prior, train_vocoder,
)
from .network import Config
from .training import pick_device


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--minutes", type=float, default=120)
    p.add_argument("--hours", type=float, default=5, help="hours of audio to train on")
    p.add_argument(
        "--notes", type=int, default=60_000, help="single notes to train the note prior on"
    )
    p.add_argument("--work", type=Path, default=Path(__file__).resolve().parent.parent / "work")
    p.add_argument("--batch", type=int, default=16, help="larger on an accelerator: 128 and up")
    p.add_argument("--device", help="cuda or cpu; by itself the one there is")
    a = p.parse_args()
    device = pick_device(a.device)
    if not scores.available():
        scores.collect()
    data.build(a.work / "train", a.hours)
    data.build(a.work / "held", 0.14, first_seed=90_000_000)
    note_set.build(a.work / "notes", a.notes)
    data.build(
        a.work / "solos", 0.5 * a.hours, first_seed=20_000_000, score_share=0.1, solo_share=0.6
    )
    looks, beginnings, lives = a.work / "looks.npy", a.work / "attacks.npy", a.work / "life.npz"
    for path, module in (looks, note_table), (beginnings, attacks), (lives, measure_life):
        if not path.exists():
            module.build(path)
    prior, denoiser, vocoder = (a.work / f"{name}.pt" for name in ("prior", "denoiser", "vocoder"))
    train_prior.train(
        a.work / "notes", looks, prior, 0.25 * a.minutes, prior_model.SIZES, 128 * a.batch, 2e-3,
        device,
    )
    for name in "train", "solos":
        prior_model.add_priors(a.work / name, prior, lives)
    train_denoiser.train(
        a.work / "train", denoiser, 0.375 * a.minutes, Config(), a.batch, 1e-3, 0.0, device
    )
    fed.build(a.work / "solos", beginnings, lives)
    train_vocoder.train(
        fed.Fed(a.work / "solos", device), vocoder, 0.375 * a.minutes, 192, 5, a.batch, 6e-4,
        device, adversarial=True, rival_width=32 if device.type == "cuda" else 8,
    )
    export.export(denoiser, prior, vocoder, beginnings, lives, a.work / "export")


if __name__ == "__main__":
    main()
