"""Renders the set, measures it, and collects the figures. Knows no table and no target.

Every figure is measured on the output of the program. A result is plain numbers, so that it can be
stored as JSON.
"""
import os
import time

import numpy as np
from scipy.io import wavfile

from .. import bands, mel
from . import pieces as sets
from .program import MODES, WORK, in_parallel, references
from .single_notes import cents, fall_s, level_dbfs, onset_error_ms
from .spectra import compare, compare_upper, log_mel_l1
from .transcription import count_in_sound, f1

LIVE, SONG = "live, H = 2", "song"
# Which notes of the scales count: those that the soundfont plays; for pitch, those that it does not
# play as a chorus or far from the pitch of their key. For pitch they must also ring: a note that
# falls by 20 dB within 100 ms is heard as a stroke.
QUIET_DBFS = -80.0  # of the upper band of a piece: below that it has none
SILENT_DBFS, PITCHED_CENTS, RINGS_DB = -80.0, 25.0, 20.0


class Progress:
    """Prints what is being done, which part of how many it is, and how long the run has taken."""

    def __init__(self, parts):
        self.parts, self.done, self.start = parts, 0, time.time()

    def __call__(self, what):
        self.done += 1
        used = sum(os.times()[:4])  # of this process and those that have ended
        print(
            f"evaluate: {self.done}/{self.parts} at {time.time() - self.start:.0f} s "
            f"({used:.0f} s of CPU): {what}",
            flush=True,
        )


def whole_pieces(timbred, groups, progress, modes=tuple(MODES)):
    """groups: name -> pieces. -> mode -> group -> means of `spectra.compare`, the worst silence,
    F1; and (sounds of LIVE, references)."""
    progress("FluidSynth plays " + ", ".join(f"{len(g)} {name}" for name, g in groups.items()))
    everything = [(name, piece) for name, group in groups.items() for piece in group]
    pieces = [piece for _, piece in everything]
    truths = references(pieces)
    pitched = [i for i, (name, _) in enumerate(everything) if name != "drums"]
    progress("transcribing FluidSynth")
    count = lambda sounds: dict(
        zip(pitched, in_parallel(count_in_sound, [(sounds[i], pieces[i].notes) for i in pitched]))
    )
    truth_counts, result, kept = count(truths), {}, None
    for mode in modes:
        progress(f"timbred plays {len(pieces)} pieces, {mode}")
        sounds = timbred.sounds(pieces, mode)
        progress(f"measuring, {mode}")
        rows = in_parallel(compare, [(s, t, p.end_s) for s, t, p in zip(sounds, truths, pieces)])
        counts = count(sounds)
        result[mode] = {}
        for name in groups:
            members = [i for i, (n, _) in enumerate(everything) if n == name]
            mean = lambda key: float(np.mean([rows[i][key] for i in members]))
            figures = {
                key: mean(key)
                for key in ("log_mel_l1", "stft_convergence", "stft_log_l1", "level_db")
            }
            figures["level_db_abs"] = float(np.mean([abs(rows[i]["level_db"]) for i in members]))
            figures["level_db_worst"] = max((rows[i]["level_db"] for i in members), key=abs)
            figures["after_dbfs_worst"] = max(rows[i]["after_dbfs"] for i in members)
            figures["reference_after_dbfs_worst"] = max(
                rows[i]["reference_after_dbfs"] for i in members
            )
            if name != "drums":
                figures["f1"] = f1([counts[i] for i in members])
                figures["reference_f1"] = f1([truth_counts[i] for i in members])
            result[mode][name] = figures
        result[mode]["f1"] = f1(list(counts.values()))
        result[mode]["reference_f1"] = f1(list(truth_counts.values()))
        print(
            f"  {mode}: F1 {result[mode]['f1']:.3f} by {result[mode]['reference_f1']:.3f}; "
            "log-mel L1 [nats] "
            + ", ".join(
                f"{name} {g['log_mel_l1']:.3f}"
                for name, g in result[mode].items()
                if name in groups
            ),
            flush=True,
        )
        if mode == LIVE:
            kept = dict(zip((p.name for p in pieces), zip(sounds, truths)))
    progress(f"timbred predicts {len(groups['clips'])} mels, {LIVE}")
    mels = timbred.mels(groups["clips"], LIVE)
    result[LIVE]["clips"]["mel_log_mel_l1"] = float(
        np.mean(
            [
                log_mel_l1(m, mel.log_mel(t[: round((p.end_s + 1) * mel.RATE)]))
                for m, t, p in zip(mels, truths, pieces)
            ]
        )
    )
    return result, kept


