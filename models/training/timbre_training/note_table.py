"""Measures the sound of every key of every program, from which the note table of the note prior is
made.

For each program and each key 21..108 two notes are rendered, a loud one that is held and released
and then a soft one, and their log-mels at 18 times are concatenated. `numbers` takes the errors of
a prior without a table for them, and keeps the principal components. Learning such a table by
gradient from random notes alone would need hundreds of visits to each row, and there are 11,264.
"""
import argparse
import os
import time
from multiprocessing import get_context

import numpy as np

from . import mel
from .instruments import ALL

PROGRAMS, LOW, HIGH = 128, 21, 108
LOUD, SOFT, SOFT_S, END_S = 100, 45, 2.5, 3.0
RELEASE_S = 1.6
# The frames that are used: of the loud note while held and released, and of the soft note while
# held.
LOOKS = [0, 1, 2, 4, 7, 13, 22, 37, 55, 78, 80, 82, 87, 100, 125, 127, 132, 147]


def _program(program):
    from .synth import Reference

    reference = Reference()
    notes = lambda key: np.array(
        [[0, RELEASE_S, program, key, LOUD, 0], [SOFT_S, END_S, program, key, SOFT, 0]]
    )
    return np.stack(
        [mel.log_mel(reference.render(notes(key), END_S))[LOOKS] for key in range(LOW, HIGH + 1)]
    ).astype(np.float16)


def build(path, workers=None, instruments=ALL):
    """Writes the log-mels [programs, 88 keys, 18 looks, 128] float16 in nats of the programs that
    are learned; prints progress."""
    start, looks, count = time.time(), [], len(instruments.programs)
    with get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        for done, program in enumerate(pool.imap(_program, instruments.programs), 1):
            looks.append(program)
            if done % 8 == 0:
                left = (count - done) * (time.time() - start) / done
                print(f"table: {done}/{count} programs, {left / 60:.1f} min left", flush=True)
    empty = np.zeros((0, HIGH + 1 - LOW, len(LOOKS), mel.BINS), np.float16)
    np.save(path, np.stack(looks) if looks else empty)


def questions():
    """The notes that sound in each look: two lists of (look, velocity, age, release), in seconds,
    for the loud and for the soft note."""
    centre = (np.array(LOOKS) + 1) * mel.HOP / mel.RATE
    loud = [(i, LOUD, t, max(t - RELEASE_S, 0)) for i, t in enumerate(centre)]
    soft = [(i, SOFT, t - SOFT_S, 0.0) for i, t in enumerate(centre) if t > SOFT_S]
    return loud, soft


def numbers(errors, width):
    """Errors [notes, looks, 128] in nats -> [notes, width]: their principal components, the first
    with unit variance. Prints the remaining error."""
    flat = errors.reshape(len(errors), -1).astype(np.float64)
    mean = flat.mean(0)
    axes = np.linalg.eigh((flat - mean).T @ (flat - mean))[1][:, ::-1][:, :width]
    found = (flat - mean) @ axes
    left = np.abs(found @ axes.T + mean - flat).mean()
    print(
        f"table: errors of {np.abs(flat).mean():.3f} nats, "
        f"of which {width} numbers a key leave {left:.3f}",
        flush=True,
    )
    # Components with less variance stay smaller, but only by the square root, so that the network
    # can use them.
    deviation = found.std(0)
    return (found * (deviation / deviation[0]) ** 0.5 / deviation).astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the .npy to write")
    parser.add_argument("--workers", type=int)
    a = parser.parse_args()
    build(a.path, a.workers)
