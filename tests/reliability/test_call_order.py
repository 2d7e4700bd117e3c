"""The order of file operations is the protocol: asserted call by call, as CONTRIBUTING.md states
it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from repro.storage.paths import Folder
from repro.training.attempt import Attempt
from tests.reliability.harness.power_cuts import Disk
from tests.reliability.harness.small_run import small_run
from tests.reliability.harness.system_calls import watched


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "runs" / "run")


@contextmanager
def seen(folder: Folder):
    """The calls made inside, in words."""
    disk, calls = Disk(folder.path), []
    with watched(folder.path.parent, lambda *_: None, disk.saw, reads=False):
        yield calls
    calls += disk.calls


def whole(name: str, *ends: str) -> list[str]:
    return [f"{call} {name}'s temporary" for call in ("create", "write", "sync")] + [
        *ends,
        "sync folder",
    ]


def claimed(folder: Folder) -> Attempt:
    attempt = Attempt.claim(folder, small_run())
    attempt.open_metrics(0)
    return attempt


def test_a_claim_is_a_link_to_a_synced_file_in_a_synced_folder(folder):
    with seen(folder) as calls:
        Attempt.claim(folder, small_run())
    made = ["make folder", "sync folder above"]
    definition = [*whole("run.json", "link run.json"), "remove run.json's temporary"]
    claim = [
        *whole("attempt-0001.json", "link attempt-0001.json"),
        "remove attempt-0001.json's temporary",
    ]
    assert calls == made + definition + claim


def test_a_claim_sweeps_what_older_attempts_were_about_to_publish(folder):
    claimed(folder).close()
    (folder.path / ".checkpoint.pt.half_.tmp").write_bytes(b"half a checkp")
    folder.failed.write_bytes(b"{}")
    with seen(folder) as calls:
        Attempt.claim(folder, small_run()).close()
    swept = ["remove checkpoint.pt's temporary", "remove failed.json"]
    assert calls[-len(swept) :] == swept
    assert calls.index("link attempt-0002.json") < calls.index(swept[0])


def test_a_row_is_synced_before_the_checkpoint_that_counts_its_bytes(folder):
    with seen(folder) as calls:
        attempt = claimed(folder)
        attempt.save({"metrics_size": attempt.record({"iteration": 1})})
        attempt.close()
    expected = [
        "write metrics.jsonl",
        "sync metrics.jsonl",
        *whole("checkpoint.pt", "rename checkpoint.pt"),
    ]
    assert calls[-len(expected) :] == expected


def test_a_save_keeps_the_one_before_it_and_at_no_moment_is_there_none(folder):
    attempt = claimed(folder)
    attempt.save({"metrics_size": 0})
    with seen(folder) as calls:
        attempt.save({"metrics_size": 0})
    attempt.close()
    renames = [
        "link checkpoint.pt's second name",
        "rename checkpoint.previous.pt",
        "rename checkpoint.pt",
    ]
    assert calls == whole("checkpoint.pt", *renames)


def test_the_metrics_file_is_replaced_not_reopened(folder):
    old = claimed(folder)
    size = old.record({"iteration": 1})
    old.close()
    attempt = Attempt.claim(folder, small_run())
    with seen(folder) as calls:
        attempt.open_metrics(size)
    attempt.close()
    assert calls == whole("metrics.jsonl", "rename metrics.jsonl")


def test_the_end_marker_is_one_rename(folder):
    attempt = claimed(folder)
    with seen(folder) as calls:
        attempt.finish({"metrics": {}})
    attempt.close()
    assert calls == whole("final.json", "rename final.json")
