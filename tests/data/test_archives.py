"""Archives and folders are read in memory, and what tries to leave them is refused by name."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from repro.data.archives import read_members
from repro.errors import EnvironmentProblem, UserError
from tests.data.small.small_sets import tar, unpacked, zipped

FILES = {"a/one.txt": b"1", "b/two.txt": b"22"}


def read(path: Path, largest: int = 100) -> dict[str, bytes]:
    return {str(name): content for name, content in read_members(path, largest)}


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_a_folder_and_archives_of_it_read_the_same(tmp_path: Path) -> None:
    assert read(unpacked(tmp_path / "folder", FILES)) == FILES
    assert read(tar(tmp_path / "a.tar", FILES)) == FILES
    assert read(tar(tmp_path / "a.tar.gz", FILES)) == FILES
    assert read(zipped(tmp_path / "a.zip", FILES)) == FILES


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/out", "a\\..\\out"])
@pytest.mark.parametrize("pack", [tar, zipped])
def test_a_member_that_leaves_the_archive_is_refused(tmp_path: Path, name: str, pack) -> None:
    with pytest.raises(UserError, match="leaves the archive: nothing was imported") as error:
        read(pack(tmp_path / "archive", {name: b"x"}))
    assert error.value.hint == "remove it, and import the rest"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(UserError, match="`evil` is a link or a device"):
        read(tar(tmp_path / "a.tar", {}, link("evil", "/etc/passwd", kind)))


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("evil")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(UserError, match="`evil` is a link or a device"):
        read(tmp_path / "a.zip")


def test_a_link_or_a_pipe_in_a_folder_is_refused_and_a_loop_not_followed(tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "folder", FILES)
    (folder / "loop").symlink_to(folder)
    with pytest.raises(UserError, match="`loop` is a link or a device"):
        read(folder)
    (folder / "loop").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(UserError, match="`pipe` is a link or a device"):
        read(folder)


@pytest.mark.parametrize("pack", [tar, zipped, unpacked])
def test_a_file_larger_than_allowed_is_refused(tmp_path: Path, pack) -> None:
    with pytest.raises(UserError, match=r"`b/two.txt` has more than 1 bytes"):
        read(pack(tmp_path / "set", FILES), largest=1)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_an_archive_cut_anywhere_is_an_error(tmp_path: Path, name: str) -> None:
    path = (zipped if name == "a.zip" else tar)(tmp_path / name, FILES)
    whole = path.read_bytes()
    for length in range(0, min(len(whole), 1024), 13):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"is not a whole archive|cannot read"):
            read(path)


def test_what_is_no_archive_and_what_is_not_there_are_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match="is not a whole archive") as error:
        read(tmp_path / "notes.txt")
    assert error.value.hint == "copy or download it again; or make it with tar, tar -z or zip"
    with pytest.raises(EnvironmentProblem, match="there is nothing at"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is neither a folder nor a file"):
        read(Path("/dev/zero"))
