"""Where every number comes from: the runs, seed by seed, under an anchor that the numbers link to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from repro.analysis.runs.frames import Collected
from repro.definition.run import Runs
from repro.protocol.deviations import departures

RUN_COLUMNS = (
    {"name": "seed", "right": True},
    {"name": "state", "right": False},
    {"name": "error (%)", "right": True},
    {"name": "iteration", "right": True},
    {"name": "commit", "right": False},
    {"name": "data hash", "right": False},
    {"name": "data", "right": False},
    {"name": "device", "right": False},
    {"name": "hours", "right": True},
    {"name": "run", "right": False},
)
ERRORS = ("test_error", "center_top1")  # the number by which a run is known at a glance


@dataclass(frozen=True)
class Group:
    """The seeds of one net, trained by one recipe."""

    anchor: str
    label: str
    departures: str
    rows: tuple[dict[str, Any], ...]


def anchor(group: Runs) -> str:
    """of-plain-20.cifar10.paper-3c245c0002: unique, and made of names that were checked."""
    return f"of-{group.run.id}"


def anchors(groups: Iterable[Runs], collected: Collected) -> dict[str, str]:
    """For each run that there is, the anchor of its seeds."""
    known = set(collected.runs["id"])
    return {run.id: anchor(first) for first in _wide(groups) for run in first if run.id in known}


def groups_of_runs(groups: Iterable[Runs], collected: Collected) -> Iterable[Group]:
    """Every group of which anything is there, in the order of the paper."""
    for group in _wide(groups):
        rows = collected.of(group).records
        if len(rows):
            recipe = f"{group.run.net.name}, {group.run.recipe.name}, {len(group)} seed{'s' * (len(group) > 1)}"
            said = "; ".join(map(str, departures(group.run)))
            yield Group(
                anchor(group), recipe, said, tuple(_row(row) for row in rows.to_dict("records"))
            )


def _wide(groups: Iterable[Runs]) -> Iterable[Runs]:
    """Each run's group once, with the most seeds that any experiment asks for."""
    widest: dict[str, Runs] = {}
    for group in groups:
        if len(group) > len(widest.get(group.run.id, ())):
            widest[group.run.id] = group
    return widest.values()


def _row(row: dict[str, Any]) -> dict[str, Any]:
    error = next((row[name] for name in ERRORS if pd.notna(row.get(name))), None)
    dirty = " + changes" if row.get("dirty") is True else ""
    cells = (
        ("number", str(row["seed"])),
        ("word", row["state"]),
        ("number", "–" if error is None else f"{error:.2f}"),
        ("number", f"{row['reached']:,}"),
        ("code", _text(row["commit"])[:10] + dirty),
        ("code", _text(row["data_hash"])[:10]),
        ("text", _text(row["data_origin"])),
        ("text", _text(row["device"])),
        ("number", "–" if pd.isna(row["seconds"]) else f"{row['seconds'] / 3600:.2f}"),
        ("code", row["id"].rpartition(".")[2]),  # the group says the rest
    )
    return {"id": row["id"], "cells": [_cell(kind, text) for kind, text in cells]}


def _cell(kind: str, text: str) -> dict[str, Any]:
    return {"text": text, "right": kind == "number", "code": kind == "code", "word": kind == "word"}


def _text(value: Any) -> str:
    return "–" if pd.isna(value) else str(value)
