"""Tests of measuring held notes, and of their movement in the excitation, on sound with a known
movement.
"""

import struct

import numpy as np
import pytest

from timbre_training import attacks, excitation, life, measure_life, solos, soundfont
from timbre_training.bands import WIDE_HZ
from timbre_training.notes import as_array

AT_ONCE = np.zeros((attacks.rows(), len(attacks.LEVELS)))
KEY = 69
HZ = excitation.key_hz(KEY)
SECONDS = np.arange(round((measure_life.HELD_S + 0.2) * WIDE_HZ)) / WIDE_HZ


def tone(turns, partials=8):
    """A tone at phases in turns, whose partials get softer with their number."""
    return sum(0.1 / n * np.cos(2 * np.pi * n * turns) for n in range(1, partials + 1))


def measured(left, right=None):
    """The facts and the life of the measured key."""
    facts, values = measure_life.of_note(
        np.stack([left, left if right is None else right]), KEY, HZ
    )
    return facts, life.Life(facts, values, KEY)


def test_a_vibrato_is_what_the_partials_do_together():
    rate, cents = 5.5, 15.0
    size = HZ * cents * np.log(2) / 1200 / (2 * np.pi * rate)  # turns
    facts, found = measured(tone(HZ * SECONDS + size * np.sin(2 * np.pi * rate * SECONDS)))
    at = np.arange(int(facts[life.POINTS])) / facts[life.POINT_HZ]
    inside = (at > 0.2) & (at < 2.8)
    wave = size * np.sin(2 * np.pi * rate * at)
    assert np.abs(found.sway - wave)[inside].max() < 0.2 * size
    assert (
        np.abs(np.abs(found.parts[0, 0]) - 1)[inside].max() < 0.05
    )  # and the partials themselves are still


def test_a_still_note_is_found_still_and_in_the_middle():
    facts, found = measured(tone(HZ * SECONDS))
    assert facts[life.SWAY] < 0.01 and not found.parts[:8, 1].any()
    assert np.abs(np.abs(found.parts[0, 0]) - 1)[2:].max() < 0.05


def test_two_voices_beat_as_they_were_played():
    beat = 2.0
    facts, found = measured(tone(HZ * SECONDS) + 0.5 * tone((HZ + beat) * SECONDS))
    size = np.abs(found.parts[0, 0])
    assert size.max() / size.min() == pytest.approx(3.0, rel=0.2)


def test_what_one_side_has_alone_is_middle_and_side():
    _, found = measured(tone(HZ * SECONDS), np.zeros(len(SECONDS)))
    np.testing.assert_allclose(found.parts[0, 0], found.parts[0, 1], atol=0.05)


def test_stretched_partials_go_ahead():
    stretch = 4e-4
    sound = sum(
        0.1 / n * np.cos(2 * np.pi * n * HZ * np.sqrt(1 + stretch * n * n) * SECONDS)
        for n in range(1, 9)
    )
    facts, _ = measured(sound)
    for group, n in ((3, 4), (4, 5), (6, 7)):
        assert facts[life.SHIFT + group] == pytest.approx(
            n * (np.sqrt(1 + stretch * n * n) - 1), rel=0.1, abs=0.002
        )


def test_noise_is_told_from_tones():
    rng = np.random.default_rng(1)
    for level in (0.001, 0.0005):
        sound = tone(HZ * SECONDS, 16) + level * rng.standard_normal(len(SECONDS))
        partials = [(n, n * HZ, 1.0) for n in range(1, 17)]
        share = measure_life.noise_share(sound, partials, HZ)
        quiet = measure_life.noise_share(
            level / np.sqrt(10) * rng.standard_normal(len(SECONDS)) + tone(HZ * SECONDS, 16),
            partials,
            HZ,
        )
        loud = slice(8, 24)
        np.testing.assert_allclose(10 * np.log10(share[loud] / quiet[loud]).mean(), 10.0, atol=2.0)
    alone = measure_life.noise_share(rng.standard_normal(len(SECONDS)), [], HZ)
    assert alone[2:].min() > 0.7


def test_an_envelope_goes_back_from_its_end_and_never_jumps():
    curve = np.cumsum(np.random.default_rng(2).standard_normal(75))
    values = life.cubic(curve, np.arange(0, 400, 0.05))
    assert np.abs(np.diff(values)).max() < 0.3
    last = 74
    np.testing.assert_allclose(
        life.cubic(curve, np.array([last + 3.0])), life.cubic(curve, np.array([last - 3.0]))
    )


