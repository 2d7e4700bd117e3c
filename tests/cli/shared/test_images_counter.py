"""How far a long test is: counted, with the time that is left, on a terminal and in a log."""

from __future__ import annotations

import pytest

from repro.cli.shared import images_counter
from repro.cli.shared.images_counter import Counter


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(images_counter, "time", clock)
    return clock


def count(clock: Clock, steps: list[tuple[float, int]]) -> None:
    with Counter("images") as counted:
        for seconds, done in steps:
            clock.now += seconds
            counted.at(done, 50_000)


def test_in_a_log_a_line_comes_now_and_then_with_the_time_that_is_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    count(clock, [(1, 32), (10, 64), (10, 96), (15, 132), (5, 164)])
    said = capsys.readouterr()
    # 100 images in 35 seconds; 49,868 are left.
    assert said.err == "132 of 50,000 images, 4:50:54 left\n"
    assert said.out == ""


def test_a_terminal_shows_one_line_that_is_redrawn_and_cleared_at_the_end(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    count(clock, [(1, 10_000), (100, 30_000)])
    lines = capsys.readouterr().err.split("\r\033[K")[1:]
    assert lines == ["10,000 of 50,000 images", "30,000 of 50,000 images, 0:01:40 left", ""]


def test_what_an_earlier_test_has_done_does_not_make_the_rest_look_quick(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    count(clock, [(1, 40_000), (40, 40_100)])  # of which 100 took 40 seconds
    assert capsys.readouterr().err == "40,100 of 50,000 images, 1:06:00 left\n"
