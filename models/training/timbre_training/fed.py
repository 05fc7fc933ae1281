"""Prepares the training data of the vocoder once: for every shard of `data.py` it writes the
excitation, the mels of the note prior and the true sound of each clip. No learning here.

A `.fed.npz` has, for each clip: tones complex64 and upper_tones float32 [n]; audio and upper
float32 [n] (the truth); hush float16 [n]; levels float16 [n / 160, 128] (nats); onsets int16 [n /
160]; drummed bool [frames]; prior and true float16 [frames, 128], scaled and struck; share float16
[frames, 128], the share of noise (nats).
"""
import argparse
import os
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from . import bundled, excitation, life, mel
from .data import prior_path

NAMES = (
    "tones", "upper_tones", "audio", "upper", "hush", "levels", "onsets", "drummed", "prior",
    "true", "share",
)


def path_of(shard):
    return Path(shard).with_suffix(".fed.npz")


def struck(true, onsets):
    """True mels [frames, 128] -> the same, where a frame with a key press is at least as loud as
    the next one."""
    true, pressed = true.copy(), (onsets.reshape(-1, 2) < excitation.BLOCK).any(1).nonzero()[0]
    true[pressed] = np.maximum(true[pressed], true[np.minimum(pressed + 1, len(true) - 1)])
    return true


def _feed(job):
    path, attacks, lives, kits = job
    shard, priors = np.load(path), np.load(prior_path(path))
    if shard["audio"].dtype != np.float32 or "upper" not in shard:
        raise SystemExit(
            f"{path}: audio of {shard['audio'].dtype} with {', '.join(shard.files)}; "
            "wanted float32 and its upper band; an older version made it: delete the shard "
            f"and run python -m timbre_training.data {path.parent} again"
        )
    clips = np.split(shard["notes"], np.cumsum(shard["counts"])[:-1])
    found = {name: [] for name in NAMES}
    for i, notes in enumerate(clips):
        audio = shard["audio"][i]
        # Only the middle is used, because `audio` is mono.
        (tones, _), (upper_tones, _), levels, hush = excitation.excite(
            notes, len(audio), attacks, lives, kits
        )
        onsets, drummed = excitation.onsets(notes, len(audio))
        values = (
            tones, upper_tones, audio, shard["upper"][i], hush.astype(np.float16),
            np.log(levels).astype(np.float16), onsets.astype(np.int16), drummed, priors[i, 1],
            struck(shard["mel"][i], onsets), priors[i, 2],
        )
        for name, value in zip(NAMES, values):
            found[name].append(value)
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(part, **{name: np.stack(values) for name, values in found.items()})
    os.replace(part, path_of(path))


def shards(directory, limit=None):
    found = sorted(Path(directory).glob("????????.npz"))[:limit]
    if not found:
        raise SystemExit(
            f"{directory}: no shards; "
            f"run python -m timbre_training.data {directory} --hours 4 first"
        )
    return found


def build(directory, attacks, lives, kits, workers=None, limit=None):
    """Makes the missing files, from those that `attacks` and `measure_life` wrote, for a model with
    these kits; prints progress."""
    attacks, lives = np.load(attacks).astype(np.float32), life.LifeTable(lives)
    jobs = [
        (path, attacks, lives, kits)
        for path in shards(directory, limit)
        if not path_of(path).exists()
    ]
    start = time.time()
    with get_context("spawn").Pool(max(1, min(len(jobs), workers or os.cpu_count()))) as pool:
        for done, _ in enumerate(pool.imap_unordered(_feed, jobs), 1):
            left = (len(jobs) - done) * (time.time() - start) / done
            print(f"fed: {done}/{len(jobs)} shards, {left / 60:.1f} min left", flush=True)


class Fed:
    """All clips of a directory on a device, 7 MB each, where batches of crops are cut from them."""

    def __init__(self, directory, device, limit=None):
        parts = [np.load(path_of(path)) for path in shards(directory, limit)]
        self.device = device
        self.all = {
            name: torch.cat([torch.from_numpy(p[name]).to(device) for p in parts]) for name in NAMES
        }
        self.generator = torch.Generator(device).manual_seed(0)

    def _cut(self, name, clip, start, size):
        at = start[:, None] + torch.arange(size, device=self.device)
        return self.all[name][clip[:, None], at]

    def batch(self, count, frames, prior_share):
        """-> a dict of log_mel and log_share [B, T, 128] nats, log_levels [B, 2T, 128], onsets
        int64 [B, 2T], drummed [B, T], tones, upper_tones, noise, audio and upper [B, 320 T]. Most
        mels are those of the note prior, as in live playing, the others are true ones. Few crops
        are silent, as silence is easy to learn."""
        random = lambda *shape: torch.rand(*shape, generator=self.generator, device=self.device)
        clips, length = self.all["prior"].shape[:2]
        clip = (random(2 * count) * clips).long()
        start = (random(2 * count) * (length - frames + 1)).long()
        loud = self._cut("audio", clip, start * mel.HOP, frames * mel.HOP).abs().amax(1)
        loud = loud + 1e-4 * random(2 * count)
        keep = torch.argsort((loud < 1e-3).int(), stable=True)[:count]
        clip, start = clip[keep], start[keep]
        samples = {
            name: self._cut(name, clip, start * mel.HOP, frames * mel.HOP)
            for name in ("tones", "upper_tones", "audio", "upper", "hush")
        }
        blocks = {
            name: self._cut(name, clip, 2 * start, 2 * frames) for name in ("levels", "onsets")
        }
        mels = torch.where(
            (random(count) < prior_share)[:, None, None],
            self._cut("prior", clip, start, frames),
            self._cut("true", clip, start, frames),
        )
        hush = samples.pop("hush").float()
        noise = hush * torch.randn(hush.shape, generator=self.generator, device=self.device)
        return samples | {
            "log_mel": mel.unscale(mels.float()),
            "log_share": self._cut("share", clip, start, frames).float(),
            "log_levels": blocks["levels"].float(),
            "onsets": blocks["onsets"].long(),
            "drummed": self._cut("drummed", clip, start, frames),
            "noise": noise,
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("attacks", help="the file that `attacks` wrote")
    parser.add_argument("life", help="the file that `measure_life` wrote")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--shards", type=int)
    a = parser.parse_args()
    build(a.data, a.attacks, a.life, bundled.kits(), a.workers, a.shards)
