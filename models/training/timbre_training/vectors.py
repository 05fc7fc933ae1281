"""Writes tests/vectors: the outputs of the Python twins, with which the Rust tests compare.

`live_tokens.json` (segments of the live token style), `excitation.npz` (tables of attacks and
lives, tones with their quadrature, upper tones, levels and hush), `prior.npz` (a random note
prior's weights and output), `vocoder.npz` (a random vocoder's weights, inputs and output). Run it
again only when a definition changes.
"""
import json
from pathlib import Path

import numpy as np
import torch

from . import attacks, excitation, life, music, tokens
from .drum_tones import DRUM_TONES
from .instruments import DRUMS, Instruments
from .kits import Kits
from .prior import Prior, mix, note_row
from .vocoder import Vocoder

# The kits of the vectors, as in test_vectors.rs.
KITS = Kits(((16, (43, 45)), (40, (38,))))
# A piano, an organ with a tone an octave lower, an inharmonic glockenspiel, a drum and one that
# rings; a key that is struck again; a variation of the power kit, and a drum that it shares.
NOTES = np.array(
    [
        [0.013, 0.2, 0, 60, 100, 0],
        [0.1, 0.4, 16, 67, 60, 0],
        [0.2, 0.31, 0, 60, 30, 0],
        [0.12, 0.3, 9, 72, 80, 0],
        [0.05, 0.1, 0, 38, 90, 1],
        [0.15, 0.25, 0, 81, 70, 1],
        [0.08, 0.18, 19, 43, 80, 1],
        [0.22, 0.32, 16, 39, 60, 1],
    ]
)
OUT = Path(__file__).resolve().parents[3] / "tests" / "vectors"


def live_tokens():
    vocabulary, cases = tokens.Vocabulary(32), []
    for seed in range(40, 46):
        notes = music.clip(seed, 6.0, Instruments())
        events = tokens.live_events(notes)
        for frames in (1, 2, 16, 64):
            starts = range(0, 300 - frames, 37)
            ids = [
                tokens.live_segment(notes, events, 2 * s, 2 * (s + frames), vocabulary)
                for s in starts
            ]
            cases.append(
                {"notes": notes.tolist(), "frames": frames, "starts": list(starts), "segments": ids}
            )
    ages = {
        str(a): tokens.age_token(a)
        for a in (0, 1, 16, 17, 31, 32, 63, 64, 100, 500, 999, 1000, 5000)
    }
    (OUT / "live_tokens.json").write_text(
        json.dumps({"velocity_bins": 32, "ages": ages, "cases": cases})
    )


def prior():
    """180 frames of the notes, which is long enough for all of them to end."""
    torch.manual_seed(1)
    model = Prior(16, 1, 4, KITS.own).eval()
    torch.nn.init.normal_(model.output, std=0.3)
    instruments = np.array([
        DRUMS + KITS.number(n[2], n[3]) if n[5] else n[2] for n in KITS.played(NOTES)
    ])
    with torch.no_grad():  # only the rows of the notes: random numbers do not compress
        used = note_row(
            torch.from_numpy(instruments).long(),
            torch.from_numpy(NOTES[:, 3]).long(),
        )
        model.notes[used] = torch.randn(len(used), 4)
        model.colour[torch.from_numpy(instruments).long()] = 0.3
    weights = {f"weights.{k}": v.numpy() for k, v in model.state_dict().items()}
    log_mel, struck, log_share = (x.numpy() for x in mix(model, NOTES, 180, lives()))
    np.savez_compressed(
        OUT / "prior.npz", log_mel=log_mel, struck=struck, log_share=log_share, **weights
    )


