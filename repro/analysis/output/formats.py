"""One table in every format: plain text, Markdown, LaTeX, HTML for reading; CSV and JSON for programs.

A `Sheet` has both faces of a table: `cells` are text as people read it, `facts` are the typed values behind them.
Whatever a cell contains, it arrives as text: nothing in it can become markup, a command, or a spreadsheet's formula.
"""

from __future__ import annotations

import html
import json
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from repro.analysis.output.latex import latex_text

Format = Literal["table", "md", "latex", "csv", "json", "html"]
SUFFIXES: dict[Format, str] = {
    "table": ".txt",
    "md": ".md",
    "latex": ".tex",
    "csv": ".csv",
    "json": ".json",
    "html": ".html",
}

MISSING = "–"
WIDEST = 60  # columns that Markdown is padded to


@dataclass(frozen=True)
class Sheet:
    """A table ready to be written. Columns named in `right` hold numbers and are set flush right."""

    title: str
    cells: pd.DataFrame
    facts: pd.DataFrame
    notes: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)  # what the JSON says beside the rows
    blocks: dict[str, pd.DataFrame] = field(
        default_factory=dict
    )  # the cells in narrower parts, for 80 columns


def render(sheet: Sheet, form: Format) -> str:
    """The sheet in that format, ending in one newline."""
    writers: dict[Format, Callable[[Sheet], str]] = {
        "table": plain_text,
        "md": markdown,
        "latex": latex,
        "csv": csv,
        "json": to_json,
        "html": to_html,
    }
    return writers[form](sheet).rstrip("\n") + "\n"


def plain_text(sheet: Sheet) -> str:
    """Aligned columns for a terminal or a log: no boxes, nothing cut."""
    parts = sheet.blocks if len(sheet.blocks) > 1 else {"": sheet.cells}
    lines = [sheet.title]
    for name, cells in parts.items():
        lines += ["", *([name] if name else []), *_aligned(cells, sheet.right)]
    return "\n".join([*lines, *_after(sheet.notes)])


def markdown(sheet: Sheet) -> str:
    """A GitHub table, its footnotes as a list. Columns are padded, but not to the length of a paragraph."""
    header, body = _texts(sheet.cells)
    grid = [[_markdown_text(text) for text in row] for row in [header, *body]]
    sides = [column in sheet.right for column in sheet.cells.columns]
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*grid, strict=True)]
    rules = [
        "-" * (width + 1) + ":" if side else ":" + "-" * (width + 1)
        for width, side in zip(widths, sides, strict=True)
    ]

    def line(row: list[str]) -> str:
        padded = (
            _pad(text, width, side) for text, width, side in zip(row, widths, sides, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    notes = [f"- {_markdown_text(note)}" for note in sheet.notes]
    lines = [line(grid[0]), f"|{'|'.join(rules)}|", *map(line, grid[1:])]
    return "\n".join(
        [f"**{_markdown_text(sheet.title)}**", "", *lines, *([""] if notes else []), *notes]
    )


def latex(sheet: Sheet) -> str:
    """A booktabs table, ready to paste; needs \\usepackage{booktabs}."""
    _, body = _texts(sheet.cells)
    sides = "".join("r" if column in sheet.right else "l" for column in sheet.cells.columns)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(sheet.title)}}}",
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            *_latex_header(sheet),
            r"\midrule",
            *map(_latex_row, body),
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\smallskip{{\footnotesize {latex_text(note)}}}" for note in sheet.notes),
            r"\end{table}",
        ]
    )


def _latex_header(sheet: Sheet) -> list[str]:
    """The column names; where there are several metrics, each one's name spans its own columns."""
    if len(sheet.blocks) < 2:
        return [_latex_row(_texts(sheet.cells)[0])]
    spans, rules, names, at = [""], [], [_one_line(sheet.cells.columns[0])], 2
    for name, cells in sheet.blocks.items():
        columns = [_one_line(column) for column in cells.columns[1:]]
        spans.append(rf"\multicolumn{{{len(columns)}}}{{c}}{{{latex_text(name)}}}")
        rules.append(rf"\cmidrule(lr){{{at}-{at + len(columns) - 1}}}")
        names += columns
        at += len(columns)
    return [" & ".join(spans) + r" \\", " ".join(rules), _latex_row(names)]


def _latex_row(texts: list[str]) -> str:
    return " & ".join(map(latex_text, texts)) + r" \\"


def to_html(sheet: Sheet) -> str:
    """A table element with its caption and notes, everything escaped."""
    header, body = _texts(sheet.cells)
    right = [' class="number"' if column in sheet.right else "" for column in sheet.cells.columns]

    def row(texts: list[str], tag: str) -> str:
        cells = (
            f"<{tag}{side}>{html.escape(text)}</{tag}>"
            for text, side in zip(texts, right, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    notes = "".join(f"<li>{html.escape(note)}</li>" for note in sheet.notes)
    return "\n".join(
        [
            "<table>",
            f"<caption>{html.escape(sheet.title)}</caption>",
            f"<thead>{row(header, 'th')}</thead>",
            "<tbody>",
            *(row(texts, "td") for texts in body),
            "</tbody>",
            "</table>",
            *([f"<ul>{notes}</ul>"] if notes else []),
        ]
    )


def csv(sheet: Sheet) -> str:
    """The facts, one line a number; a text that a spreadsheet would run as a formula is quoted by an apostrophe."""
    safe = sheet.facts.map(_csv_value)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def to_json(sheet: Sheet) -> str:
    """The facts as one document. A number that is missing or not finite is null."""
    rows = [
        {key: _json_value(value) for key, value in row.items()}
        for row in sheet.facts.to_dict("records")
    ]
    document = {
        "schema": 1,
        "title": sheet.title,
        **sheet.about,
        "rows": rows,
        "notes": list(sheet.notes),
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "=", "+", "-", "@")  # and their full-width forms
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~#$])")


def _aligned(cells: pd.DataFrame, right: tuple[str, ...]) -> list[str]:
    """Header, rule and rows, padded to equal columns; a header may take several lines, and then stands on the last."""
    _, body = _texts(cells)
    names = [str(column).split("\n") for column in cells.columns]
    tall = max(map(len, names), default=0)
    heads = [
        list(line)
        for line in zip(*([""] * (tall - len(name)) + name for name in names), strict=True)
    ]
    widths = [max(_width(row[at]) for row in [*heads, *body]) for at in range(len(names))]
    sides = [column in right for column in cells.columns]

    def line(row: list[str]) -> str:
        padded = (
            _pad(text, width, side) for text, width, side in zip(row, widths, sides, strict=True)
        )
        return "  ".join(padded).rstrip()

    return [*map(line, heads), "  ".join("-" * width for width in widths), *map(line, body)]


def _texts(cells: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Header and cells, each on one line."""
    header = [_one_line(column) for column in cells.columns]
    return header, [[_one_line(value) for value in row] for row in cells.itertuples(index=False)]


def _one_line(value: Any) -> str:
    return (
        " ".join(str(value).split())
        if isinstance(value, str)
        else MISSING
        if _absent(value)
        else str(value)
    )


def _after(notes: tuple[str, ...]) -> list[str]:
    import textwrap

    wrapped = [
        textwrap.fill(note, 80, subsequent_indent="  ", break_on_hyphens=False) for note in notes
    ]
    return ["", *wrapped] if notes else []


def _width(text: str) -> int:
    """Terminal columns: a combining mark takes none, a wide character two."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _markdown_text(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _csv_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = "; ".join(map(str, value))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _json_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, (str, bool, dict)) or value is None:
        return value
    if _absent(value) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
