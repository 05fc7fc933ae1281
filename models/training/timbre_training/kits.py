"""The drum kits of a model: the 128 drums of the standard kit, and of the others those that differ.
No audio. Rust twin: models/src/notes/kits.rs."""

from typing import NamedTuple

from .notes import DRUM, KEY, PROGRAM

STANDARD, KEYS = 0, 128
# The kits that General MIDI 2 and GS name: room, power, electronic, TR-808, jazz, brush, orchestra.
# The seven programs after a multiple of 8 are variations of that kit.
NAMED, VARIATIONS = (8, 16, 24, 25, 32, 40, 48), 8


class Kits(NamedTuple):
    """Pairs (program, keys of the drums that are not those of the standard kit), in ascending
    order."""

    own: tuple = ()

    def drums(self):
        """The drums after those of the standard kit, as pairs (program, key)."""
        return [(program, key) for program, keys in self.own for key in keys]

    def number(self, program, key):
        """The row of a drum of `played` notes in tables of drums."""
        if program == STANDARD:
            return int(key)
        return KEYS + self.drums().index((int(program), int(key)))

    def drum(self, number):
        """The program and the key of a row."""
        return (STANDARD, number) if number < KEYS else self.drums()[number - KEYS]

    def played(self, notes):
        """Notes [n, 6] whose drums have the program of the kit that plays them: the one asked for,
        else the one whose variation it is, and the standard kit for drums that are not its own."""
        of, notes = dict(self.own), notes.copy()
        for note in notes:
            if note[DRUM]:
                asked = int(note[PROGRAM])
                kit = asked if asked in of else asked - asked % VARIATIONS
                note[PROGRAM] = kit if int(note[KEY]) in of.get(kit, ()) else STANDARD
        return notes


NONE = Kits()
