"""The rendered sounds and measured figures. They are stored in work/listen, or in a folder of its
own there for a reference other than FluidR3, and made if they are missing.

    midi/KIND/NAME.mid           kinds: notes, sides (the same in stereo), pieces, repeats
    sounds/KIND/SYSTEM/NAME.flac
    figures/STEP/SYSTEM/NAME.json

The folders of the program have a mark of its build and model.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

from .. import midi
from . import closeness, held, pieces, render, sound, tagger
from .render import CODED, REFERENCE, SMALL, SOUNDFONTS
from .tagger import WORK

OURS, BUNDLED = "timbred", "the bundled model"
# Each measurement: its function, the files that are rendered for it, and whether the reference and
# the coded sound are measured, too.
STEPS = {
    "notes": (held.of_file, "notes", True, True),
    "sides": (held.sides_of_file, "sides", True, False),
    "windows": (tagger.of_file, "pieces", True, True),
    "pieces": (closeness.piece, "pieces", False, True),
    "visqol": (closeness.visqol, "pieces", False, True),
    "repeats": (closeness.repetition, "repeats", False, True),
}


def say(text):
    print(f"listen: {text}", file=sys.stderr, flush=True)


def all_of(pool, function, jobs):
    """Waits until all jobs are done. The first one that fails ends the run."""
    waiting = [pool.submit(function, *job) for job in jobs]
    try:
        for job in waiting:
            job.result()
    finally:
        for job in waiting:
            job.cancel()


def mark_of(program, model):
    """The mark that identifies a build and its model."""
    files = sorted(f for f in Path(model).glob("*") if f.is_file()) if model else []
    digest = hashlib.sha256(str(model).encode() if model and not files else b"")
    for path in [Path(program), *files]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class Kept:
    """The paths of all files, and the systems that play."""

    def __init__(self, program, model, soundfont=None):
        """With a soundfont, that is the reference, and the bundled model is measured beside the
        model. Otherwise FluidR3 is the reference, and a small soundfont is measured, too."""
        self.program, self.models, self.work = program, {OURS: model}, WORK
        self.fonts = {name: render.FONTS / file for name, file in SOUNDFONTS.items()}
        self.systems = (REFERENCE, OURS, SMALL, CODED)
        if soundfont:
            mark = hashlib.sha256(Path(soundfont).read_bytes()).hexdigest()[:12]
            self.work = WORK / f"{Path(soundfont).stem}-{mark}"
            self.fonts[REFERENCE], self.models[BUNDLED] = Path(soundfont), None
            self.systems = (REFERENCE, OURS, BUNDLED, CODED)
        self.folders = {s: s.replace(" ", "-").replace("/", "-") for s in self.systems}
        for system, model in self.models.items():
            self.folders[system] = f"{OURS}-{mark_of(program, model)}"

    def heard(self, step):
        """The systems that are measured in a step."""
        _, _, reference, coded = STEPS[step]
        left_out = {REFERENCE: not reference, CODED: not coded}
        return [s for s in self.systems if not left_out.get(s)]

    def put(self, kind, piece):
        """Writes a MIDI file. If it replaces a different one of its name, everything that was made
        from that is removed."""
        path = self.work / "midi" / kind / f"{piece.name}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "x.mid"
            midi.write(made, piece.notes, piece.end_s + pieces.TAIL_S)
            if not path.exists() or path.read_bytes() != made.read_bytes():
                for stale in self.work.glob(f"[!m]*/*/*/{piece.name}.*"):
                    stale.unlink()
                path.write_bytes(made.read_bytes())
        return path

    def sound(self, kind, system, name):
        return self.work / "sounds" / kind / self.folders[system] / f"{name}.flac"

    def figure(self, step, system, name):
        return self.work / "figures" / step / self.folders[system] / f"{name}.json"

    def forget_earlier_sound(self):
        for folder in (self.work / "sounds").glob(f"*/{OURS}-*"):
            if folder.name not in self.folders.values():
                shutil.rmtree(folder)

    def play(self, pool, kind, midis, system):
        missing = [m for m in midis if not self.sound(kind, system, m.stem).exists()]
        if not missing:
            return
        say(f"{system} plays what is missing of {kind}: {len(missing)}")
        target = lambda m: self.sound(kind, system, m.stem)
        if system in self.models:
            model = self.models[system]
            played = render.ours(missing, self.program, model, sides=kind == "sides")
            for m, audio in played:
                sound.write(target(m), audio)
        elif system == CODED:
            jobs = [(self.sound(kind, REFERENCE, m.stem), target(m)) for m in missing]
            all_of(pool, _code, jobs)
        else:
            jobs = [(m, self.fonts[system], kind == "sides", target(m)) for m in missing]
            all_of(pool, _play, jobs)

    def measure(self, pool, step, names, system):
        """NAME: the measured result"""
        function, kind, *_ = STEPS[step]
        targets = {name: self.figure(step, system, name) for name in names}
        jobs = [
            (function, name, *(self.sound(kind, s, name) for s in (system, REFERENCE)), target)
            for name, target in targets.items()
            if not target.exists()
        ]
        if jobs:
            say(f"{system} is measured, {step}: {len(jobs)}")
            all_of(pool, _measure, jobs)
        return {name: json.loads(target.read_text()) for name, target in targets.items()}


def _play(path, font, sides, target):
    audio = render.soundfont(path, font)
    sound.write(target, audio if sides else audio.mean(1))


def _code(source, target):
    sound.write(target, render.opus(sound.read(source)))


def _measure(function, name, path, reference, target):
    found = function(name, path, reference)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(found))
    part.rename(target)
