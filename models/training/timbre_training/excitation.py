"""The score-informed excitation: the tones that follow from the notes before any network runs. Rust
twin: models/src/vocoder/excitation.rs.

Every sounding note is a tone of equal harmonics below 7.6 kHz (phase counted from the key press,
fixed phases for each harmonic), or of the partials of its instrument if those are inharmonic. The
partials between 8.4 and 15.6 kHz are a separate tone, the upper one. Sampled at 16 kHz, a frequency
f of it becomes 16 kHz - f, as in `bands.upper_band`. Struck and plucked programs decay while held.
After release every note decays with a time constant of 0.25 s, and with 20 ms once its key is
struck again. Drums are noise, except that those of `DRUM_TONES` ring at partials of their own. All
begin as the attack table says, and held notes move as `life` says. `levels` is the mel that the
front end would measure of the tones. It is computed from the notes alone, so it needs no
look-ahead.
"""
from functools import cache

import numpy as np

from . import attacks, life, mel
from .drum_tones import DRUM_TONES, NO_TONE
from .kits import NONE
from .notes import DRUM, END, KEY, PROGRAM, START, VELOCITY

BLOCK = 160  # samples of one gain step (10 ms)
TABLE = 4096
# The imaginary part is a sine.
COSINE = np.exp(2j * np.pi * np.arange(TABLE + 1) / TABLE).astype(np.complex64)
HARMONIC_AMPLITUDE = 0.05
HIGHEST_HZ = 7600.0
UPPER_HZ = 8400.0, 15600.0  # between which the partials of the upper tone lie
RELEASE_S = 0.25
# The time in which the rest of a note falls by a factor e once its key is struck again.
RESTRUCK_S = 0.02
FORGET = 1e-3  # a released voice is dropped below this level
HELD_FLOOR = 0.02  # a struck note does not fall below this while held
DRUM_SAMPLES = 1600  # a drum may sound in frames that begin within this time after its stroke
# Organs with a 16-foot stop, and leads and pads of the same kind, have partials at multiples of
# half the frequency of the key: their tone is that of the key an octave below.
OCTAVE_LOWER = (16, 17, 18, 86, 97)
# The partials of bars, bells and drumheads in the soundfont of the training, as multiples of the
# frequency of the key: the loudest over several octaves, as printed by `partials.py`.
PARTIALS = {
    9: (  # glockenspiel
        1.0, 2.745, 5.307, 6.905, 7.949, 12.08, 12.805, 12.856, 16.594, 17.152, 17.653, 39.656,
        43.393,
    ),
    13: (1.0, 2.995, 5.66, 5.702, 5.76, 5.797, 5.838, 5.92, 8.444, 10.914),  # xylophone
    14: (  # tubular bells
        0.618, 1.207, 1.219, 1.982, 1.993, 2.913, 2.924, 3.977, 4.018, 5.117, 5.138, 5.243, 6.348,
        6.381, 6.584, 7.692, 8.021, 9.05, 9.539,
    ),
    47: (  # timpani
        1.012, 1.028, 1.06, 1.5, 1.517, 1.543, 1.653, 1.705, 1.765, 1.82, 1.93, 1.978, 2.836, 2.898,
        2.96, 3.335, 3.377, 3.437, 4.099, 5.209, 5.77,
    ),
    112: (  # tinkle bell
        0.999, 1.287, 1.788, 2.001, 2.882, 3.63, 3.918, 4.18, 5.455, 6.37, 6.702, 8.195, 8.53,
        9.444,
    ),
    113: (  # agogo
        2.026, 4.052, 4.568, 5.166, 7.548, 8.355, 10.381, 12.406, 13.09, 13.967, 15.076, 15.32,
        16.07, 17.825, 19.11, 21.144,
    ),
}
LEVEL_FLOOR = 0.02  # mel level below which the tones count as absent
GOLDEN = 0.6180339887498949


def key_hz(key):
    return 440.0 * 2.0 ** ((key - 69) / 12.0)


def struck(program):
    """Whether programs decay while held: pianos, mallets, guitars, basses, pizzicato, harp,
    timpani, ..."""
    return (
        program < 16
        or 24 <= program < 40
        or 45 <= program <= 47
        or 104 <= program <= 108
        or 112 <= program < 120
    )


def tone_key(note):
    """The key whose wavetables a note [6] uses."""
    return int(note[KEY]) - (12 if note[PROGRAM] in OCTAVE_LOWER and note[KEY] >= 12 else 0)


def struck_decay_s(key):
    return 1.5 * 2.0 ** ((60 - key) / 24.0)


def table_length(key):
    """The length of the wavetables of a key: a power of two, with at least 16 samples in a period
    of the highest partial, except for the lowest keys."""
    partials = max(int(UPPER_HZ[1] / key_hz(key)), 1)
    return min(1 << (16 * partials - 1).bit_length(), TABLE)


