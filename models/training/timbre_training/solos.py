"""Clips of one instrument alone: held notes, repeated keys, single drums. From these a vocoder
learns to separate tone from noise. Knows no audio."""
import numpy as np

from .instruments import ALL
from .music import FAMILY_RANGE
from .notes import as_array

REPEATED, DRUMMED = 0.25, 0.12  # shares of the clips
DRUM_KEYS = range(27, 88)


def clip(seed, seconds=20.0, instruments=ALL):
    """One clip from a seed -> notes [n, 6]; the same seed gives the same clip."""
    rng = np.random.default_rng([seed, 11])
    kind, t, rows = rng.random(), rng.uniform(0.05, 0.3), []
    drummed = (DRUMMED if instruments.programs else 1) if instruments.drums else 0
    program = int(rng.choice(instruments.programs or (0,)))
    kit = instruments.draw_kit(rng) if kind < drummed else 0
    low, high = FAMILY_RANGE[program // 8] if rng.random() < 0.8 else (24, 104)
    while t < seconds - 0.5:
        velocity = int(rng.integers(25, 124))
        if kind < drummed:
            key = int(rng.choice(DRUM_KEYS))
            for _ in range(int(rng.integers(1, 4))):
                struck = int(np.clip(velocity + rng.integers(-20, 20), 10, 127))
                rows.append((t, t + 0.1, kit, key, struck, 1))
                t += rng.choice([0.15, 0.3, 0.6])
            t += rng.uniform(0.1, 1.0)
        elif kind < drummed + REPEATED:
            key, apart = int(rng.integers(low, high + 1)), rng.uniform(0.08, 0.3)
            for _ in range(int(rng.integers(4, 12))):
                rows.append(
                    (
                        t, t + apart * rng.uniform(0.4, 0.95), program, key,
                        int(np.clip(velocity + rng.integers(-15, 15), 10, 127)), 0,
                    )
                )
                t += apart
            t += rng.uniform(0.1, 1.2)
        else:
            length = np.exp(rng.uniform(np.log(0.3), np.log(5.0)))
            chord = 1 if rng.random() < 0.8 else int(rng.integers(2, 4))
            for key in set(rng.integers(low, high + 1, chord)):
                rows.append((t, t + length, program, int(key), velocity, 0))
            t += length + (rng.uniform(0.0, 2.5) if rng.random() < 0.6 else 0.0)
    return as_array([(s, min(e, seconds), *rest) for s, e, *rest in rows if s < seconds - 0.05])
