"""Measures how lively a held note is, and which artefacts a system leaves in it.

`of_note` says, of one note:
  am       dB rms of a partial's level up to 20 Hz, a cubic decay taken out; mean of the
           partials, the louder the more
  fm       cents rms of its frequency up to 20 Hz, a straight line taken out
  width    Hz rms of its line: beating, chorus, vibrato, noise in it
  flicker  dB rms of the level of 40 bands from 100 Hz to 16 kHz, faster than 1 Hz
  hnr      dB, harmonics against what lies between them, up to 8 kHz
  line     dB of what lies 50 Hz beside strong partials (frames are 20 ms long) over what lies
           13 Hz beside that, partial by partial
"""

import numpy as np

from . import partials
from .partials import FAINT_DB, gauss, spectrum
from .pieces import HELD_S, SLOT_S, held, hz_of, program_of
from .sound import RATE, read, side_against_middle_db

LINE_HZ = 50


def of_file(name, path, _reference):
    """Measures every note of a file of held notes."""
    audio = read(path)
    return [
        of_note(audio[round(start * RATE) : round((start + SLOT_S - 0.1) * RATE)], hz_of(key))
        for start, key, _ in held(program_of(name))
    ]


def sides_of_file(name, path, _reference):
    """The level of the side relative to the middle, in dB, of every note of a stereo file while it
    is held."""
    audio = read(path)
    starts = [round(start * RATE) for start, _, _ in held(program_of(name))]
    return [side_against_middle_db(audio[s : s + round(HELD_S * RATE)]) for s in starts]


def sounding(note):
    """The part of a held note that is measured: from 0.15 s until it is 45 dB below its peak or
    released; None if there is none."""
    level = np.sqrt(np.convolve(note[: round(HELD_S * RATE)] ** 2, np.ones(480) / 480, "same"))
    loud = np.flatnonzero(level > level.max() * 10 ** (-45 / 20))
    if len(loud) == 0 or level.max() < 1e-6:
        return None
    first, last = round(0.15 * RATE), min(loud[-1], round(2.95 * RATE))
    return note[first:last] if last - first > 0.5 * RATE else None


def of_note(note, hz):
    """The measures of a note whose key is pressed at its first sample; none if it is silent."""
    part = sounding(note)
    if part is None:
        return {}
    places = np.array(partials.find(part, hz))
    rows = []
    for place in places:
        others = np.abs(places[places != place] - place)
        spacing = min(hz, others.min()) if len(others) else hz
        rows.append(partials.moves(part, place, max(8.0, spacing)))
    rows = [row for row in rows if row]
    if not rows:
        return {}
    level = np.array([row.level for row in rows])
    weight = np.clip((level - level.max() + 45) / 45, 0, 1) * (level > level.max() + FAINT_DB)
    mean = lambda key: float(np.average([getattr(row, key) for row in rows], weights=weight))
    found = {key: mean(key) for key in ("am", "fm", "width")}
    return found | {
        "flicker": flicker(part),
        "hnr": harmonic_to_noise(part, places, hz),
        "line": lines_beside(note, hz),
    }


def flicker(part):
    """Over the bands within 45 dB of the loudest, weighted by their level; None if the part is too
    short."""
    size, hop = 960, 240
    frames = np.lib.stride_tricks.sliding_window_view(part, size)[::hop] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames, 2048)) ** 2
    edges = (np.geomspace(100, 16_000, 41) / (RATE / 2048)).astype(int)
    bands = [power[:, a : max(a + 1, b)].sum(1) + 1e-14 for a, b in zip(edges, edges[1:])]
    rate, edge = RATE / hop, round(0.2 * RATE / hop)
    if len(power) <= 3 * edge:
        return None
    mean = 10 * np.log10([band.mean() for band in bands])
    weight = np.clip((mean - mean.max() + 45) / 45, 0, 1)
    levels = [10 * np.log10(band) for band in bands]
    fast = [(level - gauss(level, 1.0, rate))[edge:-edge] for level in levels]
    rms = [np.sqrt((np.clip(f, -20, 20) ** 2).mean()) for f in fast]
    return float(np.average(rms, weights=weight))


def harmonic_to_noise(part, places, hz, low=80, high=8000):
    power, step = spectrum(part)
    f = np.arange(len(power)) * step
    near = np.zeros(len(power), bool)
    for place in places:
        near |= np.abs(f - place) < min(0.35 * hz, 0.008 * place + 6)
    band = (f > low) & (f < high)
    if not (band & ~near).any() or not (band & near).any():
        return None
    noise, edges = 0.0, np.geomspace(low, high, 13)
    for a, b in zip(edges, edges[1:]):
        here = (f >= a) & (f < b)
        between = power[here & ~near]
        if len(between):
            noise += np.minimum(between, 30 * np.median(between)).mean() * here.sum()
    total = power[band].sum()
    if total <= noise:
        return -10.0
    return float(10 * np.log10(max(1e-3, total - noise) / max(1e-20, noise)))


def lines_beside(note, hz):
    """Over all strong partials above 300 Hz whose neighbours are far enough away."""
    if hz < 240:
        return []
    power, step = spectrum(note[round(0.6 * RATE) : round(2.6 * RATE)])
    smooth = np.convolve(power, np.ones(5), "same")
    at = lambda f: smooth[max(1, int((f - 1.5) / step)) : int((f + 1.5) / step) + 1].max()
    found = []
    for place in hz * np.arange(1, 9):
        if not 300 <= place <= 6000 or at(place) < smooth.max() * 1e-4:
            continue
        here = np.mean([at(place + side * LINE_HZ) for side in (-1, 1)])
        around = [at(place + s * (LINE_HZ + apart)) for s in (-1, 1) for apart in (-13, 13)]
        found.append(float(10 * np.log10((here + 1e-20) / (np.mean(around) + 1e-20))))
    return found
