"""Runs a checkpoint of published size in torch, and writes vectors with which the Rust engine is
compared (tests/tests/full_size.rs).

    python -m timbre_training.published CHECKPOINT OUT.npz [--steps 4] [--tame]

CHECKPOINT is the unpacked folder with `checkpoint_STEP/target.*` (zarr), of small_with_context.
Random weights work, too. But if queries are drawn with the same variance as keys, unlike after any
training, attention is chaotic: float32 in torch is then 1 % off float64. `--tame` first divides
them, in the checkpoint itself, by the square root of the head dim. Two segments are made as
published: DDIM, guidance 2, with the first as the context of the second. OUT.npz has, for segment
n, `ids_n` [N], `noise_n` and `log_mel_n` [256, 128], and `steps`.
"""
import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import torch

from . import mel
from .diffusion import A, B
from .network import Config, Denoiser, load_flax
from .tokens import Vocabulary

GUIDANCE = 2.0
SEGMENTS = 2


def read_zarr(folder):
    """Reads a zarr array of one or more gzipped chunks -> float32 array."""
    about = json.loads((folder / ".zarray").read_text())
    shape, chunks = about["shape"], about["chunks"]
    array = np.empty(shape, about["dtype"])
    for place in np.ndindex(*[-(-s // c) for s, c in zip(shape, chunks)]):
        name = about.get("dimension_separator", ".").join(map(str, place))
        values = np.frombuffer(
            gzip.decompress((folder / name).read_bytes()), about["dtype"]
        ).reshape(chunks)
        array[tuple(slice(p * c, (p + 1) * c) for p, c in zip(place, chunks))] = values
    return array


def read_checkpoint(folder):
    """-> {published parameter name: array}"""
    places = sorted(Path(folder).glob("**/target.*/.zarray"))
    if not places:
        raise SystemExit(f"{folder}: no target.* arrays; wanted an unpacked T5X checkpoint")
    return {p.parent.name.removeprefix("target."): read_zarr(p.parent) for p in places}


def tame(folder):
    """Divides every query kernel by sqrt(head dim), in place. In all published sizes a chunk is a
    whole array."""
    for about in Path(folder).glob("**/target.*.query.kernel/.zarray"):
        array = read_zarr(about.parent) / np.float32(Config.small_with_context().head_dim ** 0.5)
        if json.loads(about.read_text())["chunks"] != list(array.shape):
            raise SystemExit(f"{about}: an array of several chunks")
        (about.parent / "0.0").write_bytes(gzip.compress(array.tobytes(), 1))


def segment_ids(n):
    """Chords of three every 160 ms; in later segments three keys are still held. -> ids [N]"""
    v = Vocabulary(1)
    held = [v.program] + [v.pitch + key for key in (48, 55, 64)] if n else []
    ids = held + [v.tie]
    for i in range(30):
        keys = [40 + (7 * i + 5 * voice) % 50 for voice in range(3)]
        ids += [v.shift + 16 * i] * (i > 0) + ([v.program] if i == 0 and not n else [])
        ids += [v.velocity + 1] + [v.pitch + key for key in keys]
        ids += [v.shift + 16 * i + 12, v.velocity] + [v.pitch + key for key in keys]
    return np.array(ids + [1], np.int64)


@torch.no_grad()
def denoise(model, ids, context, noise, steps):
    """DDIM as published, with float64 outside of the network. ids [N], context [C, 128] or None,
    noise [256, 128] -> x0 [256, 128]"""
    c = model.config
    frames = torch.zeros(1, c.context_frames, c.mel_bins)
    valid = torch.zeros(1, c.context_frames, dtype=torch.bool)
    if context is not None:
        frames[0, -len(context):], valid[0, -len(context):] = torch.as_tensor(context), True
    memory, mask = model.encode(torch.as_tensor(ids)[None], frames, valid)
    # With zeros as the only memory there is no cross-attention.
    nothing, seen = torch.zeros(1, 1, c.emb), torch.ones(1, 1, 1, 1, dtype=torch.bool)
    z = noise.astype(np.float64)
    for i in range(steps, 0, -1):
        t, s = i / steps, (i - 1) / steps
        alpha, sigma = np.cos(A * t + B), np.sin(A * t + B)
        alpha_s, sigma_s = np.cos(A * s + B), np.sin(A * s + B)
        at = torch.as_tensor(z, dtype=torch.float32)[None], torch.tensor([t], dtype=torch.float32)
        ask = lambda *heard: model(*at, *heard)[0].double().numpy()
        eps = GUIDANCE * ask(memory, mask) + (1 - GUIDANCE) * ask(nothing, seen)
        x0 = np.clip((z - sigma * eps) / alpha, -1, 1)
        z = x0 if i == 1 else alpha_s * x0 + sigma_s * (z - alpha * x0) / sigma
    return z.astype(np.float32)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument(
        "--tame", action="store_true", help="divide the checkpoint's query kernels first, in place"
    )
    args = parser.parse_args()
    if args.tame:
        tame(args.checkpoint)
    model = Denoiser(Config.small_with_context()).eval()
    load_flax(model, read_checkpoint(args.checkpoint))
    draw, context, out = np.random.default_rng(1), None, {"steps": np.int64(args.steps)}
    for n in range(SEGMENTS):
        ids, shape = segment_ids(n), (model.config.target_frames, model.config.mel_bins)
        noise = draw.standard_normal(shape).astype(np.float32)
        context = denoise(model, ids, context, noise, args.steps)
        out |= {
            f"ids_{n}": ids, f"noise_{n}": noise,
            f"log_mel_{n}": mel.unscale(context.astype(np.float64)).astype(np.float32),
        }
    np.savez(args.out, **out)


if __name__ == "__main__":
    main()
