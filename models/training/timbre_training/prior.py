"""The note prior in torch: what each sounding note adds to a mel frame, by itself. Knows no data and no files.

Sounds add up in power, so a frame's mel is the root of the sum of its notes' mel powers, and a small network that sees one
note at a time (instrument, key, velocity, age, release) says most of what a frame will be: `mix` of all notes is where the
diffusion starts from, as the encoder's mean is in Grad-TTS (Popov et al., 2021). It knows no future and no past sound, so it cannot drift.

A note's mel is a tone (the key's harmonic profile of `excitation`, shaped by 128 gains) and a noise (128 levels), all in nats.
Rust twin: models/src/prior.
"""
import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import excitation, mel
from .data import prior_path
from .note_set import DRUM_LENGTH, DRUMS, TAIL, times
from .notes import DRUM, END, KEY, PROGRAM, START, VELOCITY

INSTRUMENTS, KEYS = 256, 128  # programs 0..127, drums by key 128..255
INSTRUMENT_WIDTH, KEY_WIDTH = 64, 48
FLOOR = 1e-5  # of the published front end
DRUM_S, OLDEST_S = 3.0, 10.0  # a drum is over after this time; older notes sound as at this age
AGES, RELEASES, DOWNS = 20, 14, 10  # bumps over the logarithm of each time
NEAR_S = 0.003
ATTACK_S = mel.FRAME / 2 / mel.RATE  # a frame hears no more than a part of a younger note
FEATURES = 3 + AGES + 1 + RELEASES + DOWNS


def bumps(seconds, count, longest):
    """seconds [n] -> [n, count]: Gaussian bumps evenly spaced over ln(t + 3 ms), as wide as their distance."""
    low, high = np.log(NEAR_S), np.log(longest + NEAR_S)
    place = (np.log(np.asarray(seconds)[:, None] + NEAR_S) - low) / (high - low) * (count - 1)
    return np.exp(-0.5 * (place - np.arange(count)) ** 2)


def features(velocity, age, release):
    """velocity 1..127, age and release (0 = held) in seconds, each [n] -> float32 [n, FEATURES]"""
    v = np.asarray(velocity, np.float64)[:, None] / 127
    age, release = np.minimum(age, OLDEST_S), np.minimum(release, TAIL)
    off = (release > 0)[:, None]
    return np.concatenate([v, np.log(v), v * v, bumps(age, AGES, OLDEST_S), off, off * bumps(release, RELEASES, TAIL),
                           off * bumps(np.maximum(age - release, 0), DOWNS, OLDEST_S)], 1).astype(np.float32)


class Block(nn.Module):
    """x [n, W] -> the same: RMS norm, up, GELU, down, residual."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.Parameter(torch.ones(width))
        self.up = nn.Parameter(torch.randn(width, 2 * width) * width ** -0.5)
        self.down = nn.Parameter(torch.randn(2 * width, width) * 0.3 * (2 * width) ** -0.5)

    def forward(self, x):
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm
        return x + F.gelu(y @ self.up, approximate="tanh") @ self.down


SIZES = {"width": 320, "blocks": 3}  # of the bundled model


class Prior(nn.Module):
    def __init__(self, width, blocks):
        super().__init__()
        inputs = INSTRUMENT_WIDTH + KEY_WIDTH + FEATURES
        self.instruments = nn.Parameter(torch.randn(INSTRUMENTS, INSTRUMENT_WIDTH))
        keys = np.exp(-0.5 * ((np.arange(KEYS)[:, None] - np.linspace(12, 116, KEY_WIDTH)) / 3) ** 2)
        self.keys = nn.Parameter(torch.from_numpy(keys.astype(np.float32)))
        self.input = nn.Parameter(torch.randn(inputs, width) * inputs ** -0.5)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.Parameter(torch.ones(width))
        self.output = nn.Parameter(torch.randn(width, 2 * mel.BINS) * 0.3 * width ** -0.5)
        self.bias = nn.Parameter(torch.tensor([-2.0, -5.0]).repeat_interleave(mel.BINS))
        self.register_buffer("profiles", torch.from_numpy(excitation.tables()[1]), persistent=False)

    def forward(self, instrument, key, features):
        """instrument and key int64 [n], features [n, FEATURES] -> mel power [n, 128] of each note"""
        x = torch.cat([self.instruments[instrument], self.keys[key], features], -1) @ self.input
        for block in self.blocks:
            x = block(x)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm
        tone, noise = (x @ self.output + self.bias).clamp(-16, 8).chunk(2, -1)
        return (self.profiles[key] * tone.exp()) ** 2 + (2 * noise).exp()


def log_mel_of(power):
    """Mel power [.., 128] -> natural-log mel with the front end's floor."""
    return 0.5 * torch.log(power + FLOOR ** 2)


