"""The score-informed excitation: what the notes say about the sound before any network. Rust twin: models/src/vocoder/excitation.rs.

Every sounding note is a tone of equal harmonics below 7.6 kHz (phase counted from the key press, fixed phases per harmonic), or of the
partials of its instrument where those are no harmonics. Those between 8.4 and 15.6 kHz are a tone of their own, the upper one: sampled at 16 kHz,
they come to lie at 16 kHz less their frequency, as in `bands.upper_band`.
Struck and plucked programs decay while held; after release every note decays with 0.25 s. Drums have no tone: they are noise. All begin
as the attack table says.
`levels` is the mel the front end would measure of the tones, computed from the notes alone, so it needs no look-ahead.
"""
from functools import cache

import numpy as np

from . import attacks, mel
from .notes import DRUM, END, KEY, PROGRAM, START, VELOCITY

BLOCK = 160  # samples of one gain step (10 ms)
TABLE = 4096
HARMONIC_AMPLITUDE = 0.05
HIGHEST_HZ = 7600.0
UPPER_HZ = 8400.0, 15600.0  # between which the partials of the upper tone lie
RELEASE_S = 0.25
FORGET = 1e-3  # a released voice is dropped below this level
HELD_FLOOR = 0.02  # a struck note does not fall below this while held
DRUM_SAMPLES = 1600  # a drum falls by a factor e in this time
# Organs with a sixteen foot stop, and leads and pads of the same kind, have partials at multiples of half the key's frequency: their tone is
# that of the key an octave below.
OCTAVE_LOWER = (16, 17, 18, 86, 97)
# Bars, bells and drumheads: where their partials lie, as multiples of the key's frequency, in the soundfont of the training; the
# loudest over several octaves, as `partials.py` shows them.
PARTIALS = {
    9: (1.0, 2.745, 5.307, 6.905, 7.949, 12.08, 12.805, 12.856, 16.594, 17.152, 17.653, 39.656, 43.393),  # glockenspiel
    13: (1.0, 2.995, 5.66, 5.702, 5.76, 5.797, 5.838, 5.92, 8.444, 10.914),  # xylophone
    14: (0.618, 1.207, 1.219, 1.982, 1.993, 2.913, 2.924, 3.977, 4.018, 5.117, 5.138, 5.243, 6.348, 6.381, 6.584, 7.692, 8.021, 9.05, 9.539),  # tubular bells
    47: (1.012, 1.028, 1.06, 1.5, 1.517, 1.543, 1.653, 1.705, 1.765, 1.82, 1.93, 1.978, 2.836, 2.898, 2.96, 3.335, 3.377, 3.437, 4.099, 5.209, 5.77),  # timpani
    112: (0.999, 1.287, 1.788, 2.001, 2.882, 3.63, 3.918, 4.18, 5.455, 6.37, 6.702, 8.195, 8.53, 9.444),  # tinkle bell
    113: (2.026, 4.052, 4.568, 5.166, 7.548, 8.355, 10.381, 12.406, 13.09, 13.967, 15.076, 15.32, 16.07, 17.825, 19.11, 21.144),  # agogo
}
LEVEL_FLOOR = 0.02  # mel level below which the tones count as absent
GOLDEN = 0.6180339887498949


def key_hz(key):
    return 440.0 * 2.0 ** ((key - 69) / 12.0)


def struck(program):
    """True for programs that fade while held: pianos, mallets, guitars, basses, pizzicato, harp, timpani, ..."""
    return program < 16 or 24 <= program < 40 or 45 <= program <= 47 or 104 <= program <= 108 or 112 <= program < 120


def tone_key(note):
    """The key whose tone a note [6] has."""
    return int(note[KEY]) - (12 if note[PROGRAM] in OCTAVE_LOWER and note[KEY] >= 12 else 0)


def struck_decay_s(key):
    return 1.5 * 2.0 ** ((60 - key) / 24.0)


def tables():
    """Wavetables complex [128, 4097] (last = first, for interpolation; the imaginary part is a quarter turn behind the real one, so that a
    tone's phase can be turned), those of the upper tones float [128, 4097], and level profiles [128, 128]: mel of each key's steady tone."""
    waves, profiles = np.zeros((128, TABLE + 1), np.complex64), np.zeros((128, mel.BINS), np.float32)
    upper = np.zeros((128, TABLE + 1), np.float32)
    for key in range(128):
        spectrum = spectrum_of(np.arange(1, int(HIGHEST_HZ / key_hz(key)) + 1))
        waves[key] = period(spectrum) + 1j * period(-1j * spectrum)
        first, last = (hz / key_hz(key) for hz in UPPER_HZ)
        upper[key] = period(spectrum_of(np.arange(int(np.ceil(first)), int(last) + 1)))
        profiles[key] = profile(read_wave(waves[key], key, np.arange(mel.FRAME)))
    return waves, upper, profiles


def spectrum_of(harmonics):
    """Of one period [TABLE] with these harmonics."""
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[harmonics] = HARMONIC_AMPLITUDE * TABLE / 2 * np.exp(2j * np.pi * start_turn(harmonics))
    return spectrum


def period(spectrum):
    """One period and its first value again, [TABLE + 1]."""
    wave = np.fft.irfft(spectrum)
    return np.append(wave, wave[0])


def start_turn(i):
    """The phase, in turns, at which the i-th partial, from 1, begins."""
    return np.modf(i * i * GOLDEN)[0]


