"""What is shown, as values: the paper's numbers, tables, figures, drawings and claims.

An experiment module in `experiments/` binds one of these to the name `experiment`. It declares;
everything that computes, draws or judges reads the declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

# A page finds everything that it declares here.
from repro.definition.claim_checks import Bound as Bound
from repro.definition.claim_checks import Check as Check
from repro.definition.claim_checks import Close as Close
from repro.definition.claim_checks import Counted as Counted
from repro.definition.claim_checks import InMostLayers as InMostLayers
from repro.definition.claim_checks import Ordering as Ordering
from repro.definition.claim_checks import Unchecked as Unchecked
from repro.definition.net import Net
from repro.definition.run import Run, Runs
from repro.definition.scales_and_variants import Scale

# What the paper's number is decides how ours is compared with it.
Kind = Literal["single", "mean", "best", "exact", "digitised", "quoted"]


@dataclass(frozen=True)
class Paper:
    """A number the paper gives. Percentages are in percent, as printed."""

    value: float
    digits: int = 2  # decimals printed
    kind: Kind = "single"
    std: float | None = None  # mean ± std of n runs
    n: int | None = None
    best: float | None = None  # printed beside the mean
    reading_error: float | None = None  # for what was read off a figure


def mean(value: float, std: float, n: int, best: float | None = None) -> Paper:
    """mean ± std of n runs, as the paper prints ResNet-110."""
    return Paper(value, kind="mean", std=std, n=n, best=best)


def exact(value: float, digits: int) -> Paper:
    """A count (parameters, layers, multiply-adds): equal after rounding, or not."""
    return Paper(value, digits, kind="exact")


def digitised(value: float, reading_error: float, digits: int = 2) -> Paper:
    """Read off a figure; never printed by the paper."""
    return Paper(value, digits, kind="digitised", reading_error=reading_error)


def quoted(value: float, digits: int = 2) -> Paper:
    """The paper's number for somebody else's method; nothing of ours is compared with it."""
    return Paper(value, digits, kind="quoted")


@dataclass(frozen=True)
class Row:
    """One line of a table, or one curve of a figure: our runs, and the paper's numbers."""

    label: str
    # None: not ours to run (quoted, or counted from `net` without training).
    runs: Runs | None = None
    paper: tuple[
        Paper | None, ...
    ] = ()  # in the order of the table's metrics; () where nothing is printed
    net: Net | None = None
    ensemble: tuple[
        Runs, ...
    ] = ()  # our number is the error of the mean of all these runs' predictions
    note: str = ""
    metrics: tuple[str, ...] = ()  # what a figure's numbers are of, where they are not errors


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper that our runs can support or contradict. All its checks must hold."""

    id: str
    text: str
    where: str
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Table:
    """A table of the paper. What decides its verdicts is declared with it, before any run.

    margins: of each metric, the most that is ever called equal, in points; less where a
    neighbouring row is nearer. spreads: of each metric, the published standard deviation between
    seeds.
    """

    title: str
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    page: int
    claims: tuple[Claim, ...] = ()
    margins: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """One set of axes. The paper's curves are the `digitised` file's rows of the same label.

    A row's `paper` has the levels of its curves: test error, then training error; () where there is
    none. `margins` and `spreads` are of these, as a table's are of its metrics.
    """

    title: str
    rows: tuple[Row, ...]
    x: tuple[float, float]  # limits: iterations in 1e4, or layers
    y: tuple[float, float]
    digitised: str | None = None  # panel name in the digitised file
    splits: tuple[Literal["train", "test"], ...] = ("train", "test")
    shows: Literal["curves", "responses", "sorted responses"] = "curves"
    # Of the curves; `measured_by` says what it is in the final record.
    test_metric: str = "test_error"
    margins: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()


def metrics_of_row(row: Row) -> tuple[str, ...]:
    """Return the metrics of a final record that a figure's numbers are of.

    ImageNet's test error goes by its crops there.
    """
    if row.metrics:
        return row.metrics
    imagenet = row.runs is not None and row.runs.run.net.family == "imagenet"
    return "center_top1" if imagenet else "test_error", "train_error"


@dataclass(frozen=True)
class Figure:
    """A figure of the paper."""

    title: str
    panels: tuple[Panel, ...]
    page: int
    digitised: str | None = None  # file in experiments/paper
    claims: tuple[Claim, ...] = ()
    note: str = ""


Drawn: TypeAlias = Net | Literal["VGG-19", "basic block", "bottleneck block"]


@dataclass(frozen=True)
class Drawing:
    """A figure of the paper that shows nets layer by layer, drawn from the nets without any run."""

    title: str
    columns: tuple[tuple[str, Drawn], ...]  # heading, and what stands under it
    page: int
    claims: tuple[Claim, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Skipped:
    """A table that is not reproduced here, and why: a gap is a definition too."""

    title: str
    reason: str
    page: int
    claims: tuple[Claim, ...] = ()  # what the paper says of it; unchecked


Experiment: TypeAlias = Table | Figure | Drawing | Skipped


T = TypeVar("T")


def at_scale(experiment: T, scale: Scale, seeds: int | None = None) -> T:
    """Return the experiment with every run at that scale, and `seeds` of each.

    An ensemble keeps its members, however many seeds are asked for: of other nets it would be
    another number.
    """

    def changed(runs: Runs) -> Runs:
        count = seeds if seeds is not None else min(runs.seeds, scale.seeds or runs.seeds)
        return Runs(scale(runs.run), count)

    result: T = _with_runs(experiment, changed)
    return result


def groups_of(experiment: Any) -> Iterator[Runs]:
    """Every group of seeds an experiment names, rows first, each once."""
    return iter(dict.fromkeys(_groups(experiment)))


def runs_of(experiment: Any) -> tuple[Run, ...]:
    """Return every run an experiment needs, each once: all first seeds, then all second ones."""
    groups = [tuple(group) for group in groups_of(experiment)]
    deepest = max((len(group) for group in groups), default=0)
    by_seed = (group[seed] for seed in range(deepest) for group in groups if seed < len(group))
    return tuple(dict.fromkeys(by_seed))


def _groups(thing: Any) -> Iterator[Runs]:
    if isinstance(thing, Runs):
        yield thing
    elif isinstance(thing, tuple):
        for item in thing:
            yield from _groups(item)
    elif is_dataclass(thing) and not isinstance(thing, type):
        for field in fields(thing):
            yield from _groups(getattr(thing, field.name))


def _with_runs(thing: Any, change: Callable[[Runs], Runs]) -> Any:
    if isinstance(thing, Runs):
        return change(thing)
    if isinstance(thing, tuple):
        return tuple(_with_runs(item, change) for item in thing)
    if isinstance(thing, Row):
        members = tuple(Runs(change(group).run, group.seeds) for group in thing.ensemble)
        return replace(thing, runs=thing.runs and change(thing.runs), ensemble=members)
    if is_dataclass(thing) and not isinstance(thing, (type, Net)):
        return replace(
            thing, **{f.name: _with_runs(getattr(thing, f.name), change) for f in fields(thing)}
        )
    return thing
