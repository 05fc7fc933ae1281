"""Builds and reads the data set: clips of notes with their FluidSynth audio and mel, in shards of
25. Resumable.

A shard is an .npz with audio float32 [c, n] at 16 kHz (16 bits would put a floor under it that in
high bands lies 100 times above the mel's, and a vocoder learns to play what it hears), upper
float32 [c, n], the band from 8 to 16 kHz as `bands.upper_band` gives it, mel float16
[c, frames, 128] scaled to [-1, 1], and, clip after clip, notes float64 [sum, 6] with their counts
[c].
"""
import argparse
import os
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from . import mel, music, scores, solos
from .bands import low_band, upper_band

SECONDS, SHARD = 20.0, 25


def _notes(seed, score_share, solo_share):
    rng = np.random.default_rng([seed, 7])
    if solo_share and np.random.default_rng([seed, 8]).random() < solo_share:
        return solos.clip(seed, SECONDS)
    if scores.available() and rng.random() < score_share:
        return scores.clip(seed, SECONDS)
    return music.clip(seed, SECONDS)


def _shard(job):
    from .synth import RENDER_HZ, Reference  # each process opens its own soundfont

    path, first, score_share, solo_share = job
    global _reference
    if "_reference" not in globals():
        _reference = Reference()
    notes = [_notes(first + i, score_share, solo_share) for i in range(SHARD)]
    wide = [_reference.render(n, SECONDS, RENDER_HZ) for n in notes]
    audio = np.stack([low_band(x) for x in wide])
    mels = np.stack([mel.scale(mel.log_mel(x)).astype(np.float16) for x in audio])
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(
        part, audio=audio, upper=np.stack([upper_band(x) for x in wide]), mel=mels,
        notes=np.concatenate(notes), counts=[len(n) for n in notes],
    )
    os.replace(part, path)
    return path


def build(directory, hours, first_seed=0, workers=None, score_share=0.25, solo_share=0.0):
    """Makes the missing shards of `hours` of clips in `directory`; prints progress."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    count = max(1, round(hours * 3600 / SECONDS / SHARD))
    seeds = [first_seed + i * SHARD for i in range(count)]
    jobs = [(directory / f"{seed:08d}.npz", seed, score_share, solo_share) for seed in seeds]
    missing = [j for j in jobs if not j[0].exists()]
    start = time.time()
    with get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        for done, _ in enumerate(pool.imap_unordered(_shard, missing), 1):
            rate = done * SHARD * SECONDS / (time.time() - start)
            left = (len(missing) - done) * SHARD * SECONDS / rate
            print(
                f"data: {done}/{len(missing)} shards, {rate:.0f}x real time, "
                f"{left / 60:.1f} min left",
                flush=True,
            )
    return [j[0] for j in jobs]


def prior_path(shard):
    """Where the note prior's mels of a shard lie."""
    return Path(shard).with_suffix(".prior.npy")


class Clips:
    """The clips of a directory in memory: notes, mel and prior, float16 [frames, 128] scaled to
    [-1, 1]."""

    def __init__(self, directory, limit=None):
        self.notes, self.mel, self.prior = [], [], []
        for path in sorted(Path(directory).glob("????????.npz"))[:limit]:
            shard = np.load(path)
            bounds = np.cumsum(shard["counts"])[:-1]
            self.notes += np.split(shard["notes"], bounds)
            self.mel += list(shard["mel"])
            self.prior += list(np.load(prior_path(path))[:, 0])
        if not self.notes:
            raise SystemExit(
                f"{directory}: no shards; "
                f"run python -m timbre_training.data {directory} --hours 4 first"
            )

    def __len__(self):
        return len(self.notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument(
        "--first-seed", type=int, default=0, help="held-out sets use seeds from 90000000"
    )
    parser.add_argument("--workers", type=int)
    parser.add_argument(
        "--score-share", type=float, default=0.25, help="share of clips from real scores"
    )
    parser.add_argument(
        "--solo-share", type=float, default=0.0,
        help="share of clips of one instrument by itself, for the vocoder",
    )
    a = parser.parse_args()
    build(a.directory, a.hours, a.first_seed, a.workers, a.score_share, a.solo_share)
