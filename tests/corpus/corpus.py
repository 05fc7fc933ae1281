"""Reads every MIDI file below a folder with timbred's reader and with mido, and compares the
results.

Usage: corpus.py READER FOLDER [--all]

READER is the program `read_midi` of the tests. Prints how many files are read completely, repaired
and refused, each refused file with the reason, and each file with fewer strikes than mido finds
(with `--all` every file). mido counts each note-on with a velocity above 0 that it can read, with
data bytes clipped; for files that it cannot read it has no figure. Ends with 1 if a file is refused
in which mido finds a strike.
"""

import json
import pathlib
import subprocess
import sys

import mido

ENDINGS = {".mid", ".midi", ".kar", ".rmi"}


def strikes_of_mido(path):
    """The number of note-ons with a velocity above 0, or None if mido cannot read the file."""
    try:
        tracks = mido.MidiFile(path, clip=True).tracks
    except Exception:  # mido raises whatever its parser stumbles over.
        return None
    return sum(m.type == "note_on" and m.velocity > 0 for track in tracks for m in track)


def main():
    """Compares both readers on every file."""
    reader, folder = sys.argv[1:3]
    is_all = "--all" in sys.argv
    files = [p for p in sorted(pathlib.Path(folder).rglob("*")) if p.suffix.lower() in ENDINGS]
    names = "".join(f"{path}\n" for path in files if path.is_file())
    lines = subprocess.run([reader], input=names, text=True, stdout=subprocess.PIPE, check=True)
    counts, lost, wrong = {"read": 0, "mended": 0, "refused": 0}, 0, 0
    for line in lines.stdout.splitlines():
        found = json.loads(line)
        mido_strikes = strikes_of_mido(found["file"])
        beside = "mido cannot read it" if mido_strikes is None else f"mido {mido_strikes}"
        if "refused" in found:
            counts["refused"] += 1
            wrong += bool(mido_strikes)
            print(f"refused  {found['file']}: {found['refused']} ({beside})")
            continue
        mended = found["mended"]
        counts["mended" if mended else "read"] += 1
        is_less = mido_strikes is not None and found["strikes"] < mido_strikes
        lost += is_less
        if is_all or is_less or mended:
            word = "mended" if mended else "read"
            strikes, notes = found["strikes"], found["notes"]
            heard = f"{strikes} strikes ({notes} notes), {beside}"
            print(f"{word:8} {found['file']}: {heard}. {mended}")
    read = ", ".join(f"{n} {what}" for what, n in counts.items())
    print(f"{read}; {lost} with fewer strikes")
    return 1 if wrong or not any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
