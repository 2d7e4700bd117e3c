"""What earlier runs recorded that differ in nothing but the seed: the best ground for an estimate."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from statistics import median
from typing import Any

from repro.definition.run import Run
from repro.errors import UserError
from repro.storage.atomic import read_json
from repro.storage.paths import Folder, Places

Recorded = Callable[[Run], float | None]


def recorded_seconds(fact: str, places: Places, on_gpu: bool) -> Recorded:
    """A reader of one number of their provenance: the median over those that had such a device, or None."""

    @cache
    def of(kind: str) -> float | None:
        found = [_number(folder, fact, on_gpu) for folder in _alike(kind, places)]
        known = [each for each in found if each is not None]
        return median(known) if known else None

    return lambda run: of(run.id.rpartition(".s")[0])


def _alike(kind: str, places: Places) -> list[Folder]:
    parents = (places.runs, places.published)
    return [
        Folder(path.parent) for parent in parents for path in parent.glob(f"{kind}.s*/final.json")
    ]


def _number(folder: Folder, fact: str, on_gpu: bool) -> float | None:
    try:
        provenance: dict[str, Any] = (read_json(folder.final) or {})["provenance"]
        device = "cuda" if on_gpu else "cpu"
        return float(provenance[fact]) if str(provenance["device"]).startswith(device) else None
    except (UserError, KeyError, TypeError, ValueError):
        return None
