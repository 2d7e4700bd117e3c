"""A source that asks before each batch whether it may go on, so that measuring can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from repro.data.source import Source

# The methods of a source that give batches or images one after another.
BATCH_METHODS = ("batches", "test", "train_clean", "test_views")


class Interruptible:
    """The source, but `may_go_on` is called before each batch, and raises where it may not."""

    def __init__(self, source: Source, may_go_on: Callable[[], None]) -> None:
        self._source = source
        self._may_go_on = may_go_on

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._source, name)
        if name in BATCH_METHODS:
            return self._asking(attribute)
        return attribute

    def _asking(self, batches: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def asking(*arguments: Any, **options: Any) -> Iterator[Any]:
            for batch in batches(*arguments, **options):
                self._may_go_on()
                yield batch

        return asking
