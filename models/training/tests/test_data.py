"""Tests of mel, tokens and the shared vectors. Needs only numpy and scipy."""
import json
from pathlib import Path

import numpy as np
import pytest

from timbre_training import attacks, bands, excitation, life, mel, music, tokens
from timbre_training.kits import NONE, Kits
from timbre_training.notes import as_array

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"


def test_mel_is_the_published_front_end(golden):
    matrix = np.load(golden / "mel" / "mel_matrix_513x128.npy")
    # The published matrix is computed in float32, ours in float64.
    np.testing.assert_allclose(mel.mel_matrix(), matrix, atol=5e-5)
    names = sorted(golden.glob("mel/*.audio.npy"))
    assert names
    for path in names:
        truth = np.exp(np.load(str(path).replace(".audio", ".mel")))
        ours = np.exp(mel.log_mel(np.load(path)))
        assert ours.shape == truth.shape
        assert np.all(np.abs(ours - truth) <= 1e-4 * truth.max(1, keepdims=True) + 2e-6)


def test_scaling_goes_both_ways():
    x = np.linspace(mel.LOG_MIN, mel.LOG_MAX, 50)
    np.testing.assert_allclose(mel.unscale(mel.scale(x)), x, atol=1e-9)
    assert mel.scale(np.array([-50.0, 9.0])).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("bins", [1, 127])
def test_vocabulary_is_the_published_one(golden, bins):
    for path in golden.glob("tokens/tokens_*.json"):
        golden_set = json.loads(path.read_text())
        if golden_set["num_velocity_bins"] == bins:
            v, ranges = tokens.Vocabulary(bins), golden_set["ranges_as_model_ids"]
            assert v.size == golden_set["num_embeddings"]
            found = {
                "shift": v.shift, "pitch": v.pitch, "velocity": v.velocity, "tie": v.tie,
                "program": v.program, "drum": v.drum,
            }
            assert found == {name: ranges[name][0] for name in found}
            return
    pytest.skip(f"no golden set of {bins} velocity bins")


def test_live_tokens_are_those_of_the_vectors():
    vectors = json.loads((VECTORS / "live_tokens.json").read_text())
    vocabulary = tokens.Vocabulary(vectors["velocity_bins"])
    for case in vectors["cases"]:
        notes = np.array(case["notes"]).reshape(-1, 6)
        events = tokens.live_events(notes)
        for start, ids in zip(case["starts"], case["segments"]):
            end = start + case["frames"]
            found = tokens.live_segment(notes, events, 2 * start, 2 * end, vocabulary)
            assert found == ids


def test_excitation_is_that_of_the_vectors():
    v = np.load(VECTORS / "excitation.npz")
    lives = life.LifeTable()
    lives.zone, lives.facts, lives.values = (v[name] for name in ("zone", "facts", "values"))
    kits = Kits(((16, (43, 45)), (40, (38,))))  # as in `vectors`
    tones, upper, levels, hush = excitation.excite(
        v["notes"], v["tones"].shape[-1], v["attacks"], lives, kits
    )
    np.testing.assert_allclose(tones, v["tones"] + 1j * v["quadrature"], atol=1e-6)
    np.testing.assert_allclose(upper, v["upper"], atol=1e-6)
    np.testing.assert_allclose(levels, v["levels"], rtol=1e-5)
    np.testing.assert_allclose(hush, v["hush"], atol=1e-5)


def test_levels_are_what_the_front_end_measures_of_a_steady_tone():
    for key in (60, 72, 84):  # below, neighbouring harmonics share bins and beat
        at_once = np.zeros((attacks.rows(), len(attacks.LEVELS)))
        tones, _, levels, _ = excitation.excite(
            as_array([(0.0, 1.0, 48, key, 127, 0)]), 16000, at_once, life.LifeTable()
        )
        measured = np.exp(mel.log_mel(tones[0].real)[20])
        loud = measured > 0.05 * measured.max()
        np.testing.assert_allclose(levels[41][loud], measured[loud], rtol=0.1)


