"""Drum kits: which drum plays for which, and the rows of those that a kit has of its own."""

import numpy as np
import pytest

from timbre_training import attacks, bundled, drum_tones, excitation, life
from timbre_training.instruments import Instruments
from timbre_training.kits import KEYS, NONE, Kits
from timbre_training.notes import PROGRAM, as_array

TWO = Kits(((16, (36, 43)), (40, (38,))))


def played(kits, program, key, drum=1):
    return kits.played(as_array([(0, 0.1, program, key, 90, drum)]))[0, PROGRAM]


def test_a_kit_plays_its_own_drums_and_the_standard_kit_the_others():
    assert played(TWO, 16, 36) == 16 and played(TWO, 16, 42) == 0
    assert played(TWO, 19, 36) == 16 and played(TWO, 30, 36) == 0
    assert played(TWO, 16, 36, drum=0) == 16 and played(NONE, 16, 36) == 0


def test_every_drum_has_a_row_of_its_own():
    rows = range(KEYS + 3)
    assert [TWO.number(*TWO.drum(row)) for row in rows] == list(rows)
    assert attacks.rows(TWO) == attacks.rows() + 3


def test_all_drums_are_drawn():
    rng = np.random.default_rng(0)
    some = Instruments((), True, (), TWO)
    drawn = {some.draw_drum(rng, range(35, 45)) for _ in range(400)}
    assert drawn == {(0, key) for key in range(35, 45)} | set(TWO.drums())
    assert {some.draw_kit(rng) for _ in range(100)} == {0, 16, 40}


def test_a_tom_of_another_kit_has_its_own_tone():
    at_once = np.zeros((attacks.rows(TWO), len(attacks.LEVELS)))
    tone_of = lambda program: excitation.excite(
        as_array([(0.0, 0.1, program, 43, 100, 1)]), 8000, at_once, life.LifeTable(), TWO
    )[0][0]
    for program in (0, 16):
        loudest = np.abs(np.fft.rfft(tone_of(program).real, 16000)).argmax()
        partials_hz = drum_tones.DRUM_TONES[program, 43].partials_hz
        assert min(abs(loudest - hz) for hz in partials_hz) <= 2


def test_drums_that_a_model_lacks_begin_as_those_of_the_standard_kit(monkeypatch):
    torch = pytest.importorskip("torch")
    from timbre_training.prior import DRUMS, Prior

    monkeypatch.setattr(bundled, "kits", lambda: Kits(((16, (36,)),)))
    theirs = Prior(16, 1, 4, ((16, (36,)),))
    ours = Prior(16, 1, 4, TWO.own)
    ours.load_state_dict(ours.adapted(theirs.state_dict()))
    row = lambda model, program, key: model.instruments[DRUMS + model.kits.number(program, key)]
    assert torch.equal(row(ours, 16, 36), row(theirs, 16, 36))
    assert torch.equal(row(ours, 16, 43), row(theirs, 0, 43))
    assert torch.equal(row(ours, 40, 38), row(theirs, 0, 38))
    assert torch.equal(ours.instruments[:DRUMS], theirs.instruments[:DRUMS])
