"""Compares the torch network with the vectors of the original code (golden/network)."""
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="make train-env installs it")

from timbre_training.network import Config, Denoiser, flax_parameters, load_flax, timing_signal


def tiny(golden):
    c = json.loads((golden / "network" / "config.json").read_text())
    lengths = c["lengths"]
    config = Config(
        c["vocab_size"], c["emb_dim"], c["num_heads"], c["head_dim"], c["mlp_dim"],
        c["num_encoder_layers"], c["num_encoder_layers"], c["num_decoder_layers"],
        lengths["inputs"], lengths["targets_context"], lengths["targets"], prior=False,
    )
    model = Denoiser(config).eval()
    load_flax(model, np.load(golden / "network" / "params.npz"))
    return model


def test_parameter_names_are_the_published_ones(golden):
    listed = {}
    for line in (golden / "params" / "small_with_context_params.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, shape, _ = line.split()
            listed[name] = tuple(map(int, shape.split("x")))
    with torch.device("meta"):
        model = Denoiser(Config.small_with_context())
    ours = {
        k.replace(".layers.", ".layers_"): tuple(v.shape) for k, v in model.state_dict().items()
    }
    assert ours == listed


@torch.no_grad()
def test_encode_and_decode(golden):
    model, g = tiny(golden), np.load(golden / "network" / "encode_decode.npz")
    frames = model.config.context_frames
    for row in range(len(g["tokens"])):
        ids = torch.tensor(g["tokens"][row][None], dtype=torch.int64)
        real, past = int((ids > 0).sum()), int(g["context_mask"][row].sum())
        context, valid = torch.zeros(1, frames, 128), torch.zeros(1, frames, dtype=torch.bool)
        if past:
            context[0, -past:] = torch.tensor(g["context_scaled"][row, :past])
            valid[0, -past:] = True
        memory, mask = model.encode(ids, context, valid)
        np.testing.assert_allclose(memory[0, :real], g["tokens_encoded"][row, :real], atol=1e-5)
        if past:
            np.testing.assert_allclose(
                memory[0, -past:], g["context_encoded"][row, :past], atol=1e-5
            )
        z = torch.tensor(g["z"][row][None])
        for n in [k.split("_")[1] for k in g.files if k.startswith("time_")]:
            t = torch.tensor(np.atleast_1d(g[f"time_{n}"])[:1])
            eps = model(z, t, memory, mask)
            np.testing.assert_allclose(eps[0], g[f"eps_cond_{n}"][row], atol=3e-3)


def test_flax_names_go_both_ways(golden):
    model = tiny(golden)
    params = np.load(golden / "network" / "params.npz")
    ours = flax_parameters(model.state_dict())
    assert all(np.array_equal(ours[k], params[k]) for k in params.files)
    assert len(ours) == len(params.files)
    assert timing_signal(torch.tensor([0.5]), 16).shape == (1, 16)
