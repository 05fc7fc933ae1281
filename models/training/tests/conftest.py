"""The folder of the golden vectors: $GOLDEN, or the project's own copy."""
import os
from pathlib import Path

import pytest


@pytest.fixture
def golden():
    return Path(os.environ.get("GOLDEN", Path(__file__).resolve().parents[3] / "tests" / "golden"))
