"""Run folders that cannot be read are named, and never in the way of the others."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from repro.errors import UserError
from repro.storage.atomic import cannot_write
from repro.storage.paths import places, run_folders, unprintable_names


def test_links_that_lead_nowhere_are_among_the_folders_and_files_are_not(tmp_path):
    (tmp_path / "a-run").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "linked").symlink_to("a-run")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "notes").symlink_to("notes.txt")
    (tmp_path / ".hidden").mkdir()
    names = [folder.path.name for folder in run_folders(tmp_path)]
    assert names == ["a-run", "circle", "gone", "linked"]


def test_a_name_that_no_table_can_show_is_no_folder_of_a_run(tmp_path):
    for name in (b"two\nlines", b"\x1b[2Jclears", b"no-utf8-\xff", "全角 空白".encode()):
        os.mkdir(os.path.join(os.fsencode(tmp_path), name))  # noqa: PTH102, PTH118
    assert [folder.path.name for folder in run_folders(tmp_path)] == ["全角 空白"]
    assert unprintable_names(tmp_path) == [
        r"\x1b[2Jclears",
        r"no-utf8-\udcff",
        r"two\nlines",
    ]


def test_where_nothing_is_there_are_no_run_folders(tmp_path):
    assert list(run_folders(tmp_path / "results")) == []


@pytest.mark.parametrize("value", [b"/tmp/\xff", b"/tmp/a\nb", b"/tmp/\x1b[2J", b"~no-such-user/x"])
@pytest.mark.parametrize("variable", ["REPRO_RESULTS", "REPRO_FIGURES", "REPRO_DATA"])
def test_a_folder_that_cannot_be_named_is_refused(variable, value, monkeypatch):
    monkeypatch.setenv(variable, os.fsdecode(value))
    with pytest.raises(UserError, match=f"`{variable}` is `"):
        places()


def test_a_relative_folder_of_a_working_folder_that_is_gone_is_refused(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    Path(tmp_path / "gone").rmdir()
    monkeypatch.setenv("REPRO_RESULTS", "results")
    with pytest.raises(UserError, match="the working directory is gone"):
        places()


@pytest.mark.parametrize("variable", ["REPRO_RESULTS", "REPRO_FIGURES", "REPRO_DATA"])
def test_a_full_disk_is_told_with_the_variable_that_moves_that_folder(
    variable, tmp_path, monkeypatch
):
    monkeypatch.setenv(variable, str(tmp_path / "here"))
    full = OSError(errno.ENOSPC, "No space left on device")
    problem = cannot_write(tmp_path / "here" / "file", full)
    assert f"choose another folder with `{variable}`" in problem.hint