def rows(notes, frames):
    """notes [n, 6] -> the frames each note sounds in: frame int64 [r], instrument, key, velocity, age, release [r].

    A frame knows the notes pressed before its end, as the live stream does; a note is over 2.5 s after its release.
    """
    parts = []
    for n in notes:
        drum = bool(n[DRUM])
        last = n[START] + DRUM_S if drum else n[END] + TAIL
        first, end = int(n[START] * mel.RATE // mel.HOP), min(frames, int(last * mel.RATE / mel.HOP))
        if end <= first:
            continue
        age, release = (x[first:] for x in times(end, n[START], n[START] + DRUM_LENGTH if drum else n[END], drum))
        constant = (np.full(end - first, v) for v in (DRUMS + n[KEY] if drum else n[PROGRAM], n[KEY], n[VELOCITY]))
        parts.append((np.arange(first, end), *constant, np.maximum(age, 0), release))
    return [np.concatenate(c) for c in zip(*parts)] if parts else [np.zeros(0)] * 6


def load(checkpoint):
    """The moving average of a training checkpoint, on the CPU."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = Prior(**saved["config"])
    model.load_state_dict(saved["average"])
    return model.eval()


@torch.no_grad()
def mix(model, notes, frames):
    """notes [n, 6] -> log mel [frames, 128] of all of them together, and the same struck: a note that the frame hears only a part of
    as if it heard it wholly, which is how loud the vocoder must make it from the key press on."""
    columns = rows(notes, frames)
    power = torch.zeros(frames, mel.BINS)

    def add(to, frame, instrument, key, velocity, age, release, sign=1):
        index = lambda x: torch.from_numpy(x.astype(np.int64))
        if len(frame):
            heard = model(index(instrument), index(key), torch.from_numpy(features(velocity, age, release)))
            to.index_add_(0, index(frame), heard, alpha=sign)

    add(power, *columns)
    young = columns[4] < ATTACK_S
    frame, instrument, key, velocity, age, release = (c[young] for c in columns)
    rise = torch.zeros_like(power)
    add(rise, frame, instrument, key, velocity, np.full_like(age, ATTACK_S), release)
    add(rise, frame, instrument, key, velocity, age, release, sign=-1)
    return log_mel_of(power), log_mel_of(power + rise.clamp(min=0))


def add_priors(directory, checkpoint):
    """Writes what a trained note prior says of every clip beside its shard, plain and struck, float16 [c, 2, frames, 128] scaled;
    prints progress."""
    model, start = load(checkpoint), time.time()
    paths = [p for p in sorted(Path(directory).glob("????????.npz")) if not prior_path(p).exists()]
    for done, path in enumerate(paths, 1):
        shard = np.load(path)
        clips = np.split(shard["notes"], np.cumsum(shard["counts"])[:-1])
        mels = np.stack([mel.scale(torch.stack(mix(model, notes, shard["mel"].shape[1])).numpy()) for notes in clips])
        np.save(prior_path(path), mels.astype(np.float16))
        error = np.abs(mels[:, 0] - shard["mel"]).mean() * (mel.LOG_MAX - mel.LOG_MIN) / 2
        left = (len(paths) - done) * (time.time() - start) / done
        print(f"prior: {done}/{len(paths)} shards, {error:.3f} nats from the truth, {left / 60:.1f} min left", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes the mels of a trained note prior beside the shards of a data set.")
    parser.add_argument("data")
    parser.add_argument("checkpoint")
    a = parser.parse_args()
    add_priors(a.data, a.checkpoint)
