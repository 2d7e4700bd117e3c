"""The paper's numbers of one experiment, and what public reproductions got, for `repro show`."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from repro.definition.experiment import Experiment, Figure, Row, Skipped, Table, metrics_of_row
from repro.storage.paths import PAPER_NUMBERS

NO_BREAK = "\xa0"  # a space at which a line is not wrapped
KINDS = {
    "single": "one run",
    "mean": "several runs",
    "best": "the best of several runs",
    "exact": "counted from the net",
    "digitised": "read off a figure",
    "quoted": "another paper's net",
}


def rows_of(experiment: Experiment) -> list[Row]:
    """Return the rows of a table, or the curves of a figure, each once."""
    if isinstance(experiment, Table):
        return list(experiment.rows)
    rows: dict[Row, None] = {}
    if isinstance(experiment, Figure):
        for panel in experiment.panels:
            rows |= dict.fromkeys(panel.rows)
    return list(rows)


def numbers_of(name: str, experiment: Experiment) -> list[dict[str, Any]]:
    """Return the paper's numbers; those of a table that is skipped stand in its file alone."""
    if isinstance(experiment, Skipped):
        return _of_skipped(name)
    numbers = []
    for row in rows_of(experiment):
        metrics = metrics_of_row(row)
        if isinstance(experiment, Table):
            metrics = experiment.metrics
        for metric, paper in zip(metrics, row.paper, strict=False):
            if paper is None:
                continue
            # A number has a spread, or a count of runs, only where the paper prints one.
            values = {key: value for key, value in asdict(paper).items() if value is not None}
            numbers.append({"row": row.label, "metric": metric} | values)
    return numbers


def reproductions_of(name: str) -> list[dict[str, str]]:
    """Return what public reproductions got."""
    lines = _read("reproductions.csv")
    return [line for line in lines if line["experiment"] == name and line["value"]]


def number_lines(numbers: list[dict[str, Any]], reproductions: list[dict[str, str]]) -> list[str]:
    """Return a line for each number, with the range of the reproductions beside it."""
    elsewhere = defaultdict(list)
    for line in reproductions:
        elsewhere[line["row"], line["metric"]].append(float(line["value"]))
    widths = []
    for column in ("row", "metric"):
        widths.append(2 + max((len(number[column]) for number in numbers), default=0))
    lines = []
    for number in numbers:
        start = f"{number['row']:<{widths[0]}}{number['metric']:<{widths[1]}}{_value(number)}"
        others = elsewhere.get((number["row"], number["metric"]), [])
        end = ""
        if others:
            # With the paper's digits, whatever others print.
            digits = number["digits"]
            span = f"{min(others):.{digits}f}–{max(others):.{digits}f}"
            parts = ("reproductions:", span, f"({len(others)})")
            end = f"   {NO_BREAK.join(parts)}"
        lines.append(f"{start}  {number['kind']}{end}")
    return lines


def legend(numbers: list[dict[str, Any]], reproductions: list[dict[str, str]]) -> str:
    """Return what the words beside these numbers mean; empty where none needs it."""
    used = {number["kind"] for number in numbers}
    meanings = []
    for kind, meaning in KINDS.items():
        if kind in used:
            meanings.append(f"{kind}: {meaning}")
    if reproductions:
        meanings.append("reproductions: what others got, and how many")
    if not meanings:
        return ""
    return f"({'; '.join(meanings)})"


def _of_skipped(name: str) -> list[dict[str, Any]]:
    numbers = []
    for line in _read(f"{name}.csv"):
        digits = len(line["printed"].partition(".")[2])
        number = {"row": line["row"], "metric": line["metric"], "value": float(line["printed"])}
        numbers.append(number | {"digits": digits, "kind": line["kind"]})
    return numbers


def _read(name: str) -> list[dict[str, str]]:
    with (PAPER_NUMBERS / name).open(newline="") as file:
        return list(csv.DictReader(file))


def _value(number: dict[str, Any]) -> str:
    """Return the paper's number as it printed it: 6.61 ± 0.16 (n=5)."""
    text = f"{number['value']:.{number['digits']}f}"
    if "std" in number:
        text += f" ± {number['std']}"
    if "n" in number:
        text += f" (n={number['n']})"
    return text
