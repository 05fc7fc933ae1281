"""Makes the tables of the model card, and the verdict on each target, from the measured figures.
Measures nothing."""
import textwrap

from ..instruments import spans
from . import pieces as sets
from .measure import LIVE, PITCHED_CENTS, QUIET_DBFS, SONG

GOOD, FAIR = 0.5, 0.8  # nats of a program's phrase, after the vocoder
WIDTH = 100  # columns of what is no table
CLASSES = {"good": f"below {GOOD}", "fair": f"{GOOD} to {FAIR}", "poor": f"above {FAIR}"}


def table(head, rows):
    return [
        "| " + " | ".join(head) + " |", "|" + " --- |" * len(head),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows), "",
    ]


def prose(text):
    return [*textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False), ""]


def targets(result):
    """-> (what, target, figure, whether it is reached) of every target for a playable instrument"""
    live, song, single = result["modes"][LIVE], result["modes"][SONG], result["single_notes"]
    onset, cents = single["onset_ms"], single["cents_off"]
    ratio, l1 = live["f1"] / live["reference_f1"], live["clips"]["log_mel_l1"]
    ranges = {p: t["range_db"] for p, t in single["programs"].items()}
    widest = max(ranges, key=lambda p: abs(ranges[p]))
    silence = max(
        group["after_dbfs_worst"] for name, group in live.items() if isinstance(group, dict)
    )
    loss = live["clips"]["log_mel_l1"] - song["clips"]["log_mel_l1"]
    megabytes = result["model_bytes"] / 1e6
    rows = [
        (
            "transcription F1 by that of the reference's sound", ">= 0.90",
            f"{ratio:.3f} ({live['f1']:.3f} by {live['reference_f1']:.3f})", ratio >= 0.9,
        ),
        ("log-mel L1 after the vocoder, clips [nats]", "<= 0.45", f"{l1:.3f}", l1 <= 0.45),
        (
            "onset error, median [ms]", "<= 5", f"{onset['median_abs']:.1f}",
            onset["median_abs"] <= 5,
        ),
        (
            "onset error, 95th percentile [ms]", "<= 15", f"{onset['p95_abs']:.1f}",
            onset["p95_abs"] <= 15,
        ),
        (
            "pitch of single notes, A1 to C7, beside the reference's [cents]", "all within 8",
            f"worst {cents['worst']:+.1f}; {cents['share_within_8']:.1%} of notes within 8",
            abs(cents["worst"]) <= 8,
        ),
        (
            "loudness range, velocity 20 to 120, by the reference's [dB]", "within 3",
            f"worst {ranges[widest]:+.1f} (program {widest})", abs(ranges[widest]) <= 3,
        ),
        ("2 s after the last note-off, worst [dBFS]", "< -70", f"{silence:.0f}", silence < -70),
        ("live mode against song mode, clips [nats]", "<= 0.05 more", f"{loss:+.3f}", loss <= 0.05),
        ("the model's files [MB]", "<= 16", f"{megabytes:.1f}", megabytes <= 16),
    ]
    return [
        (what, wanted, found, "reached" if reached else "**not reached**")
        for what, wanted, found, reached in rows
    ]


def classes(phrases):
    """program -> nats; returns class -> programs"""
    found = {name: [] for name in CLASSES}
    for program, nats in phrases.items():
        found["good" if nats < GOOD else "fair" if nats < FAIR else "poor"].append(int(program))
    return found


def means(g):
    """The figures of a group of whole pieces for the table of the card."""
    f1 = before = ""
    if "f1" in g:
        f1 = f"{g['f1'] / g['reference_f1']:.2f} ({g['f1']:.2f} by {g['reference_f1']:.2f})"
    if "mel_log_mel_l1" in g:
        before = f"{g['mel_log_mel_l1']:.2f}"
    stft = f"{g['stft_convergence']:.2f}; {g['stft_log_l1']:.2f}"
    level = f"{g['level_db']:+.1f}; {g['level_db_abs']:.1f}; {g['level_db_worst']:+.1f}"
    after = f"{g['after_dbfs_worst']:.0f} ({g['reference_after_dbfs_worst']:.0f})"
    return before, f"{g['log_mel_l1']:.3f}", stft, level, f1, after


