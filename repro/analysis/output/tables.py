"""The paper's tables with ours beside them: its rows in its order, and notes under each.

A cell says how many seeds it is the mean of. What is reported is the last iteration; the best over
training, which looks at the test set, has a column that says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from repro.analysis.compare.comparability import is_test_metric
from repro.analysis.compare.judged_numbers import COUNTS
from repro.analysis.compare.measured_weights import measured_numbers
from repro.analysis.compare.variant_runs import variant_runs
from repro.analysis.output.lab_columns import ALL, COLUMNS, lab_notes, with_lab_columns
from repro.analysis.output.released_column import NAME as RELEASED
from repro.analysis.output.released_column import released_notes, with_released
from repro.analysis.output.table_facts import table
from repro.analysis.output.table_formats import MISSING, SUFFIXES, Format, Sheet, render
from repro.analysis.runs.run_frames import Collected
from repro.analysis.runs.run_set import RunSet
from repro.definition.experiment import Table, at_scale, runs_of
from repro.definition.scales_and_variants import Scale
from repro.protocol.deviations import Departure, departures_by_net
from repro.storage.atomic import write_atomic
from repro.storage.paths import Places

NAMES = {
    "parameters_millions": "parameters (10⁶)",
    "multiply_adds_billions": "multiply-adds (10⁹)",
    "test_error": "test error (%)",
    "train_error": "training error (%)",
    "center_top1": "top-1 error (%), centre crop",
    "center_top5": "top-5 error (%), centre crop",
    "ten_crop_top1": "top-1 error (%), 10-crop",
    "ten_crop_top5": "top-5 error (%), 10-crop",
    "multi_scale_top1": "top-1 error (%), multi-scale",
    "multi_scale_top5": "top-5 error (%), multi-scale",
}

# The columns of a sheet. A line break is where a heading may be broken in a terminal.
ROW, PAPER, OURS, VERDICT = "net", "paper", "ours (n)", "verdict"
BEST, SELECTED_NAME, COUNTED = "best\nseed", "selected\non test", "ours"

# Verdicts whose reasons belong under the table.
EXPLAINED = ("better", "worse", "deviates", "incomplete", "not comparable")


def sheet(
    name: str, experiment: Table, collected: Collected, scale: Scale, seeds: int | None = None
) -> Sheet:
    """Return the table for reading: the paper's rows, columns for each metric, footnotes."""
    scaled = at_scale(experiment, scale, seeds)
    facts = table(name, experiment, collected, scale, seeds)
    marks, departure_notes = _departures(scaled)
    runs = collected.of(runs_of(scaled))
    blocks = {metric: _block(facts, metric, marks) for metric in experiment.metrics}
    notes = [*_notes_on_images(experiment, runs), *_notes(experiment, facts, scale)]
    released = measured_numbers(name, scaled, collected.evaluations)
    notes += [*lab_notes(facts), *released_notes(released)]
    notes += [f"Not counted here: {runs}." for runs in variant_runs([experiment], scale, collected)]
    for metric, block in blocks.items():
        blocks[metric] = with_released(block, metric, released, before=VERDICT)
    wide = {
        metric: with_lab_columns(block, facts, metric, before=VERDICT)
        for metric, block in blocks.items()
    }
    return Sheet(
        f"{heading(name)}. {experiment.title}",
        _side_by_side(wide),
        facts.drop(columns="flags").assign(departures=facts["departures"].map(_as_texts)),
        (*notes, *departure_notes),
        right=_flush_right(wide),
        about={"experiment": name, "scale": scale.name},
        blocks=_parts(blocks, wide),
        departures=len(departure_notes),
    )


def _as_texts(departures: Iterable[Departure]) -> tuple[str, ...]:
    return tuple(map(str, departures))


def has_ours(filled: Sheet) -> bool:
    """Return whether a number of ours stands in it that had to be trained for."""
    trained = filled.facts[~filled.facts["metric"].isin(COUNTS)]
    return bool(trained[["ours_mean", "best", "selected_on_test"]].notna().any(axis=None))


def write(
    name: str, filled: Sheet, places: Places, scale: str, forms: Iterable[Format] = SUFFIXES
) -> list[Path]:
    """Write results/<name>.csv and its kin, each by an atomic write; return their paths."""
    paths = []
    for form in forms:
        path = places.tables_at(scale) / f"{name}{SUFFIXES[form]}"
        write_atomic(path, render(filled, form).encode())
        paths.append(path)
    return paths


def heading(name: str) -> str:
    """Return the name as a reader knows it: Table 6 for table6."""
    letters = name.rstrip("0123456789")
    return f"{letters.capitalize()} {name[len(letters) :]}".strip()


def named(metric: str) -> str:
    """Return a metric as the head of a column says it."""
    return NAMES.get(metric, metric.replace("_", " "))


def _block(facts: pd.DataFrame, metric: str, marks: dict[str, str]) -> pd.DataFrame:
    """Return one metric's columns as text, without those that say nothing about any row."""
    facts = facts[facts["metric"] == metric]
    labels = list(facts["row"])
    cells = pd.DataFrame(
        {
            ROW: [f"{label} {marks.get(label, '')}".rstrip() for label in labels],
            PAPER: list(facts["paper_cell"]),
            OURS: [_our_cell(fact) for fact in facts.to_dict("records")],
            BEST: _numbers(facts["best"], facts["digits"]),
            SELECTED_NAME: _numbers(facts["selected_on_test"], facts["digits"]),
            VERDICT: list(facts["verdict"].fillna(MISSING)),
        },
        index=labels,
    )
    empty = [column for column in (BEST, SELECTED_NAME) if (cells[column] == MISSING).all()]
    cells = cells.drop(columns=empty)
    if metric in COUNTS:
        # A count is of a net, not of seeds.
        return cells.rename(columns={OURS: COUNTED})
    return cells


