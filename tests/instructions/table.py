"""Counts the instructions of a hop of 20 ms with held notes, on several kinds of processors.

    python3 table.py PLUGIN MODEL PROGRAM_OF_THIS_KIND PROGRAM_FOR_ARM

PLUGIN is `count.c` beside this, compiled. MODEL is the folder of a model. The programs are the
example `hold` of timbre-models. QEMU emulates the processors, and the plugin counts. What a hop
takes is the difference between two runs, so that loading does not count: the hops of the second
from 1.5 s to 2.5 s after the key presses. The points of the note prior are counted apart: a second
pair of runs plays the same notes before, so that it knows them.
"""

import re
import subprocess
import sys

NOTES = (1, 8, 32, 64)
HOPS = (75, 125)
HOP_S = 0.02
# What a second on one core of a Raspberry Pi may execute. These are assumptions: 1.8 GHz with 0.8
# instructions in a cycle, and 2.4 GHz with 1.7.
PER_SECOND = {"Pi 4 (1.4e9/s)": 1.4e9, "Pi 5 (4e9/s)": 4e9}


def instructions(emulator, plugin, program, model, *numbers):
    command = [*emulator, "-plugin", plugin, program, model, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"^instructions (\d+)$", done.stderr, re.M)
    if done.returncode or not found:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return int(found[1])


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    plugin, model, here, arm = sys.argv[1:]
    arm_libraries = ["-L", "/usr/aarch64-linux-gnu"]
    kinds = {
        "x86-64 with AVX2": (["qemu-x86_64", "-cpu", "max"], here),
        "x86-64 without": (["qemu-x86_64", "-cpu", "qemu64"], here),
        "aarch64": (["qemu-aarch64", "-cpu", "max", *arm_libraries], arm),
    }
    print("millions of instructions in a hop of 20 ms, held notes, without and with the points of")
    print("the note prior, which another thread computes in live playing; shares without them")
    print(f"{'notes':>5} | " + " | ".join(kinds) + " | " + " | ".join(PER_SECOND))
    for notes in NOTES:
        counts = []
        for emulator, program in kinds.values():
            of_kind = []
            for before in (HOPS[1], 0):
                runs = [
                    instructions(emulator, plugin, program, model, notes, hops, before)
                    for hops in HOPS
                ]
                of_kind.append((runs[1] - runs[0]) / (HOPS[1] - HOPS[0]))
            counts.append(of_kind)
        shares = [counts[-1][0] / HOP_S / per_second for per_second in PER_SECOND.values()]
        row = [" and ".join(f"{count / 1e6:.2f}" for count in of_kind) for of_kind in counts]
        row += [f"{100 * share:.0f} %" for share in shares]
        print(f"{notes:5} | " + " | ".join(row), flush=True)


if __name__ == "__main__":
    main()
