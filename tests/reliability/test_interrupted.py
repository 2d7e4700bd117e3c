"""Ctrl-C at any moment: exit code 130, no traceback, no half records, and the same command carries
on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from experiments.cifar10 import RESNET
from repro.storage.atomic import read_json
from repro.storage.paths import ROOT, Places
from tests.cluster.fake_slurm import FakeSlurm

SEND = [
    "submit",
    "table6",
    "--on",
    "example",
    "--scale",
    "smoke",
    "--seeds",
    "170",
    "--yes",
]  # 1,020 runs


def interrupted(words: list[str], seconds: float) -> tuple[int, str]:
    """The exit code and the words of a command that is interrupted after a while."""
    process = subprocess.Popen(
        [sys.executable, "-m", "repro.cli", *words],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    return process.returncode, said


def length(words: list[str]) -> float:
    """How long the command takes here and now, when nobody interrupts it."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "repro.cli", *words], cwd=ROOT, capture_output=True, check=False
    )
    return time.monotonic() - began


def moments(seconds: float, count: int) -> list[float]:
    """Some moments after Python has begun to listen."""
    chance = random.Random(int(os.environ.get("PYTEST_SEED", "1")))
    return sorted(chance.uniform(0.4, 1.0) * seconds for _ in range(count))


def test_collecting_leaves_the_old_table_or_the_new_one(places, finished):
    for depth in (20, 32, 44, 56):
        for run in RESNET[depth].run.repeated(25):
            finished(run, [9.0] * 160, test_error=8.7)
    took = length(["collect"])
    whole = places.frame.read_bytes()
    for moment in moments(took, 5):
        places.frame.unlink(missing_ok=True)
        code, said = interrupted(["collect"], moment)
        assert code in (0, 130, -signal.SIGINT)  # the last: before Python had begun to listen
        assert "Traceback" not in said or code < 0
        assert not places.frame.exists() or places.frame.read_bytes() == whole
        assert not list(places.results.glob(".*.tmp"))


@pytest.mark.slow
def test_sending_a_thousand_runs_says_what_was_sent_and_each_is_sent_once(
    here: Places, tmp_path, monkeypatch
):
    slurm = FakeSlurm.install(tmp_path / "fake-slurm")
    monkeypatch.setenv("PATH", f"{slurm.folder}{os.pathsep}{os.environ['PATH']}")
    process = subprocess.Popen(
        [sys.executable, "-m", "repro.cli", *SEND],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    so_many = random.Random(int(os.environ.get("PYTEST_SEED", "1"))).randrange(1, 1020)
    while process.poll() is None and len(list(here.runs.glob("*"))) < so_many:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert (process.returncode, "Traceback" in said) == (130, False)
    assert f"sent: {len(sent(here, slurm)):,} run" in said
    subprocess.run(
        [sys.executable, "-m", "repro.cli", *SEND], cwd=ROOT, capture_output=True, check=True
    )
    assert len(sent(here, slurm)) == len(set(sent(here, slurm))) == 1020


def sent(here: Places, slurm: FakeSlurm) -> list[str]:
    """Every run that is in the queue, as often as it is there."""
    jobs = [
        json.loads(line)
        for path in slurm.folder.glob("array-*.json")
        for line in path.read_text().splitlines()
    ]
    return [
        read_json(here.results / "jobs" / job["batch"] / "runs.json")["elements"][job["index"]][0]
        for job in jobs
    ]
