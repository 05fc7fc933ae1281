"""Measures a model as `timbred` plays it against FluidSynth playing the same notes. Writes evaluation.json and the card's tables.

Clips have seeds that training never sees (90000000 and up). Every figure is of the program's own output: mels from
`timbred render x.mid x.npy`, sound from `x.wav` at 16 kHz. Log-mel L1 is in nats over all frames and bands, floor 1e-5.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from . import mel, midi, music
from .notes import END, as_array
from .synth import Reference

CARD = Path(__file__).resolve().parents[2] / "bundled" / "live" / "README.md"
FIRST_SEED, SECONDS, SILENCE_AFTER_S = 90_000_000, 12.0, 2.0
MODES = {"song": [], "live, H = 2": ["--live", "--hop-ms", "40"], "live, H = 1": ["--live", "--hop-ms", "20"]}
VELOCITIES = (20, 40, 60, 80, 100, 120)


class Timbred:
    """Renders notes with the program under test."""

    def __init__(self, program, extra, folder):
        self.program, self.extra, self.folder = program, extra, Path(folder)

    def _run(self, notes, name, arguments):
        source, out = self.folder / "clip.mid", self.folder / name
        midi.write(source, notes)
        subprocess.run([self.program, "render", source, out, "--quiet", *self.extra, *arguments], check=True)
        return out

    def mel(self, notes, arguments):
        """-> log-mel [frames, 128], before the vocoder"""
        return np.load(self._run(notes, "clip.npy", ["--tail", "4", *arguments]))

    def sound(self, notes, arguments):
        """-> float32 samples at 16 kHz"""
        path = self._run(notes, "clip.wav", ["--tail", "4", "--rate", "16000", "--format", "32f", *arguments])
        return wavfile.read(path)[1].astype(np.float32)


def distance(ours, truth):
    """Mean absolute difference of two log-mels [frames, 128] over their common frames, nats."""
    n = min(len(ours), len(truth))
    return float(np.abs(ours[:n] - truth[:n]).mean())


def db(x):
    return float(20 * np.log10(max(float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))), 1e-9)))


def clips(timbred, reference, count):
    """Per mode: log-mel L1 before and after the vocoder, level error, and the loudest silence after the end."""
    rows = {mode: {"mel": [], "sound": [], "level": [], "silence": []} for mode in MODES}
    for i in range(count):
        notes = music.clip(FIRST_SEED + i, SECONDS)
        end = notes[:, END].max()
        audio = reference.render(notes, end + 4)
        truth = mel.log_mel(audio)
        for mode, arguments in MODES.items():
            sound, row = timbred.sound(notes, arguments), rows[mode]
            row["mel"].append(distance(timbred.mel(notes, arguments), truth))
            row["sound"].append(distance(mel.log_mel(sound), truth))
            row["level"].append(db(sound[: int(end * 16000)]) - db(audio[: int(end * 16000)]))
            row["silence"].append(db(sound[int((end + SILENCE_AFTER_S) * 16000) :]))
        print(f"clip {i + 1}/{count}: " + ", ".join(f"{m} {r['mel'][-1]:.2f} -> {r['sound'][-1]:.2f}" for m, r in rows.items()), flush=True)
    return {mode: {"log_mel_l1": np.mean(r["mel"]), "after_vocoder": np.mean(r["sound"]), "level_db": np.mean(r["level"]),
                   "level_db_worst": max(r["level"], key=abs), "silence_dbfs_worst": max(r["silence"])} for mode, r in rows.items()}


def velocity(timbred, reference, arguments, programs=(0, 24, 40, 56, 73)):
    """Loudness of a one-second middle C by velocity, ours and the reference's, dBFS."""
    table = {}
    for program in programs:
        ours, theirs = [], []
        for v in VELOCITIES:
            notes = as_array([(0.5, 1.5, program, 60, v, 0)])
            ours.append(db(timbred.sound(notes, arguments)[8000:24000]))
            theirs.append(db(reference.render(notes, 2.0)[8000:24000]))
        table[program] = {"ours": ours, "reference": theirs, "monotonic": bool(np.all(np.diff(ours) > 0))}
    return table


def programs(timbred, reference, arguments):
    """Log-mel L1 of every program on the same short phrase: which are good, which are not."""
    table = {}
    for program in range(128):
        low = 36 if 32 <= program < 40 else 55
        rows = [(0.2 + 0.5 * i, 0.6 + 0.5 * i, program, low + k, 60 + 10 * i, 0) for i, k in enumerate((0, 4, 7, 12))]
        notes = as_array(rows)
        table[program] = distance(timbred.mel(notes, arguments)[:150], mel.log_mel(reference.render(notes, 3.0)))
    return table


def markdown(result):
    """The card's tables."""
    lines = ["| mode | log-mel L1 [nats] | after the vocoder | level [dB], mean / worst | 2 s after the last note-off, worst [dBFS] |",
             "| --- | --- | --- | --- | --- |"]
    for mode, r in result["clips"].items():
        lines.append(f"| {mode} | {r['log_mel_l1']:.2f} | {r['after_vocoder']:.2f} | {r['level_db']:+.1f} / {r['level_db_worst']:+.1f} | {r['silence_dbfs_worst']:.0f} |")
    lines += ["", "Loudness of a middle C of one second by velocity, live mode H = 2 (reference in brackets) [dBFS]:", "",
              "| program | " + " | ".join(map(str, VELOCITIES)) + " | rises |", "| --- |" + " --- |" * (len(VELOCITIES) + 1)]
    for program, t in result["velocity"].items():
        cells = " | ".join(f"{o:.0f} ({r:.0f})" for o, r in zip(t["ours"], t["reference"]))
        lines.append(f"| {program} | {cells} | {'yes' if t['monotonic'] else 'NO'} |")
    table = result["programs"]
    classes = {"good (below 1.0)": [], "fair (1.0 to 1.6)": [], "poor (above 1.6)": []}
    for p, value in table.items():
        classes[list(classes)[(value >= 1.0) + (value >= 1.6)]].append(str(p))
    lines += ["", "Programs (0 to 127) by log-mel L1 on a phrase of four notes, song mode, before the vocoder:", "", "| class | programs |", "| --- | --- |"]
    lines += [f"| {name} | {', '.join(found) or 'none'} |" for name, found in classes.items()]
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--timbred", required=True, help="the program under test")
    p.add_argument("--model", help="name or folder [default: the bundled one]")
    p.add_argument("--clips", type=int, default=16)
    p.add_argument("--steps", help="denoising steps K [default: the model's]")
    p.add_argument("--no-card", action="store_true", help="print only")
    a = p.parse_args()
    extra = (["--model", a.model] if a.model else []) + (["--steps", a.steps] if a.steps else [])
    with tempfile.TemporaryDirectory() as folder:
        timbred, reference = Timbred(a.timbred, extra, folder), Reference()
        result = {"clips": clips(timbred, reference, a.clips), "steps": a.steps}
        if not a.no_card:
            result["velocity"] = velocity(timbred, reference, MODES["live, H = 2"])
            result["programs"] = programs(timbred, reference, [])
    if a.no_card:
        return print(json.dumps(result, indent=1))
    tables = markdown(result)
    print(tables)
    (CARD.parent / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n")
    head, rest = CARD.read_text().split("<!-- evaluation -->\n", 1)
    CARD.write_text(head + "<!-- evaluation -->\n" + tables + "\n<!-- end -->\n" + rest.split("<!-- end -->\n", 1)[1])


if __name__ == "__main__":
    main()
