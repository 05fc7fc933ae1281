"""Trains the note prior on single notes for a number of minutes. It can be stopped at any time, and
continues where it was.

Loss: log-mel L1 in nats, as in the evaluation.
"""
import argparse
import copy
import time

import numpy as np
import torch

from . import mel, note_set, note_table
from .instruments import ALL
from .prior import PITCHES, SIZES, Prior, features, log_mel_of, note_row
from .training import Run, pick_device, started

TABLE_AFTER = 1000  # steps without a note table, so that it says what the rest cannot
# If another soundfont is learned: the share of the time in which only the table is fitted, and how.
REFIT, REFIT_RATE, REFIT_ROWS = 0.25, 3e-2, 1024


class Rows:
    """Random frames of a note set: instrument, key, features, mel."""

    def __init__(self, directory, seed):
        self.columns, self.rng = note_set.load(directory), np.random.default_rng(seed)

    def draw(self, count):
        i = np.sort(self.rng.integers(0, len(self.columns["key"]), count))
        c = {k: v[i] for k, v in self.columns.items()}
        return {
            "instrument": torch.from_numpy(c["instrument"].astype(np.int64)),
            "key": torch.from_numpy(c["key"].astype(np.int64)),
            "features": torch.from_numpy(features(c["velocity"], c["age"], c["release"])),
            "mel": torch.from_numpy(c["mel"].astype(np.float32)),
        }


def error(model, rows):
    """Mean absolute error of a batch in nats."""
    ours = log_mel_of(model(rows["instrument"], rows["key"], rows["features"]))
    return (ours - rows["mel"]).abs().mean()


class Looks:
    """The looks of `note_table.build` for the programs that are learned."""

    def __init__(self, path, programs, seed):
        self.looks = np.load(path)
        self.programs, self.rng = np.array(programs, np.int64), np.random.default_rng(seed)
        count = len(note_table.LOOKS)
        self.loud, self.soft = np.zeros((count, 3)), np.zeros((count, 3))  # velocity, age, release
        for heard, note in zip((self.loud, self.soft), note_table.questions()):
            for look, *row in note:
                heard[look] = row

    def error(self, model, count):
        """Mean absolute error of `count` of them in nats."""
        of = self.rng.integers(0, len(self.programs), count)
        pitch = self.rng.integers(0, PITCHES, count)
        look = self.rng.integers(0, self.looks.shape[2], count)
        device = model.notes.device
        put = lambda x: torch.from_numpy(x).to(device)
        program, key = put(self.programs[of]), put(pitch.astype(np.int64) + note_table.LOW)
        power = model(program, key, put(features(*self.loud[look].T)))
        soft = self.soft[look]
        both = (soft[:, 0] > 0).nonzero()[0]
        if len(both):
            more = model(program[both], key[both], put(features(*soft[both].T)))
            power = power.index_add(0, put(both), more)
        truth = put(self.looks[of, pitch, look].astype(np.float32))
        return (log_mel_of(power) - truth).abs().mean()


class Kept:
    """Instruments that shall keep the sound that they had when the training began. Their targets
    are the predictions of the model at that time."""

    def __init__(self, model, instruments, seed):
        self.teacher = copy.deepcopy(model).requires_grad_(False)
        self.instruments = np.array(instruments, np.int64)
        self.rng = np.random.default_rng(seed)

    def error(self, model, count):
        instrument, key, *heard = note_set.any_notes(
            self.rng, self.instruments, count, self.teacher.kits
        )
        device = model.notes.device
        rows = [torch.from_numpy(x.astype(np.int64)).to(device) for x in (instrument, key)]
        rows.append(torch.from_numpy(features(*heard)).to(device))
        return (log_mel_of(model(*rows)) - log_mel_of(self.teacher(*rows))).abs().mean()


