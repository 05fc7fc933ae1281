"""Splits sound at 48 kHz into two bands of 8 kHz, each at 16 kHz, and measures the upper one. No
learning here.

The upper band is from 8 to 16 kHz. Sampled at 16 kHz it is mirrored: the frequency f becomes 16 kHz
- f.
"""
import numpy as np
from scipy.signal import firwin, oaconvolve, resample_poly

from . import mel
from .mel import to_mel

WIDE_HZ = 3 * mel.RATE
# The filter that cuts out the upper band. It falls by 120 dB within 0.5 kHz, so that no loud low
# tone leaks into it.
TAPS, BETA = 769, 12.3
BANDS = 16  # of the upper band, even in mel


def low_band(audio):
    """Audio at 48 kHz [3 n] -> at 16 kHz [n]."""
    return resample_poly(audio, 1, 3).astype(np.float32)


def upper_band(audio):
    """Audio at 48 kHz [3 n] -> its upper band at 16 kHz [n], mirrored."""
    taps = firwin(
        TAPS, [mel.RATE / 2, mel.RATE], pass_zero=False, fs=WIDE_HZ, window=("kaiser", BETA)
    )
    return oaconvolve(audio, taps, "same")[::3].astype(np.float32)


def upper_matrix():
    """[513, 16]: the weights of the bins of the upper band in each of its bands: triangles that are
    equally spaced in mel."""
    at = to_mel(mel.RATE - np.linspace(0, mel.RATE / 2, mel.FFT // 2 + 1))[:, None]
    edges = np.linspace(to_mel(mel.RATE / 2), to_mel(mel.RATE), BANDS + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    return np.maximum(
        0.0, np.minimum((at - lower) / (center - lower), (upper - at) / (upper - center))
    )


def log_upper(audio):
    """Audio at 48 kHz [3 n] -> float32 [frames, 16]: natural-log magnitudes of the bands, as
    `mel.log_mel` computes them below 8 kHz."""
    return mel.log_bands(upper_band(audio), upper_matrix().astype(np.float32))
