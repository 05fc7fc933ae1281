"""The tables of the bundled model, for instruments that a run does not learn."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "bundled" / "live"


@cache
def _constants(name):
    import onnx  # only here: nothing else needs it
    from onnx import numpy_helper

    graph = onnx.load(FOLDER / f"{name}.onnx").graph
    return {c.name: numpy_helper.to_array(c) for c in graph.initializer}


def attacks():
    """Its attack table [ROWS, LEVELS] in seconds."""
    found = _constants("attacks")
    return found["table"].astype("float32") * found["table.scale"]


def lives():
    """Its table of lives: zone, facts, values, as `life.LifeTable` has them."""
    found = _constants("life")
    return found["zone"].astype(int), found["facts"], found["values"]
