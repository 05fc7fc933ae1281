"""Renders pieces with the program under test and with FluidSynth -> samples at 16 kHz, or at 48 kHz
if asked. Knows no measure."""
import hashlib
import os
import subprocess
import tempfile
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from .. import mel
from .pieces import TAIL_S

WORK = Path(__file__).resolve().parents[2] / "work" / "evaluation"
MODES = {
    "song": [], "live, H = 2": ["--live", "--hop-ms", "40"],
    "live, H = 1": ["--live", "--hop-ms", "20"], "live, H = 4": ["--live", "--hop-ms", "80"],
}


class Timbred:
    """Renders with the program under test, many pieces in one call, because loading the model takes
    longer than rendering a piece."""

    def __init__(self, program, extra, quiet=True):
        self.program, self.extra = program, [*extra, *(["--quiet"] if quiet else [])]

    def _run(self, pieces, ending, read, arguments):
        with tempfile.TemporaryDirectory() as folder:
            sources = [Path(folder) / f"{i:04}.mid" for i in range(len(pieces))]
            from .. import midi  # only here: the measures' tests need no mido

            for source, piece in zip(sources, pieces):
                midi.write(source, piece.notes)
            subprocess.run(
                [
                    self.program, "render", *sources, "--dry", "--tail", str(TAIL_S), *self.extra,
                    *arguments,
                ],
                check=True,
            )
            return [read(source.with_suffix(ending)) for source in sources]

    def mels(self, pieces, mode):
        """-> the log-mel [frames, 128] of each piece, before the vocoder"""
        return self._run(pieces, ".npy", np.load, ["--mel", *MODES[mode]])

    def sounds(self, pieces, mode, rate=mel.RATE):
        """-> float32 samples of each piece"""
        read = lambda path: wavfile.read(path)[1].astype(np.float32)
        return self._run(
            pieces, ".wav", read, ["--rate", str(rate), "--format", "32f", *MODES[mode]]
        )


_reference = None


def _render(job):
    """(piece, rate): renders one piece by FluidSynth. The result is stored under the hash of its
    notes, because the reference never changes."""
    from ..synth import SOUNDFONT, Reference  # only here: measures and tests need no FluidSynth

    global _reference
    piece, rate = job
    size = os.path.getsize(SOUNDFONT) if os.path.exists(SOUNDFONT) else 0
    key = f"{SOUNDFONT} {size} {TAIL_S} {rate}".encode()
    key += np.ascontiguousarray(piece.notes).tobytes()
    path = WORK / "reference" / f"{hashlib.sha256(key).hexdigest()[:24]}.npy"
    if not path.exists():
        _reference = _reference or Reference()
        part = path.with_suffix(f".{os.getpid()}.npy")
        np.save(part, _reference.render(piece.notes, piece.end_s + TAIL_S, rate))
        os.replace(part, path)
    return np.load(path)


def references(pieces, rate=mel.RATE):
    """-> float32 samples of each piece by FluidSynth"""
    (WORK / "reference").mkdir(parents=True, exist_ok=True)
    return in_parallel(_render, [(piece, rate) for piece in pieces])


def in_parallel(function, items):
    """[function(item)] for all items, on all cores, in order."""
    items = list(items)
    with get_context("spawn").Pool(min(os.cpu_count() or 1, max(1, len(items)))) as pool:
        return pool.map(function, items, chunksize=max(1, len(items) // 32))
