"""What looking again costs: each look at a claim spends a part of the 5 % that may be false.

Whoever looks after every seed and stops when a claim holds is wrong far more often than one time
in twenty. So the 5 % are spent in portions, little while few of the planned seeds are there, and
the portions add up to the whole however often one looks (Bonferroni, so that no assumption about
how the looks depend on each other is needed).

Each part of a claim has looks of its own: the nets of a chain finish one after the other, and a
part whose runs have not changed is not looked at again. A look is remembered in a small file, one
for each experiment and scale; looking twice at the same runs is one look.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repro.analysis.compare.seed_groups import Finding
from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.atomic import read_json, to_json, write_atomic

SCHEMA = 2
AT_PLAN = 0.9  # of the 5 %, spent once all planned seeds are there; the rest is for seeds beyond
STEP = 0.1  # of the plan, by which a look at as many other runs counts as further on


def spent(progress: float) -> float:
    """Return the part of the 5 % that is spent when so much of the planned seeds is there."""
    # As the third power: the last look, which knows most, has the most to spend.
    if progress <= 1:
        return AT_PLAN * max(progress, 0.0) ** 3
    return float(1 - (1 - AT_PLAN) / progress**3)


class LookBook:
    """The looks at the claims of one experiment at one scale."""

    def __init__(self, path: Path | None = None, keep: bool = True) -> None:
        """Open the file of earlier looks; without one, or without `keep`, nothing is remembered."""
        self.path = path
        self._keep = keep
        self.looks: dict[str, list[dict[str, Any]]] = {}
        self._changed = False
        if path is not None:
            self.looks = _read(path)

    def portion(self, part: str, finding: Finding) -> float:
        """Return the part of the 5 % that this look at a test may spend, and remember the look."""
        looks = self.looks.setdefault(_key(part, finding), [])
        data = _digest(finding)
        for number, look in enumerate(looks):
            if look["data"] == data:  # looking twice at the same runs is one look
                return _portion(looks, number)
        planned, progress = finding.planned, finding.seeds / finding.planned
        if looks:
            # The plan is fixed at the first look: who plans more seeds later gets no more to spend.
            planned = looks[0]["planned"]
            # Runs may also be replaced or removed, and a look at the rest is another look as well.
            progress = max(finding.seeds / planned, looks[-1]["progress"] + STEP)
        look = {"planned": planned, "seeds": finding.seeds, "progress": round(progress, 4)}
        looks.append(look | {"data": data})
        self._changed = True
        return _portion(looks, len(looks) - 1)

    def count(self, part: str, finding: Finding) -> int:
        """Return how many different looks at this test there have been."""
        return len(self.looks.get(_key(part, finding), ()))

    def save(self) -> bool:
        """Write the looks down; return whether they are kept."""
        if self.path is None or not self._changed:
            return True
        if not self._keep:
            return False
        # Somebody else's results may be read-only, or not be ours to write into.
        try:
            write_atomic(self.path, to_json({"schema": SCHEMA, "claims": self.looks}))
        except EnvironmentProblem:
            return False
        return True


def _portion(looks: Sequence[dict[str, Any]], number: int) -> float:
    before = spent(looks[number - 1]["progress"]) if number else 0.0
    return spent(looks[number]["progress"]) - before


def _key(part: str, finding: Finding) -> str:
    """Return the name of what is looked at: of these nets, or of the recipe."""
    if finding.here:
        return f"{part}, these nets"
    return part


def _digest(finding: Finding) -> str:
    """Return what changes when the runs behind a test change, or their numbers."""
    effect = finding.effect
    if effect is not None:
        # The last digits of a mean may differ between machines, and that is no other look.
        effect = float(f"{effect:.6g}")
    facts = [sorted(finding.runs), effect]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the looks in a file; a damaged one is an error, not forgotten."""
    if not path.exists():
        return {}
    hint = "restore it from the repository, or remove it and mind that earlier looks are forgotten"
    try:
        looks = read_json(path)["claims"]
        for some in looks.values():
            for look in some:
                float(look["progress"]), int(look["planned"]), str(look["data"])
    except (UserError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{quote(path, 300)} is damaged: not a file of looks", hint) from None
    return dict(looks)
