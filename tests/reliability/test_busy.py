"""A run that is at work already, that was killed, or that goes on elsewhere: said each time, and
never silently."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repro.errors import EnvironmentProblem
from repro.storage.paths import ROOT, Places
from repro.training import Stopped, StopRequest, device, pace, train
from tests.reliability.harness.small_run import places, prepared, small_run

LONG = [
    "run",
    "table6",
    "--scale",
    "smoke",
    "--only",
    "resnet-20",
    "--seeds",
    "1",
    "--set",
    "iterations=100000",
]


def repro(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "repro.cli", *words], capture_output=True, text=True, cwd=ROOT
    )


def trainer(here: Places) -> int:
    """The process that trains, once it says where it is."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for path in here.runs.glob("*/progress.json"):
            return int(json.loads(path.read_bytes())["pid"])
        time.sleep(0.1)
    raise AssertionError("it never began")


def test_a_run_that_is_at_work_is_left_alone_and_one_that_was_killed_is_named_with_its_memory(here):
    first = subprocess.Popen(
        [sys.executable, "-m", "repro.cli", *LONG], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    pid = trainer(here)
    second = repro(*LONG)
    assert second.returncode == 1
    assert f"is running: process {pid} on " in second.stderr
    assert f"or `kill {pid}`, which saves, and then this command carries on" in second.stderr
    assert repro(*LONG, "--again").returncode == 1
    os.kill(pid, signal.SIGKILL)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 1
    assert "its process was killed by signal 9, probably out of memory: it had 0." in said
    assert " GiB" in said
    assert "hint: the same command carries on from the last checkpoint; fewer runs at once" in said


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named_by_what_asked_for_it(monkeypatch):
    done = repro(*LONG, "--device", "cuda:1")
    assert done.returncode == 4
    said = "Error: no GPU here for device `cuda:1`\n\nhint: leave `--device` out to train on what there is\n"
    assert done.stderr.endswith(said)
    monkeypatch.setenv("REPRO_DEVICE", "cuda")
    with pytest.raises(EnvironmentProblem, match="no GPU here for device `cuda`") as caught:
        device.prepare(small_run().recipe)
    assert caught.value.hint == "leave `REPRO_DEVICE` unset to train on what there is"


def test_a_run_that_goes_on_with_other_code_or_on_another_machine_has_both_on_record(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(
        pace, "SAVE_SHARE", pace.SAVE_SHARE
    )  # `prepared` lifts it, for this test alone
    monkeypatch.setenv("REPRO_SAVE_EVERY", "0")
    here = places(prepared(tmp_path), "moved")
    stop = StopRequest()
    stop.request("a test")
    with contextlib.suppress(Stopped):
        train(small_run(), here, stop)
    ours = device.code_hash()
    monkeypatch.setattr(device, "code_hash", lambda: "0ther")
    found = train(small_run(), here)["provenance"]["machines"]
    assert [one.rpartition(", code ")[2] for one in found] == [ours, "0ther"]
