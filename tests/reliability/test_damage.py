"""Nothing is lost: runs are damaged for real, go on, and end bit for bit like one that nobody
touched.

Each test starts a process of its own that imports torch once and forks; `make test-long` does the
same without strides.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from repro.storage.paths import ROOT


def damage(*words: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.reliability.harness.damage", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_two_hundred_kills_at_random_moments_change_nothing():
    figures = damage("kills", 200, int(os.environ.get("PYTEST_SEED", "1")))
    assert figures["kills"] >= 200
    assert figures["differing_bytes"] == 0
    assert {"running", "measuring"} < figures["phases"].keys()
    assert any(phase.startswith("while writing") for phase in figures["phases"])


def test_a_kill_at_any_file_operation_changes_nothing_and_leaves_nothing_behind():
    figures = damage("calls", 5)  # each file operation of a save has its turn in one of the eight
    assert figures["kills"] >= 40
    assert figures["differing_bytes"] == figures["temporaries_left"] == 0


@pytest.mark.slow
def test_any_file_operation_may_fail_with_a_clear_message_and_nothing_is_lost():
    figures = damage("errors", 5, 1)
    assert figures["stopped_with_a_clear_message"] >= 30
    assert figures["unclear"] == figures["checkpoints_lost"] == 0
    assert figures["differing_bytes"] == figures["temporaries_left"] == 0


def test_asked_to_stop_at_any_moment_a_run_trains_no_iteration_twice():
    figures = damage("signals", 20)
    assert figures["asked"] >= 20
    assert figures["iterations_trained_again"] == figures["differing_bytes"] == 0


def test_a_power_cut_at_any_moment_keeps_what_was_saved():
    figures = damage("power", 3)
    assert figures["states"] >= 25
    assert figures["promises_broken"] == figures["differing_bytes"] == 0


def test_a_damaged_checkpoint_is_always_seen_and_the_previous_one_used():
    figures = damage("flips", 500)
    total = figures["bits_flipped"] + figures["cuts"] + figures["pages_zeroed"]
    assert total >= 600 - 5  # a page of zeros may have been one before
    assert figures["detected"] == figures["previous_used"] == total


@pytest.mark.slow
def test_an_old_attempt_that_wakes_up_at_any_file_operation_changes_no_file():
    figures = damage("fences", 9)
    assert figures["superseded"] >= 15
    assert figures["files_changed"] == figures["differing_bytes"] == 0


@pytest.mark.slow
def test_two_live_writers_never_mix_their_files():
    figures = damage("races", 20)
    assert figures["superseded"] >= 5
    assert figures["differing_bytes"] == 0


root_only = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="only root may mount a small disk"
)


@root_only
def test_a_disk_that_is_really_full_stops_the_run_and_it_goes_on_when_there_is_space():
    figures = damage("full_disk")
    assert figures["code"] == 4
    assert "No space left on device" in figures["problem"]
    assert "MB" in figures["problem"]
    assert figures["disk"] in figures["problem"]
    assert "free some space" in figures["hint"]
    assert figures["temporaries_left"] == figures["differing_bytes"] == 0


@root_only
def test_a_disk_that_is_full_at_the_final_record_leaves_a_reason_behind():
    figures = damage("full_at_the_end")
    assert figures["code"] == 4
    assert "final.json`: No space left on device" in figures["recorded"] == figures["problem"]
    assert (figures["iteration"], figures["logged"]) == (8, True)
    assert figures["temporaries_left"] == figures["differing_bytes"] == 0


def test_five_attempts_that_get_nowhere_are_enough():
    figures = damage("nowhere")
    assert figures["attempts_before_it_stops"] == 5
    assert "no progress in 5 attempts" in figures["problem"]
    assert figures["asked_again"] == 0
    assert figures["differing_bytes"] == 0


def test_any_number_of_attempts_may_end_without_a_word_while_each_gets_further():
    figures = damage("slow_but_sure")
    assert figures["attempts"] > 6
    assert figures["differing_bytes"] == 0


@pytest.mark.slow
def test_the_deepest_net_is_saved_in_seconds_and_two_checkpoints_are_kept():
    figures = damage("deep")
    assert figures["mebibytes"] <= 155
    assert figures["checkpoints"] == 2
    assert figures["seconds"] <= 15  # five on a machine that does nothing else


@pytest.mark.slow
@pytest.mark.parametrize("kind", [["hostile"], ["words", 500]], ids=lambda kind: kind[0])
def test_whatever_is_typed_is_answered_and_makes_nothing(kind):
    figures = damage(*kind)
    assert figures["typed"] >= 500
    assert figures["wrong_answers"] == figures["files_made"] == 0


def test_a_clock_that_jumps_decides_nothing():
    assert damage("clock_jumps") == {"differing_bytes": 0}
