"""The tables of the bundled model, for instruments that a run does not learn."""

import tomllib
from functools import cache
from pathlib import Path

from .kits import Kits

FOLDER = Path(__file__).resolve().parents[2] / "bundled" / "live"


@cache
def _constants(name):
    import onnx  # only here: nothing else needs it
    from onnx import numpy_helper

    graph = onnx.load(FOLDER / f"{name}.onnx").graph
    return {c.name: numpy_helper.to_array(c) for c in graph.initializer}


def attacks():
    """Returns the attack table of the bundled model [ROWS, LEVELS] in seconds."""
    found = _constants("attacks")
    return found["table"].astype("float32") * found["table.scale"]


@cache
def kits(folder=FOLDER):
    """Returns the drum kits of the model in a folder."""
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    return Kits(tuple((kit["program"], tuple(kit["keys"])) for kit in manifest.get("kits", ())))


def lives():
    """Returns the table of lives of the bundled model: zone, facts, values, as in
    `life.LifeTable`."""
    found = _constants("life")
    return found["zone"].astype(int), found["facts"], found["values"]
