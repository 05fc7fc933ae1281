"""Compares how loud each part of real songs is in our sound and in FluidSynth's, from the same MIDI
files.

`make levels` runs it: python3 levels.py TIMBRED SOUNDFONT FOLDER [--songs N] [--seconds S] [--json
FILE]. It renders the first seconds of every song: each part alone, without its controllers
(`plain`) and with them (`with`), and its stem of the whole song (`stem`, from `render --stems`).
All are compared with FluidSynth's rendering of the part alone, without reverb and chorus, at the
gain of the training. So `plain` is the effect of the model on the notes, and `mix`, which is
`with` less `plain`, that of the controllers. Levels are the power of both sides, in half seconds in
which FluidSynth's part is within 40 dB of its maximum. What is rendered alone has one channel: the
power that FluidSynth's two sides have beyond their sum is left out there (3 dB for the soundfont's
piano). Stems have two sides like FluidSynth's parts. The difference of a part is the median of its
half seconds. Ends with status 1 if the `with` of a part is beyond 2 dB or its `mix` beyond 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import mido
import numpy as np

from expression import RATE, read

MAKE_UP_DB = 13
LIMIT_DB, MIX_DB = 2, 1
WINDOW = RATE // 2
RANGE_DB = 40
DRUMS = 9
CONTROLS = {"control_change", "pitchwheel", "aftertouch", "polytouch", "sysex"}


def merged(path, seconds):
    """The (tick, message) of a song with one tempo map, up to a number of seconds, the tick of that
    time, and the ticks in a quarter."""
    file, events, tick, now, tempo = mido.MidiFile(path), [], 0, 0.0, 500_000
    for message in mido.merge_tracks(file.tracks):
        later = now + mido.tick2second(message.time, file.ticks_per_beat, tempo)
        if later > seconds:
            break
        tick, now = tick + message.time, later
        if message.type == "set_tempo":
            tempo = message.tempo
        if message.type != "end_of_track":
            events.append((tick, message))
    end = tick + round(mido.second2tick(seconds - now, file.ticks_per_beat, tempo))
    return events, end, file.ticks_per_beat


def save(path, events, end, ticks_per_beat):
    """Writes events as a file in which all keys are released at the tick `end`."""
    track, last = mido.MidiTrack(), 0
    for tick, message in events:
        track.append(message.copy(time=tick - last))
        last = tick
    sounding = {(m.channel, m.note) for _, m in events if m.type == "note_on"}
    for channel, note in sorted(sounding):
        track.append(mido.Message("note_off", channel=channel, note=note, time=end - last))
        last = end
    mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat, tracks=[track]).save(path)


def ours(timbred, out, names, how):
    """Renders songs into a folder."""
    command = [timbred, "render", *names, "--out", out, how, "--quiet", "--format", "32f",
               "--rate", str(RATE), "--tail", "0"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def theirs(soundfont, midi, out):
    command = ["fluidsynth", "-q", "-n", "-i", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE),
               "-T", "wav", "-O", "float", "-F", out, soundfont, midi]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return read(out)


def levels(sound, windows):
    """The power of all channels together in each half second, dB."""
    sound = sound.reshape(len(sound), -1)[:windows * WINDOW]
    sound = np.pad(sound, ((0, windows * WINDOW - len(sound)), (0, 0)))
    return 10 * np.log10(np.mean(sound.reshape(windows, -1) ** 2, axis=1) + 1e-15)


def differences(timbred, soundfont, song, seconds):
    """For each part that plays: its channel, its programs, and `plain`, `with` and `stem`, as our
    level less FluidSynth's in every half second, nan where FluidSynth's part is soft."""
    windows = int(seconds * RATE) // WINDOW
    events, *ends = merged(song, seconds)
    channels = sorted({m.channel for _, m in events if m.type == "note_on" and m.velocity})
    with tempfile.TemporaryDirectory() as folder:
        folder, alone = Path(folder), []
        save(folder / "song.mid", events, *ends)
        for channel in channels:
            part = [(tick, m) for tick, m in events if getattr(m, "channel", channel) == channel]
            plain = [(tick, m) for tick, m in part if m.type not in CONTROLS]
            for name, kept in ((f"with{channel}", part), (f"plain{channel}", plain)):
                alone.append(folder / f"{name}.mid")
                save(alone[-1], kept, *ends)
        ours(timbred, folder / "out", [folder / "song.mid"], "--stems")
        ours(timbred, folder / "out", alone, "--dry")
        for channel in channels:
            stem = folder / "out" / f"song-part_{channel + 1:02}.wav"
            if not stem.exists():
                continue
            found, width = {}, 0
            for kind in ("plain", "with"):
                name = f"{kind}{channel}"
                sides = theirs(soundfont, folder / f"{name}.mid", folder / "t.wav")
                reference = levels(sides, windows)
                is_loud = (reference > reference.max() - RANGE_DB) & (reference > -90)
                if kind == "plain":
                    width = np.median((reference - levels(sides.mean(axis=1), windows))[is_loud])
                off = levels(read(folder / "out" / f"{name}.wav"), windows) - (reference - width)
                found[kind] = np.where(is_loud, off, np.nan)
                if kind == "with":
                    off = levels(read(stem), windows) - MAKE_UP_DB - reference
                    found["stem"] = np.where(is_loud, off, np.nan)
            programs = {m.program for _, m in events
                        if m.type == "program_change" and m.channel == channel} or {0}
            if not np.isnan(found["with"] - found["plain"]).all():
                yield channel, sorted(programs), found


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("timbred", type=Path)
    arguments.add_argument("soundfont", type=Path)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--songs", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--json", type=Path)
    arguments = arguments.parse_args()
    songs = sorted(arguments.folder.rglob("*.mid"))[:arguments.songs]
    if not songs:
        sys.exit(f"{arguments.folder}: no .mid file below it; name a folder of General MIDI files")
    rows, of_program = [], defaultdict(list)
    print(f"{'song':24} {'part':>4} {'program':>7} {'plain':>6} {'with':>6} {'mix':>6} {'stem':>6} "
          f"{'stem within 2 dB':>16}")
    for song in songs:
        for channel, programs, found in differences(arguments.timbred, arguments.soundfont, song,
                                                    arguments.seconds):
            program = "drums" if channel == DRUMS else "/".join(map(str, programs))
            row = {name: float(np.nanmedian(off)) for name, off in found.items()}
            row["mix"] = float(np.nanmedian(found["with"] - found["plain"]))
            stem = found["stem"][~np.isnan(found["stem"])]
            row["within"] = float(np.mean(np.abs(stem) <= LIMIT_DB))
            row.update(song=song.stem, part=channel + 1, program=program)
            rows.append(row)
            of_program[program].append(row["plain"])
            is_off = abs(row["with"]) > LIMIT_DB or abs(row["mix"]) > MIX_DB
            print(f"{song.stem:24.24} {channel + 1:4} {program:>7.7} {row['plain']:6.1f} "
                  f"{row['with']:6.1f} {row['mix']:6.1f} {row['stem']:6.1f} {row['within']:16.0%}"
                  f"{'  BEYOND' if is_off else ''}", flush=True)
    print("\nBy program, what the model makes of it (plain), the median of its parts:")
    for program, found in sorted(of_program.items(), key=lambda item: np.median(item[1])):
        print(f"  {program:>9} {np.median(found):6.1f} dB  ({len(found)})")
    counts = {name: sum(abs(row[name]) <= limit for row in rows)
              for name, limit in (("plain", LIMIT_DB), ("with", LIMIT_DB), ("mix", MIX_DB),
                                  ("stem", LIMIT_DB))}
    print(f"\nOf {len(rows)} parts within {LIMIT_DB} dB of FluidSynth: {counts['plain']} plain, "
          f"{counts['with']} with controllers, {counts['stem']} in the whole song; of "
          f"{counts['mix']} the controllers change the level as much as there, within {MIX_DB} dB")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    return 0 if counts["with"] == counts["mix"] == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
