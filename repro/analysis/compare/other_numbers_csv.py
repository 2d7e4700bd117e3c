"""A CSV of somebody else's numbers: read, and checked line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from repro.analysis.compare.comparability import is_test_metric
from repro.analysis.compare.judged_numbers import COUNTS
from repro.analysis.compare.margins import is_error, metrics_by_row
from repro.analysis.runs.frame_cache import Problem
from repro.analysis.runs.run_set import RunSet
from repro.definition.experiment import Experiment, Figure, Row, Table
from repro.errors import UserError, did_you_mean, quote
from repro.protocol import catalog

NEEDED = ("experiment", "row", "metric", "value")
GATED = ("selection", "data", "schedule", "departures")
OPTIONAL: dict[str, Any] = {"source": "", "std": np.nan, "n": np.nan} | dict.fromkeys(GATED, "")
LAST = ("last", "final", "last iteration", "last epoch", "final iteration", "final epoch")
LONGEST = 100  # characters of a departure that are repeated

LEGAL_COLUMNS = f"it needs {', '.join(NEEDED)}; and may have source, std, n, {', '.join(GATED)}"


def read_table(
    path: Path, experiments: Mapping[str, Experiment]
) -> tuple[pd.DataFrame, tuple[Problem, ...]]:
    """Return the lines that have a number, and the problems of those that have none."""
    table = _read_csv(path)
    # An unknown row or metric is an error, and so is a fraction where the column is in percent:
    # both would otherwise be left out or judged in silence.
    problems = []
    for reason in _check_names(table, experiments):
        problems.append(Problem(str(path), reason))
    values = pd.to_numeric(table["value"], errors="coerce")
    finite = np.isfinite(values)
    for line in table[~finite].itertuples():
        reason = f"{line.row}, {line.metric}: {quote(line.value)} is no number"
        problems.append(Problem(str(path), reason))
    table = table.assign(value=values)[finite]
    _check_percent(table)
    return table, tuple(problems)


def reasons_of_line(line: Mapping[Any, Any], row: Row, runs: RunSet) -> Iterator[str]:
    """Yield what a line says of itself that keeps it from being compared with these runs."""
    selection, data = _text(line["selection"]), _text(line["data"])
    if selection and selection.lower() not in LAST:
        yield f"selection: theirs is {quote(selection)}, ours the last iteration"
    ours = _names_of_data(runs)
    if data and ours and data.lower() not in ours:
        yield f"data: theirs is {quote(data)}, ours {', '.join(sorted(ours))}"
    schedule = _text(line["schedule"])
    if schedule and row.runs and _iterations(schedule) != row.runs.run.recipe.iterations:
        iterations = row.runs.run.recipe.iterations
        yield f"schedule: theirs is {quote(schedule)}, ours {iterations:,} iterations"
    departures = _text(line["departures"])
    if departures:
        yield f"departures: theirs has {quote(departures, LONGEST)}"


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, comment="#")
    except FileNotFoundError:
        raise UserError(
            f"no file or folder {quote(path, 300)}", "name a CSV of numbers or a folder of results"
        ) from None
    except (ValueError, OSError) as error:
        raise UserError(
            f"cannot read {quote(path, 300)}: {error}", f"it must be a CSV with {', '.join(NEEDED)}"
        ) from None
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise UserError(
            f"{quote(path, 300)} has no column {', '.join(map(quote, missing))}", LEGAL_COLUMNS
        )
    for name, empty in OPTIONAL.items():
        if name not in table:
            table[name] = empty
    return table.assign(source=table["source"].fillna("").astype(str))


def _check_names(table: pd.DataFrame, experiments: Mapping[str, Experiment]) -> Iterator[str]:
    """Refuse experiments, rows and metrics that do not exist: a slip would compare nothing.

    Yield what exists elsewhere only, and so is left out.
    """
    known_metrics = {*_metrics_elsewhere(), *COUNTS}
    for name in map(str, table["experiment"].unique()):
        if name not in catalog.NAMES and name not in experiments:
            near = did_you_mean(name, catalog.NAMES, "`repro list` names them all")
            raise UserError(f"no experiment named {quote(name)}", near)
    for name, experiment in experiments.items():
        if not isinstance(experiment, Table | Figure):
            continue
        metrics = metrics_by_row(experiment)
        for line in table[table["experiment"] == name].itertuples():
            row, metric = str(line.row), str(line.metric)
            _check_name("row", row, name, metrics)
            # One file may serve several tables, of which not each has every metric.
            if metric in known_metrics - set(metrics[row]):
                yield f"{row}: {name} has no {metric}; left out"
            else:
                _check_name("metric", metric, f"{row} of {name}", metrics[row])


def _metrics_elsewhere() -> Iterator[str]:
    """Yield every metric of ImageNet and CIFAR-10 that a record may have."""
    for way in ("center", "ten_crop", "multi_scale"):
        for top in ("top1", "top5"):
            yield f"{way}_{top}"
    yield from ("test_error", "train_error")


def _check_name(what: str, value: str, where: str, legal: Any) -> None:
    if value in legal:
        return
    hint = f"{what}s: {', '.join(legal)}"
    if near := did_you_mean(value, legal):
        hint = f"{near} ({hint})"
    raise UserError(f"{where} has no {what} {quote(value)}", hint)


def _check_percent(table: pd.DataFrame) -> None:
    """Refuse fractions: no net here tests below 1 %, and 0.0875 is not 8.75."""
    lines = zip(table["row"], table["metric"], table["value"].astype(float), strict=True)
    for row, metric, value in lines:
        if is_error(metric) and not 0 <= value <= 100:
            raise UserError(
                f"{row}, {metric}: {quote(value)} is no error in percent", "give 0 to 100"
            )
        if is_error(metric) and is_test_metric(metric) and 0 < value < 1:
            raise UserError(
                f"{row}, {metric}: {quote(value)} looks like a fraction",
                f"errors are in percent: {100 * value:g}, if that is what it means",
            )


def _names_of_data(runs: RunSet) -> set[str]:
    """Return by what names our images may be known: their data set, their hash, their origin."""
    columns = runs.finished[["data_name", "data_hash", "data_origin"]]
    return {str(value).lower() for value in columns.to_numpy().ravel() if pd.notna(value)}


def _iterations(schedule: str) -> int | None:
    """Return the iterations that a schedule names: 64000, 64,000, 64k or `64000 iterations`."""
    match = re.fullmatch(r"([\d,_ ]+)(k?)(?: ?iterations)?", schedule.strip().lower())
    if match is None:
        return None
    digits = re.sub(r"\D", "", match.group(1))
    if not digits:
        return None
    return int(digits) * (1_000 if match.group(2) else 1)


def _text(value: Any) -> str:
    if pd.isna(value):  # an empty cell
        return ""
    return str(value).strip()