def test_the_same_sound_for_any_length():
    rng, table = np.random.default_rng(3), life.LifeTable()
    table.values = rng.integers(-127, 128, 75 * (1 + 4 * life.GROUPS))
    table.facts[0, life.SWAY : life.NOISE] = 0.2
    note = as_array([(0.0, 2.0, 48, 60, 100, 0)])[0]
    short, long = (
        excitation.steady_tone(note, count, table.of(note))[0] for count in (1000, 20000)
    )
    np.testing.assert_array_equal(short, long[:, :1000])


def sf2(path, zones):
    """A soundfont with one preset, whose zones are (first key, last key, sample)."""
    name = lambda text: text.encode().ljust(20, b"\0")
    inst = [(2, 43, a | b << 8, 53, sample) for a, b, sample in zones]
    pdta = {
        b"phdr": struct.pack("<20sHHHIII", name("one"), 5, 0, 0, 0, 0, 0)
        + struct.pack("<20sHHHIII", name("EOP"), 0, 0, 1, 0, 0, 0),
        b"pbag": struct.pack("<HHHH", 0, 0, 1, 0),
        b"pmod": b"",
        b"pgen": struct.pack("<HHHH", 41, 0, 0, 0),
        b"inst": struct.pack("<20sH", name("one"), 0)
        + struct.pack("<20sH", name("EOI"), len(inst)),
        b"ibag": b"".join(struct.pack("<HH", 2 * i, 0) for i in range(len(inst) + 1)),
        b"imod": b"",
        b"igen": b"".join(struct.pack("<HHHH", *zone[1:]) for zone in inst)
        + struct.pack("<HH", 0, 0),
    }
    chunk = lambda kind, data: kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    body = chunk(b"LIST", b"pdta" + b"".join(chunk(k, v) for k, v in pdta.items()))
    path.write_bytes(chunk(b"RIFF", b"sfbk" + body))


def test_keys_that_share_samples_are_a_zone(tmp_path):
    sf2(tmp_path / "a.sf2", [(0, 47, 3), (48, 90, 4), (91, 127, 5), (60, 60, 6)])
    zones = soundfont.key_zones(tmp_path / "a.sf2", 5, range(21, 109), 90, 30)
    assert zones == [(21, 47), (48, 59), (60, 60), (61, 90), (91, 108)]
    assert all(
        last - first < 12
        for first, last in soundfont.key_zones(tmp_path / "a.sf2", 5, range(21, 109), 90, 12)
    )
    assert soundfont.samples(tmp_path / "a.sf2", 5, 60, 90) == (4, 6)
    assert soundfont.samples(tmp_path / "a.sf2", 6, 60, 90) == ()


def test_what_is_no_soundfont_is_refused(tmp_path):
    (tmp_path / "a.sf2").write_bytes(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(ValueError, match="no soundfont"):
        soundfont.samples(tmp_path / "a.sf2", 0, 60, 90)


def test_a_key_struck_again_silences_what_rang():
    """40 ms after the second stroke the first note has e^-2 of its normal level, and other notes
    are unchanged."""
    notes = as_array(
        [(0.0, 0.5, 48, 60, 100, 0), (0.5, 1.0, 48, 60, 100, 0), (0.0, 0.5, 48, 67, 100, 0)]
    )
    again = excitation.struck_again(notes)
    assert sorted(again) == [8000, np.inf, np.inf]
    first = notes[np.isfinite(again)][0]
    late = np.array([8640.0])
    fallen = excitation.envelope(late, first, 8000) / excitation.envelope(late, first)
    np.testing.assert_allclose(fallen, np.exp(-2.0), rtol=1e-6)


def test_a_triangle_rings_and_a_shaker_does_not():
    loudest = {}
    for key in (81, 82):
        tones, upper, levels, _ = excitation.excite(
            np.array([[0.0, 0.1, 0, key, 100, 1]]), 16000, AT_ONCE, life.LifeTable()
        )
        loudest[key] = (
            np.abs(tones[0, 1600:]).max(),
            np.abs(upper[0, 1600:]).max(),
            levels[20].max(),
        )
    assert min(loudest[81]) > 0.05
    assert loudest[82][:2] == (0, 0) and loudest[82][2] <= excitation.LEVEL_FLOOR * 1.001


def test_solos_are_reproducible_and_of_one_instrument():
    for seed in range(30):
        notes = solos.clip(seed, 8.0)
        assert np.array_equal(notes, solos.clip(seed, 8.0)) and len(notes)
        assert len(set(map(tuple, notes[:, [2, 5]]))) == 1
