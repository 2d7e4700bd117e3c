"""The report's tables as grids of cells: what is read, what it is sorted by, and what it links to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from repro.analysis.compare.curve_gaps import curve_gaps
from repro.analysis.compare.numbers import JudgedNumber, judge_numbers
from repro.analysis.output import tables
from repro.analysis.output.formats import MISSING, Sheet
from repro.analysis.runs.frames import Collected
from repro.definition.experiment import Figure


@dataclass(frozen=True)
class Cell:
    """`value` is what the column is sorted by; empty where there is nothing, which stays last."""

    text: str
    value: str = ""
    right: bool = False
    href: str = ""
    word: bool = False


@dataclass(frozen=True)
class Column:
    name: str
    right: bool = False


@dataclass(frozen=True)
class Grid:
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def table_grids(sheet: Sheet, linked: dict[str, str]) -> tuple[Grid, ...]:
    """A table of the paper, metric by metric, our numbers linked to their runs."""
    runs = sheet.facts.groupby("row", sort=False)["runs"].agg(
        lambda found: next((one for one in found if one), ())
    )
    links = {label: _link(found, linked) for label, found in runs.items()}
    return tuple(_grid(name, cells, links, sheet.right) for name, cells in sheet.blocks.items())


def _grid(caption: str, cells: pd.DataFrame, links: dict[Any, str], right: tuple[str, ...]) -> Grid:
    names = list(cells.columns)
    columns = tuple(Column(" ".join(name.split()), name in right) for name in names)
    rows = [
        tuple(
            _cell(name, text, name in right, links[label])
            for name, text in zip(names, record, strict=True)
        )
        for label, record in zip(cells.index, cells.to_numpy(), strict=True)
    ]
    return Grid(caption, columns, tuple(rows))


def level_grid(name: str, figure: Figure, collected: Collected, linked: dict[str, str]) -> Grid:
    """A figure's levels: the ends of its curves, as read off the paper and as ours."""
    found = dict.fromkeys(judge_numbers(name, figure, collected))
    columns = (
        Column("net"),
        Column("curve"),
        Column("read off the paper", True),
        Column("ours (n)", True),
        Column("verdict"),
    )
    return Grid(
        "Where the curves end, in % of error", columns, tuple(_level(one, linked) for one in found)
    )


def gap_grid(name: str, figure: Figure, collected: Collected, linked: dict[str, str]) -> Grid:
    """How far our curves are from the paper's, phase by phase."""
    columns = (
        Column("net"),
        Column("curve"),
        Column("rate", True),
        Column("gap", True),
        Column("reading error", True),
        Column(""),
    )
    rows = tuple(
        (
            Cell(gap.row, gap.row),
            Cell(_split(gap.split), gap.split),
            Cell(gap.phase, gap.phase, True),
            Cell(f"{gap.gap:.2f}", f"{gap.gap:.6f}", True, _link(gap.runs, linked)),
            Cell(f"{gap.reading_error:.2f}", f"{gap.reading_error:.6f}", True),
            Cell(
                said := "within reading error" if gap.within else "beyond reading error",
                said,
                word=True,
            ),
        )
        for gap in curve_gaps(name, figure, collected)
    )
    return Grid(
        "Mean distance from the paper's curve in each phase of the learning rate, in points",
        columns,
        rows,
    )


def _level(one: JudgedNumber, linked: dict[str, str]) -> tuple[Cell, ...]:
    error = one.paper.reading_error
    theirs = f"{one.paper.value:.2f}" + (f" ± {error:g}" if error else "")
    ours, value = MISSING, ""
    if one.mean is not None:
        value = f"{one.mean:.6f}"
        spread = "" if one.std is None else f" ± {one.std:.2f}"
        ours = f"{one.mean:.2f}{spread} ({one.n})"
    return (
        Cell(one.row, one.row),
        Cell(_split(one.metric), one.metric),
        Cell(theirs, f"{one.paper.value}", True),
        Cell(ours, value, True, _link(one.runs, linked) if value else ""),
        Cell(one.verdict.word, one.verdict.word, word=True),
    )


def _split(name: str) -> str:
    return "training" if name in ("train", "train_error") else "test"


def _cell(name: str, text: Any, right: bool, href: str) -> Cell:
    text = MISSING if pd.isna(text) else str(text)
    known = text != MISSING
    link = href if known and name in (tables.OURS, tables.BEST, tables.SELECTED_NAME) else ""
    return Cell(
        text, _value(text, right) if known else "", right, link, known and name == tables.VERDICT
    )


def _value(text: str, number: bool) -> str:
    """What a cell is sorted by: a number by its mean, which is in brackets where the best stands first."""
    if not number:
        return text
    inner = text.partition("(")[2] if "±" in text.partition("(")[2] else text
    return inner.replace("±", " ").split()[0]


def _link(runs: Iterable[str], linked: dict[str, str]) -> str:
    return next((linked[run] for run in runs if run in linked), "")
