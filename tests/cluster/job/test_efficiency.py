"""The last line of a job says what it used, and proposes only what fits."""

from __future__ import annotations

import pytest

from repro.cluster.job.efficiency import Usage
from repro.cost.memory import GIB


def test_what_fits_is_left_as_it_is() -> None:
    usage = Usage(3600, 10 * GIB, 85.0, 90, 16 * GIB)
    assert usage.line() == (
        "efficiency: 1:00:00 of 01:30:00, memory 10.0 of 16.0 GiB, GPU 85 % busy"
    )


def test_far_too_much_is_answered_with_what_to_type() -> None:
    usage = Usage(3600, 1.5 * GIB, 12.0, 24 * 60, 64 * GIB)
    assert usage.suggestions() == ["--time 01:20:00", "--memory 2GB", "--pack auto"]


@pytest.mark.parametrize("memory", [None, 2 * GIB])
def test_what_is_not_known_is_left_out(memory: float | None) -> None:
    line = Usage(61, memory, None, None, None).line()
    assert line == "efficiency: 0:01:01" + (", memory 2.0 GiB" if memory else "")
