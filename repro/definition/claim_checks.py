"""What is checked of a claim, as values: an ordering, a threshold, a count, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from repro.definition.net import Block, Net
from repro.definition.run import Runs


@dataclass(frozen=True)
class Ordering:
    """Each group's metric is higher than the next one's, at the end or `throughout` the curves."""

    metric: str
    higher_to_lower: tuple[Runs, ...]
    throughout: tuple[int, int] | None = None  # first and last iteration, at scale `paper`
    fraction: float = 0.95  # of the curve's points that must be in order


@dataclass(frozen=True)
class InMostLayers:
    """One group responds more than the other in most layers; both nets have as many.

    By rank: the loudest layer of one against the loudest of the other, and so on.
    """

    higher: Runs
    lower: Runs
    by: Literal["layer", "rank"] = "layer"


@dataclass(frozen=True)
class Bound:
    """The group's metric is above, below, or both."""

    metric: str
    runs: Runs
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Close:
    """Two groups' metrics differ by less than `within`."""

    metric: str
    one: Runs
    other: Runs
    within: float


@dataclass(frozen=True)
class Counted:
    """A ratio of counts, needing no training: of one net over another, or over a plain number."""

    count: Literal["multiply_adds", "parameters", "layers", "projections"]
    net: Net | Block
    over: Net | Block | float
    low: float
    high: float


@dataclass(frozen=True)
class Unchecked:
    """A claim that no experiment here decides."""

    reason: str


Check: TypeAlias = Ordering | InMostLayers | Bound | Close | Counted | Unchecked
