"""Tests of the measures of the evaluation, on sounds for which the right result is known. Needs
only numpy and scipy."""
import tomllib

import numpy as np
import pytest

from timbre_training import mel
from timbre_training.evaluation import __main__ as command
from timbre_training.evaluation import (
    card, drift, measure, pieces, single_notes, spectra, transcription,
)

RATE = mel.RATE


def tone(key, cents, seconds, partials=6, vibrato_cents=0.0):
    """Partials of level 1/n of a tone `cents` off equal temperament, with a vibrato of 5.5 Hz and
    the given depth."""
    t = np.arange(round(seconds * RATE)) / RATE
    hz = 440 * 2 ** ((key - 69) / 12 + (cents + vibrato_cents * np.sin(2 * np.pi * 5.5 * t)) / 1200)
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return sum(
        np.sin(n * phase) / n for n in range(1, partials + 1) if n * hz.max() < RATE / 2
    ).astype(np.float32)


@pytest.mark.parametrize("key", [33, 45, 60, 81, 96])
@pytest.mark.parametrize("off", [-21.0, 0.0, 7.0])
def test_pitch_is_found_within_a_cent(key, off):
    noise = np.random.default_rng(key).normal(0, 0.003, RATE)
    assert single_notes.cents(tone(key, off, 1.0) + noise, 0.2, key) == pytest.approx(off, abs=1.0)


@pytest.mark.parametrize("key", [45, 60, 81])
def test_vibrato_does_not_count_as_pitch(key):
    vibrato = tone(key, 3.0, 1.0, vibrato_cents=25)
    assert single_notes.cents(vibrato, 0.2, key) == pytest.approx(3.0, abs=4.0)


def note(at_s, attack_s, seconds=1.5):
    """A tone of 330 Hz that begins at `at_s`, rises for `attack_s` and then decays."""
    t = np.arange(round(seconds * RATE)) / RATE - at_s
    gain = np.clip(t / attack_s, 0, 1) * np.exp(-np.maximum(t - attack_s, 0) / 0.8)
    return (0.2 * gain * np.sin(2 * np.pi * 330 * t)).astype(np.float32)


@pytest.mark.parametrize("attack_s", [0.001, 0.02, 0.08])
@pytest.mark.parametrize("late_ms", [-30.0, -4.0, 0.0, 2.5, 11.0, 40.0])
def test_a_shift_of_the_onset_is_measured_however_slow_the_attack(attack_s, late_ms):
    error = single_notes.onset_error_ms(
        0.5 * note(0.5 + late_ms / 1000, attack_s), note(0.5, attack_s), 0.5
    )
    assert error == pytest.approx(late_ms, abs=0.7)


def test_an_onset_is_measured_in_noise_and_at_the_start_of_a_sound():
    noise = lambda seed: np.random.default_rng(seed).normal(0, 0.002, round(1.5 * RATE))
    late, early = note(0.507, 0.01) + noise(1), note(0.5, 0.01) + noise(2)
    assert single_notes.onset_error_ms(late, early, 0.5) == pytest.approx(7, abs=1)
    late, early = note(0.06, 0.01), note(0.05, 0.01)
    assert single_notes.onset_error_ms(late, early, 0.05) == pytest.approx(10, abs=1)


@pytest.mark.parametrize("key", [33, 45, 57])
def test_phases_are_no_shift_of_the_onset(key):
    def tone_with_phases(seed):
        rng, hz = np.random.default_rng(seed), 440 * 2 ** ((key - 69) / 12)
        t = np.arange(round(1.2 * RATE)) / RATE - 0.5
        gain = np.clip(t / 0.01, 0, 1) * np.exp(-np.maximum(t, 0) / 0.8)
        return 0.02 * gain * sum(
            np.cos(2 * np.pi * n * hz * t + rng.uniform(0, 2 * np.pi)) / n**0.7
            for n in range(1, 30)
        )

    errors = [
        abs(single_notes.onset_error_ms(tone_with_phases(2 * i), tone_with_phases(2 * i + 1), 0.5))
        for i in range(8)
    ]
    assert np.median(errors) < 2 and max(errors) < 4


