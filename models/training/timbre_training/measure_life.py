"""Measures how held notes live (`life.py`) from the training's own sound, and writes the table [ROWS, COLUMNS] float32.

Every key of every program is held for 3 s. Of its partials up to the twelfth and 3.5 kHz the complex amplitude is followed. What their frequencies
do together, if one sine explains enough of it, is the vibrato; the same of their level is the tremolo; and what is left beside a partial's line is
beating, whose share of the power and distance are kept.
"""
import argparse
import os
import time
from multiprocessing import get_context

import numpy as np

from . import excitation, life, mel, note_table

HELD_S, FROM_S, VELOCITY = 3.0, 0.1, 90
TRACK_HZ = 200  # values of a followed amplitude in a second
HIGHEST_HZ, PARTIALS, FAINT_DB, FALLEN_NATS, SHORTEST_S = 3500.0, 12, 40.0, 4.0, 0.8
COMES_S = (0.05, 0.25, 0.5, 1.0, 1.5, 2.0)
VIBRATO_RATES, TREMOLO_RATES = np.arange(3.0, 9.01, 0.1), np.arange(2.0, 12.01, 0.1)
LEAST_CENTS, LEAST_NATS, LEAST_EXPLAINED = 1.5, 0.03, 0.35
FURTHEST_CENTS, MOST_SIDE, LEAST_SIDE = 30.0, 0.6, 0.04


