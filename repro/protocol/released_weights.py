"""Which release weights are of, and what is published for it."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module

from repro.definition.weight_release import Released, match


def release_of(layout: str, net: str, sha256: str, preprocess: str) -> Released | None:
    """Return the release that these weights are; None where nothing is published for them."""
    known: tuple[Released, ...] = import_module("experiments.released_weights").RELEASED
    return match(known, layout, net, sha256, preprocess)


def in_print(
    layout: str, net: str, sha256: str, preprocess: str, metrics: Collection[str]
) -> dict[str, str]:
    """Return the numbers that are published for these weights, as printed, of these metrics."""
    release = release_of(layout, net, sha256, preprocess)
    numbers = release.numbers if release else ()
    shown = [number for number in numbers if number.metric in metrics]
    return {number.metric: f"{number.value:.{number.digits}f}" for number in shown}
