"""The published cosine schedule and the v-prediction loss. Knows no data and no files.

logSNR(t) = -2 ln tan(a t + b), b = atan(e^-10), a = atan(e^10) - b;
z = alpha x + sigma eps, v = alpha eps - sigma x.
"""
import math

import torch

B = math.atan(math.exp(-10.0))
A = math.atan(math.exp(10.0)) - B


def alpha_sigma(t):
    """t [B] in (0, 1] -> alpha, sigma [B, 1, 1]; alpha = cos(a t + b), sigma = sin(a t + b)."""
    angle = (A * t.double() + B)[:, None, None]
    return angle.cos().float(), angle.sin().float()


def draw_times(count, device):
    """Draws times -> t [B]: nine of ten are near pure noise, from which a single step samples, the
    others are uniform above 0.2.

    Measured after 2,600 steps: at t = 0.8 and below the notes made no difference (error of x 0.085
    with the right notes, 0.087 with others), at t = 1 they did (0.093 and 0.211). So the notes are
    only learned near t = 1.
    """
    t = torch.rand(count, device=device)
    return torch.where(torch.rand(count, device=device) < 0.9, 1 - 0.02 * t, 0.2 + 0.8 * t)


def denoise_once(model, shape, memory, mask, prior):
    """One step from pure noise: x0 = -v at t = 1. -> [B, L, 128], clipped."""
    ones = torch.ones(shape[0], device=memory.device)
    noise = torch.randn(shape, device=memory.device)
    return (-model(noise, ones, memory, mask, prior)).clamp(-1, 1)


def loss(model, batch, unrolled):
    """Mean absolute error of v, limited for t below a half to 1.4 times that of x. For a share
    `unrolled` of the rows, z is built from the model's own first guess.

    The error is absolute, not squared. One step from pure noise then gives the median, which
    minimizes the log-mel L1 (WaveGrad, Chen et al. 2021, also found that it sounds better). Near t
    = 0 the error of v is that of the noise, which few-step sampling does not need and which causes
    most of the noise of the gradient. Unrolled rows teach the model to repair the errors of an
    earlier step: their target is the true x, and their error is the plain error of x.
    """
    memory, mask = model.encode(batch["ids"], batch["context"], batch["valid"])
    x, t = batch["target"], draw_times(len(batch["target"]), batch["target"].device)
    source, own = x, int(round(unrolled * len(x)))
    if own:
        with torch.no_grad():
            guess = denoise_once(
                model, x[:own].shape, memory[:own], mask[:own], batch["prior"][:own]
            )
        source = torch.cat([guess, x[own:]])
        t = torch.cat([0.2 + 0.75 * torch.rand(own, device=t.device), t[own:]])
    alpha, sigma = alpha_sigma(t)
    z = alpha * source + sigma * torch.randn_like(x)
    # The error of x; divided by sigma it is the error of v.
    error = alpha * z - sigma * model(z, t, memory, mask, batch["prior"]) - x
    weight = torch.cat([torch.ones_like(sigma[:own]), 1 / sigma[own:].clamp_min(0.7)])
    return (weight * error).abs().mean()