def tables():
    """For each of 128 keys: wavetables complex [GROUPS, length + 1], one for each group of partials
    in `life` (the last value repeats the first, for interpolation; the imaginary part is a quarter
    turn behind the real part), which is zero for groups without partials and whose last group is
    the upper tone; and level profiles [128, 128], the mel of the steady tone of each key."""
    waves = [np.zeros((life.GROUPS, table_length(key) + 1), np.complex64) for key in range(128)]
    profiles = np.zeros((128, mel.BINS), np.float32)
    for key in range(128):
        length = table_length(key)
        highest = int(HIGHEST_HZ / key_hz(key))
        groups = zip(life.GROUP_FIRST, life.GROUP_FIRST[1:] + (highest + 1,))
        for group, (first, after) in enumerate(groups):
            waves[key][group] = period(np.arange(first, min(after, highest + 1)), length)
        first, last = (hz / key_hz(key) for hz in UPPER_HZ)
        waves[key][life.UPPER] = period(np.arange(int(np.ceil(first)), int(last) + 1), length)
        turns = np.arange(mel.FRAME) * (key_hz(key) / mel.RATE)
        profiles[key] = profile(read_wave(waves[key][: life.UPPER].sum(0), turns))
    return waves, profiles


def period(harmonics, length):
    """One period of these harmonics, followed by its first value again, complex [length + 1]."""
    spectrum = np.zeros(length, complex)
    spectrum[harmonics] = HARMONIC_AMPLITUDE * length * np.exp(2j * np.pi * start_turn(harmonics))
    wave = np.fft.ifft(spectrum)
    return np.append(wave, wave[0])


def start_turn(i):
    """The phase in turns at which the i-th partial, counted from 1, begins."""
    return np.modf(i * i * GOLDEN)[0]


def profile(tone):
    """The mel [128] of the first frame of a steady tone, complex [640]."""
    return np.abs(np.fft.rfft(tone.real * mel.window(), mel.FFT)) @ mel.mel_matrix()


def read_partials(partials_hz, n, between_hz=(0.0, HIGHEST_HZ)):
    """The complex tone of the partials within a range, at samples n after the key press."""
    tone = np.zeros(len(n), complex)
    for i, hz in enumerate(partials_hz, 1):
        if between_hz[0] <= hz <= between_hz[1]:
            tone += HARMONIC_AMPLITUDE * np.exp(2j * np.pi * (n * (hz / mel.RATE) + start_turn(i)))
    return tone


def own_partials(note):
    """The partials of a note [6] in Hz if they are inharmonic, otherwise none."""
    if note[DRUM]:
        return DRUM_TONES.get((int(note[PROGRAM]), int(note[KEY])), NO_TONE).partials_hz
    return tuple(by * key_hz(note[KEY]) for by in PARTIALS.get(int(note[PROGRAM]), ()))


def read_wave(wave, turns):
    """Reads a wavetable [length + 1] at phases in turns, with linear interpolation."""
    i, share = places(turns, len(wave) - 1)
    return read_at(wave, i, share)


def places(turns, length):
    """Phases in turns -> the index into a wavetable of that length, and the fraction of the way to
    the next value."""
    where = np.mod(turns, 1.0) * length
    i = np.minimum(where.astype(np.int32), length - 1)
    return i, (where - i).astype(np.float32)


def read_at(wave, i, share):
    here = wave[i]
    return here + share * (wave[i + 1] - here)


def noise_level():
    """Expected mel [128] of white noise of variance 1 (Rayleigh mean of the magnitude)."""
    of_a_bin = np.sqrt(np.pi / 4 * (mel.window() ** 2).sum())
    return (of_a_bin * mel.mel_matrix().sum(0)).astype(np.float32)


_TABLES = None


@cache
def partial_profile(partials_hz):
    return profile(read_partials(partials_hz, np.arange(mel.FRAME)))


@cache
def shifted_profile(key, shifts):
    """The profile [128] of the steady tone of a key whose groups of partials are shifted, as those
    of stiff strings are, by `shifts` [GROUPS] in turns for each turn of the tone."""
    turns = np.arange(mel.FRAME) * (key_hz(key) / mel.RATE)
    tone = sum(
        read_wave(wave, turns) * read_wave(COSINE, by * turns)
        for wave, by in zip(_TABLES[0][key][: life.UPPER], shifts)
    )
    return profile(tone)


def steady_tone(note, count, living=None):
    """A note [6] at full level in the first `count` samples after its key press: its tones [2, n],
    middle and side, its upper tones [2, n], and its mel profile [128]. `living` is its `life.Life`,
    which drums and inharmonic instruments do not have."""
    global _TABLES
    _TABLES = _TABLES or tables()
    waves, profiles = _TABLES
    key, partials_hz, n = tone_key(note), own_partials(note), np.arange(count)
    if partials_hz:
        tone, upper = read_partials(partials_hz, n), read_partials(partials_hz, n, UPPER_HZ)
        tones, uppers = np.stack([tone, 0 * tone]), np.stack([upper, 0 * upper]).real
        return tones, uppers, partial_profile(partials_hz)
    turns = n * (key_hz(key) / mel.RATE) + living.at(living.sway, count)
    shifts = tuple(living.shifts)
    heard = shifted_profile(key, shifts) if any(shifts) else profiles[key]
    i, share = places(turns, table_length(key))
    tones, upper = np.zeros((2, count), np.complex64), np.zeros((2, count), np.float32)
    for group, wave in enumerate(waves[key]):
        if not wave.any():
            continue
        sound = read_at(wave, i, share)
        if living.shifts[group]:
            sound = sound * read_wave(COSINE, living.shifts[group] * turns)
        moved = living.at(living.parts[group], count) * sound
        if group == life.UPPER:
            upper += moved.real
        else:
            tones += moved
    return tones, upper, heard