def _parts(
    blocks: dict[str, pd.DataFrame], wide: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return what is set one under the other: a part a metric, and one for its labs."""
    parts = {}
    for metric, block in blocks.items():
        parts[named(metric)] = _with_content(block)
        if ALL in wide[metric]:
            of_labs = wide[metric][[ROW, *COLUMNS, VERDICT]]
            parts[f"{named(metric)}, all labs"] = of_labs[of_labs[ALL] != MISSING]
    return parts


def _with_content(block: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a number or a verdict."""
    telling = (PAPER, OURS, COUNTED, RELEASED, VERDICT)
    kept = [column for column in telling if column in block]
    return block[(block[kept] != MISSING).any(axis=1)]


def _our_cell(fact: dict[Any, Any]) -> str:
    """Return mean ± std (n); a single seed has no spread, and a count no seeds."""
    mean, std, digits = fact["ours_mean"], fact["ours_std"], fact["digits"]
    if pd.isna(mean):
        return MISSING
    if fact["metric"] in COUNTS:
        return f"{mean:.{digits + 2}f}"
    if pd.isna(std):
        return f"{mean:.{digits}f} ({fact['n']:.0f})"
    return f"{mean:.{digits}f} ± {std:.{digits}f} ({fact['n']:.0f})"


def _numbers(values: pd.Series, digits: pd.Series) -> list[str]:
    return [_number(*pair) for pair in zip(values, digits, strict=True)]


def _number(value: float | None, digits: int) -> str:
    if value is None or pd.isna(value):
        return MISSING
    return f"{value:.{digits}f}"


def _side_by_side(blocks: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the metrics in one frame; where there are several, each column says whose it is."""
    first = next(iter(blocks.values()))
    if len(blocks) == 1:
        return first
    parts = [first[[ROW]]]
    for metric, block in blocks.items():
        parts.append(block.drop(columns=ROW).add_prefix(f"{named(metric)}: "))
    return pd.concat(parts, axis=1)


def _flush_right(blocks: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    """Return the columns of numbers: all but the net and the verdict."""
    right: dict[str, None] = {}
    for block in blocks.values():
        right |= dict.fromkeys(str(name) for name in block if name not in (ROW, VERDICT))
    prefixed = [f"{named(metric)}: {column}" for metric in blocks for column in right]
    return (*right, *prefixed)


def _notes_on_images(experiment: Table, runs: RunSet) -> list[str]:
    """Return what must be known about the images that our numbers are of."""
    notes = [runs.complete_note()]
    if any(map(is_test_metric, experiment.metrics)):
        notes.insert(0, runs.training_images_note())
    return [note for note in notes if note]


def _notes(experiment: Table, facts: pd.DataFrame, scale: Scale) -> list[str]:
    """Return what n, ± and the columns mean; what is missing; what cannot be compared, and why."""
    notes = [experiment.note]
    notes += [f"{row.label}: {row.note}." for row in experiment.rows if row.note]
    notes += [f"Scale {scale.name}: {scale.about}.", scale.note]
    if not facts["metric"].isin(COUNTS).all():
        notes.append("Ours: mean ± standard deviation over n seeds, of the last iteration.")
    if facts["selected_on_test"].notna().any():
        notes.append(
            "Selected on test: the best epoch, chosen by its test error and so no estimate of it; "
            "not compared."
        )
    for count in sorted(set(facts["paper_n"].dropna().astype(int))):
        notes.append(f"The paper's best (mean±std) is of {count} runs.")
    explained = facts["verdict"].isin(EXPLAINED)
    notes += _reasons(facts[explained])
    notes += _flags(facts[~explained])
    return [note for note in dict.fromkeys(notes) if note]


def _reasons(facts: pd.DataFrame) -> list[str]:
    """Return why verdicts are as they are, each once with the nets it concerns."""
    nets: dict[str, dict[str, None]] = {}
    for label, verdict, reasons in zip(
        facts["row"], facts["verdict"], facts["reasons"], strict=True
    ):
        if reasons:
            nets.setdefault(f"{verdict}, {'; '.join(reasons)}", {})[label] = None
    return [f"{', '.join(labels)}: {reason}." for reason, labels in nets.items()]


def _flags(facts: pd.DataFrame) -> list[str]:
    """Return in what the runs of a row differ although they were averaged."""
    notes = []
    for label, flags in zip(facts["row"], facts["flags"], strict=True):
        notes += [f"{label}: {flag}." for flag in flags]
    return notes


def _departures(scaled: Table) -> tuple[dict[str, str], list[str]]:
    """Return a letter for each row that departs from the paper's protocol, and the notes they mark.

    There are no letters where all rows depart alike.
    """
    departures: dict[str, str] = {}
    for row in scaled.rows:
        runs = runs_of(row)
        if runs:
            departures[row.label] = "; ".join(map(str, departures_by_net(runs)))
    kinds = [kind for kind in dict.fromkeys(departures.values()) if kind]
    if len(set(departures.values())) == 1:
        return {}, [f"Departs from the paper. {kind}." for kind in kinds]
    letters = {kind: f"[{chr(ord('a') + number)}]" for number, kind in enumerate(kinds)}
    marks = {label: letters[kind] for label, kind in departures.items() if kind}
    notes = [f"{letter} departs from the paper. {kind}." for kind, letter in letters.items()]
    return marks, notes
