"""Prints the partials of an instrument in the soundfont, as multiples of the frequency of the key.
`excitation.PARTIALS` was taken from its output. Writes nothing and knows no network."""
import argparse

import numpy as np

from .excitation import HIGHEST_HZ, key_hz
from .mel import RATE

FFT, BEGIN_S, LENGTH_S, VELOCITY = 1 << 17, 0.02, 0.5, 110  # the attack is left out
FAINTEST_DB, MOST = -38, 14
# In Hz: a peak nearer than this to a louder one is a side lobe of the window, unless it is nearly
# as loud.
APART = 8 / LENGTH_S


def partials(sound, key):
    """float32 [1.2 s] of a note pressed at 0 -> (multiple of the frequency of the key, dB below the
    loudest) of its loudest partials, from low to high"""
    part = sound[round(BEGIN_S * RATE) :][: round(LENGTH_S * RATE)]
    level, hz = np.abs(np.fft.rfft(part * np.hanning(len(part)), FFT)), RATE / FFT
    peaks = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:])) + 1
    peaks = peaks[
        (peaks * hz < HIGHEST_HZ) & (level[peaks] > level.max() * 10 ** (FAINTEST_DB / 20))
    ]
    found = []
    for i in peaks[np.argsort(-level[peaks])]:
        away = lambda j: abs(i - j) * hz
        if all(
            away(j) > APART or (away(j) > 3 / LENGTH_S and level[i] > 0.1 * level[j]) for j in found
        ):
            found.append(i)
    return sorted(
        (float(i * hz / key_hz(key)), float(20 * np.log10(level[i] / level.max())))
        for i in found[:MOST]
    )


def main():
    from .synth import Reference

    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("program", type=int, help="0 to 127")
    p.add_argument("keys", type=int, nargs="*", default=[36, 48, 55, 60, 67, 72, 79, 84, 96])
    a = p.parse_args()
    reference = Reference()
    for key in a.keys:
        sound = reference.render(np.array([[0, 1.0, a.program, key, VELOCITY, 0]]), 1.2)
        print(f"key {key}:", " ".join(f"{by:.3f} ({db:.0f} dB)" for by, db in partials(sound, key)))


if __name__ == "__main__":
    main()
