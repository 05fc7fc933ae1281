"""Measures of two whole sounds: log-mel, several STFTs, level, silence. Knows no note."""
import numpy as np

from .. import bands, mel

STFT_SIZES = (512, 1024, 2048)
HEARD = 1e-3  # magnitude of a band of the upper band from which on it counts: about -90 dBFS
STFT_FLOOR = 1e-4  # of the window's sum: -80 dBFS for a sine


def db(x):
    """Root mean square, dBFS (full scale is 1); -180 for silence."""
    size = float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) if len(x) else 0.0
    return float(20 * np.log10(max(size, 1e-9)))


def log_mel_l1(ours, reference):
    """Mean absolute difference of two log-mels [frames, 128] over their common frames, nats."""
    n = min(len(ours), len(reference))
    return float(np.abs(ours[:n] - reference[:n]).mean())


def _magnitudes(sound, size):
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (size // 2, size)), size)
    view = view[:: size // 4]
    return np.abs(np.fft.rfft(view * window)).astype(np.float32) / window.sum()


def stft_distance(ours, reference):
    """Two sounds [n] -> (spectral convergence, log-magnitude L1 [nats]), means over FFTs of 512,
    1024 and 2048 samples."""
    n, pairs = min(len(ours), len(reference)), []
    for size in STFT_SIZES:
        a, b = _magnitudes(ours[:n], size), _magnitudes(reference[:n], size)
        convergence = np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-9)
        logs = (np.log(np.maximum(x, STFT_FLOOR)) for x in (a, b))
        pairs.append((convergence, np.abs(np.subtract(*logs)).mean()))
    return tuple(map(float, np.mean(pairs, axis=0)))


def compare(job):
    """(ours [n], reference [n], last note-off [s]) -> dict of all of the above. Distances are
    measured until 1 s after the last note-off, as silence at the end would make them arbitrarily
    small"""
    ours, reference, end_s = job
    end = round(end_s * mel.RATE)
    rung = end + mel.RATE
    convergence, log_magnitude = stft_distance(ours[:rung], reference[:rung])
    return {
        "log_mel_l1": log_mel_l1(mel.log_mel(ours[:rung]), mel.log_mel(reference[:rung])),
        "stft_convergence": convergence,
        "stft_log_l1": log_magnitude,
        "level_db": db(ours[:end]) - db(reference[:end]),
        "after_dbfs": db(ours[end + 2 * mel.RATE :]),
        "reference_after_dbfs": db(reference[end + 2 * mel.RATE :]),
    }


def compare_upper(job):
    """(ours, reference) at 48 kHz -> for the range from 8 to 16 kHz: the mean absolute difference
    of the log bands, and the same difference from silence [nats], over the frames and bands where
    the reference is audible (None if it never is), and both levels"""
    ours, reference = (bands.upper_band(x) for x in job)
    a, b = (bands.log_upper(x) for x in job)
    n = min(len(a), len(b))
    heard = b[:n] > np.log(HEARD)
    mean = lambda values: float(values[heard].mean()) if heard.any() else None
    return {
        "l1": mean(np.abs(a[:n] - b[:n])), "silent_l1": mean(b[:n] - mel.LOG_MIN), "dbfs": db(ours),
        "reference_dbfs": db(reference),
    }
