"""Records that are newer, from the future, huge, or there twice: named or shown, and never in the
way of the others."""

from __future__ import annotations

import json
import time
from shutil import copytree

import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import RESNET
from repro.analysis.runs import run_record
from repro.cli import cli
from repro.local.workers import WorkerPool, runs_to_train
from repro.storage import metrics_file
from repro.storage.paths import Folder
from repro.storage.run_files import is_done

RUN, OTHER = list(RESNET[20])[:2]


def collect(*words: str) -> Result:
    return CliRunner().invoke(
        cli, ["collect", *words], standalone_mode=False, catch_exceptions=False
    )


def changed(folder: Folder, **values: object) -> None:
    folder.final.write_text(json.dumps(json.loads(folder.final.read_bytes()) | values))


def test_a_record_of_a_newer_version_is_named_and_alone_it_is_a_failure(finished):
    changed(finished(RUN, test_error=8.7), schema=99)
    said = collect()
    assert "final.json was written by a newer version (schema 99); update this one" in said.stderr
    assert said.return_value == 1
    finished(OTHER, test_error=8.8)
    assert (collect().return_value, collect("--strict").return_value) == (0, 1)


def test_a_record_from_the_future_is_a_record(finished, places):
    later = {"started": "2090-01-01T00:00:00+00:00", "ended": "2091-01-01T00:00:00+00:00"}
    finished(RUN, test_error=8.7, provenance=later)
    said = collect("--strict")
    assert (said.return_value, said.stderr) == (0, "")


def test_a_run_that_ended_before_it_started_counts_and_its_clock_is_named(finished, places):
    earlier = {"started": "2026-03-02T10:00:00+00:00", "ended": "2026-03-02T09:15:00+00:00"}
    finished(RUN, test_error=8.7, provenance=earlier | {"seconds": 120.0})
    said = collect()
    assert said.return_value == 0
    assert said.stdout.startswith("1 run (1 done)")
    assert f"Warning: runs/{RUN.id}: by the clock it ended (2026-03-02T09:15:00+00:00)" in (
        said.stderr
    )
    assert collect("--strict").return_value == 1
    assert run_record.read_run(places.run(RUN.id))["seconds"] == 120.0


@pytest.mark.parametrize("ended", ["2026-01-01T00:00:00", "yesterday", None])
def test_a_time_that_cannot_be_compared_is_no_sign_of_a_clock_that_was_set_back(ended, finished):
    finished(RUN, test_error=8.7, provenance={"ended": ended})
    said = collect("--strict")
    assert (said.return_value, said.stderr) == (0, "")


def test_a_run_that_is_there_twice_and_differs_is_named(finished, places):
    finished(RUN, test_error=8.7)
    finished(RUN, test_error=9.7, name="copy")
    said = collect("--strict")
    assert said.return_value == 1
    assert "differs from" in said.stderr
    assert said.stdout.startswith("1 run (1 done)")


def test_a_million_metrics_are_too_many_and_take_no_time(finished):
    folder = finished(RUN, test_error=8.7)
    changed(folder, metrics={f"m{number}": 1.0 for number in range(1_000_000)})
    began = time.monotonic()
    record = run_record.read_run(folder)
    assert time.monotonic() - began <= 2
    assert record["problem"].endswith(" bytes, more than any run writes")
    changed(folder, metrics={f"m{number}": 1.0 for number in range(1_001)})
    record = run_record.read_run(folder)
    assert record["problem"] == "final.json has 1,001 metrics, more than any run measures"


def words(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), standalone_mode=False, catch_exceptions=False)


IMPOSSIBLE = ["-5", "1e308", "9" * 30, "true", '"8.7"', "[8.7]", "NaN", "1e400", "[" * 100_000]


@pytest.mark.parametrize("text", IMPOSSIBLE, ids=lambda text: text[:8])
def test_a_record_that_cannot_be_believed_is_no_end_of_a_run_for_any_command(
    text,
    finished,
    places,
):
    bad, good = finished(RUN, test_error=8.125), finished(OTHER, test_error=8.8)
    bad.final.write_bytes(bad.final.read_bytes().replace(b"8.125", text.encode()))
    assert not is_done(RUN.id, places)
    states = json.loads(words("status", "--json").stdout)["runs"]
    assert {state["id"]: state["state"] for state in states} == {RUN.id: "failed", OTHER.id: "done"}
    assert all(
        state["reason"].startswith("final.json is damaged") == (state["id"] == RUN.id)
        for state in states
    )
    gathered = json.loads(words("collect", "--json").stdout)
    assert gathered["states"] == {"done": 1}
    assert [problem["folder"] for problem in gathered["problems"]] == [f"runs/{RUN.id}"]
    assert runs_to_train([RUN, OTHER], places) == [RUN]
    assert good.final.exists()


def test_links_in_a_circle_and_names_that_drive_a_terminal_are_named_and_the_others_read(
    finished,
    places,
):
    finished(RUN, test_error=8.7)
    (places.runs / "circle").symlink_to("circle")
    (places.runs / "clear\x1b[2J\nscreen").mkdir()
    gathered = words("collect")
    assert gathered.stdout.startswith("1 run (1 done)")
    assert "Warning: runs/circle: run.json cannot be read: Too many levels" in gathered.stderr
    assert r"Warning: runs/clear\x1b[2J\nscreen: not read" in gathered.stderr
    shown = words("status")
    assert RUN.id in shown.stdout
    assert "circle\tfailed\t" in shown.stdout
    assert r"Warning: runs/clear\x1b[2J\nscreen: its name" in shown.stderr
    assert "\x1b" not in gathered.output + shown.output
    for command in (("diff", "table6", "--fail-on", ""), ("status", "--failed"), ("list",)):
        assert "Traceback" not in words(*command).output


@pytest.mark.slow
def test_a_curve_of_a_million_points_is_read_in_a_few_seconds(write_run):
    folder = write_run(RUN)
    with folder.metrics.open("wb") as file:
        for number in range(1_000_000):
            file.write(metrics_file.encode({"iteration": number, "test_error": 9.0}))
    began = time.process_time()
    assert len(run_record.read_run(folder)["curve.iteration"]) == 1_000_000
    assert time.process_time() - began <= 20


def test_another_runs_folder_under_a_runs_name_is_refused_by_run_and_counted_by_no_command(
    finished,
    places,
):
    copytree(finished(RUN, test_error=8.7).path, places.run(OTHER.id).path)
    assert runs_to_train([RUN, OTHER], places) == [OTHER]
    (ending,) = WorkerPool(places, 1, threads=1).train([OTHER], lambda _: None)
    assert (ending["id"], ending["state"]) == (OTHER.id, "failed")
    assert f"holds another, `{RUN.id}`" in ending["problem"]
    states = {state["id"]: state for state in json.loads(words("status", "--json").stdout)["runs"]}
    assert (states[RUN.id]["state"], states[OTHER.id]["state"]) == ("done", "failed")
    assert f"holds another, `{RUN.id}`" in states[OTHER.id]["reason"]
    assert json.loads(words("collect", "--json").stdout)["states"] == {"done": 1}