def test_the_upper_tone_is_the_upper_band_of_the_harmonics():
    """At 16 kHz they are at the frequencies to which `bands.upper_band` moves them from 48 kHz."""
    key, at = 84, np.arange(48000) / 48000
    harmonics = np.arange(1, int(16000 / excitation.key_hz(key)))
    wide = sum(
        excitation.HARMONIC_AMPLITUDE
        * np.cos(2 * np.pi * (h * excitation.key_hz(key) * at + excitation.start_turn(h)))
        for h in harmonics
    )
    at_once = np.zeros((attacks.rows(), len(attacks.LEVELS)))
    _, (upper, _), _, _ = excitation.excite(
        as_array([(0.0, 2.0, 48, key, 127, 0)]), 16000, at_once, life.LifeTable()
    )
    ours, theirs = (
        np.abs(np.fft.rfft(x[4000:12000] * np.hanning(8000)))
        for x in (upper, bands.upper_band(wide))
    )
    inside = slice(300, 3700)  # 0.6 to 7.4 kHz: clear of the filter's edges
    assert theirs[inside].max() > 50
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=0.05 * theirs[inside].max())


def test_a_shaped_note_rises_as_its_attack_says():
    """Gains that follow the mel of the attack, multiplied by its shape, give the attack again."""
    at = np.arange(attacks.SHAPES) * attacks.GRID
    for slowest in (0.002, 0.02, 0.06):
        attack = np.array([0.1, 0.3, 0.5, 0.7, 1.0]) * slowest
        wanted = attacks.rise(attack, at / 16_000)
        assert wanted[0] < 0.05 and wanted[-1] == 1 and np.all(np.diff(wanted) >= 0)
        for age in (40, 160, 320):
            shape = attacks.shape(attack, age)
            assert shape.max() <= np.exp(attacks.LOUDEST) and abs(shape[-1] - 1) < 0.01
            # In the frame of the key press the gains are constant, so there the shape is the attack
            # at another level.
            inside = at <= age
            ratio = shape[inside] / wanted[inside]
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    np.testing.assert_allclose(attacks.shape(np.zeros(len(attacks.LEVELS)), 200), 1.0, atol=0.1)


def test_music_is_reproducible_and_playable():
    for seed in range(20):
        notes = music.clip(seed, 8.0)
        assert np.array_equal(notes, music.clip(seed, 8.0))
        assert len(notes) and np.all(notes[:, 1] > notes[:, 0]) and notes[:, 1].max() <= 8.2
        assert notes[:, 2:5].min() >= 0 and notes[:, 2:5].max() <= 127


def test_partials_are_found_where_they_are():
    from timbre_training.partials import partials

    at = np.arange(19200) / mel.RATE
    wanted = (1.0, 2.745, 5.307)
    sound = sum(
        np.sin(2 * np.pi * by * excitation.key_hz(60) * at) / (1 + i) for i, by in enumerate(wanted)
    )
    found = partials(sound, 60)
    np.testing.assert_allclose([by for by, _ in found], wanted, atol=2e-3)
    np.testing.assert_allclose([db for _, db in found], [0, -6.02, -9.54], atol=0.1)


@pytest.mark.parametrize(
    "older",
    [{"audio": np.zeros((1, 640), np.int16)}, {"audio": np.zeros((1, 640), np.float32)}],
    ids=["rounded", "without upper band"],
)
def test_shards_of_older_versions_are_refused(tmp_path, older):
    pytest.importorskip("torch", reason="make train-env installs it")
    from timbre_training import data, fed

    path = tmp_path / "00000000.npz"
    np.savez(
        path, mel=np.zeros((1, 2, 128), np.float16), notes=np.zeros((0, 6)), counts=[0], **older
    )
    np.save(data.prior_path(path), np.zeros((1, 2, 2, 128), np.float16))
    with pytest.raises(SystemExit, match="wanted float32.*delete the shard"):
        fed._feed((path, None, None, NONE))
