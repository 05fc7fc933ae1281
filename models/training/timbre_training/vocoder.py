"""The vocoder in torch: mel frames and the notes' excitation -> samples; causal, no look-ahead. Knows no data and no files.

A small causal network gives, for each 10 ms block, a log gain per mel band for the tones and one for white noise. They are
added to what the mels already say (mel minus the excitation's own level), made into minimum-phase filters, and cross-faded
linearly from block to block; where a key is pressed, within 1 ms of the key. A filter whose shape goes on changing goes on turning the phase
of what it lets through, which is heard as another pitch (10 cents at 55 Hz), so the tones are turned back by as much.
Shapes: B batch, T frames, S = 2 T blocks, bands 128, FFT 1024 (513 bins).
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import excitation, mel

FFT, BINS, BLOCK = 1024, 513, excitation.BLOCK
GAIN_MIN, GAIN_MAX = -20.0, 6.0
NOISE_START = -1.5  # nats: where the untrained network puts the noise below the mel
KERNEL = 5
ATTACK = 16  # samples in which the filters of a key press come in
# Nats: from a key press to the end of its frame the network takes no more from a tone, unless a drum is loud: how fast it comes is the attack
# table's, and must not depend on where in a frame the key fell.
STRUCK_FLOOR = -0.5
CENTRES = mel.mel_matrix().argmax(0)  # the bin that a band hears most of


def band_filters():
    """[128, 2 * 513]: log gains of bands -> log magnitude and minimum phase of 513 bins; linear, so one product does it.

    Bands are interpolated to bins linearly in mel; the phase is the Hilbert transform of the log magnitude through the cepstrum.
    """
    to_mel = lambda f: 1127.0 * np.log1p(f / 700.0)
    centers = np.linspace(0, to_mel(mel.RATE / 2), mel.BINS + 2)[1:-1]
    bins = to_mel(np.linspace(0, mel.RATE / 2, BINS))
    magnitude = np.stack([np.interp(bins, centers, row) for row in np.eye(mel.BINS)])
    cepstrum = np.fft.irfft(magnitude, FFT)
    fold = np.zeros(FFT)
    fold[0] = fold[FFT // 2] = 1.0
    fold[1 : FFT // 2] = 2.0
    spectrum = np.fft.rfft(cepstrum * fold, FFT)
    return np.concatenate([spectrum.real, spectrum.imag], 1).astype(np.float32)


def turned_back(tones, filters, log_levels, ramp):
    """tones complex [B, S, 160], their filters complex [B, S, 513], log_levels [B, S, 128] in nats, ramp [B, S, 160] -> float [B, S, 160]: the
    tones, turned against the filters' mean turn since the first block. The mean is that of the bands, by the power that comes through and,
    as the same turn is so many more cents the lower a tone is, by the square of their period."""
    power = (2 * log_levels).exp()
    weight = torch.where(power > 2 * excitation.LEVEL_FLOOR ** 2, power, 0.0) / torch.from_numpy(CENTRES ** 2).to(power)
    bands = filters[..., CENTRES]
    steps = torch.angle((weight[:, 1:] * bands[:, 1:] * bands[:, :-1].conj()).sum(-1))  # [B, S - 1]
    steps = F.pad(steps, (1, 0))[..., None]
    turn = steps.cumsum(1) - steps + ramp * steps
    return tones.real * turn.cos() + tones.imag * turn.sin()


class Block(nn.Module):
    """x [B, T, W] -> the same: causal depthwise convolution over 5 frames, RMS norm, gated by GELU, residual."""

    def __init__(self, width):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(KERNEL, width) * KERNEL ** -0.5)
        self.norm = nn.Parameter(torch.ones(width))
        self.up = nn.Parameter(torch.randn(width, 2 * width) * width ** -0.5)
        self.down = nn.Parameter(torch.randn(2 * width, width) * 0.1 * (2 * width) ** -0.5)

    def forward(self, x):
        padded = F.pad(x, (0, 0, KERNEL - 1, 0))
        y = sum(padded[:, i : i + x.shape[1]] * self.kernel[i] for i in range(KERNEL))
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm
        return x + F.gelu(y @ self.up, approximate="tanh") @ self.down


def ramps(onsets):
    """onsets int64 [B, S] -> [B, S, 160]: the share of a block's own filters in each sample."""
    n = torch.arange(1, BLOCK + 1, device=onsets.device)
    struck = ((n - onsets[..., None]) / ATTACK).clamp(0, 1)
    return torch.where(onsets[..., None] < BLOCK, struck, n / BLOCK)


