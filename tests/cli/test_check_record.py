"""`repro check-record`: a record that somebody offers is checked by itself, and a forged one is named."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import RESNET
from experiments.scales import SCALES
from repro.cli import cli
from repro.errors import UserError
from repro.storage import metrics_file
from repro.storage.atomic import read_json, to_json
from repro.storage.paths import ROOT, Folder
from tests.run_folders import KYOTO

QUICK = [SCALES["quick"](run) for run in RESNET[20]]
RUN, OTHER = QUICK[:2]


def repro(*words: str) -> Result:
    return CliRunner().invoke(
        cli, words, prog_name="repro", standalone_mode=False, catch_exceptions=False
    )


def publish(*words: str) -> Result:
    return repro("publish", "table6", "--scale", "quick", "--only", "resnet-20", *words)


def check(path: Path) -> list[str]:
    """Return the problems, one a line."""
    said = repro("check-record", str(path))
    lines = said.stdout.splitlines()
    assert said.return_value == (1 if lines else 0)
    return lines


def set_digests(folder: Folder) -> None:
    """Write the digests anew, as a careful forger would."""
    names = ("run.json", "metrics.jsonl", "final.json")
    digests = {
        name: hashlib.sha256((folder.path / name).read_bytes()).hexdigest() for name in names
    }
    folder.published_digests.write_bytes(to_json({"schema": 1, "sha256": digests}))


def change_final(folder: Folder, *keys: str, value: Any) -> None:
    """Change one value of the final record, and its digest with it."""
    final = read_json(folder.final)
    inner = final
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    folder.final.write_bytes(to_json(final))
    set_digests(folder)


def change_curve(folder: Folder, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the curve, with the digests of its lines and of the file."""
    rows, _ = metrics_file.read_valid_prefix(folder.metrics.read_bytes())
    points = [{name: getattr(row, name) for name in metrics_file.CURVE} for row in rows]
    change(points)
    folder.metrics.write_bytes(b"".join(map(metrics_file.encode, points)))
    set_digests(folder)


@pytest.fixture
def record(places, believable) -> Folder:
    """A record of another lab that passes every check, published as its people would."""
    believable(RUN, 30.74)
    assert publish(*KYOTO).return_value == 0
    return Folder(places.labs / "kyoto" / RUN.id)


def test_a_published_record_of_a_lab_passes_alone_and_with_its_lab(record):
    for path in (record.path, record.path.parent, record.path.parent.parent):
        assert check(path) == []


def test_our_own_published_records_pass_the_same_check():
    said = repro("check-record", str(ROOT / "results" / "published"))
    assert (said.stdout, said.return_value) == ("", 0)
    assert not said.stderr.startswith("0 records")


def test_every_record_of_another_lab_in_this_repository_passes():
    assert check(ROOT / "results" / "labs") == []


def test_make_check_checks_the_records_of_other_labs():
    """So a pull request with a bad record fails by itself."""
    assert "repro check-record results/labs" in (ROOT / "Makefile").read_text()
    assert "make check" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    ("keys", "value", "problem"),
    [
        (("metrics", "test_error"), 28.0, "final.json has test_error 28, the last point"),
        (("metrics", "test_error"), 30.741, "no count of 10,000 images"),
        (("metrics", "train_error"), 1.0, "final.json has train_error 1, the last point"),
        (("metrics", "train_error_clean"), 0.50001, "no count of 50,000 images"),
        (("metrics", "best_test_error"), 3.0, "final.json has best_test_error 3"),
        (("metrics", "test_error"), 130.0, "cannot be 130"),
        (("metrics", "parameters"), 300_000, "the net has 269,722"),
        (("metrics", "response_mean"), 3.0, "not the mean of its responses"),
        (("responses",), [1.0], "it has 1 layer responses, and the net has 19"),
        (("id",), OTHER.id, "of another run"),
        (("run", "seed"), 1, "of another run"),
        (("schema",), 99, "newer version"),
        (("provenance", "commit"), "abc1234", "not the 40 digits"),
        (("provenance", "commit"), None, "not the 40 digits"),
        (("provenance", "dirty"), True, "code that no commit has"),
        (("provenance", "dirty"), None, "code that no commit has"),
        (("provenance", "code"), "c0de", "digest of its code"),
        (("provenance", "precision"), "fp16", "its recipe says"),
        (("provenance", "device"), "cpu\x1b[31m", "its device is"),
        (("provenance", "torch"), "", "its torch is"),
        (("provenance", "seconds"), 0.0, "it took 0.0 seconds"),
        (("provenance", "ended"), "yesterday", "which is no time"),
        (("provenance", "ended"), "2026-01-01T00:00:00", "no time zone"),
        (("provenance", "data", "name"), "cifar100", "its recipe says cifar10"),
        (("provenance", "data", "hash"), "0" * 64, "the official pixels are"),
        (("provenance", "data", "hash"), "0", "not 64 digits"),
        (("provenance", "data", "origin"), None, "the origin of its images"),
        (("provenance", "data", "train_images"), None, "how many images"),
        (("provenance", "data", "tested_on_training_images"), True, "are its training images"),
    ],
)
def test_a_record_with_one_changed_value_is_named_with_what_is_wrong(record, keys, value, problem):
    change_final(record, *keys, value=value)
    [line] = check(record.path)
    assert line.startswith(f"kyoto/{RUN.id}: ")
    assert problem in line


def drop_a_point(rows: list[dict[str, Any]]) -> None:
    del rows[3]


def other_rate(rows: list[dict[str, Any]]) -> None:
    rows[-1]["rate"] = 0.1


