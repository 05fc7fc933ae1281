"""Finds the samples that a soundfont plays for each key, in an SF2 or SF3 file. No audio.

The layout of the records is that of the SoundFont 2.04 specification, chapter 7 ("The pdta-list
chunk"). This file exists because sf2utils, which reads them in Python, is under the GPL.
"""

import struct
from functools import cache
from pathlib import Path

DRUM_BANK = 128
KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE = 43, 44, 41, 53  # generators


def _chunks(data, at, end):
    """The RIFF chunks of data[at:end] -> (name, first byte, byte after the last)."""
    while at + 8 <= end:
        size = struct.unpack_from("<I", data, at + 4)[0] if at + 8 <= len(data) else len(data)
        if at + 8 + size > len(data):
            raise ValueError("no soundfont: it is cut off")
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + size % 2


def _lists(data):
    """The records of a file -> {name of a chunk of the pdta list: its bytes}"""
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ValueError(
            "no soundfont: it begins with neither RIFF nor sfbk; wanted an SF2 or SF3 file"
        )
    for name, first, last in _chunks(data, 12, len(data)):
        if name == b"LIST" and data[first : first + 4] == b"pdta":
            return {n: data[a:b] for n, a, b in _chunks(data, first + 4, last)}
    raise ValueError("no soundfont: it has no list of presets (pdta); it may be cut off")


def _zones(bags, generators, first, last):
    """The zones of a preset or an instrument: {generator: its two bytes}, including those of the
    global zone."""
    common, zones = {}, []
    for bag in range(first, last):
        own = dict(generators[bags[bag][0] : bags[bag + 1][0]])
        if not zones and not common and INSTRUMENT not in own and SAMPLE not in own:
            common = own
        else:
            zones.append({**common, **own})
    return zones


def _plays(zone, key, velocity):
    """Whether a zone sounds for a key struck with a velocity."""
    within = lambda generator, value: (
        (zone[generator] & 255) <= value <= (zone[generator] >> 8) if generator in zone else True
    )
    return within(KEY_RANGE, key) and within(VELOCITY_RANGE, velocity)


RECORDS = {
    b"phdr": "<20sHHHIII", b"pbag": "<HH", b"pgen": "<HH", b"inst": "<20sH", b"ibag": "<HH",
    b"igen": "<HH",
}  # fmt: skip


@cache
def _file(path):
    lists = _lists(Path(path).read_bytes())
    for name, form in RECORDS.items():
        if name not in lists or not lists[name] or len(lists[name]) % struct.calcsize(form):
            raise ValueError(f"no soundfont: its records {name.decode()} are missing or damaged")
    return tuple(list(struct.iter_unpack(form, lists[name])) for name, form in RECORDS.items())


def presets(path):
    """The presets of a soundfont: {(bank, program): name}. A ValueError names the file if it is not
    a soundfont."""
    try:
        found = _file(str(path))[0][:-1]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path}: {reason}") from error
    text = lambda name: name.split(b"\0")[0].decode("latin-1").strip()
    return {(bank, program): text(name) for name, program, bank, *_ in found}


def samples(path, program, key, velocity, bank=0):
    """The samples that sound for a key, as numbers in the file, in order; none if the file lacks
    the program."""
    presets, preset_bags, preset_generators, instruments, bags, generators = _file(str(path))
    found = []
    for preset, after in zip(presets, presets[1:]):
        if (preset[1], preset[2]) != (program, bank):
            continue
        for zone in _zones(preset_bags, preset_generators, preset[3], after[3]):
            if INSTRUMENT not in zone or not _plays(zone, key, velocity):
                continue
            number = zone[INSTRUMENT]
            for inner in _zones(
                bags, generators, instruments[number][1], instruments[number + 1][1]
            ):
                if SAMPLE in inner and _plays(inner, key, velocity):
                    found.append(inner[SAMPLE])
    return tuple(sorted(found))


def key_zones(path, program, keys, velocity, widest):
    """Runs of neighbouring keys that use the same samples, none wider than `widest` keys: [(first,
    last)]."""
    runs = []
    for key in keys:
        now = samples(path, program, key, velocity)
        if runs and runs[-1][2] == now:
            runs[-1][1] = key
        else:
            runs.append([key, key, now])
    parted = []
    for first, last, _ in runs:
        count = -(-(last - first + 1) // widest)
        edges = [first + round(i * (last - first + 1) / count) for i in range(count + 1)]
        parted += [(a, b - 1) for a, b in zip(edges, edges[1:])]
    return parted
