"""Builds and reads the data set: clips of notes with their FluidSynth audio and mel, in shards of
25. Resumable.

A shard is an .npz with audio float32 [c, n] at 16 kHz; upper float32 [c, n], the band from 8 to 16
kHz as `bands.upper_band` gives it; mel float16 [c, frames, 128] scaled to [-1, 1]; and, clip after
clip, notes float64 [sum, 6] with their counts [c]. The audio has no 16-bit samples because their
noise floor lies 100 times above that of the mel in high bands, and a vocoder would learn to
reproduce it.
"""
import argparse
import itertools
import os
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from . import mel, music, scores, solos
from .bands import low_band, upper_band
from .instruments import ALL

SECONDS, SHARD = 20.0, 25


def _notes(seed, score_share, solo_share, instruments):
    rng = np.random.default_rng([seed, 7])
    if solo_share and np.random.default_rng([seed, 8]).random() < solo_share:
        return solos.clip(seed, SECONDS, instruments)
    if scores.available() and instruments.programs and rng.random() < score_share:
        return scores.clip(seed, SECONDS, instruments)
    return music.clip(seed, SECONDS, instruments)


def _shard(job):
    from .synth import RENDER_HZ, Reference  # each process opens its own soundfont

    path, first, *shares = job
    global _reference
    if "_reference" not in globals():
        _reference = Reference()
    notes = [_notes(first + i, *shares) for i in range(SHARD)]
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


def make(function, jobs, what, workers=None, seconds=None):
    """Runs the jobs whose output, the path that is their first item, does not exist yet, on all
    cores. With `seconds` no job begins after that time, but at least one is run. Prints
    progress."""
    missing, start = [job for job in jobs if not job[0].exists()], time.time()
    if seconds is not None and len(missing) < len(jobs) and seconds <= 0:
        return
    size = max(1, min(len(missing), workers or os.cpu_count()))
    with get_context("spawn").Pool(size) as pool:
        begun, done = iter(missing), 0
        running = [pool.apply_async(function, (job,)) for job in itertools.islice(begun, size)]
        while running:
            running.pop(0).get()
            done += 1
            passed = time.time() - start
            left = (len(missing) - done) * passed / done
            if seconds is None or passed < seconds:
                running += [pool.apply_async(function, (j,)) for j in itertools.islice(begun, 1)]
                left = left if seconds is None else min(left, seconds - passed)
            else:
                left = 0
            print(f"{what}: {done}/{len(missing)} shards, {left / 60:.1f} min left", flush=True)


def build(
    directory, hours, first_seed=0, workers=None, score_share=0.25, solo_share=0.0,
    instruments=ALL, seconds=None,
):
    """Makes the missing shards of `hours` of clips in `directory`, as `make` does."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    count = max(1, round(hours * 3600 / SECONDS / SHARD))
    seeds = [first_seed + i * SHARD for i in range(count)]
    jobs = [
        (directory / f"{seed:08d}.npz", seed, score_share, solo_share, instruments)
        for seed in seeds
    ]
    make(_shard, jobs, "clips", workers, seconds)


def prior_path(shard):
    """The path of the mels of the note prior for a shard."""
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
