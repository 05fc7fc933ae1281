"""Which instruments a run learns, and which ones replace those that its soundfont lacks. No
audio."""

from typing import NamedTuple

from . import bundled, soundfont
from .kits import KEYS, NONE, STANDARD, Kits

PROGRAMS, DRUMS = 128, 128  # how many there are; drums are instruments 128 + `Kits.number`
PIANO = 0  # plays for what is missing, as in FluidSynth
# The programs that players are most likely to choose. All learned programs are drawn, these more
# often.
POPULAR = [
    0, 0, 0, 1, 2, 4, 5, 6, 8, 9, 11, 12, 13, 16, 18, 19, 21, 24, 25, 26, 27, 29, 30, 32, 33, 34,
    35, 38, 40, 41, 42, 43, 46, 47, 48, 48, 49, 50, 52, 53, 56, 57, 58, 60, 61, 65, 66, 68, 70, 71,
    73, 74, 75, 80, 81, 88, 89,
]  # fmt: skip


class Instruments(NamedTuple):
    """The General MIDI programs that are learned, whether drums are, `instead`, pairs (program,
    program that replaces it), and the drum kits of the model."""

    programs: tuple = tuple(range(PROGRAMS))
    drums: bool = True
    instead: tuple = ()
    kits: Kits = NONE

    def draw(self, rng):
        """Draws a program; in three of four cases it is a popular one."""
        popular = [p for p in POPULAR if p in self.programs] or self.programs
        return int(rng.choice(popular if rng.random() < 0.75 else self.programs))

    def draw_kit(self, rng):
        """Draws the program of a kit; in half of the cases it is the standard one."""
        others = [program for program, _ in self.kits.own]
        return STANDARD if not others or rng.random() < 0.5 else int(rng.choice(others))

    def draw_drum(self, rng, keys):
        """Draws a drum of all kits -> (program, key); those of the standard kit are drawn from
        `keys`."""
        own = self.kits.drums()
        number = int(rng.integers(len(keys) + len(own)))
        return (STANDARD, keys[number]) if number < len(keys) else own[number - len(keys)]

    def a_note(self):
        """A note for clips that would be empty otherwise."""
        return (
            (0.5, 1.5, self.programs[0], 60, 80, 0) if self.programs else (0.5, 0.6, 0, 36, 80, 1)
        )

    def kept(self):
        """The instruments, in the numbering of the note prior, that stay unchanged."""
        others = set(range(PROGRAMS)) - set(self.programs)
        drums = DRUMS + KEYS + len(self.kits.drums())
        return sorted(others) + ([] if self.drums else list(range(DRUMS, drums)))


ALL = Instruments(kits=bundled.kits())


def spans(numbers):
    """[0, 1, 2, 5] -> "0-2, 5" """
    runs = []
    for n in sorted(numbers):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def wanted(text):
    """Reads PROGRAMS, such as "0 24-31 drums" -> (programs, whether drums), or None for all that
    the soundfont has."""
    words = text.replace(",", " ").split()
    if not words:
        return None
    programs = set()
    for word in words:
        if word == "drums":
            continue
        ends = word.split("-", 1)
        span = range(int(ends[0]), int(ends[-1]) + 1) if all(map(str.isdigit, ends)) else ()
        if not span or span[-1] >= PROGRAMS:
            raise ValueError(f'programs: "{word}"; wanted numbers from 0 to 127, 24-31, or drums')
        programs.update(span)
    return tuple(sorted(programs)), "drums" in words


def choose(path, asked=None):
    """Which instruments of a soundfont are learned, and a text about those that cannot be learned
    as asked; `asked` is a result of `wanted`."""
    presets = soundfont.presets(path)
    has = tuple(sorted(program for bank, program in presets if bank == 0 and program < PROGRAMS))
    kit = (soundfont.DRUM_BANK, 0) in presets
    if not has and not kit:
        banks = spans({bank for bank, _ in presets}) or "none"
        raise ValueError(
            f"{path}: nothing in bank 0 and no kit at program 0 of bank {soundfont.DRUM_BANK}, "
            f"which is where General MIDI looks; it has banks {banks}"
        )
    programs, drums = asked or (tuple(range(PROGRAMS)), kit)
    said, learned = [], set(programs) & set(has)
    if lacking := set(programs) - set(has):
        if PIANO in has:
            learned.add(PIANO)
            said.append(
                f"it lacks programs {spans(lacking)}: program 0 plays for them, as in FluidSynth"
            )
        else:
            said.append(
                f"it lacks programs {spans(lacking)} and 0, which would play for them: "
                "these stay those of the bundled model"
            )
    if drums and not kit:
        said.append("it has no drums: these stay those of the bundled model")
    if not learned and not (drums and kit):
        raise ValueError(
            f"{path}: it has none of the programs asked for; it has {spans(has) or 'drums alone'}"
        )
    instead = tuple((p, PIANO) for p in sorted(lacking) if PIANO in has)
    return Instruments(tuple(sorted(learned)), bool(drums and kit), instead), said
