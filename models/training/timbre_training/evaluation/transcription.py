"""Transcribes sound into notes by the network of basic-pitch, and computes the F1 of these notes
against those that were played.

The network is `nmp.onnx` from the package basic-pitch (Apache-2.0), run by onnxruntime. The package
itself is never imported because it needs TensorFlow. Activations are turned into notes as in its
`note_creation.py` with the defaults there.
"""
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from scipy.signal import argrelmax, resample_poly

from ..notes import DRUM, END, KEY, START

HOP, WINDOW, OVERLAP = 256, 43_844, 30 * 256  # samples at 22,050 Hz
FRAMES_PER_SECOND, WINDOW_FRAMES, LOWEST_KEY = 86, 172, 21
# Thresholds; the shortest note and the longest pause inside a note, in frames.
ONSET, FRAME, SHORTEST, GAP = 0.5, 0.3, 11, 11
ONSET_TOLERANCE_S = 0.05


@cache
def _session():
    import onnxruntime

    spec = importlib.util.find_spec("basic_pitch")
    if spec is None:
        raise SystemExit(
            "basic-pitch is missing: `make evaluate` installs it "
            "(pip install --no-deps basic-pitch)"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = Path(spec.submodule_search_locations[0]) / "saved_models" / "icassp_2022" / "nmp.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def activations(sound):
    """float32 [n] at 16 kHz -> (notes, onsets), each [frames, 88] in 0..1"""
    sound = resample_poly(sound, 441, 320).astype(np.float32)
    padded = np.concatenate([np.zeros(OVERLAP // 2, np.float32), sound])
    starts = range(0, len(padded), WINDOW - OVERLAP)
    windows = np.stack(
        [np.pad(part := padded[s : s + WINDOW], (0, WINDOW - len(part))) for s in starts]
    )[:, :, None]
    names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
    frames = len(sound) * FRAMES_PER_SECOND // 22_050
    return tuple(
        x[:, 15:-15].reshape(-1, 88)[:frames]
        for x in _session().run(names, {"serving_default_input_2:0": windows})
    )


def notes_of(notes, onsets):
    """Activations [frames, 88] -> (start frame, end frame, key) of each note"""
    rises = np.min(
        [notes - np.pad(notes, ((n, 0), (0, 0)))[: len(notes)] for n in (1, 2)], axis=0
    ).clip(0)
    rises[:2] = 0
    onsets = np.maximum(onsets, onsets.max() * rises / max(rises.max(), 1e-9))
    left, last, found = notes.copy(), len(notes) - 1, []

    def silence(a, b, key):
        left[a:b, max(0, key - 1) : key + 2] = 0

    def reach(at, key, step):
        """Follows a note from frame `at` in steps until a pause -> the first frame that was not
        looked at, and the frames of the pause"""
        pause = 0
        while 0 < at < last and pause < GAP:
            pause = pause + 1 if left[at, key] < FRAME else 0
            at += step
        return at, pause

    peaks = argrelmax(onsets, axis=0)
    strong = onsets[peaks] >= ONSET
    for start, key in reversed(list(zip(peaks[0][strong], peaks[1][strong]))):
        if start >= last:
            continue
        at, pause = reach(start + 1, key, 1)
        if at - pause - start > SHORTEST:
            silence(start, at - pause, key)
            found.append((int(start), int(at - pause), int(key) + LOWEST_KEY))
    while left.max() > FRAME:  # what sounds without an onset
        middle, key = np.unravel_index(left.argmax(), left.shape)
        left[middle, key] = 0
        end, pause_after = reach(middle + 1, key, 1)
        start, pause_before = reach(middle - 1, key, -1)
        silence(middle + 1, end, key)
        silence(start + 1, middle, key)
        a, b = start + 1 + pause_before, end - 1 - pause_after
        if b - a > SHORTEST:
            found.append((int(a), int(b), int(key) + LOWEST_KEY))
    return found


def seconds(frame):
    """The time of a frame. The windows of the network overlap slightly less than their number of
    frames suggests."""
    late = (HOP * WINDOW_FRAMES - WINDOW) / 22_050 + 0.0018
    return frame * HOP / 22_050 - (frame // WINDOW_FRAMES) * late


def transcribe(sound):
    """float32 [n] at 16 kHz -> (start_s, end_s, key) of each note that is found"""
    return [(seconds(a), seconds(b), key) for a, b, key in notes_of(*activations(sound))]


def count(heard, notes):
    """Found notes against those that were played [n, 6], without drums -> [matched, found, played]:
    same key, onset within 50 ms, each matched once (as in mir_eval)."""
    from mir_eval.transcription import match_notes

    played = notes[
        (notes[:, DRUM] == 0) & (notes[:, KEY] >= LOWEST_KEY) & (notes[:, KEY] < LOWEST_KEY + 88)
    ]
    heard = np.asarray(heard, float).reshape(-1, 3)
    hz = lambda keys: 440.0 * 2 ** ((keys - 69) / 12)
    matched = 0
    if len(heard) and len(played):
        matched = len(
            match_notes(
                played[:, [START, END]], hz(played[:, KEY]), heard[:, :2], hz(heard[:, 2]),
                onset_tolerance=ONSET_TOLERANCE_S, offset_ratio=None,
            )
        )
    return np.array([matched, len(heard), len(played)])


def count_in_sound(job):
    """(float32 [n] at 16 kHz, notes [n, 6]) -> [matched, found, played]"""
    sound, notes = job
    return count(transcribe(sound), notes)


def f1(counts):
    """[[matched, found, played], ...] -> F1 over all notes together"""
    matched, heard, played = np.sum(counts, axis=0)
    return float(2 * matched / max(1, heard + played))
