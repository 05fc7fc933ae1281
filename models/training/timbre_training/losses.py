"""The losses of the vocoder, apart from the adversary. All take [B, n] at 16 kHz and return a
scalar. Knows no model and no data."""
import numpy as np
import torch
import torch.nn.functional as F

from . import mel

# The size of the spectrum in which partials and the noise between them are separated, and how many
# bins are compared together.
SPLIT, BAND = 2048, 32
# Relative to the loudest within REACH bins in the excitation's tones: a bin above the first value
# belongs to a partial, one below the second lies between partials.
PARTIAL, BETWEEN = 0.3, 0.02
REACH = 12
LOW, LOW_HZ = 4096, 120.0


def spectrum(x, size):
    return torch.stft(
        x, size, size // 4, window=torch.hann_window(size, device=x.device), return_complex=True
    ).abs()


def stft_loss(ours, truth):
    """Mean over four resolutions of log-magnitude L1 (floor 1e-4) and spectral convergence."""
    total = 0.0
    for size in (256, 512, 1024, 2048):
        a, b = (spectrum(x, size) for x in (ours, truth))
        total = total + (torch.log(a + 1e-4) - torch.log(b + 1e-4)).abs().mean()
        total = (
            total + ((a - b).pow(2).sum((1, 2)).sqrt() / (b.pow(2).sum((1, 2)).sqrt() + 0.1)).mean()
        )
    return total / 4


def mel_loss(ours, truth, matrix):
    """Log-mel L1 in nats with a floor of 1e-5, as in the evaluation. Matrix [513, bands]."""
    window = torch.from_numpy(mel.window().astype(np.float32)).to(ours.device)
    logs = []
    for x in (ours, truth):
        frames = torch.fft.rfft(x.unfold(1, mel.FRAME, mel.HOP) * window, mel.FFT).abs() @ matrix
        logs.append(torch.log(frames + 1e-5))
    return (logs[0] - logs[1]).abs().mean()


def level_loss(ours, truth, matrix):
    """L1 in nats of the power of each band over 0.24 s. Logarithms of single bins would measure the
    level of a typical moment, which for noise is below the mean."""
    logs = []
    for x in (ours, truth):
        power = (spectrum(x, mel.FFT) ** 2).transpose(1, 2) @ matrix
        power = F.avg_pool1d(power.transpose(1, 2), 15, 5, count_include_pad=False)
        logs.append(0.5 * torch.log(power + 1e-6))
    return (logs[0] - logs[1]).abs().mean()


def low_loss(ours, truth):
    """L1 in nats below 120 Hz at a fine resolution. In the mel the lowest bands get more of their
    neighbours than of themselves."""
    bins = int(LOW_HZ / mel.RATE * LOW)
    a, b = (torch.log(spectrum(x, LOW)[:, :bins] + 1e-2) for x in (ours, truth))
    return (a - b).abs().mean()


def split_loss(ours, truth, tones):
    """L1 in nats of the partials and of what lies between them, separately for each band, because a
    mel does not separate them. The excitation's tones tell which bins are which. Partials are
    compared by power, the rest by the mean logarithm, so that a partial at another frequency than
    in the excitation does not count as noise."""
    with torch.no_grad():
        where = spectrum(tones, SPLIT)[:, :-1]
        near = F.max_pool1d(where.transpose(1, 2), 2 * REACH + 1, 1, REACH).transpose(1, 2)
        partial = (where > PARTIAL * near) & (near > 0.02)
        between = where < BETWEEN * near
    banded = lambda x: x.unflatten(1, (-1, BAND))
    total = 0.0
    for mask, of in (partial, lambda a: a ** 2), (between, lambda a: torch.log(a + 1e-3)):
        mask = banded(mask).float()
        count = mask.sum(2)
        means = [
            (banded(of(spectrum(x, SPLIT)[:, :-1])) * mask).sum(2) / count.clamp(min=1)
            for x in (ours, truth)
        ]
        if of(torch.tensor(0.0)) == 0:
            means = [0.5 * torch.log(m + 1e-5) for m in means]
        known = (count >= 3).float()
        total = total + ((means[0] - means[1]).abs() * known).sum() / known.sum().clamp(min=1)
    return total