def lives():
    """A table of three zones: one with random movement, one with a fast sway and a side, one that
    is still."""
    rng, table = np.random.default_rng(5), life.LifeTable()
    points, sizes = [75, 40], [75 * (1 + 4 * life.GROUPS), 40 * 2 * life.GROUPS]
    table.facts = np.repeat(table.facts, 3, 0)
    table.values = rng.integers(-life.LARGEST, life.LARGEST + 1, sum(sizes)).astype(np.int8)
    table.facts[:2, life.POINTS], table.facts[1, life.FIRST] = points, sizes[0]
    table.facts[0, [life.OWN_KEY, life.POINT_HZ, life.SWAY]] = 57, 25, 0.1
    table.facts[1, [life.OWN_KEY, life.POINT_HZ]] = 66, 100
    table.facts[0, life.SHIFT : life.NOISE] = rng.uniform(0.1, 0.4, 3 * life.GROUPS)
    table.facts[1, life.SIDE : life.NOISE] = 0.5
    table.facts[:2, life.NOISE :] = rng.uniform(-9, 0, (2, life.NOISE_BANDS))
    table.zone[:] = 2
    table.zone[life.row(NOTES[0])], table.zone[life.row(NOTES[1])] = 0, 1
    return table


def drum_tones():
    """The drums with a tone [n, 4 + partials]: kit, key, fall, body, and the partials or 0."""
    most = max(len(tone.partials_hz) for tone in DRUM_TONES.values())
    padded = lambda hz: [*hz, *[0.0] * (most - len(hz))]
    return np.array([
        [*drum, tone.fall_s, tone.body, *padded(tone.partials_hz)]
        for drum, tone in DRUM_TONES.items()
    ])


def vocoder():
    torch.manual_seed(3)
    frames = 24
    table = np.zeros((attacks.rows(KITS), len(attacks.LEVELS)), np.float32)
    for i, note in enumerate(KITS.played(NOTES)):  # from fast to slow
        table[attacks.row(note, KITS)] = np.array([0.001, 0.004, 0.005, 0.009, 0.02]) * (1 + i)
    living = lives()
    tones, upper_tones, levels, hush = excitation.excite(
        NOTES, frames * 320, table, living, KITS
    )
    np.savez_compressed(
        OUT / "excitation.npz", notes=NOTES, attacks=table, tones=tones.real, quadrature=tones.imag,
        upper=upper_tones, levels=levels, hush=hush, zone=living.zone.astype(np.int16),
        facts=living.facts, values=living.values, drum_tones=drum_tones(),
    )
    # The Rust vocoder moves to the mel of a frame from the key press on, and its twin from the
    # beginning of the frame. Here both are at the same place.
    framed = NOTES.copy()
    framed[:, 0] = np.round(framed[:, 0] * 50) / 50
    (tones, _), (upper_tones, _), levels, hush = excitation.excite(
        framed, frames * 320, table, living, KITS
    )
    model = Vocoder(16, 2).eval()
    torch.nn.init.normal_(model.output, std=0.1)
    torch.nn.init.normal_(model.bias, std=0.3)
    torch.nn.init.normal_(model.upper_output, std=0.1)
    torch.nn.init.normal_(model.upper_bias, std=0.3)
    log_mel = torch.randn(1, frames, 128).cumsum(1) * 0.3 - 2
    log_share = torch.rand(1, frames, 128) * -8
    noise = torch.randn(1, frames * 320)
    with torch.no_grad():
        log_levels = torch.from_numpy(np.log(levels))[None]
        onsets, drummed = (
            torch.from_numpy(x)[None] for x in excitation.onsets(framed, frames * 320)
        )
        sources = (
            torch.from_numpy(tones)[None], torch.from_numpy(upper_tones)[None],
            torch.from_numpy(hush) * noise,
        )
        audio, upper = model(log_mel, log_levels, log_share, onsets, drummed, *sources)
    weights = {f"weights.{k}": v.numpy() for k, v in model.state_dict().items()}
    np.savez_compressed(
        OUT / "vocoder.npz",
        notes=framed,
        log_mel=log_mel[0].numpy(),
        log_share=log_share[0].numpy(),
        noise=noise[0].numpy(),
        audio=audio[0].numpy(),
        upper=upper[0].numpy(),
        **weights,
    )


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    live_tokens()
    prior()
    vocoder()
