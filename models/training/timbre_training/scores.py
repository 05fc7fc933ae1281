"""Real scores in random orchestrations: the public-domain works of the music21 corpus. Knows no audio.

Only composers dead for more than a hundred years are taken. Pieces whose name hashes to 0 of 8 are held out for evaluation.
"""
import pickle
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from .music import draw_program
from .notes import as_array

CACHE = Path(__file__).resolve().parent.parent / "work" / "scores.pkl"
COMPOSERS = ["bach", "beethoven", "haydn", "mozart", "palestrina", "monteverdi", "handel", "corelli", "schubert", "schumann_clara"]


def collect(limit=160):
    """Parses up to `limit` pieces of the corpus into work/scores.pkl: name -> parts of (start, length in quarters, key)."""
    from music21 import chord, corpus, note

    paths = [p for c in COMPOSERS for p in corpus.getComposer(c)[:60]]
    pieces = {}
    for path in np.random.default_rng(1).permutation(np.array([str(p) for p in paths])):
        if len(pieces) >= limit:
            break
        try:
            score = corpus.parse(path)
            parts = []
            for part in score.parts:
                rows = []
                for element in part.flatten().notes:
                    pitches = element.pitches if isinstance(element, (chord.Chord, note.Note)) else []
                    rows += [(float(element.offset), float(element.quarterLength), p.midi) for p in pitches]
                if rows:
                    parts.append(rows)
        except Exception as error:  # the corpus holds a few files its own parser refuses
            print(f"scores: {Path(path).name}: {error}", flush=True)
            continue
        if parts:
            pieces[Path(path).name] = parts
            print(f"scores: {len(pieces)}/{limit} {Path(path).name}", flush=True)
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    CACHE.write_bytes(pickle.dumps(pieces))


def held_out(name):
    return zlib.crc32(name.encode()) % 8 == 0


@cache
def _pieces(evaluation):
    pieces = pickle.loads(CACHE.read_bytes())
    return [pieces[n] for n in sorted(pieces) if held_out(n) == evaluation]


def available():
    return CACHE.exists()


def clip(seed, seconds, evaluation=False):
    """A passage of a real score, random tempo, transposition and instruments -> notes [n, 6]."""
    rng = np.random.default_rng([seed, 11])
    pieces = _pieces(evaluation)
    parts = pieces[rng.integers(len(pieces))]
    beat, transpose = 60.0 / rng.uniform(60, 160), int(rng.integers(-5, 6))
    last = max(s for part in parts for s, _, _ in part)
    begin = rng.uniform(0, max(0.0, last - seconds / beat))
    one = draw_program(rng) if rng.random() < 0.4 else None
    rows, sounding = [], seconds - rng.choice([0, 0, 2.5])
    for part in parts[:8]:
        program = draw_program(rng) if one is None else one
        base, loose, legato = rng.uniform(40, 110), abs(rng.normal(0, 0.01)), rng.uniform(0.5, 1.02)
        for start, length, key in part:
            t = (start - begin) * beat + rng.normal(0, loose)
            if 0 <= t < sounding and length > 0 and 0 <= key + transpose < 128:
                velocity = int(np.clip(rng.normal(base, 8), 8, 127))
                rows.append((t, min(seconds, t + max(0.03, length * beat * legato)), program, key + transpose, velocity, 0))
    return as_array(rows or [(0.5, 1.5, 0, 60, 80, 0)])


if __name__ == "__main__":
    collect()
