"""The note prior in torch: the contribution of each sounding note to a mel frame. Knows no data and
no files.

Sounds add up in power, so the mel of a frame is the root of the sum of the mel powers of its notes.
A small network that sees one note at a time (instrument, key, velocity, age, release) predicts most
of a frame: diffusion starts from the `mix` of all notes, as it starts from the mean of the encoder
in Grad-TTS (Popov et al., 2021). The prior knows neither future nor past sound, so it cannot drift.

The mel of a note is a tone (the key's harmonic profile of `excitation`, shaped by 128 gains) plus
noise (128 levels), all in nats. Rust twin: models/src/prior.
"""
import argparse
import os
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import bundled, drum_tones, excitation, life, mel, note_table
from .data import prior_path
from .instruments import DRUMS
from .kits import NONE, Kits
from .note_set import TAIL
from .notes import DRUM, END, KEY, PROGRAM, START, VELOCITY

KEYS = 128
INSTRUMENT_WIDTH, KEY_WIDTH = 64, 48
FLOOR = 1e-5  # of the published front end
DRUM_S, OLDEST_S = 3.0, 10.0  # a drum is over after this time; older notes sound as at this age
AGES, RELEASES, DOWNS = 20, 14, 10  # bumps over the logarithm of each time
# The length of the fade at the end of a note. Without it a note that still rings would be cut off,
# or a rest would never be silent.
FADE_S = 1.4
NEAR_S = 0.003
ATTACK_S = mel.FRAME / 2 / mel.RATE  # a frame hears no more than a part of a younger note
FEATURES = 3 + AGES + 1 + RELEASES + DOWNS
# For this time after a change the network is evaluated in every frame. Later knots are at most
# FURTHEST frames apart.
DENSE_S, FURTHEST = 0.16, 16
PITCHES = note_table.HIGH - note_table.LOW + 1
NOTE_ROWS = note_table.PROGRAMS * PITCHES + 1  # the last row is that of all drums


def bumps(seconds, count, longest):
    """seconds [n] -> [n, count]: Gaussian bumps that are equally spaced over ln(t + 3 ms), and as
    wide as their distance."""
    low, high = np.log(NEAR_S), np.log(longest + NEAR_S)
    place = (np.log(np.asarray(seconds)[:, None] + NEAR_S) - low) / (high - low) * (count - 1)
    return np.exp(-0.5 * (place - np.arange(count)) ** 2)


def features(velocity, age, release):
    """velocity 1..127, age and release (0 = held) in seconds, each [n] -> float32 [n, FEATURES]"""
    v = np.asarray(velocity, np.float64)[:, None] / 127
    age, release = np.minimum(age, OLDEST_S), np.minimum(release, TAIL)
    off = (release > 0)[:, None]
    return np.concatenate(
        [
            v, np.log(v), v * v, bumps(age, AGES, OLDEST_S), off,
            off * bumps(release, RELEASES, TAIL),
            off * bumps(np.maximum(age - release, 0), DOWNS, OLDEST_S),
        ],
        1,
    ).astype(np.float32)


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


SIZES = {"width": 320, "blocks": 4, "note_width": 56}  # of the bundled model


def note_row(instrument, key):
    """The rows of the note table for instrument and key int64 [n]. Keys outside of the range of a
    piano use the nearest row."""
    pitch = (key - note_table.LOW).clamp(0, PITCHES - 1)
    return torch.where(instrument < DRUMS, instrument * PITCHES + pitch, NOTE_ROWS - 1)


