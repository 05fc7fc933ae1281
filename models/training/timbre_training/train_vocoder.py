"""Trains the vocoder on mels of the note prior and on true ones for a number of minutes. It can be
stopped at any time, and continues where it was.

Losses (`losses.py`), both below 8 kHz and in the upper band: multi-resolution STFT, log-mel L1
(below 8 kHz by the published front end) and the power of the bands. Below 8 kHz there are two more,
for partials apart from what lies between them, and for the lowest octaves at a fine resolution.
With `--adversarial` discriminators (`adversary.py`) join in after the first part of the time. Their
state is stored beside the checkpoint, and the average of the weights before that in `.before.npz`.
"""
import argparse
import os
from pathlib import Path

import numpy as np
import torch

from . import bands, bundled, fed, losses, mel
from .adversary import Adversary, fooled, told_apart
from .training import START, Run, pick_device
from .vocoder import Vocoder

PRIOR_SHARE = 0.7
FRAMES, WARM_UP = 64, 8  # 1.28 s; the first frames only fill the network's history
ALONE = 0.25  # part of the time before the adversary is heard; it begins to learn at half of that
VERDICTS, LAYERS = 0.5, 2.0  # weights of what the adversary says
SPLIT, LEVEL, LOW = 0.3, 0.5, 0.2


class Rival:
    """The adversary with its optimizer and its own checkpoint. Without a checkpoint it begins with
    the weights in START of an earlier run, if they have its size."""

    def __init__(self, run, rate, width):
        self.path = run.path.with_suffix(".adversary.pt")
        self.run, self.model = run, Adversary(width).to(run.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=rate, betas=(0.8, 0.99), weight_decay=0.01
        )
        if self.path.exists() and run.step:
            saved = torch.load(self.path, map_location=run.device, weights_only=True)
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
        elif (start := START / f"{self.path.stem}.npz").exists() and not run.step:
            weights = {k: torch.from_numpy(v.astype("float32")) for k, v in np.load(start).items()}
            if all(
                v.shape == weights.get(k, v[..., :0]).shape
                for k, v in self.model.state_dict().items()
            ):
                self.model.load_state_dict(weights)
                print(f"{start}: starting from this adversary", flush=True)
        self.saved = run.saved

    def learn(self, made, true):
        loss = told_apart(self.model, made, true)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 10.0)
        self.optimizer.step()
        if self.run.saved > self.saved:
            self.save()
        return loss.detach()

    def says(self, made, true):
        self.model.requires_grad_(False)
        verdicts, layers = fooled(self.model, made, true)
        self.model.requires_grad_(True)
        return verdicts, layers

    def save(self):
        self.saved = self.run.saved
        part = self.path.with_suffix(".part")
        torch.save(
            {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}, part
        )
        os.replace(part, self.path)


def plain_losses(made, rows, matrices, only_upper):
    """-> name: loss"""
    skip = WARM_UP * mel.HOP
    pairs = [
        (m[:, skip:], rows[name][:, skip:], matrix)
        for m, name, matrix in zip(made, ("audio", "upper"), matrices)
        if m is not None
    ]
    found = {"stft": sum(losses.stft_loss(m, t) for m, t, _ in pairs),
             "mel": sum(losses.mel_loss(*p) for p in pairs),
             "level": LEVEL * sum(losses.level_loss(*p) for p in pairs)}
    if not only_upper:
        ours, truth, _ = pairs[0]
        found["split"] = SPLIT * losses.split_loss(ours, truth, rows["tones"][:, skip:].real)
        found["low"] = LOW * losses.low_loss(ours, truth)
    return found


def keep(path, average):
    np.savez(path, **{k: v.float().cpu().numpy() for k, v in average.items()})


def tell(step, found):
    if step % 200 == 0:
        parts = (f"{name} {float(value.detach()):.3f}" for name, value in found.items())
        print("  " + ", ".join(parts), flush=True)


def train(
    data, checkpoint, minutes, width, blocks, batch, rate, device, only_upper=False,
    adversarial=False, rival_width=32, warm_up=300, seed=0,
):
    """`data` is a `fed.Fed`."""
    torch.manual_seed(seed)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    model = Vocoder(width, blocks).to(device)
    if only_upper:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("upper"))
    sizes = {"width": width, "blocks": blocks}
    run = Run(checkpoint, model, minutes, rate, sizes, warm_up)
    rival = Rival(run, rate, rival_width) if adversarial else None
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters on {device}",
        flush=True,
    )
    data.generator.manual_seed(seed + run.step)
    matrices = [
        torch.from_numpy(m.astype(np.float32)).to(device)
        for m in (mel.mel_matrix(), bands.upper_matrix())
    ]
    skip, before = WARM_UP * mel.HOP, Path(checkpoint).with_suffix(".before.npz")
    while run.running():
        rows = data.batch(batch, FRAMES, PRIOR_SHARE)
        inputs = (
            rows[name]
            for name in (
                "log_mel", "log_levels", "log_share", "onsets", "drummed", "tones", "upper_tones",
                "noise",
            )
        )
        made = model(*inputs, only_upper=only_upper)
        found, told = plain_losses(made, rows, matrices, only_upper), None
        done = run.elapsed / (60 * minutes)
        if rival and done > ALONE / 2:
            half = (batch + 1) // 2  # is enough for the adversary, which costs most of a step
            truth = [rows[name][:half, skip:] for name in ("audio", "upper")]
            pair = [m[:half, skip:] for m in made], truth
            told = rival.learn(*pair)
            if done > ALONE:
                if not before.exists():
                    keep(before, run.average)
                verdicts, layers = rival.says(*pair)
                found |= {"verdicts": VERDICTS * verdicts, "layers": LAYERS * layers}
        run.learn(sum(found.values()))
        tell(run.step, found | ({} if told is None else {"told apart": told}))
    run.save()
    if rival:
        rival.save()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data")
    p.add_argument("attacks", help="the file that `attacks` wrote")
    p.add_argument("life", help="the file that `measure_life` wrote")
    p.add_argument("checkpoint")
    p.add_argument("--minutes", type=float, default=40)
    p.add_argument("--width", type=int, default=192)
    p.add_argument("--blocks", type=int, default=5)
    p.add_argument("--batch", type=int, default=12, help="larger on an accelerator: 64 and up")
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--shards", type=int, help="read only so many shards (memory)")
    p.add_argument(
        "--only-upper", action="store_true", help="leave what sounds below 8 kHz as it is"
    )
    p.add_argument(
        "--adversarial", action="store_true",
        help="learn from networks that tell made sound from recorded sound too",
    )
    p.add_argument(
        "--rival-width", type=int, default=32, help="channels of those networks; 8 does on a CPU"
    )
    p.add_argument("--threads", type=int)
    p.add_argument("--device")
    a = p.parse_args()
    if a.only_upper and a.adversarial:
        p.error("--adversarial hears both bands; leave out --only-upper")
    if a.threads:
        torch.set_num_threads(a.threads)
    device = pick_device(a.device)
    fed.build(a.data, a.attacks, a.life, bundled.kits(), limit=a.shards)
    train(
        fed.Fed(a.data, device, a.shards), a.checkpoint, a.minutes, a.width, a.blocks, a.batch,
        a.rate, device, a.only_upper, a.adversarial, a.rival_width,
    )


if __name__ == "__main__":
    main()
