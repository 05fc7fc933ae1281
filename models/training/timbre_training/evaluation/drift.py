"""`make drift MINUTES=30`: does the sound of a long evening drift? The same minute of music is
played over and over in live mode.

A minute is 52 s of random music and 8 s of rest. The network always gets its own past sound as
input, so anything that builds up shows in a late minute and not in an early one. The last quarter
of the minutes is compared with the first at each position of the minute: level, ten bands, log-mel,
and the noise floor in the rests.
"""
import argparse

import numpy as np

from .. import mel, music
from ..instruments import Instruments
from ..notes import END, START, as_array
from .pieces import FIRST_SEED, Piece
from .program import Timbred
from .spectra import db

MINUTE_S, MUSIC_S, RING_S = 60.0, 52.0, 3.0
BANDS = 10
LEVEL_DB, BAND_DB, FLOOR_DBFS = 0.5, 1.0, -70.0


def minute():
    """60 s of notes [n, 6]: four clips of random music and then a rest of 8 s."""
    rows = []
    for i in range(4):
        part = music.clip(FIRST_SEED + 1000 + i, MUSIC_S / 4, Instruments())
        part[:, [START, END]] += i * MUSIC_S / 4
        rows += part.tolist()
    notes = as_array(rows)
    notes[:, END] = np.minimum(notes[:, END], MUSIC_S)
    return notes[notes[:, END] > notes[:, START]]


def repeated(notes, times):
    """Repeats the notes every MINUTE_S."""
    shift = np.zeros(notes.shape[1])
    shift[[START, END]] = MINUTE_S
    return np.concatenate([notes + i * shift for i in range(times)])


def bands_db(log_mel):
    """[frames, 128] -> [10] mean power of each of ten groups of mel bands, dB"""
    power = np.exp(2 * log_mel).mean(0)
    return np.array([10 * np.log10(group.mean()) for group in np.array_split(power, BANDS)])


def quarters(sound, times):
    """Sound of `times` minutes -> the differences between their last quarter and their first, as
    means over the minutes of a quarter."""
    size = round(MINUTE_S * mel.RATE)
    minutes = [sound[i * size : (i + 1) * size] for i in range(times)]
    music_end, rest = round(MUSIC_S * mel.RATE), round((MUSIC_S + RING_S) * mel.RATE)
    played = [mel.log_mel(m[:music_end]) for m in minutes]
    levels = np.array([db(m[:music_end]) for m in minutes])
    bands = np.array([bands_db(m) for m in played])
    floors = np.array([db(m[rest:]) for m in minutes])
    n = max(1, times // 4)
    first, last = np.mean(played[:n], axis=0), np.mean(played[-n:], axis=0)
    result = {
        "minutes": times,
        "level_db": levels[-n:].mean() - levels[:n].mean(),
        "band_db": (bands[-n:].mean(0) - bands[:n].mean(0)).tolist(),
        "log_mel_l1": np.abs(last - first).mean(),
        "neighbours_log_mel_l1": np.abs(played[1] - played[0]).mean() if times > 1 else 0.0,
        "floor_first_dbfs": floors[:n].max(),
        "floor_last_dbfs": floors[-n:].max(),
    }
    result["worst_band_db"] = max(result["band_db"], key=abs)
    steady = abs(result["level_db"]) <= LEVEL_DB and abs(result["worst_band_db"]) <= BAND_DB
    result["verdict"] = "no drift" if steady and result["floor_last_dbfs"] < FLOOR_DBFS else "DRIFT"
    return result


def report(r):
    bands = ", ".join(f"{b:+.2f}" for b in r["band_db"])
    return (
        f"{r['minutes']} minutes of live mode, H = 2; the last quarter against the first:\n"
        f"  level            {r['level_db']:+.2f} dB (at most {LEVEL_DB})\n"
        f"  bands, low first {bands} dB (at most {BAND_DB})\n"
        f"  log-mel          {r['log_mel_l1']:.3f} nats apart, position by position "
        f"(the first two minutes: {r['neighbours_log_mel_l1']:.3f})\n"
        f"  rests            {r['floor_first_dbfs']:.0f} dBFS, "
        f"then {r['floor_last_dbfs']:.0f} dBFS (below {FLOOR_DBFS:.0f})\n"
        f"  verdict          {r['verdict']}"
    )


def main():
    p = argparse.ArgumentParser(prog="timbre_training.evaluation.drift", description=__doc__)
    p.add_argument("--timbred", required=True, help="the program under test")
    p.add_argument("--model", help="name or folder [default: the bundled one]")
    p.add_argument("--minutes", type=int, default=30)
    a = p.parse_args()
    if a.minutes < 4:
        p.error("--minutes: wanted 4 and up, so that there are quarters")
    timbred = Timbred(a.timbred, ["--model", a.model] if a.model else [], quiet=False)
    sound = timbred.sounds([Piece("drift", repeated(minute(), a.minutes))], "live, H = 2")[0]
    size = round(a.minutes * MINUTE_S * mel.RATE)
    result = quarters(np.pad(sound, (0, max(0, size - len(sound)))), a.minutes)
    print(report(result))
    raise SystemExit(0 if result["verdict"] == "no drift" else 1)


if __name__ == "__main__":
    main()
