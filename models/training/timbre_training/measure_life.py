"""Measures the movement of held notes (`life.py`) in the stereo sound of the training's soundfont,
and writes the table.

For each run of keys that the soundfont plays with the same samples, the middle key is held as long
as an envelope lasts. Each of its partials is found and shifted to 0 Hz. What then remains within
REACH_HZ is the movement of its amplitude and phase, in the middle and at the side. The common
movement of the frequencies of the partials is the sway, and the strongest partial of each group
stands for the others.
"""

import argparse
import os
import time
from multiprocessing import get_context

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d

from . import bundled, excitation, life, mel, note_table
from .bands import WIDE_HZ, low_band
from .instruments import ALL

VELOCITY, WIDEST_KEYS = 90, 12
HELD_S = 3.0
TRACK_HZ = 200  # values of a followed partial in a second
# How far beside the line of a partial its sound is followed: at least, as a share of its own
# frequency, and at most.
REACH_HZ, REACH, WIDEST_HZ = 12.0, 0.03, 45.0
# The possible numbers of points a second for the movement of a note: the fewer, the longer the
# envelope. FAST is the share of the power that may be too fast for them.
PACES_HZ, FAST = (25.0, 50.0, 100.0), 0.01
FAINT_DB = 55.0  # below the strongest partial: not followed
FARTHEST = 1.15  # of a partial by its harmonic: no string is stiffer
EVEN_S = 0.19  # deviation of the Gaussian over which levels are made even
# The width is at most this plus this share of the age of the note, because the mel describes the
# attack.
YOUNG_S, YOUNG = 0.02, 0.4
SETTLED_S = 0.03  # before this a note has not begun for whoever follows its partials
LARGEST_MIDDLE, LARGEST_SIDE = 2.5, 3.0  # of an envelope, whose mean is about 1
FAINTEST = 1e-3  # a curve that is nowhere larger is none
SWAY_HZ, SWAY_PARTIALS, SWAY_HIGHEST_HZ, SWAY_EXPLAINED = 10.0, 10, 4000.0, 0.35


def even(values, rate, seconds=EVEN_S):
    """Smooths values [..., t] by a Gaussian. Nothing is assumed beyond the ends."""
    smooth = lambda v: gaussian_filter1d(v, seconds * rate, axis=-1, mode="constant")
    return smooth(values) / smooth(np.ones(values.shape[-1]))


def find_partials(power, step, hz, highest):
    """Power spectrum in steps of `step` Hz -> (number, Hz, power) of each audible partial of `hz`,
    up to `highest`. They are stretched like those of a string: partial n is at n f sqrt(1 + B
    n^2)."""
    smooth = np.convolve(power, np.ones(max(1, round(4.0 / step))), "same")
    found, stretch, first = [], 0.0, hz
    for n in range(1, int(highest / hz) + 1):
        guess = n * first * np.sqrt(1 + stretch * n * n)
        if guess > highest or guess > FARTHEST * n * hz:
            break
        reach = min(0.3 * hz, 0.012 * guess + 4)
        low, high = int((guess - reach) / step), int((guess + reach) / step) + 1
        at = low + int(np.argmax(smooth[low:high]))
        around = smooth[int(max(0, guess - 0.5 * hz) / step) : int((guess + 0.5 * hz) / step) + 1]
        if smooth[at] < 6 * np.median(around):
            continue
        found.append((n, at * step, smooth[at]))
        if len(found) >= 4 and n <= 40:
            ns, fs, ws = (np.array(column) for column in zip(*found))
            weights = np.sqrt(np.maximum(1e-9, 10 * np.log10(ws / ws.max()) + 60)) * ns
            slope, base = np.polyfit(ns**2.0, (fs / ns) ** 2, 1, w=weights)
            if base > 0:
                first, stretch = np.sqrt(base), float(np.clip(slope / base, 0, 0.02))
    loudest = max((p for _, _, p in found), default=0)
    return [row for row in found if row[2] > loudest * 10 ** (-FAINT_DB / 10)]


def followed(spectrum, step, hz, reach, count):
    """Spectra [2, bins] -> complex amplitudes [2, count] at TRACK_HZ of the sound around `hz`,
    shifted to 0 Hz."""
    middle, wide = round(hz / step), max(1, int(reach / step))
    offsets = np.arange(-wide, wide + 1)
    size = round(1 / step * TRACK_HZ)
    lines = np.zeros((2, size), complex)
    lines[:, offsets] = (
        spectrum[:, middle + offsets] * np.cos(np.pi / 2 * offsets / (wide + 1)) ** 0.5
    )
    turn = np.exp(2j * np.pi * (middle * step - hz) * np.arange(count) / TRACK_HZ)
    return np.fft.ifft(lines)[:, :count] * turn


