"""Measures what a denoiser adds to the note prior: log-mel L1 on held-out clips without it and with
it, by one step from pure noise, as the program plays.

Hops have 1, 2 and 64 frames, and the context is the denoiser's own earlier output, as in live
playing. Prints a line for each checkpoint.
"""
import argparse

import numpy as np
import torch

from . import tokens
from .data import Clips
from .diffusion import denoise_once
from .examples import RESIDUAL_NATS, VELOCITY_BINS
from .mel import LOG_MAX, LOG_MIN
from .network import Config, Denoiser

SCALE = (LOG_MAX - LOG_MIN) / 2  # nats of one unit of a scaled mel
SILENT = -1 + 1e-5  # of a scaled mel: where no note sounds it stays silent


def load(checkpoint):
    """The moving average of a training checkpoint, on the CPU."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = Denoiser(Config(**saved["config"]))
    model.load_state_dict(saved["average"])
    return model.eval()


@torch.no_grad()
def play(model, clips, hop):
    """Makes every clip hop by hop, all clips at once -> scaled mels [clips, frames, 128]"""
    c, vocabulary = model.config, tokens.Vocabulary(VELOCITY_BINS)
    prior = torch.from_numpy(np.stack(clips.prior).astype(np.float32))
    events = [tokens.live_events(n) for n in clips.notes]
    made = torch.zeros(len(prior), 0, c.mel_bins)
    for start in range(0, prior.shape[1] // hop * hop, hop):
        ids = [
            tokens.live_segment(n, e, 2 * start, 2 * (start + hop), vocabulary)[: c.max_tokens]
            for n, e in zip(clips.notes, events)
        ]
        padded = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
        for row, values in zip(padded, ids):
            row[: len(values)] = torch.tensor(values)
        past = made[:, -c.context_frames :]
        missing = c.context_frames - past.shape[1]
        context = torch.cat([torch.zeros(len(ids), missing, c.mel_bins), past], 1)
        valid = (torch.arange(c.context_frames) >= missing).expand(len(ids), -1)
        now = prior[:, start : start + hop]
        memory, mask = model.encode(padded, context, valid)
        more = denoise_once(model, now.shape, memory, mask, now) * (RESIDUAL_NATS / SCALE)
        silent = (now < SILENT).all(-1, keepdim=True)
        made = torch.cat([made, torch.where(silent, -1.0, (now + more).clamp(-1, 1))], 1)
    return made


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data", help="shards of held-out clips with the note prior's mels")
    p.add_argument("checkpoints", nargs="*")
    p.add_argument("--clips", type=int, default=25)
    p.add_argument("--hops", type=int, nargs="+", default=[1, 2, 64])
    a = p.parse_args()
    torch.manual_seed(0)
    clips = Clips(a.data)
    for name in ("notes", "mel", "prior"):
        setattr(clips, name, getattr(clips, name)[: a.clips])
    apart = lambda m, t: np.abs(m - t[: len(m)].astype(np.float32)).mean()
    error = lambda mels: float(np.mean([apart(m, t) for m, t in zip(mels, clips.mel)])) * SCALE
    alone = error([p.astype(np.float32) for p in clips.prior])
    print(f"note prior alone: {alone:.4f} nats", flush=True)
    for path in a.checkpoints:
        model = load(path)
        errors = ((error(play(model, clips, hop).numpy()), hop) for hop in a.hops)
        found = [f"{nats:.4f} with hops of {hop}" for nats, hop in errors]
        print(f"{path}: {', '.join(found)}", flush=True)


if __name__ == "__main__":
    main()
