"""Discriminators: networks that tell synthesized sound from recorded sound by its magnitudes at
several resolutions, and the losses that the vocoder gets from them. Knows no data.

As in UnivNet (Jang et al., 2021), they see only magnitudes, because the partials of the vocoder
have their own phases, which need not be those of the recording. Each band of 8 kHz has its own
networks. The losses are least squares; feature matching compares the outputs of the layers for both
sounds, divided by their magnitude.
"""
import torch
import torch.nn.functional as F
from torch import nn

SIZES = 512, 1024, 2048
FLOOR = 3e-3  # magnitude under which nothing is told apart
SLOPE = 0.1


class OneResolution(nn.Module):
    """Audio [B, n] -> the output of each layer, the score last."""

    def __init__(self, size, width):
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        shapes = [(1, 1), (1, 2), (2, 2), (4, 2)]  # dilation in time, stride in frequency
        layers = [
            nn.Conv2d(
                2 if i == 0 else width, width, (3, 9 if i < 3 else 5), (1, stride),
                (dilation, 4 if i < 3 else 2), (dilation, 1),
            )
            for i, (dilation, stride) in enumerate(shapes)
        ]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(layer) for layer in layers
        )
        self.verdict = nn.utils.parametrizations.weight_norm(
            nn.Conv2d(width, 1, (3, 3), padding=(1, 1))
        )

    def forward(self, audio):
        magnitude = torch.stft(
            audio, self.size, self.size // 4, window=self.window, return_complex=True
        ).abs()
        x = torch.log(magnitude + FLOOR).transpose(1, 2) / 3  # [B, t, bins]
        where = torch.linspace(-1, 1, x.shape[-1], device=x.device).expand_as(x)
        x, seen = torch.stack([x, where], 1), []
        with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
            for layer in self.layers:
                x = F.leaky_relu(layer(x), SLOPE)
                seen.append(x)
            return seen + [self.verdict(x)]


class Adversary(nn.Module):
    """The networks of both bands, at three resolutions each."""

    def __init__(self, width=32):
        super().__init__()
        self.bands = nn.ModuleList(
            nn.ModuleList(OneResolution(size, width) for size in SIZES) for _ in range(2)
        )

    def forward(self, bands):
        """Both bands [B, n] -> for each network the list of the outputs of its layers."""
        return [
            network(audio) for networks, audio in zip(self.bands, bands) for network in networks
        ]


def told_apart(adversary, made, true):
    """The loss of the adversary: both bands of the synthesized and of the true sound, [B, n]."""
    losses = [(t[-1].float() - 1).pow(2).mean() + m[-1].float().pow(2).mean()
              for t, m in zip(adversary(true), adversary([x.detach() for x in made]))]
    return sum(losses) / len(losses)


def fooled(adversary, made, true):
    """The losses of the vocoder: (by the scores, by feature matching)."""
    with torch.no_grad():
        wanted = adversary(true)
    seen = adversary(made)
    verdicts = sum((m[-1].float() - 1).pow(2).mean() for m in seen) / len(seen)
    pairs = [(a, b) for m, t in zip(seen, wanted) for a, b in zip(m[:-1], t[:-1])]
    apart = [
        (a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-3) for a, b in pairs
    ]
    return verdicts, sum(apart) / len(pairs)
