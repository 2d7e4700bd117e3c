"""A source that looks, before each batch, whether it may go on: so that measuring, too, ends when it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from repro.data.source import Source

BATCH_METHODS = (
    "batches",
    "test",
    "train_clean",
    "test_views",
)  # what a source gives one after another


class Interruptible:
    """The source, but `may_go_on` is called before each batch, and raises where it may not."""

    def __init__(self, source: Source, may_go_on: Callable[[], None]) -> None:
        self._source, self._may_go_on = source, may_go_on

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        return self._looking(found) if name in BATCH_METHODS else found

    def _looking(self, give: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def giving(*arguments: Any, **more: Any) -> Iterator[Any]:
            for each in give(*arguments, **more):
                self._may_go_on()
                yield each

        return giving
