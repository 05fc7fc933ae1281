"""Turns checkpoints into weights with their published names and a manifest, which `timbred pack`
makes into a bundle.

Writes DIR/denoiser.npz, DIR/prior.npz, DIR/vocoder.npz, DIR/attacks.npz, DIR/life.npz and
DIR/manifest.toml. The moving averages are exported. The graphs themselves are built by `timbred
pack` (models/src/graph), the same code that builds those of an imported checkpoint.
"""

import argparse
import datetime
import json
from pathlib import Path

import numpy as np
import torch

from . import mel
from .examples import RESIDUAL_NATS, VELOCITY_BINS
from .network import flax_parameters
from .prior import PITCHES
from .tokens import Vocabulary


def manifest(name, described, network, prior, vocoder, song_steps, live_steps, live_hop):
    """The manifest as TOML without the list of files, which `timbred pack` adds."""
    sizes = "\n".join(f"{k} = {str(v).lower()}" for k, v in network.items())
    prior_sizes = "\n".join(f"{k} = {v}" for k, v in prior.items() if k != "kits")
    kits = "".join(
        f"\n[[kits]]\nprogram = {program}\nkeys = {list(keys)}\n"
        for program, keys in prior.get("kits", ())
    )
    return f"""format = 1
name = {json.dumps(name)}
version = "{datetime.date.today():%Y.%m.%d}"
description = {json.dumps(described["description"])}
license = {json.dumps(described["license"])}

[mel]
sample_rate_hz = {mel.RATE}
hop_samples = {mel.HOP}
bins = {mel.BINS}
range = {{ min = {mel.LOG_MIN!r}, max = {mel.LOG_MAX!r} }}

[tokens]
velocity_bins = {VELOCITY_BINS}
max_tokens = {network["max_tokens"] - 1}
rounding = "floor"
held = "key_velocity_age"
program_map = "none"

[network]
{sizes}

[sampling]
prediction = "v"
sampler = "ddim"
spacing = "trailing"
guidance = 1.0
clip_x0 = true

[song]
hop_frames = {live_hop}
steps = {song_steps}

[live]
hop_frames = {live_hop}
steps = {live_steps}
min_hop_frames = 1
max_hop_frames = 16

[prior]
{prior_sizes}
residual_nats = {RESIDUAL_NATS}

[vocoder]
width = {vocoder["width"]}
blocks = {vocoder["blocks"]}
upper_band = true
{kits}"""


def play_instead(denoiser, prior, instead):
    """Copies the sound of one program to another, for pairs (program, program that replaces it)."""
    tokens = denoiser["token_encoder.token_embedder.embedding"]
    first = Vocabulary(VELOCITY_BINS).program
    for program, other in instead:
        prior["instruments"][program] = prior["instruments"][other]
        mine, its = (slice(p * PITCHES, (p + 1) * PITCHES) for p in (program, other))
        prior["notes"][mine] = prior["notes"][its]
        tokens[first + program] = tokens[first + other]


def export(
    denoiser, prior, vocoder, attacks, life, directory, name="live", song_steps=1, live_steps=0,
    live_hop=1, instead=(), **described,
):
    """Paths of the three checkpoints and of the tables of attacks and lives -> the six files in
    `directory`. `described` is the text of the manifest about the origin of the model."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    d, r, v = (
        torch.load(p, map_location="cpu", weights_only=True) for p in (denoiser, prior, vocoder)
    )
    play_instead(d["average"], r["average"], instead)
    np.savez(directory / "denoiser.npz", **flax_parameters(d["average"]))
    for file, saved in (("prior", r), ("vocoder", v)):
        np.savez(
            directory / f"{file}.npz", **{k: w.float().numpy() for k, w in saved["average"].items()}
        )
    np.savez(directory / "attacks.npz", table=np.load(attacks).astype(np.float32))
    with np.load(life) as table:
        np.savez(
            directory / "life.npz",
            **{name: table[name].astype(np.float32) for name in ("zone", "facts", "values")},
        )
    description = f"General MIDI instruments with velocity; trained for {d['step']} steps"
    described = {"description": description, "license": "MIT OR Apache-2.0"} | described
    text = manifest(
        name, described, d["config"], r["config"], v["config"], song_steps, live_steps, live_hop
    )
    (directory / "manifest.toml").write_text(text)
    print(
        f"{directory}: denoiser after {d['step']} steps, note prior after {r['step']}, "
        f"vocoder after {v['step']} steps; next: timbred pack {directory}"
    )


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("denoiser")
    p.add_argument("prior")
    p.add_argument("vocoder")
    p.add_argument("attacks", help="the file that `attacks` wrote")
    p.add_argument("life", help="the file that `measure_life` wrote")
    p.add_argument("directory")
    p.add_argument("--name", default="live")
    p.add_argument("--song-steps", type=int, default=1)
    p.add_argument("--live-steps", type=int, default=0)
    p.add_argument("--live-hop", type=int, default=1, help="frames of 20 ms")
    a = p.parse_args()
    export(
        a.denoiser,
        a.prior,
        a.vocoder,
        a.attacks,
        a.life,
        a.directory,
        a.name,
        a.song_steps,
        a.live_steps,
        a.live_hop,
    )


if __name__ == "__main__":
    main()
