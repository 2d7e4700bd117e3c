"""Each file of a run folder has one reader, which names what is wrong and raises nothing else."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments.cifar10 import RESNET
from repro.errors import RunFailed, UserError
from repro.storage.paths import Folder, Places
from repro.storage.run_files import (
    is_done,
    read_attempt,
    read_definition,
    read_failure,
    read_final,
    read_progress,
    read_submitted,
    write_definition,
)
from repro.storage.typed_file import FileProblem

RUN, OTHER = list(RESNET[20])[:2]

READERS = {
    "run.json": read_definition,
    "final.json": read_final,
    "failed.json": read_failure,
    "progress.json": read_progress,
    "attempt-0001.json": lambda folder: read_attempt(folder, 1),
    "submitted.json": lambda folder: read_submitted(folder.submitted),
}
NONSENSE = [
    b"",
    b"{",
    b"[]",
    b"7",
    b"null",
    b'"text"',
    b"\xff\xfe",
    b'{"schema": true}',
    b'{"schema": 99}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"schema": NaN}',
]


def problem_of(name: str, folder: Folder) -> FileProblem | None:
    """Return what a reader says of its file; None where it can read it."""
    try:
        READERS[name](folder)
    except FileProblem as problem:
        return problem
    return None


@pytest.mark.parametrize("name", READERS)
def test_nonsense_in_a_file_is_named_and_nothing_else_is_raised(name, finished):
    folder = finished(RUN, test_error=8.7)
    for content in NONSENSE:
        (folder.path / name).write_bytes(content)
        problem = problem_of(name, folder)
        assert problem is not None, content[:20]
        assert str(folder.path)[-40:] in problem.problem


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_regular_file_is_named_and_not_waited_for(name, finished):
    folder = finished(RUN, test_error=8.7)
    path = folder.path / name
    for make in (os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)):
        path.unlink(missing_ok=True)
        make(path)
        with pytest.raises(FileProblem, match=name):
            READERS[name](folder)
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("name", [name for name in READERS if name != "run.json"])
def test_a_file_that_is_not_there_is_none(name, places):
    assert READERS[name](places.run(RUN.id)) is None


def test_a_file_of_a_newer_version_is_named(finished):
    folder = finished(RUN, test_error=8.7)
    folder.final.write_text('{"schema": 2, "id": ["another", "type"]}')
    with pytest.raises(FileProblem) as problem:
        read_final(folder)
    assert problem.value.reason == (
        "final.json was written by a newer version (schema 2); update this one"
    )


def metrics(folder: Folder, **values: Any) -> Folder:
    """Change the metrics of a finished run."""
    final = json.loads(folder.final.read_bytes())
    folder.final.write_text(json.dumps(final | {"metrics": final["metrics"] | values}))
    return folder


@pytest.mark.parametrize(
    "text",
    ["-5", "100.01", "1e308", "9" * 30, "1e400", "NaN", "true", '"8.7"', "[8.7]", "{}"],
)
def test_an_error_that_cannot_be_is_not_a_finished_run(text, finished, places):
    folder = finished(RUN, test_error=8.75)
    assert is_done(RUN.id, places)
    folder.final.write_bytes(folder.final.read_bytes().replace(b"8.75", text.encode()))
    with pytest.raises(FileProblem, match=r"final\.json is damaged: "):
        read_final(folder)
    assert not is_done(RUN.id, places)


def test_a_loss_and_a_count_may_be_large_and_no_metric_may_be_negative(finished):
    folder = finished(RUN, test_error=8.75, train_loss=250.0, multiply_adds=1.1e10)
    assert read_final(folder) is not None
    with pytest.raises(FileProblem, match="`train_loss` cannot be -1"):
        read_final(metrics(folder, train_loss=-1))
    with pytest.raises(FileProblem, match=r"`multiply_adds` cannot be 1e\+60"):
        read_final(metrics(folder, train_loss=1, multiply_adds=1e60))


def test_a_number_that_is_not_finite_says_which_it_was(finished):
    folder = finished(RUN, test_error=None, train_loss=None, train_error=3.0)
    content = json.loads(folder.final.read_bytes()) | {"flags": {"train_loss": "inf"}}
    folder.final.write_text(json.dumps(content))
    final = read_final(folder)
    assert final is not None
    assert [final.metric(name) for name in ("train_loss", "train_error", "center_top1")] == [
        float("inf"),
        3.0,
        None,
    ]
    assert str(final.metric("test_error")) == "nan"


def test_another_runs_record_is_no_end_of_this_one(finished, write_run, places):
    shutil.copy(finished(OTHER, test_error=8.7).final, write_run(RUN).final)
    with pytest.raises(FileProblem, match=r"final\.json is of another run than run\.json"):
        read_final(places.run(RUN.id))
    assert (is_done(RUN.id, places), is_done(OTHER.id, places)) == (False, True)


def test_another_runs_folder_under_this_runs_name_is_not_this_run(
    finished,
    places: Places,
):
    shutil.copytree(finished(RUN, test_error=8.7).path, places.run(OTHER.id).path)
    with pytest.raises(FileProblem, match=f"holds another, `{RUN.id}`"):
        read_definition(places.run(OTHER.id))
    assert not is_done(OTHER.id, places)
    with pytest.raises(UserError, match=f"holds another, `{RUN.id}`"):
        write_definition(places.run(OTHER.id), OTHER)


def test_a_copy_of_a_folder_may_have_any_other_name(finished):
    assert read_definition(finished(RUN, name="best of all")) == RUN


def test_a_published_run_is_done(finished, places):
    finished(RUN, test_error=8.7, published=True)
    assert is_done(RUN.id, places)


def test_a_definition_is_written_once_and_never_replaced(places):
    folder = Folder(places.runs / "any-name")
    write_definition(folder, RUN)
    before = folder.definition.read_bytes()
    write_definition(folder, RUN)
    assert folder.definition.read_bytes() == before
    with pytest.raises(RunFailed, match="holds the definition of another run"):
        write_definition(folder, OTHER)
    assert folder.definition.read_bytes() == before


def test_a_file_that_may_not_be_read_is_named_with_the_reason(finished, monkeypatch):
    folder = finished(RUN, test_error=8.7)

    def refuse(path: Path, *_: Any) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(
        FileProblem, match=r"final\.json cannot be read: Permission denied"
    ) as error:
        read_final(folder)
    assert error.value.code == 4
