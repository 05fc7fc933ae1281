"""Measures how close the sound of a system is to the reference that plays the same notes."""

import numpy as np

from .. import mel
from ..bands import low_band
from .sound import RATE, levelled, read, rms_db, same_length

VISQOL_S = 8.0  # of a piece are heard by ViSQOL, which is slow


def frechet(one, other):
    """Two sets of points [n, dims] -> the squared Frechet distance of the Gaussians with their
    means and covariances."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    means = [cloud.mean(0) for cloud in (one, other)]
    # Each covariance is a^T a. The trace of the square root of their product is the sum of the
    # singular values of a b^T.
    a, b = ((x - m) / np.sqrt(len(x) - 1) for x, m in zip((one, other), means))
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(((means[0] - means[1]) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * root)


def zimtohrli_of(ours, reference):
    """-> distance (0 is the same) and MOS (5 is the same)"""
    import zimtohrli

    pair = (levelled(x).astype(np.float32) for x in (reference, ours))
    distance = float(zimtohrli.Pyohrli().distance(*pair))
    return distance, float(zimtohrli.mos_from_zimtohrli(distance))


def _both(path, reference):
    return same_length(read(path), read(reference))


def log_mel_l1(ours, reference):
    """The mean log-mel distance below 8 kHz in nats, on which models are trained."""
    pair = [mel.log_mel(low_band(x)) for x in (ours, reference)]
    return float(np.abs(pair[0] - pair[1]).mean())


def piece(_name, path, reference):
    both = _both(path, reference)
    distance, mos = zimtohrli_of(*both)
    return {"distance": distance, "mos": mos, "log_mel": log_mel_l1(*both)}


def visqol(_name, path, reference):
    """-> MOS-LQO, 1 to 5, of the first seconds, as music at 48 kHz"""
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    ours, reference = (levelled(x)[: round(VISQOL_S * RATE)] for x in _both(path, reference))
    return float(api.measure_from_arrays(reference, ours, RATE).moslqo)


def peaks_db(audio):
    """The loudest 10 ms relative to the level of the whole, dB."""
    power = np.convolve(audio**2, np.ones(480) / 480, "same")
    return 10 * np.log10(power.max() + 1e-12) - rms_db(audio)


def repetition(_name, path, reference):
    ours, reference = _both(path, reference)
    distance, _ = zimtohrli_of(ours, reference)
    return {"distance": distance, "peaks": float(peaks_db(ours) - peaks_db(reference))}
