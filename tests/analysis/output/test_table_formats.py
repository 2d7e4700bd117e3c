"""One table in every format; whatever a cell contains, it arrives as text."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from repro.analysis.output.latex import latex_text
from repro.analysis.output.table_formats import SUFFIXES, Sheet, render

HOSTILE = r"""=1+1 <script>alert("x")</script> a|b & 5% $\input{x}$ _~^#{}"""


def sheet(cell: str = "8.61 ± 0.12", number: float = 8.61) -> Sheet:
    cells = pd.DataFrame({"net": [cell, "plain"], "error (%)": ["8.61 ± 0.12 (5)", None]})
    facts = pd.DataFrame({"row": [cell, "plain"], "ours_mean": [number, float("nan")], "n": [5, 0]})
    return Sheet(
        "Errors", cells, facts, ("a: one note",), right=("error (%)",), about={"scale": "paper"}
    )


@pytest.mark.parametrize("form", SUFFIXES)
def test_every_format_ends_in_one_newline_and_is_the_same_twice(form):
    text = render(sheet(), form)
    assert text == render(sheet(), form)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_plain_text_is_aligned_with_numbers_flush_right_and_no_boxes():
    assert render(sheet("ResNet-20"), "table").splitlines() == [
        "Errors",
        "",
        "net              error (%)",
        "---------  ---------------",
        "ResNet-20  8.61 ± 0.12 (5)",
        "plain                    –",
        "",
        "a: one note",
    ]


def test_wide_and_combining_characters_keep_the_columns_aligned():
    lines = render(sheet("網e\u0301"), "table").splitlines()
    assert lines[4] == "網e\u0301    8.61 ± 0.12 (5)"


def test_markdown_is_a_table_whose_cells_are_text():
    text = render(sheet(HOSTILE), "md")
    row = text.splitlines()[4]
    assert row.count(" | ") == 1
    assert r"\<script\>" in row
    assert r"a\|b" in row
    assert text.splitlines()[3].endswith(":|")


def test_a_paragraph_in_one_cell_does_not_make_every_row_of_markdown_as_long():
    lines = render(sheet("word " * 100), "md").splitlines()
    assert len(lines[4]) > 500
    assert max(map(len, lines[2:4])) < 100


def test_latex_is_booktabs_and_runs_nothing():
    text = render(sheet(HOSTILE), "latex")
    assert r"\toprule" in text
    assert r"8.61 $\pm$ 0.12 (5)" in text
    assert r"\input" not in text.replace(r"\textbackslash{}input", "")
    assert r"5\%" in text


def test_latex_escapes_every_special_character():
    assert (
        latex_text(r"\{}$&#%_~^")
        == (
            r"\textbackslash{}\{\}\$\&\#\%\_\textasciitilde{}\textasciicircum{}"  # each once, none twice
        )
    )
    assert latex_text("[5pt]") == "{[}5pt{]}"


def test_html_escapes_everything():
    text = render(sheet(HOSTILE), "html")
    assert "<script>" not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)" in text


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=1"])
def test_a_text_that_a_spreadsheet_would_run_is_quoted_in_csv(start):
    read = pd.read_csv(io.StringIO(render(sheet(start), "csv")), keep_default_na=False)
    assert read["row"][0].startswith("'")


def test_negative_numbers_stay_numbers_in_csv():
    assert pd.read_csv(io.StringIO(render(sheet(number=-0.5), "csv")))["ours_mean"][0] == -0.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_json_has_null_for_what_is_not_finite(value):
    document = json.loads(render(sheet(number=value), "json"))
    assert document["rows"][0]["ours_mean"] is None
    assert (document["schema"], document["scale"], document["notes"]) == (
        1,
        "paper",
        ["a: one note"],
    )


@pytest.mark.parametrize("form", SUFFIXES)
def test_a_table_without_rows_is_still_a_table(form):
    empty = Sheet("Errors", sheet().cells.iloc[:0], sheet().facts.iloc[:0])
    assert render(empty, form)