class Prior(nn.Module):
    """`kits`: those of the model, whose own drums follow the programs and the standard kit in the
    table of instruments."""

    def __init__(self, width, blocks, note_width, kits=()):
        super().__init__()
        self.kits = Kits(tuple((program, tuple(keys)) for program, keys in kits))
        instruments = DRUMS + KEYS + len(self.kits.drums())
        inputs = INSTRUMENT_WIDTH + KEY_WIDTH + note_width + FEATURES
        self.instruments = nn.Parameter(torch.randn(instruments, INSTRUMENT_WIDTH))
        keys = np.exp(
            -0.5 * ((np.arange(KEYS)[:, None] - np.linspace(12, 116, KEY_WIDTH)) / 3) ** 2
        )
        self.keys = nn.Parameter(torch.from_numpy(keys.astype(np.float32)))
        self.notes = nn.Parameter(torch.zeros(NOTE_ROWS, note_width))
        self.input = nn.Parameter(torch.randn(inputs, width) * inputs ** -0.5)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.Parameter(torch.ones(width))
        self.output = nn.Parameter(torch.randn(width, 2 * mel.BINS) * 0.3 * width ** -0.5)
        self.bias = nn.Parameter(torch.tensor([-2.0, -5.0]).repeat_interleave(mel.BINS))
        # The correction of each instrument in nats, which training this network cannot find:
        # `colour` measures it in the sound of the program.
        self.register_buffer("colour", torch.zeros(instruments, 2 * mel.BINS))
        self.register_buffer("profiles", torch.from_numpy(excitation.tables()[1]), persistent=False)

    def forward(self, instrument, key, features):
        """instrument and key int64 [n], features [n, FEATURES] -> mel power [n, 128] of each
        note"""
        of_note = self.notes[note_row(instrument, key)]
        x = torch.cat([self.instruments[instrument], self.keys[key], of_note, features], -1)
        x = x @ self.input
        for block in self.blocks:
            x = block(x)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm
        gains = x @ self.output + self.bias + self.colour[instrument]
        tone, noise = gains.clamp(-16, 8).chunk(2, -1)
        return (self.profiles[key] * tone.exp()) ** 2 + (2 * noise).exp()

    def adapted(self, weights):
        """Weights with the kits of the bundled model, for this one. Drums that only it has begin as
        those of the standard kit."""
        known = bundled.kits()
        drums = known.drums()
        of = [known.number(*drum) if drum in drums else drum[1] for drum in self.kits.drums()]
        rows = [*range(DRUMS + KEYS), *(DRUMS + number for number in of)]
        return {k: w[rows] if k in ("instruments", "colour") else w for k, w in weights.items()}


def log_mel_of(power):
    """Mel power [.., 128] -> natural-log mel with the front end's floor."""
    return 0.5 * torch.log(power + FLOOR ** 2)


def stride(frame, since, stagger):
    """The number of frames from the knot at `frame`, `since` seconds after its note was pressed or
    released, to the next knot.

    A note changes ever more slowly, and the features are spaced over the logarithm of time, so a
    quarter of the elapsed time is short enough.
    """
    grid, until = 1, DENSE_S
    while grid < FURTHEST and since >= until:
        grid, until = 2 * grid, 2 * until
    return grid - (frame + stagger) % grid


def knots(since, first, end, stagger):
    """Where the network is evaluated for the frames first..end, `since(frame)` seconds after a
    change: -> knots int64 [k], and for each frame the index of the knot before it and its position
    on the way to the next, 0..1."""
    at, before, share = [first], [], []
    while at[-1] < end:
        step = stride(at[-1], since(at[-1]), stagger)
        inside = min(step, end - at[-1])
        before += [len(at) - 1] * inside
        share += [i / step for i in range(inside)]
        at.append(at[-1] + step)
    return np.array(at), np.array(before, int), np.array(share)


