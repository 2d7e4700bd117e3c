"""`repro report`: one file, and where it is."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from repro.analysis.output import report as output
from repro.cli import cli
from repro.errors import UserError


def report(*words: str):
    return CliRunner().invoke(cli, ["report", *words], catch_exceptions=False)


def test_the_report_is_written_and_its_place_printed(here, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(click, "launch", opened.append)
    done = report("--open")
    assert done.stdout == f"{here.report}\n"
    assert done.stderr.startswith("scale: paper (nothing is done yet; --scale chooses another)\n0.")
    assert done.stderr.endswith(" MB at scale paper\n")
    assert here.report.read_text().startswith("<!doctype html>")
    assert opened == [here.report.as_uri()]


def test_json_says_which_scale_it_shows(here, monkeypatch):
    # What is on the page is checked elsewhere, and takes its time.
    monkeypatch.setattr(output, "report", lambda collected, scale: f"<!doctype html>{scale.name}")
    document = json.loads(report("--scale", "smoke", "--json").stdout)
    assert document == {
        "schema": 1,
        "file": str(here.report),
        "scale": "smoke",
        "bytes": here.report.stat().st_size,
    }


def test_an_unknown_scale_is_a_mistake():
    with pytest.raises(UserError, match="no scale named `big`"):
        report("--scale", "big")
