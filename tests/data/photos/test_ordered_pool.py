"""Threads work ahead, and their results come in order."""

from __future__ import annotations

from repro.data.photos.ordered_pool import map_in_order


def test_threads_work_ahead_so_far_and_no_further_and_in_order() -> None:
    started: list[int] = []

    def tasks():
        for number in range(100):
            started.append(number)
            yield number

    results = map_in_order(lambda number: number * number, tasks(), ahead=5, workers=3)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(started) <= 8
    results.close()
    assert list(map_in_order(lambda number: -number, range(50), ahead=7)) == [
        -number for number in range(50)
    ]
