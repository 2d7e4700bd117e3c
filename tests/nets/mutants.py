"""A thousand damaged copies of a file of weights: bytes changed here and there, or the end cut off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from repro.errors import UserError

MUTANTS = 1_000


def check_mutants(original: bytes, path: Path, read: Callable[[Path], object]) -> None:
    """Check that each is read, or refused by a UserError of one line; anything else is raised."""
    random = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    lines: set[str] = set()
    for _ in range(MUTANTS):
        content = bytearray(original)
        for place in random.integers(0, len(content), random.integers(1, 6)):
            content[place] = random.integers(0, 256)
        if random.random() < 0.3:
            del content[random.integers(0, len(content)) :]
        path.write_bytes(bytes(content))
        try:
            read(path)
            outcomes["read"] += 1
        except UserError as error:
            outcomes["refused"] += 1
            lines |= {str(error), error.hint}
    assert all(line and "\n" not in line for line in lines)
    assert min(outcomes.values()) > 50, outcomes
