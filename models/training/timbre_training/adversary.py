"""Networks that tell made sound from recorded sound, by its magnitudes at several resolutions, and
what the vocoder learns from them. Knows no data.

As in the discriminators of UnivNet (Jang et al., 2021), magnitudes only: the vocoder's partials
have phases of their own, which need not be the recording's. Each band of 8 kHz has its own. Losses
are least squares; feature matching compares what the layers see of both, by how large it is.
"""
import torch
import torch.nn.functional as F
from torch import nn

SIZES = 512, 1024, 2048
FLOOR = 3e-3  # magnitude under which nothing is told apart
SLOPE = 0.1


class OneResolution(nn.Module):
    """Audio [B, n] -> what each layer sees, the verdict last."""

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
    """Of both bands, at three resolutions each."""

    def __init__(self, width=32):
        super().__init__()
        self.bands = nn.ModuleList(
            nn.ModuleList(OneResolution(size, width) for size in SIZES) for _ in range(2)
        )

    def forward(self, bands):
        """Both bands [B, n] -> for each network the list of what it sees."""
        return [
            network(audio) for networks, audio in zip(self.bands, bands) for network in networks
        ]


def told_apart(adversary, made, true):
    """What the adversary is to make small: both bands of either, made and true, [B, n]."""
    losses = [(t[-1].float() - 1).pow(2).mean() + m[-1].float().pow(2).mean()
              for t, m in zip(adversary(true), adversary([x.detach() for x in made]))]
    return sum(losses) / len(losses)


def fooled(adversary, made, true):
    """What the vocoder is to make small: (by the verdicts, by what the layers see)."""
    with torch.no_grad():
        wanted = adversary(true)
    seen = adversary(made)
    verdicts = sum((m[-1].float() - 1).pow(2).mean() for m in seen) / len(seen)
    pairs = [(a, b) for m, t in zip(seen, wanted) for a, b in zip(m[:-1], t[:-1])]
    apart = [
        (a.float() - b.float()).abs().mean() / (b.float().abs().mean() + 1e-3) for a, b in pairs
    ]
    return verdicts, sum(apart) / len(pairs)