@torch.no_grad()
def fill_table(model, looks, programs):
    """Fills the note table with the errors of the model, which does not use the table yet, for each
    key; looks: the output of `note_table.build` for the programs."""
    looks = torch.from_numpy(looks.astype(np.float32)).flatten(0, 1)
    device, count = model.notes.device, len(looks)
    program = torch.tensor(programs, device=device).repeat_interleave(PITCHES)
    key = torch.arange(count, device=device) % PITCHES + note_table.LOW
    power = torch.zeros(count, len(note_table.LOOKS), mel.BINS)
    for note in note_table.questions():
        for look, velocity, age, release in note:
            heard = features(np.full(1, velocity), np.full(1, age), np.full(1, release))
            heard = heard.repeat(count, 0)
            power[:, look] += model(program, key, torch.from_numpy(heard).to(device)).cpu()
    found = note_table.numbers((looks - log_mel_of(power)).numpy(), model.notes.shape[1])
    rows = note_row(program, key)
    model.notes[rows] = torch.from_numpy(found).to(device)


def refit(run, looks, seconds):
    """Fits the note table and the instruments, and nothing else, to other recordings of the same
    programs. This is the start for a model that was trained on another soundfont."""
    model, began, step, shown = run.model, time.time(), 0, []
    optimizer = torch.optim.Adam([model.notes, model.instruments], lr=REFIT_RATE)
    while (done := (time.time() - began) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = REFIT_RATE * min(1.0, 4 * (1 - done))
        loss = looks.error(model, REFIT_ROWS)
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        shown.append(float(loss.detach()))
        if step % 20 == 0:
            print(f"table: step {step}, {np.mean(shown[-20:]):.3f} nats", flush=True)
    for name, value in model.state_dict().items():
        run.average[name].copy_(value)


def train(
    directory, looks, checkpoint, minutes, sizes, batch, rate, device, held=None, seed=0,
    instruments=ALL, other_font=False,
):
    """`looks`: the file of `note_table.build`; `sizes`: the arguments of `Prior`; `other_font`:
    whether the initial weights were trained on another soundfont."""
    torch.manual_seed(seed)
    sizes = {**sizes, "kits": instruments.kits.own}
    model = Prior(**sizes).to(device)
    run = Run(checkpoint, model, minutes, rate, sizes, warm_up=30 if other_font else 300)
    print(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters on {device}",
        flush=True,
    )
    source, unseen = Rows(directory, seed + run.step), held and Rows(held, 0).draw(8192)
    empty, others = not model.notes.any(), []
    if other_font and not empty:
        if instruments.programs:
            others.append(Looks(looks, instruments.programs, seed + run.step))
        if instruments.kept():
            others.append(Kept(started(run), instruments.kept(), seed + run.step))
        if instruments.programs and not run.step:
            refit(run, others[0], REFIT * (60 * minutes - run.elapsed))
    while run.running():
        if empty and run.step >= TABLE_AFTER:
            fill_table(model, np.load(looks), instruments.programs)
            run.average["notes"].copy_(model.notes.detach())
            empty = False
        model.notes.requires_grad_(not empty)
        rows = {k: v.to(device) for k, v in source.draw(batch).items()}
        more = [other.error(model, batch // 4) for other in others]
        run.learn(error(model, rows) + 0.5 * sum(more))
        if unseen and run.step % 500 == 0:
            with torch.no_grad():
                found = error(model, {k: v.to(device) for k, v in unseen.items()})
                print(f"unseen notes {float(found):.4f} nats", flush=True)
    run.save()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data")
    p.add_argument("looks", help="the file that note_table wrote")
    p.add_argument("checkpoint")
    p.add_argument("--held", help="a note set to measure on")
    p.add_argument("--minutes", type=float, default=30)
    for name, value in SIZES.items():
        p.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    p.add_argument("--batch", type=int, default=2048, help="frames of single notes a step")
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--threads", type=int)
    p.add_argument("--device")
    a = p.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    sizes = {name: getattr(a, name) for name in SIZES}
    train(
        a.data, a.looks, a.checkpoint, a.minutes, sizes, a.batch, a.rate, pick_device(a.device),
        a.held,
    )


if __name__ == "__main__":
    main()
