"""Tests of what is learned of a soundfont, how the minutes are divided, and that other instruments
keep the bundled tables."""

import struct

import numpy as np
import pytest

from timbre_training import attacks, instruments, life, measure_life, music, note_set, solos
from timbre_training import soundfont
from timbre_training.instruments import Instruments
from timbre_training.notes import DRUM, PROGRAM
from timbre_training.plan import Plan


def font(path, presets):
    """A soundfont with presets (bank, program) that make no sound."""
    rows = [struct.pack("<20sHHHIII", b"x", p, bank, 0, 0, 0, 0) for bank, p in presets]
    rows.append(struct.pack("<20sHHHIII", b"EOP", 0, 0, 0, 0, 0, 0))
    chunk = lambda name, data: name + struct.pack("<I", len(data)) + data
    parts = chunk(b"phdr", b"".join(rows))
    for name in (b"pbag", b"pgen", b"ibag", b"igen"):
        parts += chunk(name, struct.pack("<HH", 0, 0))
    parts += chunk(b"inst", struct.pack("<20sH", b"EOI", 0))
    body = b"sfbk" + chunk(b"LIST", b"pdta" + parts)
    path.write_bytes(chunk(b"RIFF", body))
    return path


def test_all_that_a_soundfont_has_is_learned(tmp_path):
    found, said = instruments.choose(font(tmp_path / "a.sf2", [(0, 0), (0, 5), (8, 6), (128, 0)]))
    assert found.programs == (0, 5) and found.drums
    assert ("1-4, 6-127" in said[0]) and len(said) == 1
    assert dict(found.instead)[6] == 0 and 5 not in dict(found.instead)


def test_runs_of_programs_are_written_short():
    assert instruments.spans([5, 0, 1, 2, 9, 10]) == "0-2, 5, 9-10"


def test_what_is_lacking_is_said(tmp_path):
    path = font(tmp_path / "a.sf2", [(0, 5), (0, 6)])
    found, said = instruments.choose(path, instruments.wanted("5-7 drums"))
    assert found == Instruments((5, 6), False, ())
    assert len(said) == 2 and "7 and 0" in said[0] and "no drums" in said[1]
    found, said = instruments.choose(path, instruments.wanted("6"))
    assert found == Instruments((6,), False, ()) and said == []
    with pytest.raises(ValueError, match="none of the programs asked for; it has 5-6"):
        instruments.choose(path, instruments.wanted("40"))
    with pytest.raises(ValueError, match="it has banks 1, 128"):
        instruments.choose(font(tmp_path / "b.sf2", [(1, 0), (128, 8)]))


@pytest.mark.parametrize("text", ["128", "violin", "5-", "9-3", "-4"])
def test_programs_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="wanted numbers from 0 to 127"):
        instruments.wanted(text)
    assert instruments.wanted("  ") is None


def test_a_file_that_is_no_soundfont_is_named(tmp_path):
    with pytest.raises(ValueError, match="a.sf2: No such file"):
        soundfont.presets(tmp_path / "a.sf2")
    whole = font(tmp_path / "a.sf2", [(0, 0)]).read_bytes()
    (tmp_path / "a.sf2").write_bytes(b"MThd" + whole)
    with pytest.raises(ValueError, match="a.sf2: no soundfont"):
        soundfont.presets(tmp_path / "a.sf2")
    for length in range(0, len(whole) - 1, 7):
        (tmp_path / f"{length}.sf2").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no soundfont"):
            soundfont.presets(tmp_path / f"{length}.sf2")


def test_only_what_is_learned_is_drawn():
    some, kit = Instruments((24, 48), False), Instruments((), True)
    for seed in range(40):
        for clip in (music.clip(seed, 8.0, some), solos.clip(seed, 8.0, some)):
            assert set(clip[:, PROGRAM]) <= {24, 48} and not clip[:, DRUM].any()
        for clip in (music.clip(seed, 8.0, kit), solos.clip(seed, 8.0, kit)):
            assert len(clip) and clip[:, DRUM].all()
        rng = np.random.default_rng(seed)
        assert note_set.draw(rng, some)[0] in (24, 48) and note_set.draw(rng, kit)[-1]
    assert 24 not in some.kept() and 130 in some.kept() and kit.kept() == list(range(128))


def test_what_is_not_learned_keeps_the_bundled_tables(tmp_path):
    pytest.importorskip("onnx")
    from timbre_training import bundled

    attacks.build(tmp_path / "a.npy", 1, Instruments((), False, ((7, 3),)))
    table, before = np.load(tmp_path / "a.npy"), bundled.attacks()
    of = lambda table, p: table[p * attacks.PITCHES : (p + 1) * attacks.PITCHES]
    assert (of(table, 7) == of(before, 3)).all() and (of(table, 8) == of(before, 8)).all()
    measure_life.build(tmp_path / "l.npz", 1, Instruments((), False, ()))
    ours = life.LifeTable(tmp_path / "l.npz")
    zone, facts, values = bundled.lives()
    for row in (0, 88 * 40 + 30, life.ROWS - 1):
        was, now = facts[zone[row]], ours.facts[ours.zone[row]]
        others = np.arange(life.FACTS) != life.FIRST
        assert (was[others] == now[others]).all()
        first, later, size = int(was[life.FIRST]), int(now[life.FIRST]), life.size(was)
        assert (values[first : first + size] == ours.values[later : later + size]).all()


def test_time_is_shared_and_a_run_goes_on(tmp_path):
    stages = {"a": 1.0, "b": 3.0}
    plan = Plan(tmp_path / "p.json", stages, 8, {"soundfont": "x"})
    with plan.stage("a") as (given, left):
        assert given == left == 120
    plan.used["a"] = 60.0  # took less than it had
    with pytest.raises(RuntimeError), plan.stage("b") as (given, _):
        assert given == 420
        raise RuntimeError
    plan = Plan(tmp_path / "p.json", stages, 8, {"soundfont": "x"})
    with plan.stage("a") as given:
        assert given is None
    with plan.stage("b") as (given, left):
        assert given == 420 and left <= 420
    longer = Plan(tmp_path / "p.json", stages, 16, {"soundfont": "x"})
    with longer.stage("a") as (given, left):
        assert left > 0 and given == pytest.approx(60 + left)
    with pytest.raises(SystemExit, match="was begun with soundfont x"):
        Plan(tmp_path / "p.json", stages, 8, {"soundfont": "y"})


def test_a_program_plays_for_one_that_is_missing():
    torch = pytest.importorskip("torch")
    from timbre_training import export
    from timbre_training.prior import NOTE_ROWS, PITCHES
    from timbre_training.tokens import Vocabulary

    numbers = lambda count: torch.arange(count, dtype=torch.float32)[:, None].clone()
    vocabulary = Vocabulary(export.VELOCITY_BINS)
    tokens, first = numbers(vocabulary.size), vocabulary.program
    prior = {"instruments": numbers(256), "notes": numbers(NOTE_ROWS)}
    export.play_instead({"token_encoder.token_embedder.embedding": tokens}, prior, [(7, 3)])
    assert prior["instruments"][7] == 3 and prior["instruments"][8] == 8
    assert (
        prior["notes"][7 * PITCHES : 8 * PITCHES, 0]
        == numbers(NOTE_ROWS)[3 * PITCHES : 4 * PITCHES, 0]
    ).all()
    assert tokens[first + 7] == first + 3 and tokens[first + 8] == first + 8
