"""Finds the partials of a held note, and measures how the level and pitch of each move.

A partial is shifted to 0 Hz and low-passed, and then its amplitude and frequency are followed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .sound import RATE

TRACK_HZ, SMOOTH_HZ, FAINT_DB, MOST = 500, 20.0, -50.0, 40
HIGHEST_HZ = 15_000


def spectrum(part):
    """-> the power, and the distance of the bins in Hz"""
    size = 1 << int(np.ceil(np.log2(len(part))) + 1)
    return np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) ** 2, RATE / size


def find(part, hz):
    """Finds the partials of a sounding part, in Hz: harmonics, stretched like those of a string,
    and whatever else is loud."""
    power, step = spectrum(part)
    smooth = np.convolve(power, np.ones(max(1, round(4.0 / step))), "same")
    places = _harmonics(smooth, step, hz)
    top = smooth.max()
    peaks = np.flatnonzero((smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:])) + 1
    for i in peaks[np.argsort(-smooth[peaks])][:400]:  # bells, hammers, octaves below
        place = i * step
        if smooth[i] <= top * 1e-4 or not 60 < place < HIGHEST_HZ or len(places) >= 2 * MOST:
            continue
        if all(abs(place - other) > max(0.25 * hz, 12) for other in places):
            places.append(place)
    return places


def _harmonics(smooth, step, hz):
    top = smooth.max()
    at = lambda low, high: slice(
        max(1, int(low / step)), min(len(smooth) - 1, int(high / step) + 1)
    )
    found, stretch, first = [], 0.0, hz
    for n in range(1, MOST + 1):
        guess = n * first * np.sqrt(1 + stretch * n * n)
        if guess > HIGHEST_HZ:
            break
        reach = min(0.3 * first, 0.012 * guess + 4)
        here = at(guess - reach, guess + reach)
        if here.stop - here.start < 3:
            continue
        i = here.start + int(np.argmax(smooth[here]))
        floor = np.median(smooth[at(guess - 0.5 * first, guess + 0.5 * first)])
        if smooth[i] < top * 10 ** (FAINT_DB / 10) or smooth[i] < 6 * floor:
            continue
        found.append((n, i * step, smooth[i]))
        if len(found) >= 4:
            ns, places, powers = (np.array(c) for c in zip(*found))
            # (f / n)^2 = first^2 + first^2 stretch n^2 is a straight line in n^2.
            weights = np.sqrt(np.maximum(0, 10 * np.log10(powers / top) + 60)) * ns
            slope, base = np.polyfit(ns**2.0, (places / ns) ** 2, 1, w=weights)
            if base > 0:
                first, stretch = np.sqrt(base), float(np.clip(slope / base, 0, 0.02))
    return [place for _, place, _ in found]


def gauss(x, hz, rate):
    """A Gaussian low-pass filter that is 3 dB down at `hz`. Nothing is assumed beyond the ends."""
    smooth = lambda v: gaussian_filter1d(v, 0.1325 * rate / hz, mode="constant")
    return smooth(x) / smooth(np.ones(len(x)))


def track(part, hz, reach):
    """The sound within `reach` of `hz` -> complex amplitude at TRACK_HZ, without the ends, and the
    frequency that was shifted to 0."""
    fade = round(0.04 * RATE)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    x = part.copy()
    x[:fade] *= ramp
    x[-fade:] *= ramp[::-1]
    size = -(-len(x) // RATE) * RATE + RATE  # whole seconds, so that rates divide
    bins = np.fft.rfft(x, size)
    middle, half = round(hz * size / RATE), int(reach * size / RATE)
    offsets = np.arange(-half, half + 1)
    taper = np.clip((1 - np.abs(offsets) / (half + 1)) / 0.3, 0, 1)
    taper = 0.5 - 0.5 * np.cos(np.pi * taper)
    out = round(size * TRACK_HZ / RATE)
    inside = (middle + offsets > 0) & (middle + offsets < len(bins)) & (np.abs(offsets) < out // 2)
    narrow = np.zeros(out, complex)
    narrow[offsets[inside] % out] = bins[middle + offsets[inside]] * taper[inside]
    z = np.fft.ifft(narrow) * out / size * 2
    edge = round(0.08 * TRACK_HZ)
    return z[: round(len(part) * TRACK_HZ / RATE)][edge:-edge], middle * RATE / size


@dataclass
class Moves:
    """The movement of a partial: its level in dB, the variation of level (dB rms) and of pitch
    (cents rms), and the width of its line (Hz rms)."""

    level: float
    am: float
    fm: float
    width: float


def moves(part, hz, spacing):
    """The Moves of the partial at `hz`, whose neighbours are `spacing` away, or None."""
    z, centre = track(part, hz, min(0.42 * spacing, max(12.0, 0.022 * hz), 0.45 * TRACK_HZ))
    if len(z) < 100:
        return None
    power = gauss(np.abs(z) ** 2, SMOOTH_HZ, TRACK_HZ) + 1e-16
    level, x = 10 * np.log10(power), np.linspace(-1, 1, len(z))
    loud = np.clip((level - level.max() + 50) / 20, 0.02, 1)
    line = lambda v, weights, degree: np.polynomial.Polynomial.fit(
        x[: len(v)], v, degree, w=weights
    )(x[: len(v)])
    decay = line(level, loud, 1)
    am = np.sqrt(np.average(np.clip(level - line(level, loud, 3), -15, 15) ** 2, weights=loud))
    product = np.conj(z[:-1]) * z[1:]
    weight = gauss(np.abs(product), SMOOTH_HZ, TRACK_HZ) + 1e-16
    turn = np.angle(product) * np.abs(product) * TRACK_HZ / (2 * np.pi)
    found_hz = centre + gauss(turn, SMOOTH_HZ, TRACK_HZ) / weight
    cents = 1200 * np.log2(np.maximum(1e-3, found_hz / centre))
    even = np.minimum(weight / 10 ** (decay[:-1] / 10), 4)
    cents = cents - line(cents, np.sqrt(even), 1)
    fm = np.sqrt(np.average(cents**2, weights=even))
    width = _width(z / 10 ** (decay / 20))
    return Moves(10 * np.log10(power.mean()), float(am), float(fm), width)


def _width(z):
    """The width in Hz rms of the line of an amplitude without decay, less the width of the
    window."""
    line = np.abs(np.fft.fft(z * np.hanning(len(z)), 8 * len(z))) ** 2
    at = np.fft.fftfreq(8 * len(z), 1 / TRACK_HZ)
    keep = line > line.max() * 1e-2
    line, at = line[keep], at[keep]
    variance = np.average((at - np.average(at, weights=line)) ** 2, weights=line)
    return float(np.sqrt(max(0.0, variance - (0.577 * TRACK_HZ / len(z)) ** 2)))
