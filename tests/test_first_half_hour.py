"""The script of the first half hour with a card, rehearsed on the processors at scale smoke."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from repro.storage.paths import ROOT
from tests.gpu.lanes import commands, one_at_a_time

SCRIPT = ROOT / "tests" / "gpu" / "first_half_hour.sh"


def half_hour(tmp_path: Path, *words: str, **own: str) -> subprocess.CompletedProcess[str]:
    """Run the script with folders of its own, and python without a virtual environment's help."""
    environment = os.environ | {"PYTHON": sys.executable, "WORK": str(tmp_path / "work")} | own
    environment["OUT"] = str(tmp_path / "out")
    return subprocess.run(
        ["bash", str(SCRIPT), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def packed(tmp_path: Path, archive: str) -> set[str]:
    with tarfile.open(tmp_path / "out" / archive) as file:
        return {Path(name).name for name in file.getnames()}


def test_without_a_part_it_says_what_there_is(tmp_path: Path) -> None:
    done = half_hour(tmp_path)
    assert done.returncode == 2
    for part in ("verify", "train", "collect"):
        assert f"first_half_hour.sh {part}" in done.stdout


def test_what_is_missing_there_is_named_with_the_way_to_bring_it(tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise ModuleNotFoundError('no msgspec')")
    done = half_hour(tmp_path, "verify", PYTHONPATH=str(tmp_path))
    assert done.returncode == 4
    assert "no msgspec" in done.stderr
    assert "hint: name a folder of wheels of what is missing: WHEELS=wheels" in done.stdout


def test_a_call_without_time_ends_at_once_and_says_what_it_did_not_do(tmp_path: Path) -> None:
    done = half_hour(tmp_path, "verify", LIMIT="1")
    assert done.returncode == 3
    steps = (tmp_path / "work" / "verify" / "steps.txt").read_text().splitlines()
    assert steps == ["tests: no time was left for it", "plan: no time was left for it"]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_verify_train_and_collect_leave_a_few_small_archives(tmp_path: Path) -> None:
    done = half_hour(tmp_path, "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a rehearsal on the processors, at scale smoke" in done.stdout
    # On a slow machine its time is not enough: what was trained until then is collected.
    done = half_hour(tmp_path, "train", LIMIT="120")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    cut_off = done.returncode == 3
    assert half_hour(tmp_path, "collect").returncode == 0
    archives = {path.name for path in (tmp_path / "out").iterdir()}
    usual = {"verify.tar.gz", "train.tar.gz", "records.tar.gz"}
    assert archives == usual | ({"checkpoints.tar.gz"} if cut_off else set())
    speeds = {"tests.txt", "plan.txt", "speeds.json", "kernels.txt"}
    assert speeds <= packed(tmp_path, "verify.tar.gz")
    assert {"metrics.jsonl", "run.json"} <= packed(tmp_path, "records.tar.gz")


def test_a_cut_off_run_is_collected_with_its_checkpoint_in_pieces_that_travel(
    tmp_path: Path,
) -> None:
    runs = Path(os.environ["REPRO_RESULTS"]) / "runs"
    for name, done in {"one": True, "other": False}.items():
        folder = runs / name
        folder.mkdir(parents=True)
        (folder / "metrics.jsonl").write_text("{}")
        (folder / "checkpoint.pt").write_bytes(os.urandom(16_000_000))
        if done:
            (folder / "final.json").write_text("{}")
    done_now = half_hour(tmp_path, "collect")
    assert done_now.returncode == 0, done_now.stderr
    pieces = sorted((tmp_path / "out").glob("checkpoints.tar.gz.part-*"))
    assert len(pieces) == 2  # of the one that is not done
    assert max(path.stat().st_size for path in pieces) <= 15_000_000
    whole = tmp_path / "whole.tar.gz"
    whole.write_bytes(b"".join(path.read_bytes() for path in pieces))
    with tarfile.open(whole) as file:
        assert file.getnames() == ["other/checkpoint.pt"]
    assert packed(tmp_path, "records.tar.gz") == {"metrics.jsonl", "final.json"}


def test_where_the_card_cannot_be_shared_each_lane_has_one_run_at_a_time() -> None:
    first, second = commands(["--lane", "run", "a", "--jobs", "1", "--lane", "run", "--jobs", "4"])
    assert first == ["run", "a", "--jobs", "1"]
    assert one_at_a_time(second) == ["run", "--jobs", "1"]
