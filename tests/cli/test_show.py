"""`repro show`: what an experiment is, with the paper's numbers and what others got."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from repro.cli import cli
from repro.protocol import catalog


def show(*words: str) -> str:
    result = CliRunner().invoke(cli, ["show", *words], catch_exceptions=False)
    return result.stdout


@pytest.mark.parametrize(
    ("name", "row", "metric", "printed", "range_of_others"),
    [
        ("table8", "VGG-16", "mAP@[.5,.95]", 21.2, "29.2–30.2 (3)"),
        ("table8", "ResNet-101", "mAP@[.5,.95]", 27.2, "33.9–37.0 (6)"),
        ("table7", "VGG-16, trained on 07+12", "mAP", 73.2, "75.3–75.7 (2)"),
        ("table7", "ResNet-101, trained on 07+12", "mAP", 76.4, "79.3–79.8 (2)"),
        ("table6", "ResNet-20", "test_error", 8.75, "8.00–8.29 (6)"),
    ],
)
def test_a_number_of_the_paper_stands_beside_what_reproductions_got(
    name, row, metric, printed, range_of_others, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "100")
    (line,) = [line for line in show(name).splitlines() if line.startswith(f"  {row}  ")
               and f" {metric} " in line]  # fmt: skip
    assert f" {printed} " in line
    assert line.endswith(f"reproductions: {range_of_others}")


def test_a_table_that_is_skipped_shows_its_numbers_and_claims_and_says_why():
    text = show("table13")
    assert "Not reproduced here: localisation" in text
    assert "of which no public reproduction is known" in text
    assert "D-7" in text
    document = json.loads(show("table13", "--json"))
    assert document["paper"][1] == {
        "row": "RPN, ResNet-101, 1-crop",
        "metric": "loc_error_gt_class",
        "value": 13.3,
        "digits": 1,
        "kind": "printed",
    }
    assert (document["runs"], document["elsewhere"]) == ([], [])


@pytest.mark.parametrize("number", range(7, 15))
def test_every_skipped_table_can_be_shown(number):
    assert "The paper's numbers" in show(f"table{number}")


def test_it_says_the_precision_and_what_a_faster_one_would_take():
    shown = show("figure1")
    assert "computing in fp32 (NCHW in memory)" in shown
    assert "`--variant tf32` would take about" in shown


@pytest.mark.parametrize("name", catalog.NAMES)
def test_no_line_is_longer_than_the_terminal_is_wide(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert [line for line in show(name).splitlines() if len(line) > 80] == []