def fall_s(note):
    """The time in which a note [6] falls by a factor e after its end."""
    if note[DRUM]:
        return DRUM_TONES.get((int(note[PROGRAM]), int(note[KEY])), NO_TONE).fall_s
    return RELEASE_S


def struck_again(notes):
    """For each of notes [n, 6] the sample at which its key is struck again, or infinity."""
    again, last = np.full(len(notes), np.inf), {}
    for i in np.argsort(notes[:, START], kind="stable"):
        if not notes[i, DRUM]:
            voice = notes[i, PROGRAM], notes[i, KEY]
            if voice in last:
                again[last[voice]] = round(notes[i, START] * mel.RATE)
            last[voice] = i
    return again


def envelope(n, note, again=np.inf):
    """The level of a note [len(n)], a row of a note array, at samples n after its key press; its
    key is struck again after `again` samples."""
    velocity, key, program, drum = note[VELOCITY], note[KEY], int(note[PROGRAM]), bool(note[DRUM])
    down = 0 if drum else round(note[END] * mel.RATE) - round(note[START] * mel.RATE)
    held = np.minimum(n, down) / mel.RATE
    level = (
        np.maximum(np.exp(-held / struck_decay_s(key)), HELD_FLOOR)
        if struck(program) and not drum
        else np.ones(len(n))
    )
    level = level * np.exp(-np.maximum(n - down, 0) / (fall_s(note) * mel.RATE))
    return velocity / 127.0 * level * np.exp(-np.maximum(n - again, 0) / (RESTRUCK_S * mel.RATE))


def last_of(note, again):
    """The sample after the last one of a note [6]; its key is struck again at sample `again`."""
    tail = lambda seconds: int(-np.log(FORGET) * seconds * mel.RATE)
    over = round(note[START if note[DRUM] else END] * mel.RATE) + tail(fall_s(note))
    return min(over, again + tail(RESTRUCK_S))


def excite(notes, samples, table, lives, kits=NONE):
    """notes [n, 6], attack table [rows, LEVELS], a `life.LifeTable`, `Kits` -> tones complex64 [2,
    samples], middle and side; upper tones float32 [2, samples]; levels float32 [samples / 160, 128]
    (mel magnitude of the middle at the end of each block, as if every note had the loudness of its
    frame at once and did not move); hush float32 [samples]: the factor for the noise, so that it
    begins as the notes do."""
    out, above = np.zeros((2, samples), np.complex64), np.zeros((2, samples), np.float32)
    blocks = samples // BLOCK
    power = np.zeros((blocks, mel.BINS))
    sounding, begun = np.zeros((2, samples))
    notes = kits.played(notes)
    for note, again in zip(notes, struck_again(notes)):
        drum = bool(note[DRUM])
        first = round(note[START] * mel.RATE)
        last = int(min(samples, last_of(note, again)))
        if last <= first:
            continue
        n = np.arange(last - first)
        level = envelope(n, note, again - first)
        shape = attacks.shape(table[attacks.row(note, kits)], mel.HOP - first % mel.HOP)
        shaped = level * np.interp(n, np.arange(attacks.SHAPES) * attacks.GRID, shape)
        sounding[first:last] += level ** 2
        begun[first:last] += shaped ** 2
        if drum and not own_partials(note):
            continue
        tones, upper, profile = steady_tone(note, len(n), None if drum else lives.of(note))
        out[:, first:last] += shaped * tones
        above[:, first:last] += shaped * upper
        b0, b1 = first // BLOCK, last // BLOCK
        ends = (np.arange(b0, b1) + 1) * BLOCK - first
        power[b0:b1] += np.outer(envelope(ends, note, again - first) ** 2, profile ** 2)
    hush = np.sqrt(np.divide(begun, sounding, out=np.ones(samples), where=sounding > 0))
    return out, above, np.sqrt(power + LEVEL_FLOOR ** 2).astype(np.float32), hush.astype(np.float32)


def onsets(notes, samples):
    """notes [n, 6] -> int64 [samples / 160]: the sample of each block at which its first key press
    is, drums included, or 160 if there is none; and bool [samples / 320]: whether a frame has a
    drum stroke or is less than 0.1 s after one."""
    first, drummed = np.full(samples // BLOCK, BLOCK), np.zeros(samples // mel.HOP, bool)
    at = np.round(notes[:, START] * mel.RATE).astype(np.int64)
    for stroke in at[notes[:, DRUM] > 0]:
        drummed[stroke // mel.HOP : (stroke + DRUM_SAMPLES) // mel.HOP + 1] = True
    at = at[at < len(first) * BLOCK]
    np.minimum.at(first, at // BLOCK, at % BLOCK)
    return first, drummed
