"""Reads and writes sound files, and sets levels. Knows no measure."""

import numpy as np

RATE = 48_000
# The factor for sound in files, so that integer samples can hold sound above full scale.
SOFTER = 0.25


def read(path):
    """-> float64 samples [n], or [n, 2] for a stereo file"""
    import soundfile

    audio, rate = soundfile.read(path, dtype="float64")
    assert rate == RATE, f"{path} has {rate} Hz"
    return audio / SOFTER


def write(path, audio):
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    soundfile.write(part, audio * SOFTER, RATE, format="FLAC", subtype="PCM_24")
    part.rename(path)


def rms_db(audio):
    return 10 * np.log10(np.mean(audio**2) + 1e-12)


def levelled(audio, dbfs=-20.0):
    """Scales sound to a level (RMS over what is not silent), so that loudness is not compared."""
    power = np.convolve(audio**2, np.ones(4800) / 4800, "same")
    loud = power >= power.max() * 1e-4
    return audio * (10 ** (dbfs / 20) / max(1e-9, np.sqrt(np.mean(audio[loud] ** 2))))


def same_length(one, other):
    size = min(len(one), len(other))
    return one[:size], other[:size]


def side_against_middle_db(sides):
    """[n, 2] -> the power of the difference of both sides, divided by that of their mean, in dB"""
    left, right = sides.T
    middle, side = (left + right) / 2, (left - right) / 2
    return float(10 * np.log10((side @ side + 1e-12) / (middle @ middle + 1e-12)))