class Vocoder(nn.Module):
    def __init__(self, width=192, blocks=5):
        super().__init__()
        self.input = nn.Parameter(torch.randn(2 * mel.BINS, width) * (2 * mel.BINS) ** -0.5)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.Parameter(torch.ones(width))
        self.output = nn.Parameter(torch.zeros(width, 4 * mel.BINS))
        self.bias = nn.Parameter(torch.zeros(4 * mel.BINS))
        self.register_buffer("filters", torch.from_numpy(band_filters()), persistent=False)
        self.register_buffer("noise_level", torch.from_numpy(np.log(excitation.noise_level() + 1e-5)), persistent=False)

    def corrections(self, log_mel, log_levels):
        """log_mel [B, T, 128], log_levels [B, T, 128] (at frame ends), both in nats / 8 -> [B, T, 2 blocks, tone/noise, 128]"""
        x = torch.cat([log_mel, log_levels], -1) @ self.input
        for block in self.blocks:
            x = block(x)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm
        return (x @ self.output + self.bias).unflatten(-1, (2, 2, mel.BINS))

    def gains(self, log_mel, log_levels, onsets, drummed):
        """log_mel [B, T, 128] in nats, log_levels [B, S, 128] in nats, onsets [B, S], drummed [B, T] -> log gains of tone and noise [B, S, 2, 128]"""
        correction = self.corrections(log_mel / 8, log_levels[:, 1::2] / 8).flatten(1, 2)  # [B, S, 2, 128]
        # The mel goes evenly from frame to frame, but a rise with a key press in the frame comes with it, not before, and at once.
        before = torch.cat([log_mel[:, :1], log_mel[:, :-1]], 1)
        halfway = (before + log_mel) / 2
        first, second = ((onsets[:, i::2] < BLOCK)[..., None] for i in (0, 1))
        held = torch.where(second, torch.minimum(halfway, before), halfway)
        at_block_end = torch.stack([torch.where(first, torch.maximum(halfway, log_mel), held), log_mel], 2).flatten(1, 2)
        bare = ~drummed[..., None]
        struck = torch.stack([first & bare, (first | second) & bare], 2).flatten(1, 2)
        tone = torch.where(struck, correction[:, :, 0].clamp(min=STRUCK_FLOOR), correction[:, :, 0])
        correction = torch.stack([tone, correction[:, :, 1]], 2)
        base = torch.stack([at_block_end - log_levels, at_block_end - self.noise_level + NOISE_START], 2)
        return (base + correction).clamp(GAIN_MIN, GAIN_MAX)

    def forward(self, log_mel, log_levels, onsets, drummed, tones, noise):
        """log_mel [B, T, 128], log_levels [B, 2T, 128], onsets int64 [B, 2T], drummed bool [B, T], tones complex and noise [B, 320 T] ->
        audio [B, 320 T]"""
        logs = self.gains(log_mel, log_levels, onsets, drummed) @ self.filters
        magnitude, phase = logs[..., :BINS], logs[..., BINS:]
        filters = torch.polar(magnitude.exp(), phase)  # [B, S, 2, 513]
        before = torch.cat([filters[:, :1], filters[:, :-1]], 1)
        ramp = ramps(onsets)
        tones, noise = (x.unflatten(-1, (-1, BLOCK)) for x in (tones, noise))
        with torch.no_grad():
            tones = turned_back(tones, filters[:, :, 0], log_levels, ramp)
        source, ramp = torch.stack([tones, noise], 2), ramp[:, :, None]  # [B, S, 2, 160]
        whole, rising = torch.fft.rfft(source, FFT), torch.fft.rfft(source * ramp, FFT)
        pieces = torch.fft.irfft((filters * rising + before * (whole - rising)).sum(2), FFT)  # [B, S, 1024]
        blocks = pieces.shape[1]
        length = (blocks - 1) * BLOCK + FFT
        out = F.fold(pieces.transpose(1, 2), (1, length), (1, FFT), stride=(1, BLOCK))[:, 0, 0]
        return out[:, : blocks * BLOCK]