def test_what_swells_or_drowns_in_what_rings_has_no_onset():
    ringing = note(0.0, 0.01)
    assert single_notes.onset_error_ms(note(0.5, 0.4), note(0.5, 0.4), 0.5) is None
    sound = ringing + 0.02 * note(0.5, 0.01)
    assert single_notes.onset_error_ms(sound, sound, 0.5) is None


def test_decays_are_timed():
    t = np.arange(3 * RATE) / RATE
    sound = np.exp(-t / 0.5) * np.sin(2 * np.pi * 440 * t)  # 20 dB in 1.151 s
    whole = single_notes.fall_s(sound, 0.0, 3.0, 20, True)
    assert whole == pytest.approx(0.5 * np.log(10), abs=0.02)
    half = single_notes.fall_s(sound, 1.0, 3.0, 10, False)
    assert half == pytest.approx(0.25 * np.log(10), abs=0.02)
    assert single_notes.fall_s(sound, 0.0, 1.0, 20, True) is None


def test_sounds_that_are_equal_have_no_distance_and_louder_ones_their_level():
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 4 * RATE).astype(np.float32)
    sound[RATE:] = 0
    same = spectra.compare((sound, sound, 1.0))
    names = "log_mel_l1", "stft_convergence", "stft_log_l1", "level_db"
    assert [same[name] for name in names] == [0, 0, 0, 0]
    twice = spectra.compare((2 * sound, sound, 1.0))
    assert twice["level_db"] == pytest.approx(6.02, abs=0.01)
    assert twice["stft_convergence"] == pytest.approx(1.0, abs=0.01)
    # Half of the compared part is silence, where both are at the floor; the rest is not compared.
    assert twice["log_mel_l1"] == pytest.approx(np.log(2) / 2, rel=0.02)
    assert twice["after_dbfs"] == -180


def test_the_upper_band_is_measured_where_the_reference_has_one():
    t = np.arange(96_000) / 48_000
    above, below = (
        0.01 * np.sin(2 * np.pi * hz * t) * np.hanning(len(t)) for hz in (11_000, 5_000)
    )
    same = spectra.compare_upper((above, above))
    assert same["l1"] == 0 and same["dbfs"] == same["reference_dbfs"] and same["silent_l1"] > 3
    half = spectra.compare_upper((0.5 * above + below, above))
    assert half["l1"] == pytest.approx(np.log(2), rel=0.02)
    assert half["dbfs"] - half["reference_dbfs"] == pytest.approx(-6.02, abs=0.05)
    none = spectra.compare_upper((above, below))
    assert none["l1"] is None and none["reference_dbfs"] < measure.QUIET_DBFS < none["dbfs"]


def test_notes_are_made_of_activations():
    notes, onsets = np.zeros((200, 88)), np.zeros((200, 88))
    notes[50:100, 39] = 0.8  # key 60, struck
    onsets[50, 39] = 0.9
    notes[120:160, 51] = 0.6  # key 72, without an onset of its own
    notes[180:185, 10] = 0.9  # too short
    onsets[180, 10] = 0.9
    found = sorted(transcription.notes_of(notes, onsets))
    assert [key for _, _, key in found] == [60, 72]
    assert found[0][:2] == (50, 100)
    assert abs(found[1][0] - 120) <= 1 and abs(found[1][1] - 160) <= 1


def test_f1_counts_keys_and_onsets():
    pytest.importorskip("mir_eval", reason="make evaluate installs it")
    played = np.array(
        [
            [0.5, 1.0, 0, 60, 90, 0],
            [1.0, 1.5, 0, 64, 90, 0],
            [1.0, 1.1, 0, 38, 90, 1],
            [2.0, 2.5, 0, 67, 90, 0],
        ]
    )
    heard = [(0.52, 0.9, 60), (1.08, 1.5, 64), (2.0, 2.2, 67), (2.0, 2.2, 79)]
    counts = transcription.count(heard, played)
    assert counts.tolist() == [2, 4, 3]
    assert transcription.f1([counts]) == pytest.approx(4 / 7)


