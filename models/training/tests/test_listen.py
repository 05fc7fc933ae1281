"""Tests of `timbre_training.listening`, on sound and on sets of points for which the right figures
are known."""

import numpy as np
import pytest

from timbre_training.listening import checkpoint, closeness, held, pieces, sound, table
from timbre_training.listening.sound import RATE

KEY = 69
HZ = pieces.hz_of(KEY)
SECONDS = np.arange(round(pieces.SLOT_S * RATE)) / RATE
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=len(SECONDS))


def tone(cents=0.0, db=0.0, partials=8, hz=HZ):
    """A tone with given pitch and level at each moment, whose partials get softer with their
    number."""
    turns = np.cumsum(hz * 2 ** (cents / 1200) * np.ones(len(SECONDS))) / RATE
    waves = sum(0.1 / n * np.cos(2 * np.pi * n * turns) for n in range(1, partials + 1))
    return waves * 10 ** (db / 20)


def sine(hz):
    return np.sin(2 * np.pi * hz * SECONDS)


def measured(note):
    return held.of_note(note, HZ)


def test_a_steady_tone_does_not_move():
    found = measured(tone() + 1e-7 * NOISE)
    assert found["am"] < 0.05 and found["fm"] < 0.1 and found["width"] < 0.05
    assert found["flicker"] < 0.3 and found["hnr"] > 50


def test_am_is_the_rms_of_what_the_level_moves():
    found = measured(tone(db=3 * sine(5)))
    assert found["am"] == pytest.approx(3 / np.sqrt(2), rel=0.06)
    assert found["fm"] < 0.3


def test_fm_is_the_rms_of_what_the_pitch_moves():
    found = measured(tone(cents=10 * sine(3)))
    assert found["fm"] == pytest.approx(10 / np.sqrt(2), rel=0.08)
    assert found["am"] < 0.2


def test_a_decay_is_no_am_and_a_slide_is_no_fm():
    found = measured(tone(db=-8 * SECONDS, cents=4 * SECONDS))
    assert found["am"] < 0.05 and found["fm"] < 0.2


def test_a_pair_of_lines_is_as_wide_as_it_lies_apart():
    apart = tone(partials=1, hz=HZ - 2) + tone(partials=1, hz=HZ + 2)
    assert measured(apart)["width"] == pytest.approx(2, rel=0.1)


def test_flicker_hears_noise():
    assert measured(0.01 * NOISE + tone(partials=1) / 100)["flicker"] > 1


def test_harmonics_to_noise_is_the_ratio_of_their_powers():
    harmonics = tone()
    noise = NOISE * np.sqrt(np.mean(harmonics**2) * 0.01)  # 20 dB less, over all 24 kHz
    expected = 20 + 10 * np.log10(24_000 / (8000 - 80))
    assert measured(harmonics + noise)["hnr"] == pytest.approx(expected, abs=1)


def test_a_line_at_the_rate_of_frames_is_found():
    noise = 1e-4 * NOISE
    assert abs(np.median(measured(tone() + noise)["line"])) < 8
    assert np.median(measured(tone(db=0.1 * sine(50)) + noise)["line"]) > 20


def test_silence_has_no_measures():
    assert measured(np.zeros(len(SECONDS))) == {}


def test_side_against_middle_of_known_sides():
    one, other = RNG.normal(size=(2, RATE))
    both = lambda side: np.stack([one + side, one - side], 1)
    assert sound.side_against_middle_db(both(0.1 * one)) == pytest.approx(-20)
    assert sound.side_against_middle_db(both(other)) == pytest.approx(0, abs=0.1)
    assert sound.side_against_middle_db(both(0 * one)) < -100


def test_a_level_counts_what_sounds_only():
    wave = np.concatenate([sine(440)[:RATE], np.zeros(3 * RATE)])
    assert sound.rms_db(sound.levelled(wave)[:RATE]) == pytest.approx(-20, abs=0.3)
    assert not sound.levelled(np.zeros(RATE)).any()


