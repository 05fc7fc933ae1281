"""The denoiser of model.md in torch, at any size. Knows no data, no schedule and no training loop.

Module names follow the published parameter names, so that `flax_parameters` is a rename; kernels
are [in, out]. Attention logits are not scaled; norms are RMS without bias; no layer has a bias.
Shapes: B batch, N tokens, C context frames, L target frames, E emb, H heads, D head dim.
"""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    """Sizes. The defaults are those of the bundled live model, and `small_with_context()` has those
    of the published one."""

    vocab_size: int = 1536
    emb: int = 128
    heads: int = 4
    head_dim: int = 32
    mlp: int = 256
    token_layers: int = 2
    context_layers: int = 1
    decoder_layers: int = 4
    max_tokens: int = 512
    context_frames: int = 16
    target_frames: int = 64
    mel_bins: int = 128
    # Whether the decoder gets the frames of the note prior, and denoises the residual.
    prior: bool = True

    @staticmethod
    def small_with_context():
        return Config(1536, 512, 6, 64, 1024, 8, 8, 8, 2048, 256, 256, 128, False)

    def dict(self):
        return asdict(self)


class Dense(nn.Module):
    """x [.., in] @ kernel [in, out]."""

    def __init__(self, inputs, outputs, std=None):
        super().__init__()
        self.kernel = nn.Parameter(
            torch.randn(inputs, outputs) * (inputs ** -0.5 if std is None else std)
        )

    def forward(self, x):
        return x @ self.kernel


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale


class Embed(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.embedding = nn.Parameter(embedding)


class Attention(nn.Module):
    """queries [B, L, E], memory [B, M, E], mask bool [B, 1, 1, M] (True = may be attended to) ->
    [B, L, E]."""

    def __init__(self, c):
        super().__init__()
        self.heads, self.head_dim = c.heads, c.head_dim
        wide = c.heads * c.head_dim
        self.query = Dense(c.emb, wide, (c.emb * c.head_dim) ** -0.5)
        self.key, self.value, self.out = Dense(c.emb, wide), Dense(c.emb, wide), Dense(wide, c.emb)

    def forward(self, x, memory, mask=None):
        split = lambda y: y.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)
        q, k, v = split(self.query(x)), split(self.key(memory)), split(self.value(memory))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        return self.out(y.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.wi_0, self.wi_1 = Dense(c.emb, c.mlp), Dense(c.emb, c.mlp)
        self.wo = Dense(c.mlp, c.emb)

    def forward(self, x):
        return self.wo(F.gelu(self.wi_0(x), approximate="tanh") * self.wi_1(x))


class EncoderLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pre_attention_layer_norm, self.attention = Norm(c.emb), Attention(c)
        self.pre_mlp_layer_norm, self.mlp = Norm(c.emb), Mlp(c)

    def forward(self, x, mask):
        y = self.pre_attention_layer_norm(x)
        x = x + self.attention(y, y, mask)
        return x + self.mlp(self.pre_mlp_layer_norm(x))


class Film(nn.Module):
    """time [B, 4E] -> x * (1 + scale) + shift; initially the identity."""

    def __init__(self, c):
        super().__init__()
        self.DenseGeneral_0 = Dense(4 * c.emb, 2 * c.emb, 1e-3)

    def forward(self, x, time):
        scale, shift = self.DenseGeneral_0(time)[:, None].chunk(2, -1)
        return x * (1 + scale) + shift


class DecoderLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.pre_self_attention_layer_norm = Norm(c.emb)
        self.FiLMLayer_0, self.self_attention = Film(c), Attention(c)
        self.pre_cross_attention_layer_norm = Norm(c.emb)
        self.MultiHeadDotProductAttention_0 = Attention(c)
        self.pre_mlp_layer_norm, self.FiLMLayer_1, self.mlp = Norm(c.emb), Film(c), Mlp(c)

    def forward(self, x, time, memory, mask):
        y = self.FiLMLayer_0(self.pre_self_attention_layer_norm(x), time)
        x = x + self.self_attention(y, y)
        x = x + self.MultiHeadDotProductAttention_0(
            self.pre_cross_attention_layer_norm(x), memory, mask
        )
        return x + self.mlp(self.FiLMLayer_1(self.pre_mlp_layer_norm(x), time))


def timing_signal(t, emb):
    """t [B] in (0, 1] -> [B, emb]: one half sines, one half cosines of t * 20000, over a geometric
    series of periods up to 20000."""
    half = emb // 2
    rates = torch.exp(
        torch.arange(half, dtype=torch.float64) * (-math.log(20000.0) / (half - 1))
    ).to(t.device)
    angle = t.double()[:, None] * 20000.0 * rates
    return torch.cat([angle.sin(), angle.cos()], -1).float()


def positions(rows, emb):
    """Sinusoidal initial values for the learned position tables, at the level of the other inputs.
    [rows, emb]"""
    at, half = torch.arange(rows)[:, None], emb // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10000.0) / (half - 1)))
    return torch.cat([(at * rates).sin(), (at * rates).cos()], -1)


class TokenEncoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.token_embedder = Embed(torch.randn(c.vocab_size, c.emb))
        self.Embed_0 = Embed(positions(c.max_tokens, c.emb))
        self.layers = nn.ModuleList(EncoderLayer(c) for _ in range(c.token_layers))
        self.encoder_norm = Norm(c.emb)

    def forward(self, ids):
        """ids [B, N], 0 = padding -> [B, N, E]"""
        x = F.embedding(ids, self.token_embedder.embedding) + self.Embed_0.embedding[: ids.shape[1]]
        mask = (ids > 0)[:, None, None]
        for layer in self.layers:
            x = layer(x, mask)
        return self.encoder_norm(x)


class ContinuousEncoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_proj = Dense(c.mel_bins, c.emb)
        self.Embed_0 = Embed(positions(c.context_frames, c.emb))
        self.layers = nn.ModuleList(EncoderLayer(c) for _ in range(c.context_layers))
        self.encoder_norm = Norm(c.emb)

    def forward(self, frames, valid):
        """frames [B, C, 128], right-aligned (the last frame always at the last position); valid
        bool [B, C] -> [B, C, E]"""
        x = self.input_proj(frames) + self.Embed_0.embedding[-frames.shape[1]:]
        # A row without any context must not be all masked (the softmax would be NaN); the decoder
        # ignores it anyway.
        mask = (valid | ~valid.any(1, keepdim=True))[:, None, None]
        for layer in self.layers:
            x = layer(x, mask)
        return self.encoder_norm(x)


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.emb = c.emb
        self.time_emb_dense0 = Dense(c.emb, 4 * c.emb)
        self.time_emb_dense1 = Dense(4 * c.emb, 4 * c.emb)
        self.continuous_inputs_projection = Dense(c.mel_bins, c.emb)
        if c.prior:
            self.prior_projection = Dense(c.mel_bins, c.emb)
        self.Embed_0 = Embed(positions(c.target_frames, c.emb))
        self.layers = nn.ModuleList(DecoderLayer(c) for _ in range(c.decoder_layers))
        self.decoder_norm, self.spec_out_dense = Norm(c.emb), Dense(c.emb, c.mel_bins, 0.02)

    def forward(self, z, t, memory, mask, prior=None):
        time = F.silu(
            self.time_emb_dense1(F.silu(self.time_emb_dense0(timing_signal(t, self.emb))))
        )
        x = self.continuous_inputs_projection(z) + self.Embed_0.embedding[: z.shape[1]]
        if prior is not None:
            x = x + self.prior_projection(prior)
        for layer in self.layers:
            x = layer(x, time, memory, mask)
        return self.spec_out_dense(self.decoder_norm(x))


class Denoiser(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.token_encoder = TokenEncoder(config)
        self.continuous_encoder = ContinuousEncoder(config)
        self.decoder = Decoder(config)

    def encode(self, ids, context, valid):
        """-> memory [B, N + C, E] and its mask bool [B, 1, 1, N + C]"""
        memory = torch.cat([self.token_encoder(ids), self.continuous_encoder(context, valid)], 1)
        return memory, torch.cat([ids > 0, valid], 1)[:, None, None]

    def forward(self, z, t, memory, mask, prior=None):
        """z [B, L, 128], t [B], and for a network with a prior its frames [B, L, 128] -> the
        prediction (eps or v) [B, L, 128]"""
        return self.decoder(z, t, memory, mask, prior)


def _rename(name):
    for i in range(64):
        name = name.replace(f".layers.{i}.", f".layers_{i}.")
    return name


def flax_parameters(state):
    """state_dict -> {published parameter name: float32 array}, kernels [in, out]."""
    return {_rename(k): v.detach().float().cpu().numpy() for k, v in state.items()}


def load_flax(model, params):
    """The inverse: loads all published names into a model, bit for bit."""
    state = model.state_dict()
    wanted = {_rename(k): k for k in state}
    if set(wanted) != set(params):
        raise ValueError(
            f"missing {sorted(set(wanted) - set(params))[:5]}, "
            f"unknown {sorted(set(params) - set(wanted))[:5]}"
        )
    model.load_state_dict({wanted[k]: torch.as_tensor(params[k]) for k in params})
