"""What is measured of held notes, and what the excitation makes of it, on sound whose life is known."""
import numpy as np

from timbre_training import attacks, excitation, life, mel, measure_life, solos
from timbre_training.notes import as_array

AT_ONCE = np.zeros((attacks.ROWS, len(attacks.LEVELS)))
KEY, PROGRAM = 69, 40


def held(row, seconds=measure_life.HELD_S):
    """A key held whose program lives as `row` says, float [n]"""
    table = life.table_or_still(None)
    table[life.row([0, 0, PROGRAM, KEY, 0, 0])] = row
    tones, *_ = excitation.excite(as_array([(0.0, seconds, PROGRAM, KEY, 100, 0)]), round(seconds * mel.RATE), AT_ONCE, table)
    return tones.real


def test_vibrato_and_tremolo_are_measured_as_they_were_played():
    row = np.zeros(life.COLUMNS)
    row[[life.VIBRATO_HZ, life.VIBRATO_CENTS, life.VIBRATO_S, life.VIBRATO_TURN]] = 5.5, 15.0, 0.25, 0.3
    row[[life.TREMOLO_HZ, life.TREMOLO_NATS, life.TREMOLO_TURN]] = 4.0, 0.15, 0.6
    found = measure_life.of_note(held(row), KEY)
    np.testing.assert_allclose(found[[life.VIBRATO_HZ, life.TREMOLO_HZ]], [5.5, 4.0], atol=0.11)
    np.testing.assert_allclose(found[life.VIBRATO_CENTS], 15.0, rtol=0.1)
    np.testing.assert_allclose(found[life.TREMOLO_NATS], 0.15, rtol=0.15)
    np.testing.assert_allclose(found[[life.VIBRATO_TURN, life.TREMOLO_TURN]], [0.3, 0.6], atol=0.08)


def test_a_still_note_is_found_still():
    assert not measure_life.of_note(held(np.zeros(life.COLUMNS)), KEY)[[life.VIBRATO_HZ, life.TREMOLO_NATS, life.SIDE_SHARE]].any()


def test_voices_beside_the_main_one_are_found():
    row = np.zeros(life.COLUMNS)
    row[[life.SIDE_SHARE, life.SIDE_CENTS]] = 0.4, 12.0
    found = measure_life.of_note(held(row), KEY)
    assert abs(found[life.SIDE_SHARE] - 0.4) < 0.12 and abs(found[life.SIDE_CENTS] - 12.0) < 3.0, found


def test_a_key_struck_again_silences_what_rang():
    """40 ms after the second stroke the first note has e^-2 of what it would have, other notes what they had."""
    notes = as_array([(0.0, 0.5, 48, 60, 100, 0), (0.5, 1.0, 48, 60, 100, 0), (0.0, 0.5, 48, 67, 100, 0)])
    again = excitation.struck_again(notes)
    assert sorted(again) == [8000, np.inf, np.inf]
    first = notes[np.isfinite(again)][0]
    late = np.array([8640.0])
    fallen = excitation.envelope(late, first, 8000) / excitation.envelope(late, first)
    np.testing.assert_allclose(fallen, np.exp(-2.0), rtol=1e-6)


def test_a_triangle_rings_and_a_snare_does_not():
    loudest = {}
    for key in (81, 38):
        tones, upper, levels, _ = excitation.excite(np.array([[0.0, 0.1, 0, key, 100, 1]]), 16000, AT_ONCE)
        loudest[key] = np.abs(tones[1600:]).max(), np.abs(upper[1600:]).max(), levels[20].max()
    assert min(loudest[81]) > 0.05
    assert loudest[38][:2] == (0, 0) and loudest[38][2] <= excitation.LEVEL_FLOOR * 1.001


def test_solos_are_reproducible_and_of_one_instrument():
    for seed in range(30):
        notes = solos.clip(seed, 8.0)
        assert np.array_equal(notes, solos.clip(seed, 8.0)) and len(notes)
        assert len(set(map(tuple, notes[:, [2, 5]]))) == 1


def test_a_table_is_scaled_or_still():
    table = np.ones((life.ROWS, life.COLUMNS), np.float32)
    assert not life.scaled(table, 0.0).any()
    half = life.scaled(table, 0.5)[0]
    assert half[life.VIBRATO_CENTS] == half[life.SIDE_SHARE] == 0.5 and half[life.VIBRATO_HZ] == 1.0