def test_the_frechet_distance_of_two_gaussians():
    one = RNG.normal(size=(400, 5))
    scaled = 3 * one + 2  # the same axes: 5 times (2 + a mean's share)
    means = scaled.mean(0) - one.mean(0)
    expected = (means**2).sum() + (2 * one.std(0, ddof=1)) @ (2 * one.std(0, ddof=1))
    assert closeness.frechet(one, scaled) == pytest.approx(expected)
    assert closeness.frechet(one, one) == pytest.approx(0, abs=1e-9)
    few = RNG.normal(size=(3, 50))  # fewer windows than dimensions
    assert closeness.frechet(few, few + 1) == pytest.approx(50)


def test_peaks_are_over_the_level():
    click = np.zeros(RATE)
    click[2000:2480] = 1
    assert closeness.peaks_db(click) == pytest.approx(20, abs=0.1)  # a hundredth of the second


def test_a_number_and_fields_of_protobuf():
    assert checkpoint.varint(bytes([0x96, 0x01]), 0) == (150, 2)
    message = bytes([0x08, 0x96, 0x01, 0x12, 2]) + b"ab" + bytes([0x1D, 1, 0, 0, 0])
    assert list(checkpoint.fields(message)) == [(1, 150), (2, b"ab"), (3, bytes([1, 0, 0, 0]))]


def test_a_spread_takes_both_ends():
    assert pieces.spread(list(range(26)), 6) == [0, 5, 10, 15, 20, 25]
    assert pieces.spread([1, 2], 6) == [1, 2]


def test_held_notes_do_not_overlap():
    for piece in pieces.held_notes(pieces.PROGRAMS):
        starts, ends = piece.notes[:, 0], piece.notes[:, 1]
        assert len(starts) == 10 and (starts[1:] - ends[:-1] > 2).all()


def system(factor, db=0.0, windows=((0.0, 1.0), (1.0, 0.0), (2.0, 2.0))):
    """The figures of a system that is livelier by a factor in its first program."""
    note = lambda f: {"am": f, "fm": f, "width": f, "flicker": f, "hnr": 20 + db, "line": [db]}
    return {
        "notes": {"note-000": [note(factor)] * 2, "note-048": [note(1.0), {}]},
        "sides": {"note-000": [-6 + db], "note-048": [-40]},
        "windows": {name: {"MTT_vgg": windows, "MTT_musicnn": windows} for name in ("a", "b")},
        "pieces": {
            "a": {"mos": 4.0, "distance": 0.01, "log_mel": 0.3},
            "b": {"mos": 5.0, "distance": 0.03, "log_mel": 0.5},
        },
        "visqol": {"a": 3.5},
        "repeats": {name: {"distance": 0.02, "peaks": db} for name in ("r", "s")},
    }


def test_the_table():
    rows = table.table({"ref": system(1.0), "ours": system(4.0, 3.0)}, "ref")
    assert table.markdown(rows)[0] == "| measure | good | ref | ours |"
    cells = {title: figures[-1] for title, *figures in rows}
    am = next(value for title, value in cells.items() if title.startswith("AM"))
    assert am == "2.50; 1 of 2"
    assert list(cells.values())[5:] == [
        "+3.0; +3.0",
        "3.0 (of 1)",
        "+3.0",
        "0.00",
        "0.00",
        "0.400",
        "4.50; 0.0200",
        "3.50",
        "0.0200; +3.0",
    ]
    assert table.took({"ref": system(1.0), "ours": system(4.0)}, "ref") == (
        "4 held notes of piano, strings; 2 pieces, ViSQOL of 1; repetitions of 2 keys"
    )


def test_pieces_of_some_programs_have_no_others():
    for piece in pieces.repeats([24, 73]):
        assert set(piece.notes[:, 2]) <= {24, 73}
    notes = pieces.music.clip(1, 12.0, pieces.Instruments((24, 73), False))
    assert set(notes[:, 2]) <= {24, 73} and not notes[:, 5].any()
