"""The whole training in one command: data, note prior, denoiser, vocoder, bundle. It is resumable:
run it again and it continues, with more minutes for a longer time.

Without `--soundfont` the bundled model is trained further, with FluidR3 GM. With it, a model of
that soundfont (SF2 or SF3) is made from the bundled one, and instruments that are not learned stay
as they are there. `--minutes` is the time for everything.
"""

import argparse
import os
import re
import subprocess
from pathlib import Path

from . import (
    attacks,
    bundled,
    data,
    export,
    fed,
    instruments,
    measure_kits,
    measure_life,
    note_set,
    note_table,
    prior as prior_model,
    scores,
    train_denoiser,
    train_prior,
    train_vocoder,
)
from .network import Config
from .plan import Plan
from .training import pick_device

WORK = Path(__file__).resolve().parent.parent / "work"
# The stages and their shares of the time.
STAGES = {
    "tables": 0.06, "single notes": 0.08, "note prior": 0.45, "clips": 0.03, "mels of clips": 0.05,
    "denoiser": 0.04, "what the vocoder hears": 0.06, "vocoder": 0.22, "bundle": 0.01,
}  # fmt: skip
HOURS, NOTES = 2.0, 60_000  # of clips and single notes at most
HOURS_AN_HOUR = 2.4  # of clips for each hour of the time: more is not seen often enough