def followed(part, hz):
    """Sound [n] at 16 kHz -> frequencies and complex amplitudes [partials, t] of the partials of `hz` that can be heard."""
    spectrum, step = np.fft.fft(part), mel.RATE / len(part)
    size, found, at = round(len(part) * TRACK_HZ / mel.RATE), [], []
    for n in range(1, PARTIALS + 1):
        centre, reach = n * hz, min(0.42 * hz, max(12.0, 0.025 * n * hz), 0.45 * TRACK_HZ)
        if centre + reach > HIGHEST_HZ:
            break
        middle, wide = round(centre / step), int(reach / step)
        lines = np.zeros(size, complex)
        offsets = np.arange(-wide, wide + 1)
        lines[offsets] = spectrum[middle + offsets] * np.cos(np.pi / 2 * offsets / (wide + 1)) ** 0.5
        z = np.fft.ifft(lines) * size / len(part)
        drift = np.exp(2j * np.pi * (middle * step - centre) * np.arange(size) / TRACK_HZ)
        found.append((z * drift)[size // 30 : -size // 30])
        at.append(centre)
    if not found:
        return np.zeros(0), np.zeros((0, 0), complex)
    found, at = np.stack(found), np.array(at)
    level = 10 * np.log10((np.abs(found) ** 2).mean(1) + 1e-20)
    heard = level > level.max() - FAINT_DB
    return at[heard], found[heard]


def fitted(values, weights, rates, comes=(0.0,)):
    """The sine that explains most of values [t]: -> (explained share, rate, size, time in which it comes in, turn)."""
    t = (np.arange(len(values)) + 0.5) / TRACK_HZ + FROM_S + HELD_S / 30
    total, best = (weights * values ** 2).sum() + 1e-20, (0.0, 0.0, 0.0, 0.0, 0.0)
    for come in comes:
        grows = np.clip(t / come, 0, 1) if come else np.ones(len(t))
        wave = np.exp(-2j * np.pi * rates[:, None] * t) * grows
        power = (weights * grows ** 2).sum() / 2
        sums = (wave * (weights * values)).sum(1) / power  # of a cosine with its phase
        explained = np.abs(sums) ** 2 * power / total
        i = int(explained.argmax())
        if explained[i] > best[0]:
            turn = (np.angle(sums[i]) / (2 * np.pi) + 0.25) % 1.0  # as a sine
            best = (float(explained[i]), float(rates[i]), float(np.abs(sums[i])), come, float(turn))
    return best


def without_trend(values, weights, degree):
    x = np.linspace(-1, 1, len(values))
    return values - np.polynomial.Polynomial.fit(x, values, degree, w=np.sqrt(weights))(x)


def of_note(sound, key):
    """Sound at 16 kHz of a key held for HELD_S -> a row [COLUMNS]"""
    values = np.zeros(life.COLUMNS, np.float32)
    hz = excitation.key_hz(key)
    part = sound[round(FROM_S * mel.RATE) : round(HELD_S * mel.RATE)].astype(float)
    at, z = followed(part, hz)
    if len(at) < 2 or np.abs(z).max() < 1e-4:
        return values
    power = np.abs(z) ** 2
    whole = power.sum(0)
    low = np.flatnonzero(np.convolve(whole, np.ones(20) / 20, "same") < whole.max() * np.exp(-2 * FALLEN_NATS))
    end = low[low > 20].min() if (low > 20).any() else len(whole)
    if end < SHORTEST_S * TRACK_HZ:
        return values
    z, power = z[:, :end], power[:, :end]
    power = power / power.mean(1, keepdims=True)
    level = 10 * np.log10((np.abs(z) ** 2).mean(1))
    by = np.clip((level - level.max() + FAINT_DB) / FAINT_DB, 0.02, 1)[:, None]
    weights = (by * np.minimum(power, 4)).sum(0)
    # What the partials do together, in pitch and in level.
    turn = np.angle(z[:, 1:] * z[:, :-1].conj()) * TRACK_HZ / (2 * np.pi * at[:, None]) / life.CENT
    cents = (by * np.minimum(power[:, 1:], 4) * turn).sum(0) / weights[1:]
    cents = without_trend(np.clip(cents, -100, 100), weights[1:], 1)
    explained, rate, size, come, phase = fitted(cents, weights[1:], VIBRATO_RATES, COMES_S)
    moved = np.zeros(end)
    if explained > LEAST_EXPLAINED and size > LEAST_CENTS:
        values[[life.VIBRATO_HZ, life.VIBRATO_CENTS, life.VIBRATO_S, life.VIBRATO_TURN]] = rate, size, come, phase
        moved = life.swing(values, (np.arange(end) + 0.5) / TRACK_HZ + FROM_S + HELD_S / 30, 1.0)[0]
    values[life.VIBRATO_S] = come if values[life.VIBRATO_HZ] else COMES_S[1]
    nats = 0.5 * np.log((by * power).sum(0) / by.sum() + 1e-6)
    nats = without_trend(nats, np.ones(end), 3)
    explained, rate, size, _, phase = fitted(nats, np.ones(end), TREMOLO_RATES)
    if explained > LEAST_EXPLAINED and size > LEAST_NATS:
        values[[life.TREMOLO_HZ, life.TREMOLO_NATS, life.TREMOLO_TURN]] = rate, min(size, 0.6), phase
    values[[life.SIDE_SHARE, life.SIDE_CENTS]] = beside(z, at, by[:, 0], moved)
    return values


def beside(z, at, by, moved):
    """The share of the partials' power that does not lie on their lines once vibrato is taken out, and how far away it lies, in cents of a side voice."""
    shares, squares, weights = [], [], []
    for amplitude, hz, weight in zip(z, at, by):
        level = np.log(np.abs(amplitude) + 1e-9)
        smooth = level - without_trend(level, np.ones(len(level)), 3)
        flat = amplitude / np.exp(smooth) * np.exp(-2j * np.pi * hz * moved)
        flat = np.clip(np.abs(flat), 0, 3) * np.exp(1j * np.angle(flat))
        size = 4 * len(flat)
        power = np.abs(np.fft.fft(flat * np.hanning(len(flat)), size)) ** 2
        away = np.fft.fftfreq(size, 1 / TRACK_HZ)
        away = away - away[np.argmax(power)]
        line = np.abs(away) <= 2.2 * TRACK_HZ / len(flat)
        near = ~line & (np.abs(away) / hz / life.CENT < FURTHEST_CENTS)
        shares.append(power[near].sum() / power.sum())
        squares.append((power[near] * (away[near] / hz / life.CENT) ** 2).sum() / (power[near].sum() + 1e-20))
        weights.append(weight)
    share = np.average(shares, weights=weights)
    cents = np.sqrt(np.average(squares, weights=np.array(weights) * shares))
    if share < LEAST_SIDE or not np.isfinite(cents):
        return 0.0, 0.0
    spread = np.sqrt(sum(part * away ** 2 for part, away, _ in life.SIDES))
    return min(share, MOST_SIDE), min(cents / spread, FURTHEST_CENTS)


def _rows(program):
    """A program's rows [PITCHES, COLUMNS]"""
    from .synth import Reference

    rows = np.zeros((life.PITCHES, life.COLUMNS), np.float32)
    if program in excitation.PARTIALS:
        return rows
    reference = Reference()
    for row, key in zip(rows, range(note_table.LOW, note_table.HIGH + 1)):
        note = np.array([0, HELD_S, program, key, VELOCITY, 0])
        row[:] = of_note(reference.render(note[None], HELD_S), excitation.tone_key(note))
    return rows


def build(path, workers=None):
    """Writes the table; prints progress."""
    start, found = time.time(), []
    with get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        for done, rows in enumerate(pool.imap(_rows, range(note_table.PROGRAMS)), 1):
            found.append(rows)
            if done % 16 == 0:
                print(f"life: {done}/{note_table.PROGRAMS} programs, {(128 - done) * (time.time() - start) / done / 60:.1f} min left", flush=True)
    np.save(path, np.concatenate(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", help="the .npy to write")
    parser.add_argument("--workers", type=int)
    a = parser.parse_args()
    build(a.path, a.workers)
