"""One table in every format: text, Markdown, LaTeX and HTML to read; CSV and JSON for programs.

A `Sheet` has `cells`, text for reading, and `facts`, the typed values behind them. Whatever a cell
contains arrives as text: nothing in it can become markup, a command, or a spreadsheet's formula.
"""

from __future__ import annotations

import html
import math
import re
import textwrap
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Literal

import pandas as pd

from repro.analysis.output.latex import latex_text
from repro.storage.atomic import to_json as json_text

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
    """A table ready to be written. The columns in `right` hold numbers, set flush right."""

    title: str
    cells: pd.DataFrame
    facts: pd.DataFrame
    notes: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)  # what the JSON says beside the rows
    # The cells in narrower parts, for 80 columns; their index says which row of the paper it is.
    blocks: dict[str, pd.DataFrame] = field(default_factory=dict)
    # The last of the notes: how what was run departs from the paper's protocol.
    departures: int = 0


def render(sheet: Sheet, form: Format) -> str:
    """Return the sheet in that format, ending in one newline."""
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
    """Return aligned columns for a terminal or a log: no boxes, nothing cut."""
    lines = [sheet.title]
    if len(sheet.blocks) > 1:
        for name, cells in sheet.blocks.items():
            lines += ["", name, *_aligned(cells, sheet.right)]
    else:
        lines += ["", *_aligned(sheet.cells, sheet.right)]
    if sheet.notes:
        lines.append("")
    for note in sheet.notes:
        lines.append(textwrap.fill(note, 80, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(lines)


def markdown(sheet: Sheet) -> str:
    """Return a GitHub table, its notes as a list."""
    header, body = _texts(sheet.cells)
    rows = [list(map(markdown_text, row)) for row in [header, *body]]
    sides = [column in sheet.right for column in sheet.cells.columns]
    # Columns are padded, but not to the length of a paragraph.
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    rules = "|".join(map(_markdown_rule, widths, sides))
    lines = [f"| {' | '.join(_padded(row, widths, sides))} |" for row in rows]
    lines.insert(1, f"|{rules}|")
    lines = [f"**{markdown_text(sheet.title)}**", "", *lines]
    if sheet.notes:
        lines.append("")
    lines += [f"- {markdown_text(note)}" for note in sheet.notes]
    return "\n".join(lines)


def _markdown_rule(width: int, right: bool) -> str:
    if right:
        return "-" * (width + 1) + ":"
    return ":" + "-" * (width + 1)


def latex(sheet: Sheet) -> str:
    """Return a booktabs table, ready to paste; needs \\usepackage{booktabs}."""
    _, body = _texts(sheet.cells)
    sides = "".join("lr"[column in sheet.right] for column in sheet.cells.columns)
    notes = [rf"\par\smallskip{{\footnotesize {latex_text(note)}}}" for note in sheet.notes]
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
            *notes,
            r"\end{table}",
        ]
    )


def _latex_header(sheet: Sheet) -> list[str]:
    """Return the column names; each of several metrics spans its own columns."""
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
    """Return a table element with its caption and notes, everything escaped."""
    header, body = _texts(sheet.cells)
    sides = [column in sheet.right for column in sheet.cells.columns]
    lines = ["<table>", f"<caption>{html.escape(sheet.title)}</caption>"]
    lines.append(f"<thead>{_html_row('th', header, sides)}</thead>")
    lines.append("<tbody>")
    lines += [_html_row("td", texts, sides) for texts in body]
    lines += ["</tbody>", "</table>"]
    if sheet.notes:
        notes = [f"<li>{html.escape(note)}</li>" for note in sheet.notes]
        lines.append(f"<ul>{''.join(notes)}</ul>")
    return "\n".join(lines)


def _html_row(tag: str, texts: list[str], sides: list[bool]) -> str:
    cells = []
    for text, right in zip(texts, sides, strict=True):
        side = ' class="number"' if right else ""
        cells.append(f"<{tag}{side}>{html.escape(text)}</{tag}>")
    return f"<tr>{''.join(cells)}</tr>"


def csv(sheet: Sheet) -> str:
    """Return the facts, one line a number. An apostrophe stops a spreadsheet's formulas."""
    safe = sheet.facts.map(_csv_value)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def to_json(sheet: Sheet) -> str:
    """Return the facts as one document. A number that is missing or not finite is null."""
    rows = []
    for record in sheet.facts.to_dict("records"):
        rows.append(dict(zip(record, map(_json_value, record.values()), strict=True)))
    document = {"schema": 1, "title": sheet.title, **sheet.about, "rows": rows}
    document["notes"] = list(sheet.notes)
    return json_text(document).decode()


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "=", "+", "-", "@")  # and their full-width forms
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~#$])")


def _aligned(cells: pd.DataFrame, right: tuple[str, ...]) -> list[str]:
    """Return header, rule and rows, padded to equal columns."""
    heads = _header_lines(cells)
    _, body = _texts(cells)
    widths = [max(map(_width, column)) for column in zip(*heads, *body, strict=True)]
    sides = [column in right for column in cells.columns]
    rule = ["-" * width for width in widths]
    return ["  ".join(_padded(row, widths, sides)).rstrip() for row in [*heads, rule, *body]]


def _header_lines(cells: pd.DataFrame) -> list[list[str]]:
    """Return the lines of a header: a heading with fewer lines than others stands on the last."""
    upwards = [str(column).split("\n")[::-1] for column in cells.columns]
    lines = [list(line) for line in zip_longest(*upwards, fillvalue="")]
    return lines[::-1]


def _texts(cells: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and cells, each on one line."""
    header = list(map(_one_line, cells.columns))
    return header, [list(map(_one_line, row)) for row in cells.itertuples(index=False)]


def _one_line(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.split())
    return MISSING if _is_missing(value) else str(value)


def _width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _padded(row: list[str], widths: list[int], sides: list[bool]) -> list[str]:
    """Return the texts of a row, each padded to its column: a number at left, a text at right."""
    texts = []
    for text, width, right in zip(row, widths, sides, strict=True):
        space = " " * (width - _width(text))
        texts.append(space + text if right else text + space)
    return texts


def markdown_text(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _csv_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = "; ".join(map(str, value))
    if isinstance(value, float):
        # Twelve digits are more than any measurement has, and hide the last bits of a sum.
        return float(f"{value:.12g}")
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _json_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, (str, bool, dict)) or value is None:
        return value
    if _is_missing(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
