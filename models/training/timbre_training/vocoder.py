"""The vocoder in torch: turns mel frames and the excitation of the notes into samples. It is
causal, without look-ahead. Knows no data and no files.

For each 10 ms block a small causal network gives a log gain in each mel band for the tones, and one
for white noise. In frames without a key press the two blocks are treated as one, and gains change
linearly from frame to frame, because otherwise a steady note would have a line 50 Hz beside every
partial. The gains are added to those that follow from the mels (mel minus the level of the
excitation), made into minimum-phase filters, and cross-faded linearly from block to block; at a key
press, within 1 ms of it. A filter whose shape keeps changing keeps turning the phase of its output,
which is heard as another pitch (10 cents at 55 Hz), so the tones are turned back by the same angle.

The band from 8 to 16 kHz is made in the same way from the upper tones and the same noise, as a
mirrored signal at 16 kHz (`bands.upper_band`). No mel gives its level: the gains of the highest
bands are continued into it, and the second output of the network corrects them. Shapes: B batch, T
frames, S = 2 T blocks, bands 128, FFT 1024 (513 bins).
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import bands, excitation, mel
from .mel import to_mel

FFT, BINS, BLOCK = 1024, 513, excitation.BLOCK
GAIN_MIN, GAIN_MAX = -20.0, 6.0
# The largest share of noise that is taken from the power of the tones, because the measured share
# is not certain.
MOST_NOISE = 0.9
KERNEL = 5
ATTACK = 16  # samples in which the filters of a key press come in
# In nats. From a key press to the end of its frame the network may not lower a tone by more than
# this, unless a drum is loud. The attack table determines how fast a tone rises, and this must not
# depend on the position of the key press in the frame.
STRUCK_FLOOR = -0.5
# The limit of the gain of the tones, nats, in bands without a partial: when a key is struck, the
# mel of the new note must not raise the leakage in these bands. The limit rises by SLOPE once the
# level in nats is LEAST above its floor.
UNHEARD_GAIN, UNHEARD_SLOPE, UNHEARD_LEAST = -1.0, 10.0, 0.2
# How much the gain of a tone may lie above that of the partials around, nats, and what remains of
# the weight of a partial from band to band.
ABOVE_PARTIALS, NEARNESS = 0.5, 0.5
NEAR = NEARNESS ** np.abs(np.subtract.outer(np.arange(mel.BINS), np.arange(mel.BINS)))
CENTRES = mel.mel_matrix().argmax(0)  # the bin that a band hears most of
# The limit of the gains of the upper bands, nats. In the training 99 % are below -3.7. Larger gains
# come from tones without partials in the highest bands below 8 kHz, where the level is at its floor
# and the gain at its limit.
UPPER_GAIN_MAX = -3.0
HIGHEST_BANDS = slice(112, 124)  # whose gains go on into the upper bands: 6.5 to 7.6 kHz


def band_filters(count, from_hz, to_hz, bins_hz):
    """[count, 2 * 513]: the map from the log gains of bands, equally spaced in mel, to log
    magnitude and minimum phase of 513 bins. It is linear, so one matrix product applies it.

    Bands are interpolated to bins linearly in mel; the phase is the Hilbert transform of the log
    magnitude through the cepstrum.
    """
    centers = np.linspace(to_mel(from_hz), to_mel(to_hz), count + 2)[1:-1]
    magnitude = np.stack([np.interp(to_mel(bins_hz), centers, row) for row in np.eye(count)])
    cepstrum = np.fft.irfft(magnitude, FFT)
    fold = np.zeros(FFT)
    fold[0] = fold[FFT // 2] = 1.0
    fold[1 : FFT // 2] = 2.0
    spectrum = np.fft.rfft(cepstrum * fold, FFT)
    return np.concatenate([spectrum.real, spectrum.imag], 1).astype(np.float32)


def turned_back(tones, filters, log_levels, ramp):
    """tones complex [B, S, 160], their filters complex [B, S, 513], log_levels [B, S, 128] in nats,
    ramp [B, S, 160] -> float [B, S, 160]: the tones, turned back by the mean phase that the filters
    have turned since the first block. The mean over the bands is weighted by the power that they
    pass, and by the square of the period of a band, because the same turn is more cents for a lower
    tone."""
    power = (2 * log_levels).exp()
    weight = torch.where(power > 2 * excitation.LEVEL_FLOOR ** 2, power, 0.0)
    weight = weight / torch.from_numpy(CENTRES ** 2).to(power)
    bands = filters[..., CENTRES]
    steps = torch.angle((weight[:, 1:] * bands[:, 1:] * bands[:, :-1].conj()).sum(-1))  # [B, S - 1]
    steps = F.pad(steps, (1, 0))[..., None]
    turn = steps.cumsum(1) - steps + ramp * steps
    return tones.real * turn.cos() + tones.imag * turn.sin()


def evenly(corrections, free):
    """corrections [B, T, 2 blocks, ...], free bool [B, T] -> [B, 2 T, ...]: in free frames the
    second block gets the mean of both, and the first is halfway to it from the block before."""
    free = free[(...,) + (None,) * (corrections.dim() - 3)]
    mean = corrections.mean(2)
    end = torch.where(free, mean, corrections[:, :, 1])
    before = torch.cat([end[:, :1], end[:, :-1]], 1)
    return torch.stack(
        [torch.where(free, (before + mean) / 2, corrections[:, :, 0]), end], 2
    ).flatten(1, 2)


def most_tone(log_levels):
    """log_levels in nats -> the largest gain of a tone, nats."""
    above = log_levels - float(np.log(excitation.LEVEL_FLOOR)) - UNHEARD_LEAST
    return UNHEARD_GAIN + UNHEARD_SLOPE * above.clamp(min=0)


def smooth_tones(gains, log_levels):
    """Limits the gains of tones [..., 128], nats, where the tone is softer than around: to the mean
    gain of the bands around, weighted by their power and nearness. A note that begins at once is
    wider than a steady one in its first frame, in the mel and in the excitation too, so the gains
    must not rise between its partials."""
    power, near = (2 * log_levels).exp(), torch.from_numpy(NEAR).to(gains)
    return torch.minimum(gains, (power * gains) @ near / (power @ near) + ABOVE_PARTIALS)


class Block(nn.Module):
    """x [B, T, W] -> the same: causal depthwise convolution over 5 frames, RMS norm, gated by GELU,
    residual."""

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
    """onsets int64 [B, S] -> [B, S, 160]: the share of the filters of a block in each of its
    samples."""
    n = torch.arange(1, BLOCK + 1, device=onsets.device)
    struck = ((n - onsets[..., None]) / ATTACK).clamp(0, 1)
    return torch.where(onsets[..., None] < BLOCK, struck, n / BLOCK)


def shaped(source, filters, ramp):
    """Filters source [B, S, n, 160] with complex [B, S, n, 513], where each block is cross-faded
    from the ones before by ramp [B, S, 160] -> audio [B, 160 S]. The response lasts up to 1024
    samples from the start of its block; transforms are twice as long, so that none of it wraps
    around to before its source."""
    filters = torch.fft.rfft(torch.fft.irfft(filters, FFT), 2 * FFT)
    before = torch.cat([filters[:, :1], filters[:, :-1]], 1)
    whole = torch.fft.rfft(source, 2 * FFT)
    rising = torch.fft.rfft(source * ramp[:, :, None], 2 * FFT)
    pieces = torch.fft.irfft((filters * rising + before * (whole - rising)).sum(2), 2 * FFT)
    pieces = pieces[..., :FFT]  # [B, S, 1024]
    blocks = pieces.shape[1]
    length = (blocks - 1) * BLOCK + FFT
    out = F.fold(pieces.transpose(1, 2), (1, length), (1, FFT), stride=(1, BLOCK))[:, 0, 0]
    return out[:, : blocks * BLOCK]


class Vocoder(nn.Module):
    def __init__(self, width=192, blocks=5):
        super().__init__()
        self.input = nn.Parameter(torch.randn(3 * mel.BINS, width) * (3 * mel.BINS) ** -0.5)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.Parameter(torch.ones(width))
        self.output = nn.Parameter(torch.zeros(width, 4 * mel.BINS))
        self.bias = nn.Parameter(torch.zeros(4 * mel.BINS))
        self.upper_hidden = nn.Parameter(torch.randn(width, width) * width ** -0.5)
        self.upper_output = nn.Parameter(torch.zeros(width, 4 * bands.BANDS))
        self.upper_bias = nn.Parameter(torch.zeros(4 * bands.BANDS))
        bins_hz = np.linspace(0, mel.RATE / 2, BINS)
        lower = band_filters(mel.BINS, 0, mel.RATE / 2, bins_hz)
        above = band_filters(bands.BANDS, mel.RATE / 2, mel.RATE, mel.RATE - bins_hz)
        self.register_buffer("filters", torch.from_numpy(lower), persistent=False)
        self.register_buffer("upper_filters", torch.from_numpy(above), persistent=False)
        self.register_buffer(
            "noise_level", torch.from_numpy(np.log(excitation.noise_level() + 1e-5)),
            persistent=False,
        )

    def corrections(self, log_mel, log_levels, log_share):
        """log_mel, log_levels (at frame ends), log_share [B, T, 128], all in nats / 8 -> [B, T, 2
        blocks, tone/noise, 128], and those of the upper bands [B, T, 2 blocks, tone/noise, 16],
        whose gradient does not reach the layers that they share"""
        x = torch.cat([log_mel, log_levels, log_share], -1) @ self.input
        for block in self.blocks:
            x = block(x)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm
        hidden = F.gelu(x.detach() @ self.upper_hidden, approximate="tanh")
        upper = (hidden @ self.upper_output + self.upper_bias).unflatten(-1, (2, 2, bands.BANDS))
        return (x @ self.output + self.bias).unflatten(-1, (2, 2, mel.BINS)), upper

    def gains(self, log_mel, log_levels, log_share, onsets, drummed):
        """log_mel and log_share [B, T, 128] in nats, log_levels [B, S, 128] in nats, onsets [B, S],
        drummed [B, T] -> log gains of tone and noise [B, S, 2, 128] and of the upper bands
        [B, S, 2, 16]"""
        correction, upper = self.corrections(log_mel / 8, log_levels[:, 1::2] / 8, log_share / 8)
        first, second = ((onsets[:, i::2] < BLOCK)[..., None] for i in (0, 1))
        free = ~(first[..., 0] | second[..., 0] | drummed)
        correction = evenly(correction, free)  # [B, S, 2, 128]
        upper = evenly(upper, free)  # [B, S, 2, 16]
        # The mel is interpolated linearly from frame to frame, except that a rise in a frame with a
        # key press comes at the key press, at once and not before.
        before = torch.cat([log_mel[:, :1], log_mel[:, :-1]], 1)
        halfway = (before + log_mel) / 2
        held = torch.where(second, torch.minimum(halfway, before), halfway)
        at_block_end = torch.stack(
            [torch.where(first, torch.maximum(halfway, log_mel), held), log_mel], 2
        ).flatten(1, 2)
        bare = ~drummed[..., None]
        struck = torch.stack([first & bare, (first | second) & bare], 2).flatten(1, 2)
        tone = torch.where(struck, correction[:, :, 0].clamp(min=STRUCK_FLOOR), correction[:, :, 0])
        correction = torch.stack([tone, correction[:, :, 1]], 2)
        # The share of noise in the power is constant within a frame.
        noise = (log_share / 2).repeat_interleave(2, 1)
        tones = (0.5 * torch.log1p(-log_share.exp().clamp(max=MOST_NOISE))).repeat_interleave(2, 1)
        base = torch.stack(
            [at_block_end + tones - log_levels, at_block_end + noise - self.noise_level], 2
        )
        gains = (base + correction).clamp(GAIN_MIN, GAIN_MAX)
        tones = torch.minimum(gains[:, :, 0], most_tone(log_levels))
        gains = torch.stack([smooth_tones(tones, log_levels), gains[:, :, 1]], 2)
        highest = gains[..., HIGHEST_BANDS].mean(-1, keepdim=True).detach()
        return gains, (highest + upper).clamp(GAIN_MIN, UPPER_GAIN_MAX)

    def forward(
        self, log_mel, log_levels, log_share, onsets, drummed, tones, upper_tones, noise,
        only_upper=False,
    ):
        """log_mel and log_share [B, T, 128], log_levels [B, 2T, 128], onsets int64 [B, 2T], drummed
        bool [B, T], tones complex, upper_tones and noise [B, 320 T] -> audio [B, 320 T], None if
        only the upper band is wanted, and the mirrored upper band [B, 320 T]"""
        gains, upper_gains = self.gains(log_mel, log_levels, log_share, onsets, drummed)
        ramp = ramps(onsets)
        tones, upper_tones, noise = (
            x.unflatten(-1, (-1, BLOCK)) for x in (tones, upper_tones, noise)
        )
        upper = shaped(
            torch.stack([upper_tones, noise], 2), self._filters(upper_gains, self.upper_filters),
            ramp,
        )
        if only_upper:
            return None, upper
        filters = self._filters(gains, self.filters)
        with torch.no_grad():
            tones = turned_back(tones, filters[:, :, 0], log_levels, ramp)
        return shaped(torch.stack([tones, noise], 2), filters, ramp), upper

    @staticmethod
    def _filters(gains, of_bands):
        """gains [B, S, 2, bands] in nats, of_bands [bands, 2 * 513] -> complex [B, S, 2, 513]"""
        logs = gains @ of_bands
        return torch.polar(logs[..., :BINS].exp(), logs[..., BINS:])
