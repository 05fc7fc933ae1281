"""An initial value for the token embeddings that already reflects the meaning of tokens. Knows no
training loop.

From random values, each of 128 pitches must be learned from the few clips in which it occurs. Here
the embedding of a pitch is a random rotation of the mel of its tone, so that one linear map fits
all of them; shifts begin as rows of the position table to which they have to be matched, velocities
as a line, programs as their family plus a random part.
"""
import numpy as np
import torch

from . import excitation
from .network import positions


def structured(vocabulary, emb, seed=0):
    """-> [vocabulary.size, emb] float32 with about unit variance."""
    rng = np.random.default_rng(seed)
    table = rng.normal(0, 1, (vocabulary.size, emb)).astype(np.float32)
    *_, profiles = excitation.tables()
    logs = np.log(profiles + 0.02)
    logs = (logs - logs.mean(0)) / (logs.std() + 1e-6)
    rotation = (
        np.linalg.qr(rng.normal(0, 1, (emb, emb)))[0][:128]
        if emb >= 128
        else rng.normal(0, emb ** -0.5, (128, emb))
    )
    table[vocabulary.pitch : vocabulary.pitch + 128] = logs @ rotation * (emb / 128) ** 0.5
    table[vocabulary.shift : vocabulary.shift + 1001] = (
        positions(501, emb).numpy()[np.arange(1001) // 2]
        + 0.3 * table[vocabulary.shift : vocabulary.shift + 1001]
    )
    line = np.linspace(-1.5, 1.5, vocabulary.bins)[:, None]
    first = vocabulary.velocity + 1
    table[first : first + vocabulary.bins] = (
        line * rng.normal(0, 1, emb) + 0.3 * table[first : first + vocabulary.bins]
    )
    family = np.repeat(rng.normal(0, 0.8, (16, emb)), 8, axis=0)
    table[vocabulary.program : vocabulary.program + 128] = (
        family + 0.6 * table[vocabulary.program : vocabulary.program + 128]
    )
    return torch.from_numpy(table)
