"""Contenders take turns, and a ratio is taken within its round."""

from pathlib import Path

import pytest

from repro.bench.harness import Contender, compare, run_contest
from repro.errors import RunFailed


def quiet(_):
    pass


@pytest.fixture(autouse=True)
def _jobs_can_be_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def way(name, function, **given):
    return Contender(name, f"jobs:{function}", given)


def test_the_first_way_is_what_the_others_are_compared_with():
    one, two = compare({"usual": [10.0, 20.0, 40.0], "ours": [20.0, 50.0, 60.0]})
    assert (one.median, one.ratio) == (20.0, 1.0)
    assert (two.median, two.ratio, two.low, two.high) == (50.0, 2.0, 1.75, 2.25)


def test_what_slows_a_whole_round_cancels():
    _, ours = compare({"usual": [100.0, 1.0, 100.0], "ours": [150.0, 1.5, 150.0]})
    assert (ours.low, ours.ratio, ours.high) == (1.5, 1.5, 1.5)


def test_a_single_round_has_its_ratio_for_quartiles():
    assert [(line.low, line.high) for line in compare({"usual": [4.0], "ours": [2.0]})] == [
        (1.0, 1.0),
        (0.5, 0.5),
    ]


def test_every_round_asks_every_way_once_after_one_unmeasured_time():
    table = run_contest(
        "Counting",
        "numbers",
        [way("a", "counting", start=0), way("b", "counting", start=10)],
        3,
        quiet,
    )
    assert [line.median for line in table.lines] == [2, 12]  # of 1 2 3 and 11 12 13
    assert [line.rounds for line in table.lines] == [3, 3]


def test_several_at_once_count_together():
    twice = Contender("a", "jobs:counting", {"start": 5}, at_once=2)
    assert run_contest("Two", "numbers", [twice], 1, quiet).lines[0].median == 12


def test_a_job_may_tell_facts_besides_its_number():
    line = run_contest("Facts", "numbers", [way("a", "telling", layers=3)], 1, quiet).lines[0]
    assert line.median == 2.0
    assert line.facts["layers"] == 3
    assert line.facts["peak_mib"] > 1


def test_a_contender_that_dies_says_why():
    with pytest.raises(
        RunFailed, match="a contender of the benchmark died: ValueError: no such thing"
    ) as error:
        run_contest("Dying", "numbers", [way("a", "dying")], 1, quiet)
    assert error.value.hint == "run it again with fewer jobs beside it"
