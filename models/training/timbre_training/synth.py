"""The reference instrument: FluidSynth with the FluidR3 GM soundfont (MIT). It turns notes into
audio at 16 or 48 kHz.

Gain 0.5, no reverb, no chorus. It renders at 48 kHz and resamples, so that nothing above 8 kHz is
aliased.
"""
import ctypes
import os

import fluidsynth
import numpy as np

from . import mel
from .bands import WIDE_HZ, low_band
from .notes import DRUM, END, KEY, PROGRAM, START, VELOCITY
from .soundfont import DRUM_BANK

SOUNDFONT = os.environ.get("TIMBRE_SOUNDFONT", "/usr/share/sounds/sf2/FluidR3_GM.sf2")
RENDER_HZ, OUT_HZ, CHANNELS = WIDE_HZ, mel.RATE, 16


class Reference:
    """One FluidSynth instance. render() may be called any number of times, and begins with silence
    each time."""

    def __init__(self):
        if not os.path.exists(SOUNDFONT):
            raise SystemExit(
                f"{SOUNDFONT}: not found; install fluid-soundfont-gm or set TIMBRE_SOUNDFONT"
            )
        self.synth = fluidsynth.Synth(gain=0.5, samplerate=RENDER_HZ, channels=CHANNELS)
        for name in ("synth.reverb.active", "synth.chorus.active"):
            self.synth.setting(name, 0)
        self.synth.setting("synth.polyphony", 512)
        self.font = self.synth.sfload(SOUNDFONT)
        if self.font < 0:
            raise SystemExit(f"{SOUNDFONT}: FluidSynth cannot read it; it may be damaged")

    def render(self, notes, seconds, rate=OUT_HZ):
        """notes [n, 6] -> float32 [seconds * rate] mono, at 16 or 48 kHz."""
        audio = self.sides(notes, seconds).mean(0)
        return audio if rate == RENDER_HZ else low_band(audio)

    def sides(self, notes, seconds):
        """notes [n, 6] -> float32 [2, seconds * 48000]: left and right."""
        synth = self.synth
        synth.system_reset()
        for c in range(CHANNELS):
            synth.all_sounds_off(c)
        self._samples(RENDER_HZ // 10)  # what the last clip left in the voices dies here
        instruments = sorted({(bool(d), int(p)) for p, d in notes[:, [PROGRAM, DRUM]]})
        if len(instruments) > CHANNELS:
            raise ValueError(
                f"{len(instruments)} instruments in one clip; FluidSynth has {CHANNELS} channels"
            )
        channel = {instrument: c for c, instrument in enumerate(instruments)}
        for (drum, program), c in channel.items():
            synth.program_select(c, self.font, DRUM_BANK if drum else 0, program)
        events = []
        for n in notes:
            c = channel[bool(n[DRUM]), int(n[PROGRAM])]
            events.append((round(n[START] * RENDER_HZ), 1, c, int(n[KEY]), int(n[VELOCITY])))
            events.append((round(n[END] * RENDER_HZ), 0, c, int(n[KEY]), 0))
        total, at, out = int(round(seconds * RENDER_HZ)), 0, []
        for when, on, c, key, velocity in sorted(events):
            when = min(when, total)
            if when > at:
                out.append(self._samples(when - at))
                at = when
            if on:
                synth.noteon(c, key, velocity)
            else:
                synth.noteoff(c, key)
        if total > at:
            out.append(self._samples(total - at))
        return np.concatenate(out, 1)

    def _samples(self, count):
        """The next samples of both sides [2, count] as floats. 16-bit samples would put a noise
        floor under every decay, far above that of the mel."""
        left, right = np.zeros(count, np.float32), np.zeros(count, np.float32)
        synth, *where = (
            ctypes.c_void_p(p) for p in (self.synth.synth, left.ctypes.data, right.ctypes.data)
        )
        fluidsynth._fl.fluid_synth_write_float(synth, count, where[0], 0, 1, where[1], 0, 1)
        return np.stack([left, right])
