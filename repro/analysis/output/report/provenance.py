"""Where every number comes from: the runs, seed by seed, under an anchor that numbers link to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from repro.analysis.runs.run_frames import Collected
from repro.definition.run import Run, Runs
from repro.storage.labs import OURS, read_lab

RUN_COLUMNS = (
    {"name": "seed", "right": True},
    {"name": "state", "right": False},
    {"name": "error (%)", "right": True},
    {"name": "iteration", "right": True},
    {"name": "commit", "right": False},
    {"name": "data hash", "right": False},
    {"name": "data", "right": False},
    {"name": "device", "right": False},
    {"name": "computed in", "right": False},
    {"name": "hours", "right": True},
    {"name": "run", "right": False},
)
FACTS = {
    "Code": "code",
    "PyTorch": "torch",
    "Device": "device",
    "Driver": "driver",
    "Precision": "precision",
    "Memory layout": "layout",
    "Data": "data_hash",
}
ERRORS = ("test_error", "center_top1")  # the number by which a run is known at a glance


@dataclass(frozen=True)
class Group:
    """The seeds of one net, trained by one recipe."""

    anchor: str
    label: str
    rows: tuple[dict[str, Any], ...]


def anchor(group: Runs) -> str:
    """Return of-plain-20.cifar10.paper-3c245c0002: unique, and made of names that were checked."""
    return f"of-{group.run.id}"


def anchors(groups: Iterable[Runs], collected: Collected) -> dict[str, str]:
    """Return the anchor of its seeds, for each run that there is."""
    known = set(collected.runs["id"])
    return {run.id: anchor(group) for group in _widest(groups) for run in group if run.id in known}


def groups_of_runs(groups: Iterable[Runs], collected: Collected) -> Iterator[Group]:
    """Yield every group of which anything is there, in the paper's order; ours, then others'."""
    for group in _widest(groups):
        for lab, frames in {OURS: collected, **collected.labs}.items():
            rows = frames.of(group).records.to_dict("records")
            if rows:
                # Two labs have the same run: its place on the page must be told apart.
                suffix, of = ("", "") if lab == OURS else (f"-{lab}", f"{lab}: ")
                seeds = f"{len(rows)} of {len(group)} seeds"
                label = f"{of}{group.run.net.name}, {group.run.recipe.name}, {seeds}"
                lines = tuple(_row(row, suffix) for row in rows)
                yield Group(f"{anchor(group)}{suffix}", label, lines)


def run_facts(runs: list[Run], collected: Collected) -> Iterator[tuple[str, str]]:
    """Yield what is known of the runs together: their states, code, devices, data and hours."""
    known = collected.of(runs)
    states = Counter(known.records["state"])
    yield "Runs finished", f"{states['done']} of {len(runs)}"
    for state in ("unfinished", "failed", "diverged"):
        if states[state]:
            yield f"Runs {state}", str(states[state])
    for name, column in FACTS.items():
        values = sorted(map(str, known.finished[column].dropna().unique()))
        if values:
            yield name, ", ".join(values)
    yield from _labs(runs, collected)
    if states["done"]:
        yield "Hours of training", f"{known.finished['seconds'].sum() / 3600:.1f}"


def _labs(runs: list[Run], collected: Collected) -> Iterator[tuple[str, str]]:
    """Yield who the other labs are, how they are reached, and how many runs they have here."""
    for lab, frames in collected.labs.items():
        count = len(frames.of(runs).finished)
        if count:
            about = read_lab(collected.places.labs / lab)
            person = f", ORCID {about.orcid}" if about.orcid else ""
            yield f"Lab {lab}", f"{about.name}, {about.contact}{person}; runs finished: {count}"


def _widest(groups: Iterable[Runs]) -> Iterable[Runs]:
    """Return each run's group once, with the most seeds that any experiment asks for."""
    widest: dict[str, Runs] = {}
    for group in groups:
        # Two tables may ask for different numbers of seeds of one run.
        if group.run.id not in widest or len(group) > len(widest[group.run.id]):
            widest[group.run.id] = group
    return widest.values()


def _row(row: dict[Any, Any], suffix: str) -> dict[str, Any]:
    errors = [row[name] for name in ERRORS if pd.notna(row.get(name))]
    changes = " + changes" if row.get("dirty") is True else ""
    hours = None if pd.isna(row["seconds"]) else row["seconds"] / 3600
    cells = (
        ("number", str(row["seed"])),
        ("word", row["state"]),
        ("number", f"{errors[0]:.2f}" if errors else "–"),
        ("number", f"{row['reached']:,}"),
        ("code", _text(row["commit"])[:10] + changes),
        ("code", _text(row["data_hash"])[:10]),
        ("text", _text(row["data_origin"])),
        ("text", _text(row["device"])),
        ("text", _how_computed(row)),
        ("number", "–" if hours is None else f"{hours:.2f}"),
        ("code", row["id"].rpartition(".")[2]),  # the group says the rest
    )
    return {
        "id": f"{row['id']}{suffix}",
        "cells": [{"kind": kind, "text": text} for kind, text in cells],
    }


def _how_computed(row: dict[Any, Any]) -> str:
    """Return fp32, NCHW, one CUDA graph a step, shared by MPS, driver 580.65: what is on record."""
    parts = [row["precision"], row["layout"]]
    if row["captured"] is True:
        parts.append("one CUDA graph a step")
    if row["mps"] is True:
        parts.append("shared by MPS")
    if pd.notna(row["driver"]):
        parts.append(f"driver {row['driver']}")
    return ", ".join(part for part in parts if pd.notna(part)) or "–"


def _text(value: Any) -> str:
    return "–" if pd.isna(value) else str(value)
