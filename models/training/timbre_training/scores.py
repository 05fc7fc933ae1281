"""Real scores in random orchestrations: public-domain works of the music21 corpus. Knows no audio.

Only works of composers who died more than a hundred years ago are used. Training never uses the
pieces of EVALUATION, which are not even parsed for it. Pieces whose name hashes to 0 of 8 are left
out, too, for held-out losses while training.
"""
import pickle
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from .instruments import ALL
from .notes import as_array

CACHE = Path(__file__).resolve().parent.parent / "work" / "scores.pkl"
COMPOSERS = [
    "bach", "beethoven", "haydn", "mozart", "palestrina", "monteverdi", "handel", "corelli",
    "schubert", "schumann_clara",
]
# The pieces that `make evaluate` plays, by their names in the corpus.
EVALUATION = (
    "bach/bwv1.6", "bach/bwv248.42-4", "beethoven/opus18no1/movement4",
    "beethoven/opus59no1/movement4", "beethoven/opus59no2/movement1",
    "handel/rinaldo/Lascia_chio_pianga", "haydn/opus74no1/movement3", "monteverdi/madrigal.3.9",
    "monteverdi/madrigal.4.18", "mozart/k156/movement3", "mozart/k458/movement1",
    "palestrina/Agnus_II_30",
)
EVALUATION_CACHE = CACHE.with_name("evaluation_scores.pkl")


def collect(limit=160):
    """Parses up to `limit` pieces of the corpus into work/scores.pkl: name -> parts of (start,
    length in quarters, key)."""
    from music21 import corpus

    paths = [p for c in COMPOSERS for p in corpus.getComposer(c)[:60]]
    pieces = {}
    for path in np.random.default_rng(1).permutation(np.array([str(p) for p in paths])):
        if len(pieces) >= limit:
            break
        if any(Path(path).with_suffix("").as_posix().endswith(f"/{name}") for name in EVALUATION):
            continue
        try:
            parts = _parse(path)
        except Exception as error:  # the corpus holds a few files its own parser refuses
            print(f"scores: {Path(path).name}: {error}", flush=True)
            continue
        if parts:
            pieces[Path(path).name] = parts
            print(f"scores: {len(pieces)}/{limit} {Path(path).name}", flush=True)
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    CACHE.write_bytes(pickle.dumps(pieces))


def _parse(piece):
    """A path or name of the corpus -> its parts, each with rows of (start, length in quarters,
    key)."""
    from music21 import chord, corpus, note

    parts = []
    for part in corpus.parse(piece).parts:
        rows = []
        for element in part.flatten().notes:
            pitches = element.pitches if isinstance(element, (chord.Chord, note.Note)) else []
            rows += [(float(element.offset), float(element.quarterLength), p.midi) for p in pitches]
        if rows:
            parts.append(rows)
    return parts


def evaluation_parts(name):
    """The parts of a piece of EVALUATION. All of them are parsed once, into
    work/evaluation_scores.pkl."""
    return _evaluation_pieces()[name]


@cache
def _evaluation_pieces():
    pieces = pickle.loads(EVALUATION_CACHE.read_bytes()) if EVALUATION_CACHE.exists() else {}
    if set(pieces) != set(EVALUATION):
        pieces = {}
        for number, name in enumerate(EVALUATION, 1):
            print(f"scores: {number}/{len(EVALUATION)} {name}", flush=True)
            pieces[name] = _parse(name)
        EVALUATION_CACHE.parent.mkdir(parents=True, exist_ok=True)
        EVALUATION_CACHE.write_bytes(pickle.dumps(pieces))
    return pieces


def passage(parts, rng, seconds, programs):
    """A passage that begins with a note, at a random tempo and loudness, with its parts assigned to
    `programs` in turn -> notes [n, 6]."""
    beat, loudness = 60.0 / rng.uniform(70, 130), rng.uniform(60, 100)
    starts = np.unique([start for part in parts for start, _, _ in part])
    early = starts[starts <= max(starts[0], starts[-1] - seconds / beat)]
    begin, rows = rng.choice(early), []
    for number, part in enumerate(parts):
        program = programs[number % len(programs)]
        for start, length, key in part:
            t = (start - begin) * beat
            if 0 <= t < seconds - 0.1 and length > 0:
                velocity = int(np.clip(rng.normal(loudness, 8), 8, 127))
                rows.append(
                    (
                        t + 0.1, 0.1 + min(seconds, t + max(0.03, length * beat * 0.95)), program,
                        key, velocity, 0,
                    )
                )
    return as_array(rows)


@cache
def _pieces():
    pieces = pickle.loads(CACHE.read_bytes())
    return [pieces[n] for n in sorted(pieces) if zlib.crc32(n.encode()) % 8]


def available():
    return CACHE.exists()


def clip(seed, seconds, instruments=ALL):
    """A passage of a real score with random tempo, transposition and instruments -> notes [n,
    6]."""
    rng = np.random.default_rng([seed, 11])
    pieces = _pieces()
    parts = pieces[rng.integers(len(pieces))]
    beat, transpose = 60.0 / rng.uniform(60, 160), int(rng.integers(-5, 6))
    last = max(s for part in parts for s, _, _ in part)
    begin = rng.uniform(0, max(0.0, last - seconds / beat))
    one = instruments.draw(rng) if rng.random() < 0.4 else None
    rows, sounding = [], seconds - rng.choice([0, 0, 2.5])
    for part in parts[:8]:
        program = instruments.draw(rng) if one is None else one
        base, loose, legato = rng.uniform(40, 110), abs(rng.normal(0, 0.01)), rng.uniform(0.5, 1.02)
        for start, length, key in part:
            t = (start - begin) * beat + rng.normal(0, loose)
            if 0 <= t < sounding and length > 0 and 0 <= key + transpose < 128:
                velocity = int(np.clip(rng.normal(base, 8), 8, 127))
                rows.append(
                    (
                        t, min(seconds, t + max(0.03, length * beat * legato)), program,
                        key + transpose, velocity, 0,
                    )
                )
    return as_array(rows or [instruments.a_note()])


if __name__ == "__main__":
    collect()