def swayed(spectrum, step, partials, hz, count):
    """The common movement of the partials' frequencies -> by how many turns of its tone the key is
    ahead [count], at TRACK_HZ, from the strongest partials."""
    strongest = sorted(
        (row for row in partials if row[1] < SWAY_HIGHEST_HZ), key=lambda row: -row[2]
    )[:SWAY_PARTIALS]
    if len(strongest) < 2:
        return np.zeros(count)
    loud, moved = [], []
    for number, at, power in strongest:
        reach = min(0.42 * hz, max(REACH_HZ, REACH * number * hz), 2 * WIDEST_HZ)
        z = followed(spectrum, step, number * hz, reach, count)[0]
        turn = even(z[1:] * z[:-1].conj(), TRACK_HZ, 0.1325 / SWAY_HZ)
        moved.append(np.angle(turn) * TRACK_HZ / (2 * np.pi * number * hz))
        loud.append(
            np.abs(turn)
            / np.abs(turn).mean()
            * np.clip(1 + np.log10(power / strongest[0][2]) / 4, 0.05, 1)
        )
    moved, loud = np.array(moved), np.minimum(np.array(loud), 4)
    moved = moved - np.average(moved, axis=1, weights=loud)[:, None]
    together = (moved * loud).sum(0) / loud.sum(0)
    explained = 1 - (loud * (moved - together) ** 2).sum() / (loud * moved**2).sum()
    if explained < SWAY_EXPLAINED:
        return np.zeros(count)
    turns = np.concatenate([[0], np.cumsum(together)]) * hz / TRACK_HZ
    x = np.arange(count)
    return turns - np.polyval(np.polyfit(x, turns, 1), x)


def steadied(sound, turns, hz):
    """Sound [2, n] at 48 kHz with the sway of `turns`, given at TRACK_HZ, removed."""
    n = np.arange(sound.shape[1])
    turns = np.interp(n / WIDE_HZ * TRACK_HZ, np.arange(len(turns)), turns)
    ahead = turns / hz * WIDE_HZ  # samples
    at = np.interp(n, n + ahead, n)  # where what should lie at n lies now
    return CubicSpline(n, sound, axis=1)(at)


def course(power):
    """Power [t] at TRACK_HZ -> the logarithm of the slow course of the amplitude, which the mel
    describes: smoothed over EVEN_S, and less for a young note. The logarithm is smoothed first, so
    that a tone with an even decay keeps its level, and then the power relative to that."""
    age = (np.arange(len(power)) + 0.5) / TRACK_HZ
    steps = np.cumsum(1 / np.minimum(EVEN_S, YOUNG_S + YOUNG * age)) / TRACK_HZ  # of the widths
    grid = np.linspace(steps[0], steps[-1], int(8 * steps[-1]))
    smooth = lambda values: np.interp(steps, grid, even(np.interp(grid, steps, values), 8, 1.0))
    logs = smooth(0.5 * np.log(power + 1e-9 * power.max()))
    return logs + 0.5 * np.log(smooth(power * np.exp(-2 * logs)))


def envelopes(z):
    """Complex amplitudes [2, t] of a partial, middle and side -> the same with constant levels; the
    phase of the middle begins at 0."""
    level = np.exp(course(np.abs(z[0]) ** 2 + 1e-20))
    gone = np.flatnonzero(level < level.max() * 1e-3)
    z = z / level
    settled = round(SETTLED_S * TRACK_HZ)
    z[:, :settled] = z[:, settled : settled + 1]
    if len(gone) and (late := gone[gone > settled]).size:
        z[:, late[0] :] = z[:, late[0] : late[0] + 1]
    for row, largest in zip(z, (LARGEST_MIDDLE, LARGEST_SIDE)):
        row *= np.minimum(1, largest / (np.abs(row) + 1e-12))
    return z * np.exp(-1j * np.angle(z[0, settled : settled + 40].sum()))