def asked(notes, frames, kits=NONE):
    """The inputs of the network for notes [n, 6] as `kits` plays them, and how each frame is made
    of its outputs.

    -> rows (instrument, key, velocity, age, release, each [r]), parts (frame, row, weight, age of
    the note in this frame, each [p]). A frame includes the notes pressed before its end, as in the
    live stream. A note ends 2.5 s after its release and a drum 3 s after its stroke. Over the last
    1.4 s of that its amplitude falls to 0 by the cube of the time left, that of a drum by the
    square.
    """
    rows, parts, count = [], [], 0
    centre = lambda frame: (np.asarray(frame) + 1) * mel.HOP / mel.RATE
    for n in notes:
        drum = bool(n[DRUM])
        instrument = DRUMS + kits.number(n[PROGRAM], n[KEY]) if drum else n[PROGRAM]
        over = n[START] + DRUM_S if drum else n[END] + TAIL
        first = int(n[START] * mel.RATE // mel.HOP)
        end = min(frames, int(over * mel.RATE / mel.HOP))
        released = end if drum else max(first, min(end, int(n[END] * mel.RATE // mel.HOP)))
        for start, stop, change in (first, released, n[START]), (released, end, n[END]):
            if stop <= start:
                continue
            at, before, share = knots(
                lambda frame: centre(frame) - change, start, stop, int(n[KEY])
            )
            release = centre(at) - n[END] if start == released else np.zeros(len(at))
            constant = (
                np.full(len(at), v)
                for v in (instrument, n[KEY], n[VELOCITY])
            )
            rows.append((*constant, centre(at) - n[START], release))
            frame = np.arange(start, stop)
            fade = np.clip((over - centre(frame)) / FADE_S, 0, 1) ** (4 if drum else 6)
            for row, weight in (before, (1 - share) * fade), (before + 1, share * fade):
                parts.append((frame, count + row, weight, centre(frame) - n[START]))
            count += len(at)
    return tuple(
        [np.concatenate(c) for c in zip(*x)] if x else [np.zeros(0)] * size
        for x, size in ((rows, 5), (parts, 4))
    )


def load(checkpoint):
    """The moving average of a training checkpoint, on the CPU."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = Prior(**saved["config"])
    # Older checkpoints have no colour.
    model.load_state_dict({"colour": model.colour, **saved["average"]})
    return model.eval()


@torch.no_grad()
def mix(model, notes, frames, lives):
    """notes [n, 6], a `life.LifeTable` -> three arrays [frames, 128]: the log mel of all notes
    together; the same struck, where a note that fills only a part of the window of a frame is as
    loud as if it filled the window, but not louder than in its first full frame; and the logarithm
    of the share of noise in the power."""
    rows, parts = asked(model.kits.played(notes), frames, model.kits)
    power, rise, noise = torch.zeros(3, frames, mel.BINS)

    def heard(instrument, key, velocity, age, release):
        index = lambda x: torch.from_numpy(x.astype(np.int64))
        return model(
            index(instrument), index(key), torch.from_numpy(features(velocity, age, release))
        )

    if len(rows[0]):
        answers = heard(*rows)
        share_of_noise = noise_of(lives, *rows[:2], model.kits)
        frame, row, weight, age = parts
        at, of = torch.from_numpy(frame.astype(np.int64)), torch.from_numpy(row.astype(np.int64))
        weighed = answers[of] * torch.from_numpy(weight.astype(np.float32))[:, None]
        power.index_add_(0, at, weighed)
        noise.index_add_(0, at, weighed * torch.from_numpy(share_of_noise)[of])
        young = (age < ATTACK_S) & (weight > 0)
        if young.any():
            instrument, key, velocity, _, release = (c[row[young]] for c in rows)
            whole = heard(instrument, key, velocity, np.full_like(age[young], ATTACK_S), release)
            # The position in the Hann window. The note sounds in the share `coverage` of its
            # weight.
            turn = age[young] / (2 * ATTACK_S)
            coverage = 0.5 + turn + np.sin(2 * np.pi * turn) / (2 * np.pi)
            young = torch.from_numpy(young)
            part = answers[of[young]]
            scaled = part * torch.from_numpy((coverage ** -2).astype(np.float32))[:, None]
            rise.index_add_(0, at[young], (torch.minimum(whole, scaled) - part).clamp(min=0))
    share = torch.log((noise + FLOOR ** 2) / (power + FLOOR ** 2))
    share = share.clamp(min=float(np.log(life.LEAST_NOISE)))
    return log_mel_of(power), log_mel_of(power + rise), share


def noise_of(lives, instruments, keys, kits=NONE):
    """Instruments, in the numbering of the note prior, and keys [n] -> the share of noise in the
    power of each band, float32 [n, 128]."""
    drum = instruments >= DRUMS
    shares = lives.noise(np.where(drum, 0, instruments), keys)
    numbers, which = np.unique(instruments[drum].astype(int) - DRUMS, return_inverse=True)
    of_drums = np.array([drum_tones.noise(*kits.drum(number)) for number in numbers])
    if len(numbers):
        shares[drum] = of_drums.repeat(mel.BINS // life.NOISE_BANDS, 1)[which]
    return shares.astype(np.float32)


def _add_prior(job):
    path, checkpoint, lives = job
    torch.set_num_threads(1)
    model, shard = load(checkpoint), np.load(path)
    clips = np.split(shard["notes"], np.cumsum(shard["counts"])[:-1])
    mels = []
    for notes in clips:
        *both, share = mix(model, notes, shard["mel"].shape[1], lives)
        mels.append(np.concatenate([mel.scale(torch.stack(both).numpy()), share.numpy()[None]]))
    mels = np.stack(mels)
    np.save(prior_path(path), mels.astype(np.float16))
    return np.abs(mels[:, 0] - shard["mel"]).mean() * (mel.LOG_MAX - mel.LOG_MIN) / 2


def add_priors(directory, checkpoint, lives, workers=None):
    """Writes the predictions of a trained note prior and a table of lives for every clip beside its
    shard, float16 [c, 3, frames, 128]: the mel plain and struck, scaled, and the log share of
    noise; prints progress."""
    start, lives = time.time(), life.LifeTable(lives)
    jobs = [
        (p, checkpoint, lives)
        for p in sorted(Path(directory).glob("????????.npz"))
        if not prior_path(p).exists()
    ]
    with get_context("spawn").Pool(max(1, min(len(jobs), workers or os.cpu_count()))) as pool:
        for done, error in enumerate(pool.imap_unordered(_add_prior, jobs), 1):
            left = (len(jobs) - done) * (time.time() - start) / done
            print(
                f"prior: {done}/{len(jobs)} shards, {error:.3f} nats from the truth, "
                f"{left / 60:.1f} min left",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Writes the mels of a trained note prior beside the shards of a data set."
    )
    parser.add_argument("data")
    parser.add_argument("checkpoint")
    parser.add_argument("life", help="the file that `measure_life` wrote")
    a = parser.parse_args()
    add_priors(a.data, a.checkpoint, a.life)
