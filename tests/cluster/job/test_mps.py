"""A packed job starts an MPS daemon of its own and ends it; where none can start it says why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from repro.cluster.job import mps
from repro.cluster.job.mps import CARDS, CONTROL, LOGS, PIPES, shared_gpu
from repro.storage.atomic import read_json


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    for name in (PIPES, LOGS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mps, "PROBE", "")  # a first client that gets what it asks for


def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / CONTROL).write_text(f"#!/bin/sh\n{script}\n")
    (tools / CONTROL).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")


def test_the_daemon_has_private_folders_and_ends_with_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    keep = f'echo "$@" $(cat) "$CUDA_MPS_PIPE_DIRECTORY" >> {tmp_path}/calls'
    control(tmp_path, monkeypatch, keep)
    with shared_gpu(3, tmp_path, said.append) as sharing:
        assert sharing is not None
        assert sharing.mps
        pipe = Path(os.environ[PIPES])
        assert pipe.stat().st_mode & 0o777 == 0o700
        assert pipe.parent.stat().st_mode & 0o777 == 0o700
        assert len(str(pipe)) < 80  # a socket's path is short
    assert (tmp_path / "calls").read_text() == f"-d {pipe}\nquit {pipe}\n"
    assert PIPES not in os.environ
    assert not pipe.parent.exists()
    assert said == ["3 runs share a GPU by MPS: a daemon of this job's own"]
    assert read_json(tmp_path / "sharing.json")["mps"] is True


def test_a_daemon_that_refuses_its_first_client_is_ended_and_the_runs_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    control(tmp_path, monkeypatch, f'echo "$@" $(cat) >> {tmp_path}/calls')
    monkeypatch.setattr(mps, "PROBE", "raise SystemExit('error 805')")
    with shared_gpu(2, tmp_path, said.append) as sharing:
        assert sharing is not None
        assert not sharing.mps
        assert PIPES not in os.environ
        assert os.environ[CARDS] == "0"
    assert said == [
        "2 runs share a GPU by taking turns: "
        "the MPS daemon started, but its client failed: error 805"
    ]
    assert (tmp_path / "calls").read_text().split() == ["-d", "quit"]


@pytest.mark.parametrize(
    ("cards", "to_clients"),
    [("2", "0"), ("1,3", "0,1"), ("GPU-8f1c", "GPU-8f1c"), ("MIG-55a0", "MIG-55a0")],
)
def test_the_runs_name_their_card_as_the_daemon_counts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cards: str, to_clients: str
) -> None:
    # A daemon started with the third card has one card, and a client must call it 0.
    monkeypatch.setenv(CARDS, cards)
    control(tmp_path, monkeypatch, f'echo "$CUDA_VISIBLE_DEVICES" >> {tmp_path}/calls')
    with shared_gpu(2, tmp_path, print):
        assert os.environ[CARDS] == to_clients
    assert os.environ[CARDS] == cards
    assert (tmp_path / "calls").read_text().splitlines()[0] == cards


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo Cannot find MPS control daemon process >&2; exit 1", "Cannot find MPS control"),
        (None, f"no `{CONTROL}` on this node"),
    ],
)
def test_where_none_can_start_the_runs_take_turns_and_the_reason_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, why: str
) -> None:
    said: list[str] = []
    if script:
        control(tmp_path, monkeypatch, script)
    with shared_gpu(2, tmp_path, said.append) as sharing:
        assert sharing is not None
        assert not sharing.mps
        assert PIPES not in os.environ
    assert why in said[0]
    record = read_json(tmp_path / "sharing.json")
    assert record["mps"] is False
    assert why in record["why"]


@pytest.mark.parametrize(
    ("runs", "device", "cards"),
    [(1, "cuda", "0"), (3, "cpu", "0"), (3, "cuda", "-1"), (3, "cuda", "NoDevFiles")],
)
def test_without_a_card_to_share_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: int, device: str, cards: str
) -> None:
    monkeypatch.setenv("REPRO_DEVICE", device)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", cards)
    control(tmp_path, monkeypatch, f"touch {tmp_path}/called")
    with shared_gpu(runs, tmp_path, pytest.fail) as sharing:
        assert sharing is None
    assert not (tmp_path / "called").exists()
