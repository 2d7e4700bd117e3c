"""Files are whole or absent, one creator wins, and what the system refuses is said so that a user
can act on it."""

import errno
import json
import math
import os
from pathlib import Path

import pytest

from repro.errors import EnvironmentProblem, UserError
from repro.storage.atomic import (
    cannot_read,
    cannot_write,
    create_exclusive,
    disk_errors_explained,
    read_json,
    to_json,
    write_atomic,
)


class Refused(Exception):
    pass


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_first_creator_wins_and_the_second_changes_nothing(tmp_path):
    assert create_exclusive(tmp_path / "file", b"first")
    assert not create_exclusive(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def test_what_is_replaced_may_be_kept_under_another_name(tmp_path):
    for content in (b"1", b"2", b"3"):
        write_atomic(tmp_path / "new", content, keeping=tmp_path / "old")
    assert (tmp_path / "new").read_bytes() == b"3"
    assert (tmp_path / "old").read_bytes() == b"2"
    assert names(tmp_path) == ["new", "old"]


def test_two_names_of_one_file_are_no_obstacle(tmp_path):
    write_atomic(tmp_path / "new", b"1")
    os.link(tmp_path / "new", tmp_path / "old")  # as a power cut between two renames leaves them
    write_atomic(tmp_path / "new", b"2", keeping=tmp_path / "old")
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == [b"2", b"1"]


def test_who_may_not_publish_changes_nothing(tmp_path):
    def refuse() -> None:
        raise Refused

    write_atomic(tmp_path / "file", b"1")
    with pytest.raises(Refused):
        write_atomic(tmp_path / "file", b"2", refuse, keeping=tmp_path / "old")
    assert (tmp_path / "file").read_bytes() == b"1"
    assert names(tmp_path) == ["file"]


def test_whose_temporary_was_swept_away_is_asked_again_whether_it_may(tmp_path):
    looks = iter([None, Refused()])

    def sweep_then_refuse() -> None:
        for path in tmp_path.glob(".*.tmp"):
            path.unlink()
        if answer := next(looks):
            raise answer

    with pytest.raises(Refused):
        write_atomic(tmp_path / "file", b"1", sweep_then_refuse)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.ENOSPC, "free some space, or choose another folder with `REPRO_RESULTS`"),
        (errno.EDQUOT, "free some space"),
        (
            errno.EROFS,
            "see that you may write there, or choose another folder with `REPRO_RESULTS`",
        ),
        (errno.EACCES, "see that you may write there"),
        (errno.EIO, "the same command carries on when the disk is back"),
        (errno.ESTALE, "the same command carries on when the disk is back"),
    ],
)
def test_what_the_disk_refuses_is_said_with_what_to_do_about_it(code, hint, tmp_path):
    error, path = OSError(code, os.strerror(code)), tmp_path / "file"
    written, read = cannot_write(path, error, 2_500_000), cannot_read(path, error)
    assert written.problem == f"cannot write `{path}` (2.5 MB): {os.strerror(code)}"
    assert read.problem == f"cannot read `{path}`: {os.strerror(code)}"
    assert written.hint.startswith(hint)
    assert written.hint.endswith("; what was saved before is intact")
    if code in (errno.EACCES, errno.EROFS):
        hint = "see that you may read it"
    assert read.hint.startswith(hint)
    assert written.code == read.code == 4


def test_anything_else_that_the_system_refuses_is_said_too(tmp_path):
    said = r"cannot go on because of `.*/nothing`: No such file or directory"
    with pytest.raises(EnvironmentProblem, match=said), disk_errors_explained(tmp_path):
        (tmp_path / "nothing").read_bytes()


def test_json_that_is_damaged_or_unreadable_is_not_taken_for_absent(tmp_path):
    (tmp_path / "file").write_bytes(b"{")
    with pytest.raises(UserError, match=r"cannot read .*/file`: Expecting"):
        read_json(tmp_path / "file")
    with pytest.raises(EnvironmentProblem, match=r"cannot read .*: Is a directory"):
        read_json(tmp_path)
    assert read_json(tmp_path / "nothing") is None


def test_json_has_null_where_a_number_is_none():
    written = to_json({"a": [1.0, math.nan, {"b": math.inf}], "c": (2, -math.inf)})
    assert json.loads(written) == {"a": [1.0, None, {"b": None}], "c": [2, None]}
