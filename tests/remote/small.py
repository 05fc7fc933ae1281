"""Makes pictures small: small.py FROM TO. PNG of 64 colours, enough for a page of flat ones."""

import sys
from pathlib import Path

from PIL import Image


def main(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.png")):
        small = Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE)
        small.save(target / path.name, optimize=True)
        print(f"{target / path.name}: {(target / path.name).stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
