"""`repro collect`, as it is typed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import RESNET
from repro.cli import cli
from repro.errors import UserError

RUN, OTHER = list(RESNET[20])[:2]


def repro(*words: str) -> Result:
    return CliRunner().invoke(
        cli, words, prog_name="repro", standalone_mode=False, catch_exceptions=False
    )


def test_it_says_what_there_is_and_where_it_is_kept(places, finished, write_run):
    finished(RUN, test_error=8.7)
    write_run(OTHER, [20.0])
    said = repro("collect")
    assert said.stdout == (
        f"2 runs (1 done, 1 unfinished); 2 folders read, 0 unchanged\n{places.frame}: written\n"
    )
    assert repro("collect").stdout.endswith(
        "0 folders read, 2 unchanged\n" + f"{places.frame}: up to date\n"
    )


def test_twice_is_the_same_bytes(places, finished):
    finished(RUN, [9.0], test_error=8.7)
    repro("collect")
    first = places.frame.read_bytes()
    repro("collect")
    assert places.frame.read_bytes() == first


def test_nothing_at_all_is_said_too_and_is_incomplete(places):
    said = repro("collect")
    assert said.stdout.startswith("0 runs (none yet); 0 folders read, 0 unchanged\n")
    assert said.return_value == 3


def test_a_folder_of_something_else_gets_no_file_of_ours(places):
    places.results.mkdir()
    (places.results / "thesis.tex").write_text("")
    with pytest.raises(
        UserError, match=r"a folder of something else: it has `thesis\.tex`, and no `runs`"
    ) as caught:
        repro("collect")
    assert (caught.value.code, len(list(places.results.iterdir()))) == (2, 1)


def test_if_no_folder_can_be_read_that_is_a_failure(places):
    (places.runs / "holiday").mkdir(parents=True)
    assert repro("collect").return_value == 1


def test_as_json(places, finished):
    finished(RUN, test_error=8.7)
    (places.runs / "holiday").mkdir()
    said = json.loads(repro("collect", "--json").stdout)
    assert (said["schema"], said["folders"], said["opened"], said["runs"]) == (1, 2, 2, 1)
    assert said["states"] == {"done": 1}
    assert said["problems"] == [
        {"folder": "runs/holiday", "problem": "not a run: it has no run.json"}
    ]


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--strict",), 1)])
def test_a_problem_is_a_warning_and_with_strict_a_failure(places, finished, words, code):
    finished(RUN, test_error=8.7)
    (places.runs / "holiday").mkdir(parents=True)
    said = repro("collect", *words)
    assert said.return_value == code
    assert said.stderr == "Warning: runs/holiday: not a run: it has no run.json\n"


def test_the_runs_are_only_read(places, finished):
    folder = finished(RUN, [9.0], test_error=8.7)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    repro("collect")
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
