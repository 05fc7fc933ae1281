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
    """Returns the attack table of the bundled model [ROWS, LEVELS] in seconds."""
    found = _constants("attacks")
    return found["table"].astype("float32") * found["table.scale"]


def lives():
    """Returns the table of lives of the bundled model: zone, facts, values, as in
    `life.LifeTable`."""
    found = _constants("life")
    return found["zone"].astype(int), found["facts"], found["values"]
