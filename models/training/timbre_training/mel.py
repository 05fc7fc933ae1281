"""The published log-mel front end (model.md), in numpy for data and in torch for losses. No
learning here.

16 kHz mono, frame 640, hop 320, FFT 1024, periodic Hann, magnitude, 128 HTK bands 0..8000 Hz,
natural log of clip(mel, 1e-5, 1e8). Frame k sees samples [320 k, 320 k + 640), zeros beyond the
end.
"""
import numpy as np

RATE, FRAME, HOP, FFT, BINS = 16_000, 640, 320, 1024, 128
LOG_MIN, LOG_MAX = float(np.log(1e-5)), 4.0


def to_mel(hz):
    """Converts Hz to HTK mel."""
    return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)


def mel_matrix():
    """[513, 128] float64: triangles linear in HTK mel, the DC bin all zero, no area
    normalization."""
    bins = to_mel(np.linspace(0.0, RATE / 2, FFT // 2 + 1)[1:])[:, None]
    edges = np.linspace(to_mel(0.0), to_mel(RATE / 2), BINS + 2)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(
        0.0, np.minimum((bins - lower) / (center - lower), (upper - bins) / (upper - center))
    )
    return np.vstack([np.zeros((1, BINS)), weights])


def window():
    """[640] periodic Hann."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)


_MATRIX, _WINDOW = mel_matrix().astype(np.float32), window().astype(np.float32)


def log_mel(audio):
    """float [n] -> float32 [ceil(n / 320), 128] natural-log mel."""
    return log_bands(audio, _MATRIX)


def log_bands(audio, matrix):
    """float [n], matrix [513, bands] -> float32 [ceil(n / 320), bands] natural-log magnitudes of
    the bands."""
    frames = -(-len(audio) // HOP)
    padded = np.zeros(frames * HOP + FRAME, np.float32)
    padded[: len(audio)] = audio
    view = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][:frames]
    magnitude = np.abs(np.fft.rfft(view * _WINDOW, FFT)).astype(np.float32)
    return np.log(np.clip(magnitude @ matrix, 1e-5, 1e8))


def scale(log_mel_frames):
    """[ln 1e-5, 4] -> [-1, 1], clipped."""
    return np.clip((log_mel_frames - LOG_MIN) / (LOG_MAX - LOG_MIN) * 2 - 1, -1, 1)


def unscale(features):
    """[-1, 1] -> [ln 1e-5, 4]."""
    return (features + 1) / 2 * (LOG_MAX - LOG_MIN) + LOG_MIN
