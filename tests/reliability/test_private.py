"""What is written is ours alone, unless we say otherwise, and holds nothing that was not meant to
be in it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from repro.storage.atomic import write_atomic
from repro.storage.atomic_folder import new_folder
from repro.storage.paths import ROOT

SECRETS = {
    "WANDB_API_KEY": "planted-secret-1",
    "GITHUB_TOKEN": "planted-secret-2",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-3",
    "REPRO_PASSWORD": "planted-secret-4",
    "https_proxy": "http://me:planted-secret-5@proxy:1",
}
DISPLAYED_ONLY = {  # the only lines of the product that look at the time of day, each for people to read
    "repro/analysis/export/crate.py": 1,
    "repro/cluster/preflight/doctor.py": 1,
    "repro/storage/atomic.py": 1,
    "repro/training/attempt.py": 2,
    "repro/training/provenance.py": 1,
}


def repro(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "repro.cli", *words]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=os.environ | environment
    )


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}


def folders(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")] if path.is_dir()}


def test_a_run_its_table_and_its_page_are_private_and_hold_no_secret(here):
    small = (
        "--scale",
        "smoke",
        "--only",
        "resnet-20",
        "--seeds",
        "1",
        "--set",
        "iterations=4",
        "--set",
        "drops=[2]",
    )
    assert repro("run", "table6", *small, **SECRETS).returncode == 0
    for words in (("collect",), ("report",)):
        repro(*words, **SECRETS)
    written = [path for path in here.results.rglob("*") if path.is_file()]
    assert {"final.json", "log.txt", "checkpoint.pt", "report.html"} <= {
        path.name for path in written
    }
    assert not [path for path in written if b"planted-secret" in path.read_bytes()]
    [final] = [json.loads(path.read_bytes()) for path in written if path.name == "final.json"]
    assert final["provenance"]["started"] <= final["provenance"]["ended"]
    assert modes(here.results / "runs") == {0o600}
    assert folders(here.results / "runs") == {0o700}


def images(path: Path) -> Path:
    """An archive of two classes of small images."""
    with tarfile.open(path, "w") as archive:
        for name in (f"{part}/{label}/0.png" for part in ("train", "test") for label in "ab"):
            content = io.BytesIO()
            Image.new("RGB", (8, 8)).save(content, "PNG")
            member = tarfile.TarInfo(name)
            member.size = content.tell()
            archive.addfile(member, io.BytesIO(content.getvalue()))
    return path


@pytest.mark.parametrize(("group", "made", "written"), [("", 0o700, 0o600), ("1", 0o750, 0o640)])
def test_what_any_command_makes_is_private_or_the_groups(here, tmp_path, group, made, written):
    before = os.umask(0)
    try:
        for words in (
            ("data", "import", "deep", str(images(tmp_path / "images.tar"))),
            ("data", "prepare", "generated-photos"),
            ("table", "table1"),
            ("figure", "figure5", "--format", "svg", "--scale", "smoke"),
            ("collect",),
        ):
            assert repro(*words, REPRO_GROUP_READABLE=group).returncode in (0, 3), words
    finally:
        os.umask(before)
    for place in (here.results, here.figures, here.data):
        assert (folders(place), modes(place)) == ({made}, {written}), place


def test_a_job_makes_nothing_that_others_may_read(tmp_path):
    code = "import os, sys; sys.argv = ['job', sys.argv[1]]; from repro.cluster.job.__main__ import main; main(); "
    code += "print(oct(os.umask(0)))"
    command = [sys.executable, "-c", code, str(tmp_path / "withdrawn")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"SLURM_ARRAY_TASK_ID": "0"},
    )
    assert done.stdout.splitlines()[-1] == "0o77", done.stderr


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_new_folders_and_files_are_private_whatever_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "new" / "and" / "deeper" / "file", b"")
    finally:
        os.umask(before)
    assert folders(tmp_path / "new") == {0o700}
    assert modes(tmp_path / "new") == {0o600}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_our_group_may_read_if_we_say_so(tmp_path, mask, monkeypatch):
    monkeypatch.setenv("REPRO_GROUP_READABLE", "1")
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "new" / "and" / "deeper" / "file", b"")
    finally:
        os.umask(before)
    assert folders(tmp_path / "new") == {0o750}
    assert modes(tmp_path / "new") == {0o640}


def test_a_folder_that_hands_on_its_group_has_data_sets_that_do(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_GROUP_READABLE", "1")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2750)
    with new_folder(shared / "images") as temporary:
        assert temporary.stat().st_mode & 0o7777 == 0o2750


def test_the_time_of_day_is_for_people_only():
    looks = re.compile(r"time\.time\(|datetime\.now\(|utcnow\(|\.today\(")
    found = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "repro").rglob("*.py")
        if (count := len(looks.findall(path.read_text())))
    }
    assert found == DISPLAYED_ONLY
