"""Records that are newer, from the future, huge, or there twice: named or shown, and never in the way of the others."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import RESNET
from repro.analysis.runs import run_record
from repro.cli import cli
from repro.storage import metrics_file
from repro.storage.paths import Folder
from tests.run_folders import finished, places, write_run  # noqa: F401

RUN, OTHER = list(RESNET[20])[:2]


def collect(*words: str) -> Result:
    return CliRunner().invoke(
        cli, ["collect", *words], standalone_mode=False, catch_exceptions=False
    )


def changed(folder: Folder, **values: object) -> None:
    folder.final.write_text(json.dumps(json.loads(folder.final.read_bytes()) | values))


def test_a_record_of_a_newer_version_is_named_and_alone_it_is_a_failure(finished):  # noqa: F811
    changed(finished(RUN, test_error=8.7), schema=99)
    said = collect()
    assert "final.json was written by a newer version (schema 99); update this one" in said.stderr
    assert said.return_value == 1
    finished(OTHER, test_error=8.8)
    assert (collect().return_value, collect("--strict").return_value) == (0, 1)


def test_a_record_from_the_future_is_a_record(finished, places):  # noqa: F811
    later = {"started": "2090-01-01T00:00:00+00:00", "ended": "2091-01-01T00:00:00+00:00"}
    finished(RUN, test_error=8.7, provenance=later)
    said = collect("--strict")
    assert (said.return_value, said.stderr) == (0, "")


def test_a_run_that_is_there_twice_and_differs_is_named(finished, places):  # noqa: F811
    finished(RUN, test_error=8.7)
    finished(RUN, test_error=9.7, name="copy")
    said = collect("--strict")
    assert said.return_value == 1
    assert "differs from" in said.stderr
    assert said.stdout.startswith("1 run (1 done)")


def test_a_million_metrics_are_too_many_and_take_no_time(finished):  # noqa: F811
    folder = finished(RUN, test_error=8.7)
    changed(folder, metrics={f"m{number}": 1.0 for number in range(1_000_000)})
    began = time.monotonic()
    record = run_record.read_run(folder)
    assert time.monotonic() - began <= 2
    assert record["problem"] == "final.json has 1,000,000 metrics, more than any run measures"


@pytest.mark.slow
def test_a_curve_of_a_million_points_is_read_in_a_few_seconds(write_run):  # noqa: F811
    folder = write_run(RUN)
    with folder.metrics.open("wb") as file:
        for number in range(1_000_000):
            file.write(metrics_file.encode({"iteration": number, "test_error": 9.0}))
    began = time.process_time()
    assert len(run_record.read_run(folder)["curve.iteration"]) == 1_000_000
    assert time.process_time() - began <= 20
