"""The report's tables as grids of cells: what is read, sorted by, and linked to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from repro.analysis.compare.curve_gaps import CurveGap, curve_gaps
from repro.analysis.compare.judged_numbers import JudgedNumber, judge_numbers
from repro.analysis.output import tables
from repro.analysis.output.table_formats import MISSING, Sheet
from repro.analysis.runs.run_frames import Collected
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


LEVELS = ("net", "curve"), ("read off the paper", "ours (n)"), ("verdict",)
GAPS = ("net", "curve"), ("rate", "gap", "reading error"), ("",)


def table_grids(sheet: Sheet, linked: dict[str, str]) -> tuple[Grid, ...]:
    """Return a table of the paper, metric by metric, our numbers linked to their runs."""
    links: dict[str, str] = {}
    for label, runs in zip(sheet.facts["row"], sheet.facts["runs"], strict=True):
        links[label] = links.get(label) or _link(runs, linked)
    return tuple(_grid(name, cells, links, sheet.right) for name, cells in sheet.blocks.items())


def _grid(caption: str, cells: pd.DataFrame, links: dict[Any, str], right: tuple[str, ...]) -> Grid:
    names = list(map(str, cells.columns))
    columns = tuple(Column(" ".join(name.split()), name in right) for name in names)
    rows = []
    for label, texts in zip(cells.index, cells.to_numpy(), strict=True):
        # The label stands without the letter of its departures, which are told elsewhere.
        row = [Cell(label, label)]
        for name, text in zip(names[1:], texts[1:], strict=True):
            row.append(_cell(name, text, name in right, links[label]))
        rows.append(tuple(row))
    return Grid(caption, columns, tuple(rows))


def level_grid(name: str, figure: Figure, collected: Collected, linked: dict[str, str]) -> Grid:
    """Return a figure's levels: the ends of its curves, as read off the paper and as ours."""
    numbers = dict.fromkeys(judge_numbers(name, figure, collected))
    rows = tuple(_level(number, linked) for number in numbers)
    errors = any(panel.shows == "curves" for panel in figure.panels)
    caption = "Where the curves end, in % of error" if errors else "Responses read off the figure"
    return Grid(caption, _columns(LEVELS), rows)


def gap_grid(name: str, figure: Figure, collected: Collected, linked: dict[str, str]) -> Grid:
    """Return how far our curves are from the paper's, phase by phase."""
    rows = tuple(_gap(gap, linked) for gap in curve_gaps(name, figure, collected))
    caption = "Mean distance from the paper's curve in each phase of the learning rate, in points"
    return Grid(caption, _columns(GAPS), rows)


def _columns(parts: tuple[tuple[str, ...], ...]) -> tuple[Column, ...]:
    """Return texts, then numbers, then a verdict."""
    texts, numbers, verdict = parts
    columns = [Column(name) for name in texts]
    columns += [Column(name, right=True) for name in numbers]
    return (*columns, *map(Column, verdict))


def _gap(gap: CurveGap, linked: dict[str, str]) -> tuple[Cell, ...]:
    verdict = "within reading error" if gap.within else "beyond reading error"
    return (
        Cell(gap.row, gap.row),
        Cell(_split(gap.split), gap.split),
        Cell(gap.phase, gap.phase, True),
        Cell(f"{gap.gap:.2f}", f"{gap.gap:.6f}", True, _link(gap.runs, linked)),
        Cell(f"{gap.reading_error:.2f}", f"{gap.reading_error:.6f}", True),
        Cell(verdict, verdict, word=True),
    )


def _level(number: JudgedNumber, linked: dict[str, str]) -> tuple[Cell, ...]:
    paper = f"{number.paper.value:.2f}"
    if number.paper.reading_error:
        paper += f" ± {number.paper.reading_error:g}"
    return (
        Cell(number.row, number.row),
        Cell(_split(number.metric), number.metric),
        Cell(paper, f"{number.paper.value}", True),
        _our_level(number, linked),
        Cell(number.verdict.word, number.verdict.word, word=True),
    )


def _our_level(number: JudgedNumber, linked: dict[str, str]) -> Cell:
    if number.labs:
        spread = number.labs.spread
        text = f"{spread.mean:.2f} ± {spread.reproducibility:.2f}"
        text += f" ({spread.labs} labs, n = {spread.n})"
        return Cell(text, f"{spread.mean:.6f}", True, _link(number.runs, linked))
    if number.mean is None:
        return Cell(MISSING, right=True)
    text = f"{number.mean:.2f} ({number.n})"
    if number.std is not None:
        text = f"{number.mean:.2f} ± {number.std:.2f} ({number.n})"
    return Cell(text, f"{number.mean:.6f}", True, _link(number.runs, linked))


def _split(name: str) -> str:
    """Return what a number of a figure is of, as the reader of a table knows it."""
    if name in ("train", "train_error"):
        return "training"
    if name.startswith("response"):
        return name.replace("_rank_", " at rank ")
    return "test"


def _cell(name: str, text: Any, right: bool, href: str) -> Cell:
    if pd.isna(text) or text == MISSING:
        return Cell(MISSING, right=right)
    linked = name in (tables.OURS, tables.BEST, tables.SELECTED_NAME)
    link = href if linked else ""
    return Cell(str(text), _value(str(text), right), right, link, word=name == tables.VERDICT)


def _value(text: str, number: bool) -> str:
    """Return what a cell is sorted by: of `best (mean ± std)` the mean."""
    if not number:
        return text
    inner = text.partition("(")[2]
    if "±" in inner:
        text = inner
    return text.replace("±", " ").split()[0]


def _link(runs: Iterable[str], linked: dict[str, str]) -> str:
    return next((linked[run] for run in runs if run in linked), "")
