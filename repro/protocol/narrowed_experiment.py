"""An experiment without the rows and claims of which no run is selected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from repro.definition.experiment import (
    Claim,
    Experiment,
    Figure,
    Row,
    Table,
    groups_of,
    runs_of,
)
from repro.definition.run import Run

T = TypeVar("T")


def narrow(experiment: T, scaled: Experiment, kept: set[Run]) -> T:
    """Return the experiment without the rows and claims of which no run is kept.

    `experiment` may be `scaled` itself, or the same page as declared: rows are told by position.
    """
    if isinstance(experiment, Table) and isinstance(scaled, Table):
        rows = _kept_rows(experiment.rows, scaled.rows, kept)
        claims = _kept_claims(experiment.claims, scaled.claims, kept)
        return replace(experiment, rows=rows, claims=claims)
    if isinstance(experiment, Figure) and isinstance(scaled, Figure):
        panels = []
        for panel, counterpart in zip(experiment.panels, scaled.panels, strict=True):
            rows = _kept_rows(panel.rows, counterpart.rows, kept)
            if rows:
                panels.append(replace(panel, rows=rows))
        claims = _kept_claims(experiment.claims, scaled.claims, kept)
        return replace(experiment, panels=tuple(panels), claims=claims)
    return experiment


def _kept_rows(rows: Iterable[Row], scaled: Iterable[Row], kept: set[Run]) -> tuple[Row, ...]:
    pairs = zip(rows, scaled, strict=True)
    return tuple(row for row, counterpart in pairs if not kept.isdisjoint(runs_of(counterpart)))


def _kept_claims(
    claims: Iterable[Claim], scaled: Iterable[Claim], kept: set[Run]
) -> tuple[Claim, ...]:
    """Return the claims that need no run, or of which every group has a run that is kept."""
    narrowed = []
    for claim, counterpart in zip(claims, scaled, strict=True):
        if not any(kept.isdisjoint(group) for group in groups_of(counterpart)):
            narrowed.append(claim)
    return tuple(narrowed)
