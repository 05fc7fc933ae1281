"""Makes endless batches for the denoiser from clips in memory. Knows no network; runs in its own
loader process."""
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from . import tokens
from .data import Clips
from .mel import LOG_MAX, LOG_MIN

# The target lengths in frames, and their shares of the batches. One model serves song mode and live
# hops from 20 ms.
HOPS, SHARES = [64, 16, 8, 4, 2, 1], [0.30, 0.15, 0.15, 0.15, 0.20, 0.05]
VELOCITY_BINS = 32
RESIDUAL_NATS = 2.0


class Examples(IterableDataset):
    """Yields dicts: ids int64 [B, N], context [B, C, 128], valid bool [B, C], prior and target
    [B, L, 128].

    The target is the residual after the note prior, scaled so that `RESIDUAL_NATS` become 1, and
    clipped to [-1, 1].
    """

    def __init__(self, directory, config, batch, seed):
        self.clips, self.config, self.batch, self.seed = Clips(directory), config, batch, seed
        self.events = [tokens.live_events(n) for n in self.clips.notes]
        self.vocabulary = tokens.Vocabulary(VELOCITY_BINS)

    def _example(self, rng, hop):
        c = self.config
        i = int(rng.integers(len(self.clips)))
        mel = self.clips.mel[i]
        start = int(rng.integers(0, len(mel) - hop + 1))
        ids = tokens.live_segment(
            self.clips.notes[i], self.events[i], 2 * start, 2 * (start + hop), self.vocabulary
        )
        past = min(start, c.context_frames)
        draw = rng.random()
        # Half of the rows have no context. Otherwise the model would only learn to continue the
        # context, and notes alone must be enough.
        if draw < 0.5:
            past = 0
        elif draw < 0.6:
            past = int(rng.integers(0, past + 1))
        context = np.zeros((c.context_frames, c.mel_bins), np.float32)
        valid = np.zeros(c.context_frames, bool)
        if past:
            context[-past:] = mel[start - past : start]
            valid[-past:] = True
            if rng.random() < 0.7:  # its own output will be its context: let it learn to repair
                context[-past:] += rng.normal(0, rng.uniform(0, 0.05), (past, c.mel_bins))
        prior = self.clips.prior[i][start : start + hop].astype(np.float32)
        residual = (mel[start : start + hop] - prior) * ((LOG_MAX - LOG_MIN) / 2 / RESIDUAL_NATS)
        return ids[: c.max_tokens], context, valid, prior, np.clip(residual, -1, 1)

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        while True:
            hop = int(rng.choice(HOPS, p=SHARES))
            count = self.batch * (1 if hop >= 64 else 2 if hop > 4 else 4)
            ids, context, valid, prior, target = zip(
                *(self._example(rng, hop) for _ in range(count))
            )
            padded = np.zeros((count, max(map(len, ids))), np.int64)
            for row, values in zip(padded, ids):
                row[: len(values)] = values
            yield {
                "ids": torch.from_numpy(padded),
                "context": torch.from_numpy(np.stack(context)),
                "valid": torch.from_numpy(np.stack(valid)),
                "prior": torch.from_numpy(np.stack(prior)),
                "target": torch.from_numpy(np.stack(target)),
            }


def loader(directory, config, batch, seed):
    return iter(
        DataLoader(
            Examples(directory, config, batch, seed), batch_size=None, num_workers=1,
            prefetch_factor=4,
        )
    )