def name_of(soundfont):
    """The name of a model for a soundfont file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(soundfont).stem).strip("-.") or "learned"


def models_folder():
    """The folder in which timbred looks for models by name."""
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "timbred" / "models"


def drop_older(files, than):
    """Removes the files that are older than another file, from which they were made."""
    for path in files:
        if path.exists() and than.exists() and path.stat().st_mtime < than.stat().st_mtime:
            path.unlink()


def train(a, learned, plan, device):
    """Runs all stages but the bundle -> the paths that `export` needs."""
    work, clips = a.work, a.work / "clips"
    looks, beginnings, lives = (work / n for n in ("looks.npy", "attacks.npy", "life.npz"))
    prior, denoiser, vocoder = (work / f"{n}.pt" for n in ("prior", "denoiser", "vocoder"))
    if a.soundfont:
        kits = measure_kits.read_or_find(work / "kits.json", a.soundfont)
        learned = learned._replace(kits=kits if learned.drums else bundled.kits())
    with plan.stage("tables") as given:
        if given:
            for path, module in (looks, note_table), (beginnings, attacks), (lives, measure_life):
                if not path.exists():
                    module.build(path, instruments=learned)
    with plan.stage("single notes") as given:
        if given:
            note_set.build(work / "notes", NOTES, instruments=learned, seconds=given[1])
    with plan.stage("note prior") as given:
        if given:
            train_prior.train(
                work / "notes",
                looks,
                prior,
                given[0] / 60,
                prior_model.SIZES,
                (64 if a.soundfont else 128) * a.batch,
                2e-3,
                device,
                instruments=learned,
                other_font=bool(a.soundfont),
            )
    with plan.stage("clips") as given:
        if given:
            hours = min(HOURS, HOURS_AN_HOUR * plan.minutes / 60)
            data.build(
                clips,
                hours,
                first_seed=20_000_000,
                score_share=0.1,
                solo_share=0.45,
                instruments=learned,
                seconds=given[1],
            )
    with plan.stage("mels of clips") as given:
        if given:
            drop_older(map(data.prior_path, fed.shards(clips)), prior)
            prior_model.add_priors(clips, prior, lives)
    with plan.stage("denoiser") as given:
        if given:
            train_denoiser.train(
                clips, denoiser, given[0] / 60, Config(), a.batch, 1e-3, 0.0, device
            )
    with plan.stage("what the vocoder hears") as given:
        if given:
            for shard in fed.shards(clips):
                drop_older([fed.path_of(shard)], data.prior_path(shard))
            fed.build(clips, beginnings, lives, learned.kits)
    with plan.stage("vocoder") as given:
        if given:
            train_vocoder.train(
                fed.Fed(clips, device),
                vocoder,
                given[0] / 60,
                192,
                5,
                a.batch // 4,
                3e-4,
                device,
                adversarial=True,
                rival_width=32 if device.type == "cuda" else 8,
                warm_up=30 if a.soundfont else 300,
            )
    return denoiser, prior, vocoder, beginnings, lives


def checked(p, a):
    """Reports mistakes in the arguments before any work begins -> the instruments that are
    learned"""
    if not a.soundfont:
        if a.programs:
            p.error("--programs is for a soundfont of your own: name it by --soundfont")
        a.work, a.out = a.work or WORK, a.out or bundled.FOLDER
        return instruments.ALL
    a.name = name_of(a.out or a.soundfont.name)
    a.out = a.out or models_folder() / a.name
    a.work = a.work or WORK / "learned" / a.name
    if a.out.resolve() == bundled.FOLDER.resolve():
        p.error(f"{a.out}: is the bundled model, which learned from FluidR3; name another folder")
    manifest = a.out / "manifest.toml"
    ours = f"Learned from {a.soundfont.name}"
    if a.out.exists() and any(a.out.iterdir()):
        if not manifest.exists() or ours not in manifest.read_text():
            p.error(f"{a.out}: is there, and is no model of {a.soundfont.name}; name another --out")
    try:
        learned, said = instruments.choose(a.soundfont, instruments.wanted(a.programs))
    except ValueError as error:
        p.error(str(error))
    programs = instruments.spans(learned.programs) or "none"
    print(f"{a.soundfont}: learning programs {programs}{', and drums' * learned.drums}")
    for line in said:
        print(f"{a.soundfont}: {line}")
    os.environ["TIMBRE_SOUNDFONT"] = str(a.soundfont.resolve())
    return learned


def main():
    p = argparse.ArgumentParser(prog="timbre_training.run", description=__doc__)
    p.add_argument("--minutes", type=float, default=120, help="for everything")
    p.add_argument("--soundfont", type=Path, help="SF2 or SF3 to learn from")
    p.add_argument(
        "--programs",
        default="",
        help='what to learn of it, such as "0 24-31 drums" [default: all that it has]',
    )
    p.add_argument(
        "--out",
        type=Path,
        help="folder of the model [default: the soundfont's name, where timbred looks for models]",
    )
    p.add_argument("--timbred", required=True, type=Path, help="the program that packs the model")
    p.add_argument("--work", type=Path, help="folder of what is made on the way")
    p.add_argument(
        "--batch", type=int, help="examples the denoiser sees at once [default: 16, 128 on CUDA]"
    )
    p.add_argument("--device", help="cuda or cpu; by itself the one there is")
    a = p.parse_args()
    learned = checked(p, a)
    device = pick_device(a.device)
    a.batch = a.batch or (128 if device.type == "cuda" else 16)
    a.work.mkdir(parents=True, exist_ok=True)
    font = a.soundfont and str(a.soundfont.resolve())
    asked = {"soundfont": font or "FluidR3", "programs": a.programs or "all"}
    plan = Plan(a.work / "plan.json", STAGES, a.minutes, asked)
    if not (a.soundfont or scores.available()):
        scores.collect()
    paths = train(a, learned, plan, device)
    with plan.stage("bundle"):
        described = {}
        if a.soundfont:
            programs = f"programs {instruments.spans(learned.programs)}"
            described = {
                "name": a.name,
                "instead": learned.instead,
                "description": f"Learned from {a.soundfont.name}, {programs}"
                f"{', and drums' * learned.drums}, in {plan.minutes:g} minutes",
                "license": f"as that of {a.soundfont.name} allows",
            }
        export.export(*paths, a.work / "export", **described)
        command = [a.timbred, "pack", a.work / "export", "--out", a.out]
        if (status := subprocess.run(command).returncode) != 0:
            raise SystemExit(f"timbred pack ended with status {status}")
    print(f"Done. Play it: timbred --model {a.out}")


if __name__ == "__main__":
    main()
