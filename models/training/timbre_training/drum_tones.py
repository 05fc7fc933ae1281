"""Drums with a tone in the soundfont of the training, as printed by `partials.py`. All other drums
are noise. Rust twin: models/src/vocoder/drums.rs.

The body of bass and snare drums is a tone, too, although its pitch falls and its partials are too
close to be told apart. As noise it would be a few random periods, 3 dB softer or louder at each
stroke.
"""

from typing import NamedTuple

from . import life

BODY_NOISE = 0.15  # the share of noise in a body


class DrumTone(NamedTuple):
    """The time in which the tone falls by a factor e, seconds; its partials, Hz; and `body`: in so
    many groups of four mel bands, from the lowest, nearly everything is tone, and above them
    everything is noise. Without a body half of the sound is noise in all bands."""

    fall_s: float
    partials_hz: tuple
    body: int = 0


NO_TONE = DrumTone(0.1, ())
_BASS_DRUM = DrumTone(0.06, (38.0, 54.0, 70.0, 86.0, 102.0, 118.0, 134.0, 150.0), 3)
_RIDE_BELL = DrumTone(0.4, (
    1582.0, 1953.0, 1991.0, 2596.0, 2636.0, 2710.0, 2869.0, 3415.0, 3445.0, 3503.0, 3601.0, 4277.0,
    4354.0, 5977.0,
))
# By the program of the kit and the key.
DRUM_TONES = {
    # Standard kit.
    (0, 34): DrumTone(0.08, (5555.8,)),
    (0, 35): _BASS_DRUM,
    (0, 36): _BASS_DRUM,
    (0, 38): DrumTone(0.06, (
        154.0, 174.0, 193.6, 214.0, 234.0, 254.0, 271.0, 289.3, 310.0, 330.0,
    ), 6),
    (0, 40): DrumTone(0.06, (194.0, 214.0, 234.0, 254.0, 278.0, 302.0, 324.4, 346.0), 6),
    (0, 41): DrumTone(0.25, (53.0, 105.0, 148.0)),
    (0, 43): DrumTone(0.2, (77.0, 133.0, 225.0)),
    (0, 45): DrumTone(0.3, (78.0, 118.0)),
    (0, 47): DrumTone(0.3, (97.0,)),
    (0, 48): DrumTone(0.25, (103.0,)),
    (0, 50): DrumTone(0.25, (114.0,)),
    (0, 53): _RIDE_BELL,
    (0, 56): DrumTone(0.08, (471.0, 507.0, 1982.0, 2494.0, 2655.0)),
    (0, 60): DrumTone(0.05, (888.0, 1327.0, 1353.0)),
    (0, 61): DrumTone(0.06, (593.0, 903.0, 1255.0, 1372.0)),
    (0, 63): DrumTone(0.15, (293.0, 519.0, 726.0)),
    (0, 64): DrumTone(0.15, (213.0, 260.0, 404.0, 553.0)),
    (0, 65): DrumTone(0.2, (270.0, 535.0, 766.0, 969.0, 1166.0, 1375.0, 1568.0, 1760.0, 2150.0)),
    (0, 66): DrumTone(0.2, (204.0, 398.0, 573.0, 725.0, 874.0, 1030.0, 1174.0, 1607.0)),
    (0, 67): DrumTone(0.12, (1500.0, 7682.0)),
    (0, 68): DrumTone(0.12, (1001.0, 5127.0)),
    (0, 75): DrumTone(0.03, (2146.0, 2180.0)),
    (0, 76): DrumTone(0.06, (668.0, 710.0, 747.0, 1490.0, 1637.0)),
    (0, 77): DrumTone(0.06, (500.0, 532.0, 560.0, 1117.0, 1226.0)),
    (0, 79): DrumTone(0.13, (288.1, 571.7)),
    (0, 80): DrumTone(0.1, (
        1206.0, 2166.0, 3944.0, 4423.0, 4755.0, 5959.0, 9757.0, 10525.0, 11210.0, 13382.0, 14630.0,
        15110.0, 15532.0,
    )),
    (0, 81): DrumTone(0.4, (
        1206.0, 2165.0, 3943.0, 4423.0, 4754.0, 5958.0, 9757.0, 10525.0, 11210.0, 15110.0, 15532.0,
    )),
    (0, 86): DrumTone(0.14, (44.4, 90.7)),
    (0, 87): DrumTone(0.14, (89.3, 135.9)),
    # Room kit.
    (8, 35): _BASS_DRUM,
    (8, 36): _BASS_DRUM,
    (8, 53): _RIDE_BELL,
    # Power kit.
    (16, 35): _BASS_DRUM,
    (16, 36): _BASS_DRUM,
    (16, 38): DrumTone(0.11, (185.6, 203.1, 233.1, 256.3, 287.1, 308.6, 326.5, 350.9), 6),
    (16, 40): DrumTone(0.11, (184.4, 233.2, 258.0, 284.0, 310.0, 345.0, 379.2), 6),
    (16, 41): DrumTone(0.19, (70.9,)),
    (16, 43): DrumTone(0.17, (79.4,)),
    (16, 45): DrumTone(0.18, (99.8,)),
    (16, 47): DrumTone(0.17, (119.0,)),
    (16, 48): DrumTone(0.14, (131.8,)),
    (16, 50): DrumTone(0.11, (155.4,)),
    (16, 53): _RIDE_BELL,
    # Electronic kit.
    (24, 35): _BASS_DRUM,
    (24, 36): _BASS_DRUM,
    (24, 38): DrumTone(0.08, (76.0, 92.0, 108.2, 124.0, 139.6, 158.2, 174.0), 6),
    (24, 40): DrumTone(0.07, (130.0, 146.9, 164.0, 181.5, 209.9, 228.1, 254.8), 6),
    (24, 53): _RIDE_BELL,
    # TR-808.
    (25, 35): DrumTone(0.04, (48.0,)),
    (25, 36): DrumTone(0.04, (52.4,)),
    (25, 41): DrumTone(0.08, (93.0,)),
    (25, 43): DrumTone(0.06, (116.1,)),
    (25, 45): DrumTone(0.05, (135.6,)),
    (25, 47): DrumTone(0.08, (172.0,)),
    (25, 48): DrumTone(0.07, (206.9,)),
    (25, 50): DrumTone(0.04, (260.4,)),
    (25, 53): _RIDE_BELL,
    (25, 56): DrumTone(0.09, (510.4, 759.3, 1020.9)),
    (25, 62): DrumTone(0.04, (412.4,)),
    (25, 63): DrumTone(0.04, (265.1,)),
    (25, 64): DrumTone(0.06, (189.4,)),
    (25, 75): DrumTone(0.03, (2218.0,)),
    # Jazz kit.
    (32, 35): _BASS_DRUM,
    (32, 36): _BASS_DRUM,
    (32, 38): DrumTone(0.05, (194.0, 212.2, 234.0, 254.0, 278.0, 302.0, 324.4, 346.0), 6),
    (32, 40): DrumTone(0.05, (194.0, 214.0, 234.0, 254.0, 278.0, 302.0, 324.4, 346.0), 6),
    (32, 53): _RIDE_BELL,
    # Brush kit.
    (40, 35): _BASS_DRUM,
    (40, 36): _BASS_DRUM,
    (40, 38): DrumTone(0.05, (191.6, 207.2, 225.7, 242.1, 259.8, 294.8, 309.8, 339.7), 6),
    (40, 53): _RIDE_BELL,
    # Orchestra kit: bass drums, snares, timpani.
    (48, 35): DrumTone(0.27, (43.6, 131.9)),
    (48, 36): DrumTone(0.25, (46.1, 139.7)),
    (48, 38): DrumTone(0.09, (176.8, 195.8, 211.2, 231.5, 251.1, 267.7, 339.1, 380.1), 6),
    (48, 40): DrumTone(0.09, (176.2, 195.3, 210.7, 230.9, 250.4, 267.0, 338.1, 379.0), 6),
    (48, 41): DrumTone(0.29, (87.4, 135.8, 154.7, 265.8)),
    (48, 42): DrumTone(0.27, (92.7, 144.1, 164.0, 281.6)),
    (48, 43): DrumTone(0.26, (97.6, 148.4, 172.3, 192.4, 284.6, 302.0, 322.3, 337.6)),
    (48, 44): DrumTone(0.25, (103.5, 157.0, 182.6, 204.5, 301.6, 319.9, 341.1, 357.5)),
    (48, 45): DrumTone(0.24, (109.7, 166.1, 193.7, 218.8, 319.6, 338.7, 361.2, 378.6)),
    (48, 46): DrumTone(0.23, (116.4, 175.8, 205.4, 232.1, 338.7, 358.6, 382.5, 400.9)),
    (48, 47): DrumTone(0.23, (123.4, 186.0, 217.6, 245.9, 358.7, 379.8, 405.1, 424.5)),
    (48, 48): DrumTone(0.22, (131.0, 196.9, 214.6, 230.6, 260.6, 379.9, 429.2, 449.7)),
    (48, 49): DrumTone(0.22, (139.1, 208.6, 227.4, 244.4, 275.9, 402.4, 454.7, 476.3)),
    (48, 50): DrumTone(0.21, (147.8, 221.0, 241.1, 258.9, 292.3, 426.2, 481.7, 504.5)),
    (48, 51): DrumTone(0.2, (157.1, 234.2, 255.4, 274.3, 309.6, 451.4, 534.6, 637.8)),
    (48, 52): DrumTone(0.19, (167.2, 248.2, 270.7, 290.6, 327.9, 478.0, 566.3, 675.8)),
    (48, 53): DrumTone(0.18, (177.7, 263.0, 287.0, 307.8, 347.4, 497.4, 517.9, 599.9)),
}


def noise(kit, key):
    """The share of noise of a drum in each group of four mel bands."""
    tone = DRUM_TONES.get((kit, key))
    if not tone:
        return [life.DRUM_NOISE] * life.NOISE_BANDS
    if not tone.body:
        return [life.TONAL_DRUM_NOISE] * life.NOISE_BANDS
    above = life.NOISE_BANDS - tone.body
    return [BODY_NOISE] * tone.body + [life.DRUM_NOISE] * above
