"""The note table is corrected where a key is too loud, and nowhere else."""

import pytest

torch = pytest.importorskip("torch")

from timbre_training import note_table, refit
from timbre_training.prior import Prior, note_row

PROGRAMS, WRONG = 2, (1, 60)


def test_only_keys_whose_level_is_off_are_moved():
    torch.manual_seed(0)
    model = Prior(16, 1, 8).requires_grad_(False)
    torch.nn.init.normal_(model.output, std=0.3)
    key = torch.arange(refit.PITCHES) + note_table.LOW
    programs = [torch.full((refit.PITCHES,), program) for program in range(PROGRAMS)]
    looks = torch.stack([refit.looks_of(model, model.notes, p, key) for p in programs])
    program, pitch = WRONG[0], WRONG[1] - note_table.LOW
    looks[program, pitch] += 1.0  # nats, about 9 dB
    before, row = model.notes.clone(), int(note_row(*torch.tensor(WRONG)[:, None]))
    off = lambda: float(
        refit.errors(
            refit.looks_of(model, model.notes, *torch.tensor(WRONG)[:, None]),
            looks[program, pitch][None],
        )[2]
    )
    first = off()
    refit.refit(model, looks)
    moved = (model.notes != before).any(1).nonzero().ravel().tolist()
    assert moved == [row]
    assert first > 0.9 and off() < 0.5 * first
