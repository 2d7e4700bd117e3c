"""Weights that somebody released: how they are known, and what their makers say of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A number that is published for these weights."""

    metric: str
    value: float  # an error in percent
    digits: int  # decimals printed


@dataclass(frozen=True)
class Released:
    """One net of a release."""

    name: str
    layout: str  # whose names its tensors have
    net: str  # what our net is called
    preprocess: str  # what its numbers were measured with
    numbers: tuple[Number, ...]
    source: str
    # How the file's SHA-256 begins, where its maker says it; else the layout and the net decide.
    sha256: str = ""


def match(
    known: Iterable[Released], layout: str, net: str, sha256: str, preprocess: str
) -> Released | None:
    """Return the release that these weights are, by their SHA-256 or else by layout and net."""
    candidates = [one for one in known if (one.layout, one.net) == (layout, net)]
    for one in candidates:
        if one.sha256 and sha256.startswith(one.sha256):
            return one
    by_name = [one for one in candidates if not one.sha256 and one.preprocess == preprocess]
    return by_name[0] if by_name else None