def profile(tone):
    """The mel [128] of a steady tone's first frame, complex [640]."""
    return np.abs(np.fft.rfft(tone.real * mel.window(), mel.FFT)) @ mel.mel_matrix()


def read_partials(program, key, n, between_hz=(0.0, HIGHEST_HZ)):
    """The tone, complex, of an instrument of `PARTIALS` at samples n after the key press, of the partials in a range."""
    turns, tone = n * (key_hz(key) / mel.RATE), np.zeros(len(n), complex)
    for i, ratio in enumerate(PARTIALS[program], 1):
        if between_hz[0] <= ratio * key_hz(key) <= between_hz[1]:
            tone += HARMONIC_AMPLITUDE * np.exp(2j * np.pi * (turns * ratio + start_turn(i)))
    return tone


def read_wave(wave, key, n):
    """A wavetable [4097] of a key at samples n after the key press, linearly interpolated."""
    where = np.modf(n * (key_hz(key) / mel.RATE))[0] * TABLE
    i = where.astype(np.int64)
    return wave[i] + (where - i) * (wave[i + 1] - wave[i])


def noise_level():
    """Expected mel [128] of white noise of variance 1 (Rayleigh mean of the magnitude)."""
    return (np.sqrt(np.pi / 4 * (mel.window() ** 2).sum()) * mel.mel_matrix().sum(0)).astype(np.float32)


_TABLES = None


@cache
def partial_profile(program, key):
    return profile(read_partials(program, key, np.arange(mel.FRAME)))


def steady_tone(note, n):
    """A note [6] at full level at samples n after its key press: its tone, its upper tone, and its mel profile [128]."""
    global _TABLES
    _TABLES = _TABLES or tables()
    waves, upper, profiles = _TABLES
    program, key = int(note[PROGRAM]), tone_key(note)
    if program in PARTIALS:
        return read_partials(program, key, n), read_partials(program, key, n, UPPER_HZ).real, partial_profile(program, key)
    return read_wave(waves[key], key, n), read_wave(upper[key], key, n), profiles[key]


def envelope(n, note):
    """Level of a note [len(n)] at samples n after its key press, for a note array row."""
    velocity, key, program = note[VELOCITY], note[KEY], int(note[PROGRAM])
    down = round(note[END] * mel.RATE) - round(note[START] * mel.RATE)
    held = np.minimum(n, down) / mel.RATE
    level = np.maximum(np.exp(-held / struck_decay_s(key)), HELD_FLOOR) if struck(program) else np.ones(len(n))
    return velocity / 127.0 * level * np.exp(-np.maximum(n - down, 0) / (RELEASE_S * mel.RATE))


def excite(notes, samples, table):
    """notes [n, 6], attack table [ROWS, LEVELS] -> tones complex64 [samples], upper tones float32 [samples], levels float32 [samples / 160, 128] (mel magnitude at each
    block's end, as if every note were at once as loud as its frame), hush float32 [samples]: what noise is multiplied with, so that it
    begins as the notes do."""
    out, above, blocks = np.zeros(samples, complex), np.zeros(samples), samples // BLOCK
    power = np.zeros((blocks, mel.BINS))
    sounding, begun = np.zeros((2, samples))
    tail, fall = int(-np.log(FORGET) * RELEASE_S * mel.RATE), int(-np.log(FORGET) * DRUM_SAMPLES)
    for note in notes:
        drum = bool(note[DRUM])
        first = round(note[START] * mel.RATE)
        last = min(samples, first + fall if drum else round(note[END] * mel.RATE) + tail)
        if last <= first:
            continue
        n = np.arange(last - first)
        level = note[VELOCITY] / 127.0 * np.exp(-n / DRUM_SAMPLES) if drum else envelope(n, note)
        shape = attacks.shape(table[attacks.row(note)], mel.HOP - first % mel.HOP)
        shaped = level * np.interp(n, np.arange(attacks.SHAPES) * attacks.GRID, shape)
        sounding[first:last] += level ** 2
        begun[first:last] += shaped ** 2
        if drum:
            continue
        tone, upper, profile = steady_tone(note, n)
        out[first:last] += shaped * tone
        above[first:last] += shaped * upper
        b0, b1 = first // BLOCK, last // BLOCK
        ends = (np.arange(b0, b1) + 1) * BLOCK - first
        power[b0:b1] += np.outer(envelope(ends, note) ** 2, profile ** 2)
    hush = np.sqrt(np.divide(begun, sounding, out=np.ones(samples), where=sounding > 0))
    return out.astype(np.complex64), above.astype(np.float32), np.sqrt(power + LEVEL_FLOOR ** 2).astype(np.float32), hush.astype(np.float32)


def onsets(notes, samples):
    """notes [n, 6] -> int64 [samples / 160]: where in each block the first key press lies, 160 where there is none, drums too; and
    bool [samples / 320]: whether a frame has a drum stroke or one less than 0.1 s before it."""
    first, drummed = np.full(samples // BLOCK, BLOCK), np.zeros(samples // mel.HOP, bool)
    at = np.round(notes[:, START] * mel.RATE).astype(np.int64)
    for stroke in at[notes[:, DRUM] > 0]:
        drummed[stroke // mel.HOP : (stroke + DRUM_SAMPLES) // mel.HOP + 1] = True
    at = at[at < len(first) * BLOCK]
    np.minimum.at(first, at // BLOCK, at % BLOCK)
    return first, drummed