def test_drift_is_told_from_none():
    minute = drift.minute()
    assert 0 <= minute[:, 0].min() and minute[:, 1].max() <= drift.MUSIC_S
    assert len(drift.repeated(minute, 3)) == 3 * len(minute)
    rng = np.random.default_rng(0)
    music = rng.normal(0, 0.05, round(drift.MUSIC_S * RATE))
    rest = np.zeros(round((drift.MINUTE_S - drift.MUSIC_S) * RATE))
    steady = [np.concatenate([music, rest])] * 8
    assert drift.quarters(np.concatenate(steady), 8)["verdict"] == "no drift"
    louder = drift.quarters(np.concatenate([(1 + 0.02 * i) * m for i, m in enumerate(steady)]), 8)
    assert louder["verdict"] == "DRIFT" and louder["level_db"] > 0.5
    humming = drift.quarters(np.concatenate(steady[:7] + [steady[7] + 0.002]), 8)
    assert humming["verdict"] == "DRIFT"
    assert humming["floor_last_dbfs"] == pytest.approx(-54, abs=0.1)


def test_scales_have_every_key_at_every_velocity():
    notes = pieces.scale_notes()
    wanted = {(k, v) for k in pieces.KEYS for v in pieces.VELOCITIES}
    assert {(k, v) for _, k, v in notes} == wanted
    assert len(notes) == len(pieces.KEYS) * len(pieces.VELOCITIES)
    assert min(abs(a[1] - b[1]) for a, b in zip(notes, notes[1:])) >= 12


def test_figures_of_scales_leave_out_what_the_soundfont_does_not_play():
    count = len(pieces.scale_notes())
    levels = [-20.0 - 10 * pieces.VELOCITIES.index(v) for _, _, v in pieces.scale_notes()][::-1]
    table = {
        "onset_ms": {0: [3.0] * (count - 3) + [np.nan] + [3.0] * 2},
        "cents": {0: [1.0] * (count - 2) + [40.0, -9.0]},
        "reference_cents": {0: [0.0] * (count - 1) + [30.0]},
        "dbfs": {0: levels},
        "reference_fall_db": {0: [0.0] * count},
        "reference_dbfs": {
            0: [-100.0 if i == count - 2 else level for i, level in enumerate(levels)]
        },
    }
    result = measure.summary(table, [-5.0, 5.0])
    counts = result["notes"], result["pitched_notes"], result["attacked_notes"]
    assert counts == (count - 1, count - 2, count - 2)
    assert result["cents"]["worst"] == 1.0 and result["cents"]["share_within_8"] == 1.0
    assert result["onset_ms"]["median"] == 3.0 and result["drum_onset_ms"]["median_abs"] == 5.0
    assert result["programs"][0]["rises"] and result["programs"][0]["dbfs"][0] == pytest.approx(-60)


def test_instruments_are_written_into_the_manifest_in_place_of_older_ones(tmp_path):
    path = tmp_path / "manifest.toml"
    path.write_text(
        'format = 1\n\n[instruments]\ngood = [1]\nfair = []\n\n[files.step]\nfile = "step.onnx"\n'
    )
    found = card.classes({0: 0.2, 1: card.GOOD, 2: 0.9, 3: card.FAIR})
    assert found == {"good": [0], "fair": [1], "poor": [2, 3]}
    for _ in range(2):
        command.write_instruments(tmp_path, found)
        assert tomllib.loads(path.read_text()) == {
            "format": 1, "files": {"step": {"file": "step.onnx"}}, "instruments": found,
        }


def test_the_card_has_what_listening_found():
    rows = [["measure", "good", "reference", "timbred"], ["FAD", "0", "", "17.20"]]
    lines = card.listening({"rows": rows, "took": "2 held notes of piano; 1 pieces"})
    assert any(line.endswith("Taken were 2 held notes of piano; 1 pieces.") for line in lines)
    assert lines[-2:] == ["| FAD | 0 |  | 17.20 |", ""]
