"""Measures of single notes that begin at a known time: onset, pitch, loudness, decay. Sounds are
float32 [n] at 16 kHz."""
import numpy as np

from ..mel import RATE
from .spectra import db

ENVELOPE_HZ = 1000
ATTACK_S, LAG_S, NOTE_S = 0.15, 0.06, 0.45


def loudness(sound):
    """float [n] -> [n // 16]: power in 20 ms (Hann) once a millisecond, to the power of 0.3, which
    is proportional to loudness (Stevens). 20 ms are longer than a period of A1. A shorter window
    would follow the waveform, whose phases are not audible, and would put the onsets of low notes
    off by up to 7 ms."""
    width, step = RATE // 50, RATE // ENVELOPE_HZ
    window = np.hanning(width + 2)[1:-1]
    power = np.convolve(np.square(sound, dtype=np.float64), window / window.sum(), "same")
    power = power[step // 2 :: step]
    return np.maximum(power - 1e-12, 0) ** 0.3


def onset_error_ms(ours, reference, at_s):
    """How much later than in the reference the note at `at_s` begins: the shift, at most 60 ms, at
    which the loudness curve of its first 150 ms fits that of the reference best, each divided by
    its maximum. A softer or sharper attack at the same time is no shift. None if the attack of the
    reference cannot be timed: it swells (80 % of its maximum only after 100 ms), or an earlier note
    still rings nearly as loud (13 dB)."""
    lag, length, before = (round(x * ENVELOPE_HZ) for x in (LAG_S, ATTACK_S, 2 * LAG_S))
    first, last = round((at_s - 2 * LAG_S) * RATE), round((at_s + NOTE_S) * RATE)
    cut = lambda sound: loudness(
        np.pad(sound[max(0, first) : last], (max(0, -first), max(0, last - len(sound))))
    )
    a, b = cut(ours), cut(reference)
    loudest = b[before:].max()
    if (
        loudest < 2.5 * b[: before - 10].max()
        or np.argmax(b[before:] >= 0.8 * loudest) > 0.1 * ENVELOPE_HZ
    ):
        return None
    truth = b[before - lag : before + length]
    truth = truth / max(truth.max(), 1e-9)
    lags, errors = range(-lag, lag + 1), []
    for d in lags:
        moved = a[before - lag + d : before + length + d]
        errors.append(np.square(moved / max(moved.max(), 1e-9) - truth).mean())
    best = int(np.argmin(errors))
    if 0 < best < len(lags) - 1:  # between milliseconds: the vertex of a parabola
        left, middle, right = errors[best - 1 : best + 2]
        return float(lags[best] + 0.5 * (left - right) / max(left - 2 * middle + right, 1e-12))
    return float(lags[best])


def cents(sound, start_s, key, seconds=0.45):
    """The deviation of a note from equal temperament: the median, weighted by power, over its first
    eight partials. The frequency of each is the centre of power near its nominal place. Vibrato and
    beats move power to both sides of a partial and keep its centre."""
    part = sound[round(start_s * RATE) :][: round(seconds * RATE)]
    base = 440 * 2 ** ((key - 69) / 12)
    power = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 17)) ** 2
    hz = RATE / (1 << 17)
    found = []
    for n in range(1, 9):
        if n * base > 0.47 * RATE:
            break
        # Half a semitone, but at least the main lobe of the window, and less than half way to the
        # next partial.
        half, centre = min(max(0.03 * n * base, 3 / seconds), 0.45 * base), n * base
        for _ in range(6):
            low, high = (round((centre + side * half) / hz) for side in (-1, 1))
            weight = power[low : high + 1]
            moment = np.sum(weight * np.arange(low, high + 1))
            centre = float(moment / max(weight.sum(), 1e-30)) * hz
            centre = float(np.clip(centre, n * base * 2 ** (-1 / 24), n * base * 2 ** (1 / 24)))
        found.append((1200 * np.log2(centre / (n * base)), float(weight.sum())))
    found.sort()
    total = np.cumsum([weight for _, weight in found])
    return float(found[int(np.searchsorted(total, total[-1] / 2))][0])


def level_dbfs(sound, at_s, seconds):
    return db(sound[round(at_s * RATE) : round((at_s + seconds) * RATE)])


def fall_s(sound, from_s, to_s, fall_db, from_peak):
    """The time from `from_s` until the level (20 ms) stays `fall_db` below its maximum (or, without
    from_peak, its first value); None if that does not happen before `to_s`."""
    width = RATE // 50
    part = sound[round(from_s * RATE) : round(to_s * RATE)]
    levels = np.array(
        [db(part[i : i + width]) for i in range(0, len(part) - width + 1, width // 4)]
    )
    threshold = (levels.max() if from_peak else levels[0]) - fall_db
    above = np.flatnonzero(levels > threshold)
    if not len(above) or above[-1] == len(levels) - 1:
        return None
    return float((above[-1] + 1) * (width // 4) / RATE)
