"""Single notes of the reference instrument, frame by frame, from which the note prior learns.
Resumable, in shards.

A shard is an .npz with, for each row (one frame of one note): instrument uint16 (program, or 128 +
`Kits.number` for drums), key uint8, velocity uint8, age and release float32 in seconds, mel float16
[128] in nats. Attacks and releases have all of their frames, the rest every fourth one.
"""
import argparse
import os
from pathlib import Path

import numpy as np

from . import mel
from .data import make
from .instruments import ALL, DRUMS
from .kits import KEYS, NONE
from .music import FAMILY_RANGE

NOTES, TAIL = 500, 2.5
DRUMMED, DRUM_KEYS = 0.25, range(27, 88)
DENSE = 0.25  # seconds after a key press or release of which every frame is kept
DRUM_LENGTH = 0.1


def draw(rng, instruments=ALL):
    """Draws notes -> (program, key, velocity, start, end, drum): they start within the first frame
    and last from 40 ms to 8 s."""
    velocity, start = int(rng.integers(4, 128)), rng.uniform(0, mel.HOP / mel.RATE)
    if rng.random() < DRUMMED and instruments.drums or not instruments.programs:
        program, key = instruments.draw_drum(rng, DRUM_KEYS)
        return program, key, velocity, start, start + DRUM_LENGTH, 1
    popular = rng.random() < 0.4
    program = instruments.draw(rng) if popular else int(rng.choice(instruments.programs))
    low, high = FAMILY_RANGE[program // 8] if rng.random() < 0.75 else (21, 108)
    return (
        program, int(rng.integers(low, high + 1)), velocity, start,
        start + np.exp(rng.uniform(np.log(0.04), np.log(8.0))), 0,
    )


def any_notes(rng, instruments, count, kits=NONE):
    """Draws moments of notes of the instruments, with ages that are uniform in the logarithm ->
    columns instrument, key, velocity, age, release."""
    instrument = rng.choice(instruments, count)
    drum = instrument >= DRUMS
    keys = np.array([*range(KEYS), *(key for _, key in kits.drums())])
    key = np.where(drum, keys[np.maximum(instrument - DRUMS, 0)], rng.integers(21, 109, count))
    age = np.exp(rng.uniform(np.log(0.005), np.log(8.0), count))
    released = ~drum & (rng.random(count) < 0.3)
    release = np.where(released, age * rng.random(count), 0.0)
    return instrument, key, rng.integers(4, 128, count), age, release


def times(frames, start, end, is_drum):
    """Age and release (0 while held) in seconds at the centre of each frame, which is the end of
    its 20 ms."""
    centre = (np.arange(frames) + 1) * mel.HOP / mel.RATE
    return centre - start, np.zeros(frames) if is_drum else np.maximum(centre - end, 0)


def _shard(job):
    from .synth import Reference

    path, seed, instruments = job
    global _reference
    if "_reference" not in globals():
        _reference = Reference()
    rng = np.random.default_rng([seed, 11])
    columns = [[] for _ in range(6)]
    for _ in range(NOTES):
        program, key, velocity, start, end, drum = draw(rng, instruments)
        seconds = 3.0 if drum else end + TAIL
        audio = _reference.render(
            np.array([[start, end, program, key, velocity, drum]]), seconds
        )
        frames = mel.log_mel(audio)[:-2]
        age, release = times(len(frames), start, end, drum)
        keep = (age > 0) & (
            (age < DENSE) | ((release > 0) & (release < DENSE)) | (rng.random(len(frames)) < 0.25)
        )
        instrument = DRUMS + instruments.kits.number(program, key) if drum else program
        values = (np.full(keep.sum(), v) for v in (instrument, key, velocity))
        for column, value in zip(columns, [*values, age[keep], release[keep], frames[keep]]):
            column.append(value)
    types = [np.uint16, np.uint8, np.uint8, np.float32, np.float32, np.float16]
    names = ["instrument", "key", "velocity", "age", "release", "mel"]
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(part, **{n: np.concatenate(c).astype(t) for n, c, t in zip(names, columns, types)})
    os.replace(part, path)


def build(directory, notes, first_seed=0, workers=None, instruments=ALL, seconds=None):
    """Makes the missing shards of `notes` single notes in `directory`; if `seconds` is given,
    within that time, but at least one. Prints progress."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    jobs = [
        (directory / f"{first_seed + i:08d}.npz", first_seed + i, instruments)
        for i in range(max(1, round(notes / NOTES)))
    ]
    make(_shard, jobs, "notes", workers, seconds)


def load(directory):
    """-> dict of the columns, over all shards."""
    shards = [dict(np.load(p)) for p in sorted(Path(directory).glob("????????.npz"))]
    if not shards:
        raise SystemExit(
            f"{directory}: no shards; run python -m timbre_training.note_set {directory} first"
        )
    return {k: np.concatenate([s[k] for s in shards]) for k in shards[0]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--notes", type=int, default=40_000)
    parser.add_argument(
        "--first-seed", type=int, default=0, help="held-out sets use seeds from 90000000"
    )
    parser.add_argument("--workers", type=int)
    a = parser.parse_args()
    build(a.directory, a.notes, a.first_seed, a.workers)
