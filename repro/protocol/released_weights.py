"""Which release weights are of, and what is published for it: `experiments/released_weights.py`, read here only."""

from __future__ import annotations

from importlib import import_module

from repro.definition.released import Released, match


def release_of(layout: str, net: str, sha256: str, preprocess: str) -> Released | None:
    """Return the release that these weights are; None where nothing is published for them."""
    known: tuple[Released, ...] = import_module("experiments.released_weights").RELEASED
    return match(known, layout, net, sha256, preprocess)
