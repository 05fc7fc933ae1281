"""Tests of the losses and the training loop of the vocoder, on sound that is made here."""
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="make train-env installs it")

from timbre_training import fed, losses, mel, train_vocoder, vocoder


def test_noise_between_partials_costs_what_the_mel_does_not_hear():
    torch.manual_seed(0)
    at = torch.arange(16000) / mel.RATE
    tones = sum(0.05 * torch.cos(2 * np.pi * 440 * n * at) for n in range(1, 16))[None]
    noisy, clean = tones + 3e-3 * torch.randn(1, 16000), tones + 3e-5 * torch.randn(1, 16000)
    assert losses.split_loss(noisy, clean, tones) > 5 * losses.split_loss(
        clean, tones + 3e-5 * torch.randn(1, 16000), tones
    )
    assert losses.split_loss(noisy, clean, tones) > 0.5


def test_softer_noise_costs_level():
    torch.manual_seed(0)
    matrix = torch.from_numpy(mel.mel_matrix().astype(np.float32))
    a, b = 0.1 * torch.randn(2, 16000), 0.1 * torch.randn(2, 16000)
    assert losses.level_loss(a, b, matrix) < 0.15
    np.testing.assert_allclose(losses.level_loss(a * np.exp(-0.5), b, matrix), 0.5, atol=0.1)


def test_free_frames_have_one_correction():
    made = torch.tensor([[1.0, 3.0], [5.0, 9.0], [2.0, 4.0]])[None, :, :, None, None]
    even = vocoder.evenly(made, torch.tensor([[True, False, True]]))[0, :, 0, 0]
    assert even.tolist() == [2.0, 2.0, 5.0, 9.0, 6.0, 3.0]


def fake(folder, clips=2, samples=80 * mel.HOP):
    rng, frames = np.random.default_rng(0), samples // mel.HOP
    some = lambda *shape: (0.05 * rng.standard_normal((clips, *shape))).astype(np.float32)
    np.savez(folder / "00000000.npz", x=0)
    np.savez(
        fed.path_of(folder / "00000000.npz"),
        tones=(some(samples) + 1j * some(samples)).astype(np.complex64),
        upper_tones=some(samples),
        audio=some(samples),
        upper=some(samples),
        hush=np.ones((clips, samples), np.float16),
        levels=some(2 * frames, 128).astype(np.float16),
        onsets=np.full((clips, 2 * frames), 160, np.int16),
        drummed=np.zeros((clips, frames), bool),
        prior=some(frames, 128).astype(np.float16),
        true=some(frames, 128).astype(np.float16),
        share=-abs(some(frames, 128)).astype(np.float16),
    )


def test_a_run_with_an_adversary_is_taken_up_where_it_was(tmp_path):
    fake(tmp_path)
    data = fed.Fed(tmp_path, torch.device("cpu"))
    steps = []
    for minutes in (0.3, 0.6):  # long enough for a busy machine to come to the adversary
        train_vocoder.train(
            data, tmp_path / "v.pt", minutes, 16, 1, 2, 1e-3, torch.device("cpu"), adversarial=True,
            rival_width=4,
        )
        saved = torch.load(tmp_path / "v.pt", weights_only=True)
        steps.append(saved["step"])
        assert all(torch.isfinite(v).all() for v in saved["average"].values())
    assert 0 < steps[0] < steps[1]
    assert {p.name for p in tmp_path.iterdir()} >= {"v.adversary.pt", "v.before.npz"}
