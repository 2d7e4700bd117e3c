"""`repro publish`, as it is typed: small records go to a folder that is tracked, and everything
reads them there."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import PLAIN
from experiments.scales import SCALES
from repro.cli import cli
from repro.errors import UserError
from repro.storage.paths import Folder
from repro.storage.run_files import is_done
from tests.run_folders import KYOTO

QUICK = [SCALES["quick"](run) for run in PLAIN[20]]
CURVE = [{"train_error": 60.0, "test_error": 58.0}, {"train_error": 50.0, "test_error": 49.0}]


def repro(*words: str) -> Result:
    return CliRunner().invoke(
        cli, words, prog_name="repro", standalone_mode=False, catch_exceptions=False
    )


def publish(*words: str) -> Result:
    return repro("publish", "figure1", "--scale", "quick", *words)


def test_definition_curve_and_final_record_are_copied_and_nothing_else(places, finished):
    folder = finished(QUICK[0], CURVE, test_error=49.0)
    folder.checkpoint.write_bytes(b"weights")
    folder.log.write_text("said")
    assert publish().stdout == f"{QUICK[0].id}\n"
    public = Folder(places.published / QUICK[0].id)
    assert sorted(path.name for path in public.path.iterdir()) == [
        "final.json",
        "metrics.jsonl",
        "published.json",
        "run.json",
    ]
    assert all(
        (public.path / path.name).read_bytes() == path.read_bytes()
        for path in (folder.final, folder.metrics)
    )


def test_a_clone_without_working_runs_draws_the_same_table_and_trains_nothing(places, finished):
    finished(QUICK[0], CURVE, test_error=49.0, train_error=50.0)
    publish()
    shown = ("diff", "figure1", "--scale", "quick", "--format", "md", "--verbose")
    before = repro(*shown).stdout
    shutil.rmtree(places.runs)
    assert repro(*shown).stdout == before
    assert "49.00" in before
    assert is_done(QUICK[0].id, places)


def test_a_run_during_which_a_clock_was_set_back_may_be_published(places, finished):
    backwards = {"started": "2026-03-02T10:00:00+00:00", "ended": "2026-03-02T09:15:00+00:00"}
    finished(QUICK[0], CURVE, test_error=49.0, provenance=backwards)
    assert publish().stdout == f"{QUICK[0].id}\n"


def test_publishing_twice_is_publishing_once(places, finished):
    finished(QUICK[0], CURVE, test_error=49.0)
    publish()
    again = publish()
    assert (again.stdout, again.return_value) == ("", 0)
    assert "6 runs: 1 as before, 5 not done" in again.stderr


def test_what_differs_is_replaced_only_when_asked(places, finished):
    finished(QUICK[0], CURVE, test_error=49.0)
    publish()
    shutil.rmtree(places.run(QUICK[0].id).path)
    finished(QUICK[0], CURVE, test_error=48.0)
    refused = publish()
    assert refused.return_value == 1
    assert "differs from what is published" in refused.stderr
    assert publish("--again").stdout == f"{QUICK[0].id}\n"
    assert json.loads(Folder(places.published / QUICK[0].id).final.read_bytes())["metrics"] == {
        "test_error": 48.0
    }


def test_code_that_no_commit_has_is_published_only_when_asked(places, finished):
    finished(QUICK[0], CURVE, provenance={"dirty": True}, test_error=49.0)
    refused = publish()
    assert (refused.return_value, places.published.exists()) == (1, False)
    assert "trained by code that no commit has" in refused.stderr
    assert publish("--uncommitted").stdout == f"{QUICK[0].id}\n"


def test_a_damaged_record_is_not_published_but_the_others_are(places, finished):
    finished(QUICK[0], CURVE, test_error=49.0).metrics.write_bytes(b"no metrics\n")
    finished(QUICK[1], CURVE, test_error=49.0)
    said = publish()
    assert (said.stdout, said.return_value) == (f"{QUICK[1].id}\n", 1)
    assert "only whole records are published" in said.stderr


def test_nothing_done_is_incomplete(places):
    said = publish()
    assert (said.stdout, said.return_value) == ("", 3)
    assert "6 not done" in said.stderr


def test_what_another_left_half_copied_is_no_run_and_in_nobody_s_way(places, finished):
    finished(QUICK[0], CURVE, test_error=49.0)
    (places.published / f".{QUICK[0].id}.tmp").mkdir(parents=True)
    assert publish().stdout == f"{QUICK[0].id}\n"
    assert [path.name for path in places.published.iterdir()] == [QUICK[0].id]


def test_as_json(places, finished):
    finished(QUICK[0], CURVE, test_error=49.0)
    said = json.loads(publish("--only", QUICK[0].id, "--json").stdout)
    assert (said["runs"], said["refused"]) == ({QUICK[0].id: "published"}, [])


def test_a_labs_record_is_filed_beside_ours_with_who_the_lab_is(places, believable):
    believable(QUICK[0], 60.0)
    publish()
    ours = Folder(places.published / QUICK[0].id).final.read_bytes()
    shutil.rmtree(places.runs)
    believable(QUICK[0], 61.0)
    said = publish(*KYOTO, "--orcid", "0000-0002-1825-0097")
    assert said.stdout == f"{QUICK[0].id}\n"
    assert Folder(places.published / QUICK[0].id).final.read_bytes() == ours
    theirs = places.labs / "kyoto"
    assert json.loads((theirs / "lab.json").read_bytes()) == {
        "lab": "kyoto",
        "name": "Vision group, Kyoto",
        "contact": "https://a.example.org",
        "orcid": "0000-0002-1825-0097",
        "schema": 1,
    }
    metrics = json.loads(Folder(theirs / QUICK[0].id).final.read_bytes())["metrics"]
    assert metrics["test_error"] == 61.0


def test_a_lab_is_described_once(places, believable):
    believable(QUICK[0], 60.0)
    with pytest.raises(UserError, match="nobody knows yet who kyoto is") as error:
        publish("--lab", "kyoto")
    assert "--lab-name" in error.value.hint
    assert not places.labs.exists()
    publish(*KYOTO)
    assert publish("--lab", "kyoto").stderr.startswith("6 runs: 1 as before")
    believable(QUICK[1], 60.5)
    changed = publish("--lab", "kyoto", "--lab-name", "Another", "--contact", "a@b.example")
    assert changed.return_value == 1
    assert "says something else" in changed.stderr


def test_nothing_is_written_of_a_lab_that_has_no_run(places):
    assert publish(*KYOTO).return_value == 3
    assert not places.labs.exists()


def test_options_of_a_lab_that_is_not_named_are_wrong_input(places):
    with pytest.raises(UserError, match="describe a lab"):
        publish("--contact", "a@b.example")
    with pytest.raises(UserError, match="is not for other people"):
        publish(*KYOTO, "--uncommitted")
    with pytest.raises(UserError, match="is not a name for a lab"):
        publish("--lab", "../ours")


def test_a_record_that_the_check_would_refuse_is_not_filed_for_a_lab(places, finished):
    finished(QUICK[0], CURVE, test_error=49.0)
    said = publish(*KYOTO)
    assert (said.stdout, said.return_value) == ("", 1)
    assert "its curve has 2 points, and the recipe makes 16" in said.stderr
    assert not places.labs.exists()
