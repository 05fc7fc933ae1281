"""Prints the partials of an instrument in the soundfont, as multiples of the frequency of the key,
or those of drums in Hz with the time in which they fall by a factor e. `excitation.PARTIALS` and
`drum_tones` were taken from its output, without partials that are close to a louder one. A drum is
noise if its partials are not apart from each other, or if their pitch falls. Writes nothing and
knows no network."""
import argparse

import numpy as np

from .excitation import HIGHEST_HZ, key_hz
from .mel import RATE

FFT, BEGIN_S, LENGTH_S, VELOCITY = 1 << 17, 0.02, 0.5, 110  # the attack is left out
FAINTEST_DB, MOST = -38, 14
STEP_S, WINDOW_S, LOW = 0.01, 0.04, 0.05  # how often and how far the fall is looked at
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


def fall_s(sound, partials_hz):
    """The time in which the partials of a sound fall by a factor e after their loudest moment."""
    size, step = round(WINDOW_S * RATE), round(STEP_S * RATE)
    parts = np.lib.stride_tricks.sliding_window_view(sound, size)[::step] * np.hanning(size)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(size), partials_hz) / RATE)
    level = np.sqrt((np.abs(parts @ waves) ** 2).sum(1))
    first = int(level.argmax())
    below = np.flatnonzero(level[first:] < LOW * level[first])
    end = first + (int(below[0]) if len(below) else len(level) - first)
    if end - first < 2:
        return STEP_S
    return float(-1 / np.polyfit(np.arange(end - first) * STEP_S, np.log(level[first:end]), 1)[0])


def main():
    from .synth import Reference

    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("program", type=int, help="0 to 127")
    p.add_argument("keys", type=int, nargs="*", default=[36, 48, 55, 60, 67, 72, 79, 84, 96])
    p.add_argument("--drums", action="store_true", help="the program is that of a drum kit")
    a = p.parse_args()
    reference = Reference()
    for key in a.keys:
        note = [0, 1.0, a.program, key, VELOCITY, int(a.drums)]
        sound = reference.render(np.array([note]), 1.2)
        found = partials(sound, key)
        unit = key_hz(key) if a.drums else 1.0
        falls = fall_s(sound, [by * unit for by, _ in found]) if a.drums and found else 0.0
        print(
            f"key {key}:", f"falls in {falls:.2f} s," if a.drums else "",
            " ".join(f"{by * unit:.5g} ({db:.0f} dB)" for by, db in found),
        )


if __name__ == "__main__":
    main()