def no_count_of_training_images(rows: list[dict[str, Any]]) -> None:
    rows[2]["train_error"] += 0.0001


def no_count_of_test_images(rows: list[dict[str, Any]]) -> None:
    rows[2]["test_error"] += 0.001


def negative_loss(rows: list[dict[str, Any]]) -> None:
    rows[2]["test_loss"] = -1.0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (drop_a_point, "its curve has 15 points, and the recipe makes 16"),
        (other_rate, "has the rate 0.1, and the recipe's is 0.001"),
        (no_count_of_training_images, "no count of 12,800 images"),
        (no_count_of_test_images, "no count of 10,000 images"),
        (negative_loss, "has test_loss -1.0"),
    ],
)
def test_a_curve_that_this_recipe_cannot_draw_is_named(record, change, problem):
    change_curve(record, change)
    [line] = check(record.path)
    assert problem in line


def test_a_changed_file_without_its_digest_is_named(record):
    record.final.write_bytes(record.final.read_bytes() + b"\n")
    [line] = check(record.path)
    assert "final.json is not what was published" in line


def test_a_changed_definition_is_another_run_and_is_named(record):
    definition = read_json(record.definition)
    definition["recipe"]["decay"] = 5e-4
    record.definition.write_bytes(to_json(definition))
    final = read_json(record.final)
    final["run"] = definition
    record.final.write_bytes(to_json(final))
    set_digests(record)
    [line] = check(record.path)
    assert "the name of one run and holds another" in line


def test_a_folder_of_another_name_must_have_that_of_its_run(record):
    record.path.rename(record.path.with_name("best-run"))
    [line] = check(record.path.with_name("best-run"))
    assert f"must be called `{RUN.id}`" in line


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "final.json", "published.json"])
def test_a_missing_file_is_named(record, name):
    (record.path / name).unlink()
    assert check(record.path) == [f"kyoto/{RUN.id}: it has no {name}"]


def test_files_that_are_no_record_are_named(record):
    (record.path / "setup.py").write_text("print()")
    assert check(record.path) == [f"kyoto/{RUN.id}: `setup.py` is no file of a record"]
    (record.path / "setup.py").unlink()
    (record.path.parent / "notes.txt").write_text("hello")
    [line] = check(record.path.parent)
    assert "`notes.txt` is no record" in line


def test_links_and_pipes_are_named_and_not_read(record, tmp_path):
    secret = tmp_path / "secret"
    record.metrics.rename(secret)
    record.metrics.symlink_to(secret)
    assert check(record.path) == [f"kyoto/{RUN.id}: metrics.jsonl is no regular file"]
    record.metrics.unlink()
    os.mkfifo(record.metrics)
    assert check(record.path) == [f"kyoto/{RUN.id}: metrics.jsonl is no regular file"]


def test_digests_of_other_files_are_named_and_those_files_not_read(record):
    digests = read_json(record.published_digests)
    digests["sha256"]["../../../secret"] = "0"
    record.published_digests.write_bytes(to_json(digests))
    [line] = check(record.path)
    assert "published.json has digests of `../../../secret`" in line


def test_a_labs_file_that_says_too_little_is_named(record):
    (record.path.parent / "lab.json").write_text('{"lab": "kyoto", "name": "Kyoto"}')
    [line] = check(record.path)
    assert line.startswith("kyoto: lab.json does not say who the lab is")
    assert "contact" in line


def test_a_copy_of_our_record_under_another_name_is_named(record, places):
    """A run of one's own has its own times and machine, whatever its numbers are."""
    ours = places.published / RUN.id
    shutil.copytree(record.path, ours)
    [line] = check(record.path.parent)
    assert line == f"kyoto/{RUN.id}: it is a copy of published/{RUN.id}"


def test_a_run_that_is_ours_to_the_digit_on_another_machine_is_noted_and_no_fault(record, places):
    ours = places.published / RUN.id
    shutil.copytree(record.path, ours)
    change_final(record, "provenance", "host", value="kyoto-1")
    said = repro("check-record", str(record.path.parent))
    assert (said.return_value, said.stdout) == (0, "")
    assert "the two count once" in said.stderr


def test_one_curve_under_two_seeds_is_named(record, believable):
    believable(OTHER, 31.0)
    publish("--lab", "kyoto")
    other = Folder(record.path.with_name(OTHER.id))
    other.metrics.write_bytes(record.metrics.read_bytes())
    final, original = read_json(other.final), read_json(record.final)
    final["metrics"] = original["metrics"]
    other.final.write_bytes(to_json(final))
    set_digests(other)
    lines = check(record.path.parent)
    assert lines == [f"kyoto/{OTHER.id}: it has the curve of kyoto/{RUN.id}"]


def test_a_seed_that_is_left_out_is_noted(record, believable):
    believable(QUICK[2], 31.0)
    publish("--lab", "kyoto")
    said = repro("check-record", str(record.path.parent))
    assert said.return_value == 0
    assert "resnet-20.cifar10.quick has no seed 1: say why" in said.stderr


def test_what_is_no_record_is_wrong_input(tmp_path):
    with pytest.raises(UserError, match="neither a record nor a lab's folder"):
        repro("check-record", str(tmp_path))
    with pytest.raises(UserError, match="no folder"):
        repro("check-record", str(tmp_path / "gone"))


def test_without_a_path_all_labs_are_checked_and_as_json(record):
    record.metrics.write_bytes(b"")
    document = json.loads(repro("check-record", "--json").stdout)
    assert document["records"] == 1
    [problem] = document["problems"]
    assert problem["folder"] == f"kyoto/{RUN.id}"