def upper_band(timbred, groups, mode, progress):
    """-> group -> means of `spectra.compare_upper`; mean and worst difference of the level from the
    reference's [dB], of the pieces whose reference is above QUIET_DBFS there; and the highest level
    of ours for the others [dBFS]"""
    progress(
        f"FluidSynth and timbred play {', '.join(groups)} at {bands.WIDE_HZ // 1000} kHz, {mode}"
    )
    result = {}
    for name, pieces in groups.items():
        sounds = timbred.sounds(pieces, mode, bands.WIDE_HZ)
        truths = references(pieces, bands.WIDE_HZ)
        rows = in_parallel(compare_upper, list(zip(sounds, truths)))
        mean = lambda key: float(np.mean([row[key] for row in rows if row[key] is not None]))
        levels = [
            row["dbfs"] - row["reference_dbfs"]
            for row in rows
            if row["reference_dbfs"] > QUIET_DBFS
        ]
        extra = [row["dbfs"] for row in rows if row["reference_dbfs"] <= QUIET_DBFS]
        result[name] = {
            "l1": mean("l1"),
            "silent_l1": mean("silent_l1"),
            "level_db": float(np.mean(levels)),
            "level_db_worst": max(levels, key=abs),
            "quiet": len(extra),
            "quiet_dbfs_worst": max(extra, default=None),
        }
    return result


def _scale(job):
    """(ours, reference) of a scale -> rows (onset error [ms] or None, cents, reference's cents,
    dBFS, reference's dBFS, decay of the reference after 100 ms [dB]), one for each note"""
    ours, truth = job
    rows = []
    for start, key, _ in sets.scale_notes():
        pitch = [cents(x, start + 0.1, key) for x in job]
        fallen = level_dbfs(truth, start, 0.1) - level_dbfs(truth, start + 0.1, 0.45)
        rows.append(
            (
                onset_error_ms(ours, truth, start), *pitch,
                *(level_dbfs(x, start, sets.HELD_S) for x in job), fallen,
            )
        )
    return rows


def _kit(job):
    """(ours, reference) of the kit -> onset error of every audible stroke [ms]"""
    errors = [onset_error_ms(*job, start) for start, _, _ in sets.kit_notes()]
    return [e for e in errors if e is not None]


def scales(timbred, programs, mode, progress):
    """-> "onset_ms", "cents", "reference_cents", "dbfs", "reference_dbfs", "reference_fall_db":
    program -> one number for each note of `pieces.scale_notes`"""
    progress(f"FluidSynth and timbred play scales of {len(programs)} programs, {mode}")
    pieces = sets.scales(programs)
    rows = in_parallel(_scale, list(zip(timbred.sounds(pieces, mode), references(pieces))))
    names = ("onset_ms", "cents", "reference_cents", "dbfs", "reference_dbfs", "reference_fall_db")
    return {
        name: {
            p: [np.nan if r[i] is None else float(r[i]) for r in table]
            for p, table in zip(programs, rows)
        }
        for i, name in enumerate(names)
    }


