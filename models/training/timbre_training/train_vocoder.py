"""Trains the vocoder on mels of the note prior and true ones for a number of minutes. Stop it any time; it goes on where it was.

Loss, for what lies below 8 kHz and for the upper band alike: multi-resolution STFT (256..2048; log magnitude L1 and spectral convergence) plus
log-mel L1, below 8 kHz through the published front end.
"""
import argparse

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from . import bands, excitation, mel
from .data import Clips
from .training import Run, pick_device
from .vocoder import Vocoder

PRIOR_SHARE = 0.7
FRAMES, WARM_UP = 64, 8  # 1.28 s; the first frames only fill the network's history


class Crops(IterableDataset):
    """Yields dicts: log_mel [B, T, 128] nats, levels [B, 2T, 128] nats, onsets [B, 2T], drummed [B, T], tones (complex), upper_tones,
    noise, audio and upper [B, 320 T].

    Most mels are the note prior's, as live playing has them, the others true ones. Both are struck: a frame with a key press is as
    loud as the note will be.
    """

    def __init__(self, directory, attacks, batch, seed, shards):
        clips = Clips(directory, with_audio=True, limit=shards)
        self.clips, self.attacks, self.batch, self.seed, self.made = clips, np.load(attacks).astype(np.float32), batch, seed, {}

    def _clip(self, i):
        if i not in self.made:
            samples = len(self.clips.audio[i])
            tones, upper, levels, hush = excitation.excite(self.clips.notes[i], samples, self.attacks)
            (onsets, drummed), true = excitation.onsets(self.clips.notes[i], samples), self.clips.mel[i].copy()
            pressed = (onsets.reshape(-1, 2) < excitation.BLOCK).any(1).nonzero()[0]
            true[pressed] = np.maximum(true[pressed], true[np.minimum(pressed + 1, len(true) - 1)])
            self.made[i] = tones, upper, np.log(levels).astype(np.float16), hush.astype(np.float16), onsets, drummed, true
        return self.made[i]

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        while True:
            rows = []
            while len(rows) < self.batch:
                i = int(rng.integers(len(self.clips)))
                tones, upper_tones, levels, hush, onsets, drummed, true = self._clip(i)
                start = int(rng.integers(0, len(self.clips.mel[i]) - FRAMES + 1))
                part = slice(start * mel.HOP, (start + FRAMES) * mel.HOP)
                audio = self.clips.audio[i][part]
                if np.abs(audio).max() < 1e-3 and rng.random() < 0.8:
                    continue  # silence is easily learned
                mels = self.clips.struck[i] if rng.random() < PRIOR_SHARE else true
                rows.append((mel.unscale(mels[start : start + FRAMES].astype(np.float32)),
                             levels[2 * start : 2 * (start + FRAMES)].astype(np.float32),
                             onsets[2 * start : 2 * (start + FRAMES)], drummed[start : start + FRAMES],
                             tones[part], upper_tones[part], hush[part].astype(np.float32), audio, self.clips.upper[i][part]))
            log_mel, levels, onsets, drummed, tones, upper_tones, hush, audio, upper = (torch.from_numpy(np.stack(x)) for x in zip(*rows))
            yield {"log_mel": log_mel, "levels": levels, "onsets": onsets, "drummed": drummed, "tones": tones, "upper_tones": upper_tones,
                   "audio": audio, "upper": upper,
                   "noise": hush * torch.from_numpy(rng.standard_normal(audio.shape, np.float32))}


def stft_loss(ours, truth):
    """[B, n] each -> scalar: mean over four resolutions of log-magnitude L1 (floor 1e-4) and spectral convergence."""
    total = 0.0
    for size in (256, 512, 1024, 2048):
        window = torch.hann_window(size, device=ours.device)
        a, b = (torch.stft(x, size, size // 4, window=window, return_complex=True).abs() for x in (ours, truth))
        total = total + (torch.log(a + 1e-4) - torch.log(b + 1e-4)).abs().mean()
        total = total + ((a - b).pow(2).sum((1, 2)).sqrt() / (b.pow(2).sum((1, 2)).sqrt() + 0.1)).mean()
    return total / 4


def mel_loss(ours, truth, matrix):
    """Log-mel L1 in nats, floor 1e-5: what the evaluation measures. [B, n] each, matrix [513, bands]."""
    window = torch.from_numpy(mel.window().astype(np.float32)).to(ours.device)
    logs = []
    for x in (ours, truth):
        frames = torch.fft.rfft(x.unfold(1, mel.FRAME, mel.HOP) * window, mel.FFT).abs() @ matrix
        logs.append(torch.log(frames + 1e-5))
    return (logs[0] - logs[1]).abs().mean()


def loss(ours, truth, matrix):
    return stft_loss(ours, truth) + mel_loss(ours, truth, matrix)


def train(directory, attacks, checkpoint, minutes, width, blocks, batch, rate, device, shards=None, only_upper=False, seed=0):
    torch.manual_seed(seed)
    model = Vocoder(width, blocks).to(device)
    if only_upper:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("upper"))
    run = Run(checkpoint, model, minutes, rate, {"width": width, "blocks": blocks})
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters on {device}", flush=True)
    matrices = [torch.from_numpy(m.astype(np.float32)).to(device) for m in (mel.mel_matrix(), bands.upper_matrix())]
    skip = WARM_UP * mel.HOP
    for rows in DataLoader(Crops(directory, attacks, batch, seed + run.step, shards), batch_size=None, num_workers=1, prefetch_factor=4):
        if not run.running():
            break
        rows = {k: v.to(device, non_blocking=True) for k, v in rows.items()}
        inputs = (rows[name] for name in ("log_mel", "levels", "onsets", "drummed", "tones", "upper_tones", "noise"))
        made = model(*inputs, only_upper=only_upper)
        pairs = list(zip(made, (rows["audio"], rows["upper"]), matrices))[1 if only_upper else 0 :]
        run.learn(sum(loss(ours[:, skip:], truth[:, skip:], matrix) for ours, truth, matrix in pairs))
    run.save()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data")
    p.add_argument("attacks", help="the file that `attacks` wrote")
    p.add_argument("checkpoint")
    p.add_argument("--minutes", type=float, default=40)
    p.add_argument("--width", type=int, default=192)
    p.add_argument("--blocks", type=int, default=5)
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--shards", type=int, help="read only so many shards (memory)")
    p.add_argument("--only-upper", action="store_true", help="leave what sounds below 8 kHz as it is")
    p.add_argument("--threads", type=int)
    p.add_argument("--device")
    a = p.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    train(a.data, a.attacks, a.checkpoint, a.minutes, a.width, a.blocks, a.batch, a.rate, pick_device(a.device), a.shards,
          a.only_upper)


if __name__ == "__main__":
    main()
