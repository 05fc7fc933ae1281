"""Makes a pipeline of random weights, saves it with diffusers, and writes the output of diffusers
for it.

    python make_reference.py OUT --size tiny|small|base [--seed N] [--steps K] [--melgan FOLDER]

Needs the packages in requirements.txt, which nothing else here needs. OUT/bin and OUT/safetensors
are written by `save_pretrained` without and with `safe_serialization`. OUT/vectors.npz has `steps`
and, for segment n, `ids_n` [N], and [frames, 128] `noise_n`, `log_mel_n`, and `free_mel_n`, where
frames are not clipped to [-1, 1] at each step: with random networks most values are at the limits,
which would hide small differences.

The vectors come from the pipeline's own `__call__`, with the first segment as the context of the
second. Its scheduler is the DDIM scheduler that diffusers makes of the pipeline's own
configuration; eps is computed again from the clipped frame (`use_clipped_model_output`), as in the
original code. The noise is given and not drawn.
"""
import argparse
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, T5FilmDecoder

# The modules are imported one by one, because the package needs note-seq, which only its MIDI
# reader uses.
PACKAGE = "diffusers.pipelines.deprecated.spectrogram_diffusion"
pipeline = import_module(f"{PACKAGE}.pipeline_spectrogram_diffusion")
SpectrogramNotesEncoder = import_module(f"{PACKAGE}.notes_encoder").SpectrogramNotesEncoder
SpectrogramContEncoder = import_module(f"{PACKAGE}.continuous_encoder").SpectrogramContEncoder

VOCABULARY = 1536
BINS = 128
# d_model, layers, heads, d_kv, d_ff, tokens, frames
SIZES = {
    "tiny": (16, 2, 3, 4, 24, 96, 48),
    "small": (512, 8, 6, 64, 1024, 2048, 256),
    "base": (768, 12, 12, 64, 2048, 2048, 256),
}
SEGMENTS = 2


def random_pipeline(size, seed, melgan):
    """The three networks with the random weights of diffusers, and with norms that are not all
    ones."""
    torch.manual_seed(seed)
    d_model, layers, heads, d_kv, d_ff, tokens, frames = size
    shared = {"d_model": d_model, "num_layers": layers, "num_heads": heads, "d_kv": d_kv}
    shared |= {"d_ff": d_ff, "dropout_rate": 0.1}
    encoder = dict(shared, feed_forward_proj="gated-gelu")
    notes = SpectrogramNotesEncoder(max_length=tokens, vocab_size=VOCABULARY, **encoder)
    past = SpectrogramContEncoder(input_dims=BINS, targets_context_length=frames, **encoder)
    time = {"max_decoder_noise_time": 20000.0}
    decoder = T5FilmDecoder(input_dims=BINS, targets_length=frames, **time, **shared)
    for network in (notes, past, decoder):
        for name, weights in network.named_parameters():
            if name.endswith("layer_norm.weight") or name == "decoder_norm.weight":
                weights.data += 0.2 * torch.randn_like(weights)
        network.eval()
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="fixed_large")
    return pipeline.SpectrogramDiffusionPipeline(notes, past, decoder, scheduler, melgan)


def segment_ids(n, most):
    """Chords of three every 160 ms; in later segments three keys are still held. -> ids"""
    shift, pitch, velocity, tie, program = 3, 1004, 1132, 1134, 1135
    held = [program] + [pitch + key for key in (48, 55, 64)] if n else []
    ids = held + [tie]
    for i in range(min(31, (most - 8) // 11)):
        keys = [40 + (7 * i + 5 * voice) % 50 for voice in range(3)]
        ids += [shift + 16 * i] * (i > 0) + [program] * (i == 0 and not n)
        ids += [velocity + 1] + [pitch + key for key in keys]
        ids += [shift + 16 * i + 12, velocity] + [pitch + key for key in keys]
    return ids + [1]


def played(pipe, ids, noise, steps, **options):
    """The log mel that the pipeline makes from given noise. -> [segments, frames, 128]"""
    given = iter(noise)
    pipeline.TARGET_FEATURE_LENGTH = len(noise[0])
    pipeline.randn_tensor = lambda shape, **_: torch.from_numpy(next(given)).reshape(shape)
    published = pipe.scheduler
    pipe.scheduler = DDIMScheduler.from_config(published.config, **options)
    pipe.scheduler.step = partial(pipe.scheduler.step, use_clipped_model_output=True)
    mel = pipe(ids, num_inference_steps=steps, output_type="mel").audios
    pipe.scheduler = published
    return mel.reshape(len(noise), -1, BINS).astype(np.float32)


def vectors(pipe, size, steps, seed):
    """-> arrays by name"""
    draw = np.random.default_rng(seed)
    most, frames = size[-2:]
    # Rounded to float16, so that the file is small.
    noise = [draw.standard_normal((frames, BINS)).astype(np.float16) for _ in range(SEGMENTS)]
    noise = [one.astype(np.float32) for one in noise]
    ids = [segment_ids(n, most) for n in range(SEGMENTS)]
    padded = [one + [0] * (most - len(one)) for one in ids]
    clipped = played(pipe, padded, noise, steps)
    free = played(pipe, padded, noise, steps, clip_sample=False)
    out = {"steps": np.int64(steps)}
    for n in range(SEGMENTS):
        out |= {f"ids_{n}": np.array(ids[n], np.int64), f"noise_{n}": noise[n]}
        out |= {f"log_mel_{n}": clipped[n], f"free_mel_{n}": free[n]}
    return out


def main():
    help_form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=help_form)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SIZES, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--melgan", type=Path, help="folder of a model.onnx to save with it")
    args = parser.parse_args()
    melgan = None
    if args.melgan:
        from diffusers import OnnxRuntimeModel

        melgan = OnnxRuntimeModel.from_pretrained(str(args.melgan))
    size = SIZES[args.size]
    pipe = random_pipeline(size, args.seed, melgan)
    for folder, is_safe in (("bin", False), ("safetensors", True)):
        pipe.save_pretrained(args.out / folder, safe_serialization=is_safe)
    np.savez_compressed(args.out / "vectors.npz", **vectors(pipe, size, args.steps, args.seed))


if __name__ == "__main__":
    main()