def summary(table, kit):
    """The rows of `scales` and the onsets of the kit [ms] -> figures over all notes, and for each
    program."""
    keys, velocities = (np.array([n[i] for n in sets.scale_notes()]) for i in (1, 2))

    def spread(values):
        if not len(values):
            return None
        size = np.abs(values)
        return {
            "median": float(np.median(values)), "median_abs": float(np.median(size)),
            "p95_abs": float(np.percentile(size, 95)), "worst": float(max(values, key=abs)),
        }

    programs = list(table["cents"])
    heard = {p: np.array(table["reference_dbfs"][p]) > SILENT_DBFS for p in programs}
    pitched = {
        p: heard[p]
        & (np.abs(table["reference_cents"][p]) <= PITCHED_CENTS)
        & (np.array(table["reference_fall_db"][p]) < RINGS_DB)
        for p in programs
    }
    attacked = {p: heard[p] & np.isfinite(table["onset_ms"][p]) for p in programs}
    of = lambda name, which, p: np.array(table[name][p])[which[p]]
    flat = lambda name, which: np.concatenate([of(name, which, p) for p in programs])
    by_velocity = lambda name, p: np.array(
        [np.mean(np.array(table[name][p])[heard[p] & (velocities == v)]) for v in sets.VELOCITIES]
    )
    off = flat("cents", pitched) - flat("reference_cents", pitched)
    result = {
        "notes": sum(int(h.sum()) for h in heard.values()),
        "pitched_notes": sum(int(h.sum()) for h in pitched.values()),
        "attacked_notes": sum(int(h.sum()) for h in attacked.values()),
        "onset_ms": spread(np.concatenate([flat("onset_ms", attacked), kit])),
        "drum_onset_ms": spread(np.array(kit)),
        "cents": spread(flat("cents", pitched)),
        "reference_cents": spread(flat("reference_cents", pitched)),
        "cents_off": spread(off),
        "programs": {},
    }
    result["cents_off"]["share_within_8"] = float(np.mean(np.abs(off) <= 8))
    result["cents"]["share_within_8"] = float(np.mean(np.abs(flat("cents", pitched)) <= 8))
    for p in programs:
        ours, truth = (by_velocity(name, p) for name in ("dbfs", "reference_dbfs"))
        result["programs"][p] = {
            "onset_ms": spread(of("onset_ms", attacked, p)),
            "cents": spread(of("cents", pitched, p)),
            "worst_cents_key": (
                int(keys[pitched[p]][np.argmax(np.abs(of("cents", pitched, p)))])
                if pitched[p].any()
                else None
            ),
            "notes": int(pitched[p].sum()),
            "reference_cents": spread(of("reference_cents", pitched, p)),
            "dbfs": ours.tolist(),
            "reference_dbfs": truth.tolist(),
            "range_db": float((ours[-1] - ours[0]) - (truth[-1] - truth[0])),
            "rises": bool(np.all(np.diff(ours) > 0)),
        }
    return result


def _decay(job):
    """(ours, reference) -> rows (ours, reference) of the time to fall by 20 dB while held, then by
    30 dB after the release, seconds or None"""
    held, released = [], []
    for i in range(len(sets.DECAY_KEYS)):
        start = 0.5 + sets.DECAY_SLOT_S * i
        end = start + sets.DECAY_HELD_S
        held.append([fall_s(x, start, end, 20, True) for x in job])
        released.append([fall_s(x, end, end + 1.9, 30, False) for x in job])
    return held, released


def decays(timbred, programs, mode, progress):
    """-> "held" (20 dB below the peak) and "released" (30 dB below the level at the release): our
    time divided by the reference's, for notes where both get there."""
    progress(f"FluidSynth and timbred play long notes of {len(programs)} programs, {mode}")
    pieces = sets.decays(programs)
    rows = in_parallel(_decay, list(zip(timbred.sounds(pieces, mode), references(pieces))))
    result = {}
    for i, name in enumerate(("held", "released")):
        pairs = [pair for row in rows for pair in row[i]]
        both = np.array([p for p in pairs if None not in p]).reshape(-1, 2)
        # 10 ms are added because levels of 20 ms cannot resolve less.
        ratios = (both[:, 0] + 0.01) / (both[:, 1] + 0.01)
        result[name] = {
            "notes": len(both),
            "only_reference": sum(a is None and b is not None for a, b in pairs),
            "only_ours": sum(a is not None and b is None for a, b in pairs),
            "median_ratio": float(np.median(ratios)) if len(both) else None,
            "p10_ratio": float(np.percentile(ratios, 10)) if len(both) else None,
            "p90_ratio": float(np.percentile(ratios, 90)) if len(both) else None,
            "median_reference_s": float(np.median(both[:, 1])) if len(both) else None,
            "median_s": float(np.median(both[:, 0])) if len(both) else None,
        }
    return result


def kit_onsets(kept):
    """The sounds that `whole_pieces` returned -> onset error of every drum [ms]"""
    return _kit(kept["drums-kit"])


def phrases(timbred, mode, progress):
    """-> program -> log-mel L1 of the same phrase after the vocoder, nats"""
    progress(f"FluidSynth and timbred play a phrase of all 128 programs, {mode}")
    pieces = sets.phrases()
    heard = zip(timbred.sounds(pieces, mode), references(pieces), pieces)
    rows = in_parallel(compare, [(s, t, p.end_s) for s, t, p in heard])
    return {program: row["log_mel_l1"] for program, row in enumerate(rows)}


def write_sounds(kept):
    """Writes our sounds and the reference's, one beside the other, for listening -> the folder"""
    folder = WORK / "sounds"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (ours, truth) in kept.items():
        for who, sound in (("timbred", ours), ("reference", truth)):
            wavfile.write(
                folder / f"{name}.{who}.wav", mel.RATE,
                np.clip(32768 * sound, -32768, 32767).astype(np.int16),
            )
    return folder