def markdown(result):
    """The text of the card about the evaluation."""
    single, decays = result["single_notes"], result["decays"]
    out = prose(f"Targets, in {LIVE} and the model's own number of steps:")
    out += table(["", "target", "measured", ""], targets(result))
    out += prose("Whole pieces, means:")
    rows = []
    for mode, groups in result["modes"].items():
        for name, g in groups.items():
            if isinstance(g, dict):
                rows.append((mode, f"{name} ({result['count'][name]})", *means(g)))
    head = [
        "mode", "pieces", "log-mel L1 of the mel [nats]", "after the vocoder",
        "STFT: convergence; log L1 [nats]", "level: mean; size; worst [dB]",
        "transcription F1 by the reference's", "2 s after the end, worst (reference) [dBFS]",
    ]
    out += table(head, rows)
    out += prose(
        f"From 8 to 16 kHz, at 48 kHz in {LIVE}: what no mel says, so that it is predicted from "
        "what lies below. Differences where the reference is heard; levels of pieces whose "
        f"reference has more than {QUIET_DBFS:.0f} dBFS there, and what the others have."
    )
    rows = []
    for name, u in result["upper_band"].items():
        quiet = f"{u['quiet']}, {u['quiet_dbfs_worst']:.0f} dBFS at most" if u["quiet"] else "none"
        level = f"{u['level_db']:+.1f}; {u['level_db_worst']:+.1f}"
        rows.append((name, f"{u['l1']:.2f}", f"{u['silent_l1']:.2f}", level, quiet))
    head = [
        "pieces", "log-band L1 [nats]", "had it been silent", "level: mean; worst [dB]",
        "pieces without",
    ]
    out += table(head, rows)
    velocities = ", ".join(map(str, sets.VELOCITIES))
    out += prose(
        f"Single notes in {LIVE}: {len(sets.KEYS)} keys from A1 to C7 at {len(sets.VELOCITIES)} "
        "velocities. Onset: by how much the loudness curve of the first 150 ms must be shifted to "
        "lie closest to the reference's, so that a softer or sharper attack at the right time is "
        f"none; {single['attacked_notes']} notes, those whose reference neither swells nor drowns "
        "in what rings. Pitch: centre of power of the partials, from equal temperament (the "
        f"reference's in brackets); {single['pitched_notes']} notes, those that the reference "
        f"plays within {PITCHED_CENTS:.0f} cents and that ring. Loudness at velocities "
        f"{velocities}."
    )
    rows = []
    for p, t in single["programs"].items():
        loudness = ", ".join(f"{o:.0f} ({r:.0f})" for o, r in zip(t["dbfs"], t["reference_dbfs"]))
        late, cents, onset, pitch = t["onset_ms"], t["cents"], "swells", "none"
        if late:
            onset = f"{late['median']:+.1f}; {late['p95_abs']:.1f}"
        if cents:
            worst = f"{cents['worst']:+.1f} ({t['reference_cents']['worst']:+.1f})"
            pitch = f"{cents['median_abs']:.1f}; {worst}"
        rises = "yes" if t["rises"] else "NO"
        rows.append((p, onset, pitch, loudness, f"{t['range_db']:+.1f}", rises))
    drum = single["drum_onset_ms"]
    rows.append(("drums", f"{drum['median']:+.1f}; {drum['p95_abs']:.1f}", "", "", "", ""))
    head = [
        "program", "onset error: median; 95 % within [ms]", "cents: median size; worst",
        "loudness [dBFS]", "range by the reference's [dB]", "rises",
    ]
    out += table(head, rows)
    out += prose(
        f"Decay of long notes in {LIVE}, time of ours by the reference's (median; 10th to 90th "
        f"percentile), over {len(sets.PROGRAMS)} programs:"
    )
    rows = []
    for name, what in (
        ("held", "held: to 20 dB below the peak"),
        ("released", "released: to 30 dB below the level at the release"),
    ):
        d = decays[name]
        ratio = "none"
        if d["notes"]:
            ratio = f"{d['median_ratio']:.2f}; {d['p10_ratio']:.2f} to {d['p90_ratio']:.2f}"
        rows.append((what, d["notes"], ratio, f"{d['only_reference']} / {d['only_ours']}"))
    head = ["", "notes", "ours by the reference's", "only the reference / only ours gets there"]
    out += table(head, rows)
    if "listening" in result:
        out += listening(result["listening"])
    if not result["instruments"]:
        return "\n".join(out)
    out += prose(
        f"Instruments by the log-mel L1 of a phrase of four notes, {LIVE}, after the vocoder "
        "(`timbrectl instruments` shows it):"
    )
    found = classes(result["instruments"]).items()
    rows = [(name, CLASSES[name], spans(programs) or "none") for name, programs in found]
    out += table(["class", "nats", "programs"], rows)
    return "\n".join(out + ["![spectrograms](spectrograms.png)"])


def listening(found):
    """The text of the card about the results of `make listen`."""
    head, *rows = found["rows"]
    out = prose(
        "How alive held notes are and how close music is, live, H = 1 (`make listen`; "
        "models/training/README.md says what each measure is), beside TimGM6mb, the sampler of "
        f"small boxes, and the reference through Opus. Taken were {found['took']}."
    )
    return out + table(["", *head[1:]], rows)
