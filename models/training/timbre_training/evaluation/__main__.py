"""`make evaluate`: measures a model as `timbred` plays it against FluidSynth playing the same
notes, and writes it into the model card.

The whole set with `--listening` writes evaluation.json, the tables of the card, spectrograms.png
and the classes of instruments in the manifest; a part of it (`--clips`, `--quick`) only prints. In
both cases the sound files are in work/evaluation/sounds.
"""
import argparse
import json
import math
import re
from pathlib import Path

from . import card, measure, pictures
from . import pieces as sets
from .program import Timbred

BUNDLE = Path(__file__).resolve().parents[3] / "bundled" / "live"
PICTURES = ("clip-03", "mozart-k156-movement3-string-ensemble", "drums-kit")


def rounded(x):
    """Rounds numbers to four digits, also inside dicts and lists."""
    if isinstance(x, dict):
        return {str(k): rounded(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [rounded(v) for v in x]
    return float(f"{x:.4g}") if isinstance(x, float) else x


def write_card(folder, text):
    """Replaces the text between the two marks of the card."""
    path = folder / "README.md"
    head, rest = path.read_text().split("<!-- evaluation -->\n", 1)
    path.write_text(
        head + "<!-- evaluation -->\n" + text + "\n<!-- end -->\n"
        + rest.split("<!-- end -->\n", 1)[1]
    )


def write_instruments(folder, found):
    """Replaces the classes of the programs in `[instruments]` of the manifest."""
    path = folder / "manifest.toml"
    kept = re.sub(r"\[instruments\]\n(?:(?!\[).*\n?)*", "", path.read_text()).rstrip("\n")
    lines = [f"{name} = {json.dumps(programs)}" for name, programs in found.items()]
    path.write_text(kept + "\n\n[instruments]\n" + "\n".join(lines) + "\n")


def main():
    p = argparse.ArgumentParser(prog="timbre_training.evaluation", description=__doc__)
    p.add_argument("--timbred", required=True, help="the program under test")
    p.add_argument(
        "--model",
        help="folder of another bundle than the one in the program; its card is left alone",
    )
    p.add_argument(
        "--clips", type=int, default=sets.CLIPS,
        help="procedural clips; the rest of the set shrinks with them",
    )
    p.add_argument(
        "--steps", help="denoising steps K [default: the model's]; the card is left alone"
    )
    p.add_argument(
        "--quick", action="store_true",
        help="song mode and H = 2 alone, no phrases of all programs; only prints",
    )
    p.add_argument("--json", type=Path, help="also write the figures here")
    p.add_argument(
        "--listening", type=Path,
        help="what `timbre_training.listening --json` wrote: goes into the card as it is",
    )
    a = p.parse_args()
    part = min(1.0, a.clips / sets.CLIPS)
    some = lambda n: max(1, math.ceil(part * n))
    extra = (["--model", a.model] if a.model else []) + (["--steps", a.steps] if a.steps else [])
    timbred = Timbred(a.timbred, extra)
    groups = {
        "clips": sets.clips(a.clips), "scores": sets.real(some(12)), "drums": sets.drums(some(6)),
    }
    programs = sets.PROGRAMS[:: round(1 / part)] if part < 1 else sets.PROGRAMS
    modes = (measure.SONG, measure.LIVE) if a.quick else tuple(measure.MODES)
    progress = measure.Progress(2 + 2 * len(modes) + 1 + 1 + 2 + 1 + (not a.quick))
    result = {"steps": a.steps, "count": {name: len(g) for name, g in groups.items()}}
    result["model_bytes"] = sum(f.stat().st_size for f in Path(a.model or BUNDLE).glob("*.onnx"))
    result["modes"], kept = measure.whole_pieces(timbred, groups, progress, modes)
    result["upper_band"] = measure.upper_band(timbred, groups, measure.LIVE, progress)
    result["single_notes"] = measure.summary(
        measure.scales(timbred, programs, measure.LIVE, progress), measure.kit_onsets(kept)
    )
    result["decays"] = measure.decays(timbred, programs, measure.LIVE, progress)
    result["instruments"] = {} if a.quick else measure.phrases(timbred, measure.LIVE, progress)
    result = rounded(result)
    if a.listening:
        result["listening"] = json.loads(a.listening.read_text())
    progress("done")
    print(f"sound files: {measure.write_sounds(kept)}")
    text = card.markdown(result)
    print(text)
    if a.json:
        a.json.write_text(json.dumps(result, indent=1) + "\n")
    if part == 1 and a.listening and not (a.quick or a.model or a.steps):
        (BUNDLE / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n")
        pictures.side_by_side(
            BUNDLE / "spectrograms.png", [(name, *kept[name]) for name in PICTURES]
        )
        write_card(BUNDLE, text)
        write_instruments(BUNDLE, card.classes(result["instruments"]))


if __name__ == "__main__":
    main()
