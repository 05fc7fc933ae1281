"""Renders MIDI files with every synthesizer -> samples at 48 kHz. Knows no measure."""

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from .pieces import TAIL_S
from .sound import RATE

FONTS = Path(os.environ.get("FONTS", "/usr/share/sounds/sf2"))
REFERENCE, SMALL, CODED = "reference", "TimGM6mb", "Opus 24 kbit/s"
SOUNDFONTS = {REFERENCE: "FluidR3_GM.sf2", SMALL: "TimGM6mb.sf2"}
KBITS = 24


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with status {done.returncode}: {done.stderr[-2000:]}")


def fit(audio, seconds):
    """Cuts sound to a number of seconds, or appends silence."""
    out = np.zeros((round(seconds * RATE), *audio.shape[1:]))
    out[: len(audio)] = audio[: len(out)]
    return out


def seconds_of(midi):
    import mido

    return mido.MidiFile(midi).length


def _read(path):
    import soundfile

    return soundfile.read(path, dtype="float64")[0]


def soundfont(midi, font):
    """Renders with FluidSynth without reverb and chorus -> both sides [n, 2]"""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "x.wav"
        run(
            *("fluidsynth", "-ni", "-g", "0.5", "-R", 0, "-C", 0, "-r", RATE, "-O", "float"),
            *("-o", "synth.polyphony=512", "-F", wav, font, midi),
        )
        return fit(_read(wav), seconds_of(midi))


def opus(audio):
    """Encodes mono sound with Opus and decodes it, without the delay of the codec."""
    import soundfile

    gain = 0.5 / max(1e-6, np.abs(audio).max())
    with tempfile.TemporaryDirectory() as folder:
        plain, coded, back = (Path(folder) / name for name in ("a.wav", "b.opus", "c.wav"))
        soundfile.write(plain, audio * gain, RATE, subtype="PCM_24")
        run("opusenc", "--quiet", "--bitrate", KBITS, plain, coded)
        run("opusdec", "--quiet", "--float", "--rate", RATE, coded, back)
        return fit(_read(back) / gain, len(audio) / RATE)


def ours(midis, program, model, sides):
    """Renders live with the program under test, in hops of a frame and all files in one call,
    because loading the model takes longer than rendering.

    The output is mono as the model makes it. With `sides` it is the stereo part of the only
    channel, before reverb, chorus and limiter.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies = [Path(folder) / midi.name for midi in midis]
        for midi, copy in zip(midis, copies):
            copy.write_bytes(midi.read_bytes())
        run(
            *(program, "render", *copies, "--live", "--hop-ms", 20, "--rate", RATE, "--quiet"),
            *("--format", "32f", "--tail", TAIL_S, "--stems" if sides else "--dry"),
            *(["--model", model] if model else []),
        )
        for midi, copy in zip(midis, copies):
            name = f"{copy.stem}-part_01.wav" if sides else f"{copy.stem}.wav"
            yield midi, fit(_read(copy.with_name(name)), seconds_of(midi))