def looked_at(sound, hz):
    """Middle and side [2, n] at 48 kHz -> their spectra [2, bins], the distance of the bins in Hz,
    and the partials."""
    held, left = round(HELD_S * WIDE_HZ), sound.shape[1] - np.arange(sound.shape[1])
    size = -(-sound.shape[1] // WIDE_HZ) * WIDE_HZ  # whole seconds, so that rates divide
    looked = np.abs(np.fft.rfft(sound[:, :held] * np.hanning(held), size)) ** 2
    if looked.sum() < 1e-6:
        return None, 0.0, []
    spectrum = np.fft.rfft(sound * np.clip(left / (0.1 * WIDE_HZ), 0, 1), size)
    return (
        spectrum,
        WIDE_HZ / size,
        find_partials(looked.sum(0), WIDE_HZ / size, hz, excitation.UPPER_HZ[1]),
    )


def noise_share(sound, partials, hz):
    """Sound [n] at 48 kHz -> the share of noise in the power of each quarter of the bands of the
    mel, [NOISE_BANDS]: the mel of the sound between the partials, divided by that of the whole. The
    median over the bins between the partials counts, so that inharmonic partials count as tones,
    too."""
    held = round(HELD_S * WIDE_HZ)
    window = np.hanning(held)
    power = (
        np.abs(np.fft.rfft(sound[:held] * window)) ** 2 / (window**2).sum() * (mel.RATE / WIDE_HZ)
    )  # of a sample's variance at 16 kHz
    at = np.arange(len(power)) * WIDE_HZ / held
    near = np.zeros(len(power), bool)
    for _, f, _ in partials:
        wide = min(0.35 * hz, 0.008 * f + 6)
        near[np.searchsorted(at, f - wide) : np.searchsorted(at, f + wide)] = True
    edges = np.searchsorted(
        at, np.concatenate([[20], np.linspace(mel.RATE / 2 / 128, mel.RATE / 2, 128)])
    )
    middles, density = [], []
    for first, last in zip(edges, edges[1:]):
        between = power[first:last][~near[first:last]]
        if len(between) >= 8:
            middles.append(at[(first + last) // 2])
            density.append(np.median(between) / np.log(2))
    bins = np.linspace(0, mel.RATE / 2, mel.FFT // 2 + 1)
    density = np.interp(bins, middles, density) if middles else np.zeros(len(bins))
    noise = np.sqrt(np.pi / 4 * density * (mel.window() ** 2).sum()) @ mel.mel_matrix()
    frames = np.exp(mel.log_mel(low_band(sound[:held])))[:-2]
    weights = np.hanning(len(frames) + 2)[1:-1, None] ** 2
    whole = (weights * frames**2).sum(0) / weights.sum()
    quarters = lambda x: x.reshape(life.NOISE_BANDS, -1).sum(1)
    return np.clip(quarters(noise**2) / (quarters(whole) + 1e-12), life.LEAST_NOISE, 1.0)


def of_note(sides, key, hz, own_partials=False):
    """Left and right [2, n] at 48 kHz of a key held for at least HELD_S, the pitch of its tone, and
    whether its tone is inharmonic -> the facts [FACTS] of its zone and its values"""
    facts, nothing = life.still(), np.zeros(0, np.int8)
    facts[life.OWN_KEY] = key
    sound = np.stack([sides[0] + sides[1], sides[0] - sides[1]]) / 2
    count = round(HELD_S * TRACK_HZ)
    spectrum, step, partials = looked_at(sound, hz)
    if spectrum is None:
        return facts, nothing
    turns = swayed(spectrum, step, partials, hz, count)
    if turns.any():
        sound = steadied(sound, turns, hz)
        spectrum, step, partials = looked_at(sound, hz)
    facts[life.NOISE :] = np.log(noise_share(sound[0], partials, hz))
    if own_partials:  # which stay as they are
        return facts, nothing
    groups = {}
    for group in range(life.GROUPS):
        if group == life.UPPER:
            mine = [row for row in partials if row[1] >= excitation.UPPER_HZ[0]]
        else:
            end = life.GROUP_FIRST[group + 1] if group + 1 < life.UPPER else 1 << 20
            mine = [
                row
                for row in partials
                if life.GROUP_FIRST[group] <= row[0] < end and row[1] <= excitation.HIGHEST_HZ
            ]
        if mine:
            number, at, power = max(mine, key=lambda row: row[2])
            reach = min(0.42 * hz, max(REACH_HZ, REACH * at), WIDEST_HZ)
            z = envelopes(followed(spectrum, step, at, reach, count))
            groups[group] = at / hz - number, z, power
    facts[life.POINT_HZ] = point_hz = paced(groups.values())
    facts[life.POINTS] = round(HELD_S * point_hz)
    points = np.arange(round(HELD_S * point_hz)) * TRACK_HZ / point_hz
    read = lambda curve: np.interp(points, np.arange(count), curve)
    values = []

    def put(fact, curve):
        facts[fact], whole = rounded(curve)
        if facts[fact] > 0:
            values.append(whole.ravel())

    put(life.SWAY, read(turns))
    for group, (shift, z, _) in sorted(groups.items()):
        facts[life.SHIFT + group] = shift
        for side, curve in enumerate(even(z, TRACK_HZ, 0.1325 / (point_hz / 2))):
            curve = np.stack([read(curve.real), read(curve.imag)], 1)
            put((life.MIDDLE, life.SIDE)[side] + group, curve)
    return facts, np.concatenate(values) if values else nothing


def paced(groups):
    """(shift, envelopes [2, t], power) of each group -> how many points a second are enough for
    them."""
    beyond, whole = np.zeros(len(PACES_HZ)), 1e-20
    for _, z, power in groups:
        lines = power * np.abs(np.fft.fft(z * np.hanning(z.shape[1]))) ** 2
        away = np.abs(np.fft.fftfreq(z.shape[1], 1 / TRACK_HZ))
        beyond = beyond + [lines[:, away > 0.4 * pace].sum() for pace in PACES_HZ]
        whole = whole + lines.sum()
    told = [pace for pace, lost in zip(PACES_HZ, beyond) if lost < FAST * whole]
    return told[0] if told else PACES_HZ[-1]


def rounded(curve):
    """A curve -> its largest value, and the curve as integers up to LARGEST."""
    largest = float(np.abs(curve).max())
    if largest < FAINTEST:
        return 0.0, None
    return largest, np.round(curve / largest * life.LARGEST).astype(np.int8)


def _zones(program):
    """The zones of a program: [(first key, last key, facts, values)]"""
    from .soundfont import key_zones
    from .synth import SOUNDFONT, Reference

    reference, found = Reference(), []
    for first, last in key_zones(
        SOUNDFONT, program, range(note_table.LOW, note_table.HIGH + 1), VELOCITY, WIDEST_KEYS
    ):
        key = (first + last) // 2
        note = np.array([0, HELD_S + 1, program, key, VELOCITY, 0])
        sides = reference.sides(note[None], HELD_S + 0.2).astype(float)
        hz = excitation.key_hz(excitation.tone_key(note))
        found.append((first, last, *of_note(sides, key, hz, program in excitation.PARTIALS)))
    return found


def _bundled_zones(program):
    """The same for the bundled model."""
    zone, facts, values = bundled.lives()
    rows = zone[program * life.PITCHES : (program + 1) * life.PITCHES]
    edges = [0, *(np.flatnonzero(np.diff(rows)) + 1), life.PITCHES]
    found = []
    for first, last in zip(edges, edges[1:]):
        own = facts[rows[first]].astype(np.float32)
        begin = int(own[life.FIRST])
        own_values = values[begin : begin + life.size(own)]
        found.append((note_table.LOW + first, note_table.LOW + last - 1, own, own_values))
    return found


def _all_zones(instruments, workers):
    """The zones of every program, in order; prints progress."""
    start, learned, measured = time.time(), instruments.programs, {}
    with get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        for done, found in enumerate(pool.imap(_zones, learned), 1):
            measured[learned[done - 1]] = found
            if done % 16 == 0:
                left = (len(learned) - done) * (time.time() - start) / done / 60
                print(f"life: {done}/{len(learned)} programs, {left:.1f} min left", flush=True)
    instead = dict(instruments.instead)
    for program in range(note_table.PROGRAMS):
        player = instead.get(program, program)
        yield measured[player] if player in measured else _bundled_zones(program)


def build(path, workers=None, instruments=ALL):
    """Writes the table: `zone` [ROWS] of each key, `facts` [zones, FACTS] and their `values`.
    Instruments that are not learned keep the lives of the bundled model."""
    zone, facts, values, size = np.zeros(life.ROWS, np.int16), [], [], 0
    for program, found in enumerate(_all_zones(instruments, workers)):
        for first, last, own_facts, own_values in found:
            begin = program * life.PITCHES - note_table.LOW
            zone[begin + first : begin + last + 1] = len(facts)
            facts.append(own_facts.copy())
            facts[-1][life.FIRST] = size
            values.append(own_values)
            size += len(own_values)
    np.savez(path, zone=zone, facts=np.stack(facts), values=np.concatenate(values))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the .npz to write")
    parser.add_argument("--workers", type=int)
    a = parser.parse_args()
    build(a.path, a.workers)
