"""Measures a model as `timbred` plays it against FluidSynth playing the same notes. Writes evaluation.json and the card's tables.

Clips have seeds that training never sees (90000000 and up). Every figure is of the program's own output: mels from
`timbred render --mel`, sound from `timbred render` at 16 kHz. Log-mel L1 is in nats over all frames and bands, floor 1e-5.
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
    """Renders notes with the program under test, many pieces in one call: loading the model costs more than playing it."""

    def __init__(self, program, extra):
        self.program, self.extra = program, extra

    def _run(self, pieces, ending, read, arguments):
        with tempfile.TemporaryDirectory() as folder:
            sources = [Path(folder) / f"{i:04}.mid" for i in range(len(pieces))]
            for source, notes in zip(sources, pieces):
                midi.write(source, notes)
            subprocess.run([self.program, "render", *sources, "--quiet", "--tail", "4", *self.extra, *arguments], check=True)
            return [read(source.with_suffix(ending)) for source in sources]

    def mels(self, pieces, arguments):
        """-> the log-mel [frames, 128] of each, before the vocoder"""
        return self._run(pieces, ".npy", np.load, ["--mel", *arguments])

    def sounds(self, pieces, arguments):
        """-> float32 samples at 16 kHz of each"""
        read = lambda path: wavfile.read(path)[1].astype(np.float32)
        return self._run(pieces, ".wav", read, ["--rate", "16000", "--format", "32f", *arguments])


def distance(ours, truth):
    """Mean absolute difference of two log-mels [frames, 128] over their common frames, nats."""
    n = min(len(ours), len(truth))
    return float(np.abs(ours[:n] - truth[:n]).mean())


def db(x):
    return float(20 * np.log10(max(float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))), 1e-9)))


def clips(timbred, reference, count):
    """Per mode: log-mel L1 before and after the vocoder, level error, and the loudest silence after the end."""
    pieces = [music.clip(FIRST_SEED + i, SECONDS) for i in range(count)]
    ends = [notes[:, END].max() for notes in pieces]
    audios = [reference.render(notes, end + 4) for notes, end in zip(pieces, ends)]
    truths, result = [mel.log_mel(audio) for audio in audios], {}
    for mode, arguments in MODES.items():
        mels, sounds = timbred.mels(pieces, arguments), timbred.sounds(pieces, arguments)
        levels = [db(s[: int(end * mel.RATE)]) - db(a[: int(end * mel.RATE)]) for s, a, end in zip(sounds, audios, ends)]
        result[mode] = {
            "log_mel_l1": np.mean([distance(m, t) for m, t in zip(mels, truths)]),
            "after_vocoder": np.mean([distance(mel.log_mel(s), t) for s, t in zip(sounds, truths)]),
            "level_db": np.mean(levels), "level_db_worst": max(levels, key=abs),
            "silence_dbfs_worst": max(db(s[int((end + SILENCE_AFTER_S) * mel.RATE) :]) for s, end in zip(sounds, ends)),
        }
        print(f"{count} clips, {mode}: {result[mode]}", flush=True)
    return result


def velocity(timbred, reference, arguments, programs=(0, 24, 40, 56, 73)):
    """Loudness of a one-second middle C by velocity, ours and the reference's, dBFS."""
    table = {}
    for program in programs:
        pieces = [as_array([(0.5, 1.5, program, 60, v, 0)]) for v in VELOCITIES]
        loudness = lambda sounds: [db(s[mel.RATE // 2 : 3 * mel.RATE // 2]) for s in sounds]
        ours, theirs = loudness(timbred.sounds(pieces, arguments)), loudness(reference.render(n, 2.0) for n in pieces)
        table[program] = {"ours": ours, "reference": theirs, "monotonic": bool(np.all(np.diff(ours) > 0))}
    return table


def onset_ms(sound, at_s):
    """When after `at_s` the mean of a millisecond first is a quarter of the loudest one of the next 250 ms."""
    width, start = mel.RATE // 1000, round(at_s * mel.RATE)
    means = np.convolve(np.abs(sound[start : start + mel.RATE // 4]), np.full(width, 1 / width), "valid")
    return 1000 * (np.argmax(means >= means.max() / 4) + width - 1) / mel.RATE


def onsets(timbred, reference, arguments, voices=((0, 0), (11, 0), (24, 0), (56, 0), (48, 0), (0, 1))):
    """Single notes at places of all kinds in a frame, by (program, is drum): onset after the key press [ms], ours and the reference's."""
    starts, table = [0.5 + 0.6 * i + 0.0023 * i for i in range(24)], {}
    for program, drum in voices:
        keys = [(35, 38, 42, 47)[i % 4] if drum else 45 + 7 * i % 36 for i in range(24)]
        notes = as_array([(s, s + 0.2, program, k, 100, drum) for s, k in zip(starts, keys)])
        sound, truth = timbred.sounds([notes], arguments)[0], reference.render(notes, starts[-1] + 2)
        table["drums" if drum else program] = {"ours": [onset_ms(sound, s) for s in starts], "reference": [onset_ms(truth, s) for s in starts]}
    return table


def cents(sound, start_s, key):
    """How far the key's strongest partial among its first four lies from equal temperament, in a second from `start_s`."""
    part = sound[round(start_s * mel.RATE) :][: mel.RATE]
    spectrum, base = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 18)), 440 * 2 ** ((key - 69) / 12)
    hz = (mel.RATE / (1 << 18)) * np.arange(len(spectrum))
    peaks = []
    for n in range(1, 5):
        near = np.flatnonzero(np.abs(hz - n * base) < n * base * 0.03)  # half a half tone
        if len(near):
            peak = near[np.argmax(spectrum[near])]
            peaks.append((spectrum[peak], 1200 * np.log2(hz[peak] / (n * base))))
    return max(peaks)[1]


def pitch(timbred, reference, arguments, programs=(0, 19, 40, 73), keys=range(33, 97, 7)):
    """Single notes A1 to C7 by program: cents from equal temperament, ours and the reference's."""
    table = {}
    for program in programs:
        notes = as_array([(0.5 + 2 * i, 1.7 + 2 * i, program, k, 100, 0) for i, k in enumerate(keys)])
        sound, truth = timbred.sounds([notes], arguments)[0], reference.render(notes, 2.0 * len(keys) + 2)
        table[program] = {name: [cents(x, 0.6 + 2 * i, k) for i, k in enumerate(keys)] for name, x in (("ours", sound), ("reference", truth))}
    return table


def programs(timbred, reference, arguments):
    """Log-mel L1 of every program on the same short phrase: which are good, which are not."""
    phrase = lambda program, low: as_array([(0.2 + 0.5 * i, 0.6 + 0.5 * i, program, low + k, 60 + 10 * i, 0) for i, k in enumerate((0, 4, 7, 12))])
    pieces = [phrase(program, 36 if 32 <= program < 40 else 55) for program in range(128)]
    mels = timbred.mels(pieces, arguments)
    return {p: distance(m[:150], mel.log_mel(reference.render(notes, 3.0))) for p, (m, notes) in enumerate(zip(mels, pieces))}


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
    lines += ["", "Onset of single notes, live mode H = 2: ours minus the reference's [ms].", "", "| program | median | 95 % of notes within |", "| --- | --- | --- |"]
    for program, t in result["onsets"].items():
        error = np.subtract(t["ours"], t["reference"])
        lines.append(f"| {program} | {np.median(error):+.1f} | {np.percentile(np.abs(error), 95):.1f} |")
    lines += ["", "Pitch of single notes A1 to C7, live mode H = 2 [cents from equal temperament], worst (reference in brackets):", "", "| program | worst |", "| --- | --- |"]
    lines += [f"| {program} | {max(t['ours'], key=abs):+.1f} ({max(t['reference'], key=abs):+.1f}) |" for program, t in result["pitch"].items()]
    table = result["programs"]
    classes = {"good (below 0.5)": [], "fair (0.5 to 0.8)": [], "poor (above 0.8)": []}
    for p, value in table.items():
        classes[list(classes)[(value >= 0.5) + (value >= 0.8)]].append(str(p))
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
    timbred, reference = Timbred(a.timbred, extra), Reference()
    result = {"clips": clips(timbred, reference, a.clips), "steps": a.steps}
    if not a.no_card:
        result["velocity"] = velocity(timbred, reference, MODES["live, H = 2"])
        result["onsets"] = onsets(timbred, reference, MODES["live, H = 2"])
        result["pitch"] = pitch(timbred, reference, MODES["live, H = 2"])
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
