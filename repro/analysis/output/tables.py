"""The paper's tables with ours beside them: its rows in its order, and under each what a reader must know.

`table` gives a frame of facts, a row for each number; `sheet` sets them as the paper does, a row for each net. A cell
says how many seeds it is the mean of. What is reported is the last iteration; the best over training, which looks at
the test set, has a column that says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from repro.analysis.compare.ensembles import ensemble_error
from repro.analysis.compare.measured_weights import MeasuredNumber, in_words, measured_numbers
from repro.analysis.compare.numbers import (
    COUNTS,
    JudgedNumber,
    columns_not_averaged,
    is_test_metric,
    judge_numbers,
)
from repro.analysis.compare.statistics import sample
from repro.analysis.output.formats import MISSING, SUFFIXES, Format, Sheet, render
from repro.analysis.runs.frames import (
    Collected,
    complete_note,
    differing_columns,
    rows_of,
    training_images_note,
    twinned,
)
from repro.definition.experiment import Paper, Row, Scale, Table, at_scale, runs_of
from repro.protocol.deviations import departures_by_net
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
SELECTED = {"test_error": "best_test_error"}  # what the best over training of a metric is called

ROW, PAPER, OURS, BEST, SELECTED_NAME, VERDICT = (
    "net",
    "paper",
    "ours (n)",
    "best\nseed",
    "selected\non test",
    "verdict",
)
RELEASED = "released\nweights"  # measured here, trained by others: in no mean and in no verdict
TOLD = (
    "better",
    "worse",
    "deviates",
    "incomplete",
    "not comparable",
)  # verdicts whose reasons belong under the table


def table(
    name: str, experiment: Table, collected: Collected, scale: Scale, seeds: int | None = None
) -> pd.DataFrame:
    """Each number of the table: the paper's, ours, the best seed, and the verdict, with the runs behind it."""
    scaled = at_scale(experiment, scale, seeds)
    words = {(one.row, one.metric): one for one in judge_numbers(name, scaled, collected)}
    facts = [
        _fact(name, row, metric, paper, words.get((row.label, metric)), collected)
        for row in scaled.rows
        for metric, paper in zip(
            scaled.metrics, row.paper or (None,) * len(scaled.metrics), strict=True
        )
    ]
    released = measured_numbers(name, scaled, collected.evaluations)
    if released:
        for fact in facts:
            fact["released"] = _released_cells(fact, released)
    return pd.DataFrame(facts).assign(scale=scale.name)


def _released_cells(fact: dict[str, Any], released: Iterable[MeasuredNumber]) -> tuple[str, ...]:
    """What released weights give for one number of the table, each with whose they are."""
    place = fact["row"], fact["metric"]
    return tuple(number.cell for number in released if (number.row, number.metric) == place)


def sheet(
    name: str, experiment: Table, collected: Collected, scale: Scale, seeds: int | None = None
) -> Sheet:
    """The table set for reading: the paper's rows, a group of columns for each metric, footnotes."""
    facts, scaled = (
        table(name, experiment, collected, scale, seeds),
        at_scale(experiment, scale, seeds),
    )
    marks, departures = _departures(scaled)
    tested = any(map(is_test_metric, experiment.metrics))
    finals = rows_of(collected.finals, runs_of(scaled))
    images = (training_images_note(finals) if tested else "", complete_note(finals))
    blocks = {metric: _block(facts, metric, marks) for metric in experiment.metrics}
    return Sheet(
        f"{heading(name)}. {experiment.title}",
        _wide(blocks),
        facts.drop(columns="flags").assign(
            departures=[tuple(map(str, found)) for found in facts["departures"]]
        ),
        (
            *filter(None, images),
            *_notes(experiment, facts, scale),
            *_released_notes(name, scaled, collected),
            *departures,
        ),
        right=_flush_right(blocks),
        about={"experiment": name, "scale": scale.name},
        blocks={named(metric): _said(block) for metric, block in blocks.items()},
    )


def has_ours(filled: Sheet) -> bool:
    """Whether a number of ours stands in it that had to be trained for."""
    trained = filled.facts[~filled.facts["metric"].isin(COUNTS)]
    return bool(trained[["ours_mean", "best", "selected_on_test"]].notna().any(axis=None))


def write(
    name: str, filled: Sheet, places: Places, scale: str, forms: Iterable[Format] = SUFFIXES
) -> list[Path]:
    """results/<name>.csv and its kin, each whole or as it was."""
    paths = []
    for form in forms:
        paths.append(places.tables_at(scale) / f"{name}{SUFFIXES[form]}")
        write_atomic(paths[-1], render(filled, form).encode())
    return paths


def heading(name: str) -> str:
    """table6 as a reader knows it: Table 6."""
    letters = name.rstrip("0123456789")
    return f"{letters.capitalize()} {name[len(letters) :]}".strip()


def named(metric: str) -> str:
    """A metric as a column says it."""
    return NAMES.get(metric, metric.replace("_", " "))


def as_printed(paper: Paper | None) -> str:
    """The paper's cell as the paper sets it: best (mean ± std) where it has all three."""
    if paper is None:
        return MISSING
    value = f"{paper.value:.{paper.digits}f}"
    if paper.std is not None:
        value += f"±{paper.std:.{paper.digits}f}"
    return value if paper.best is None else f"{paper.best:.{paper.digits}f} ({value})"


def _fact(
    name: str,
    row: Row,
    metric: str,
    paper: Paper | None,
    word: JudgedNumber | None,
    collected: Collected,
) -> dict[str, Any]:
    """One number as typed values."""
    finals = rows_of(collected.finals, row.runs or ())
    ours = _ours(word, metric, finals, collected.strict)
    return {
        "experiment": name,
        "row": row.label,
        "metric": metric,
        "paper": paper.value if paper else None,
        "paper_std": paper.std if paper else None,
        "paper_n": paper.n if paper else None,
        "paper_best": paper.best if paper else None,
        "paper_kind": paper.kind if paper else None,
        "paper_cell": as_printed(paper),
        "digits": paper.digits if paper else 2,
        **ours,
        "planned": len(row.runs) if row.runs else 0,
        **_best(metric, finals),
        "low": word.verdict.low if word else None,
        "high": word.verdict.high if word else None,
        "verdict": word.verdict.word if word else "quoted" if paper else None,
        "reasons": word.verdict.reasons if word else (),
        "flags": word.flags if word else (),
        "departures": tuple(departures_by_net(runs_of(row))),
        "runs": word.runs if word else tuple(finals["id"]),
        **(_ensemble(row, metric, collected) if row.ensemble else {}),
    }


def _ensemble(row: Row, metric: str, collected: Collected) -> dict[str, Any]:
    """One number of several nets. The paper has none to judge it by; while nets are lacking, the verdict says so."""
    found = ensemble_error(row, metric, collected)
    ours = {
        "ours_mean": found.error,
        "n": 0 if found.error is None else 1,
        "planned": found.planned,
    }
    return ours | {"verdict": found.word, "reasons": found.reasons, "runs": found.runs}


def _ours(
    word: JudgedNumber | None, metric: str, finals: pd.DataFrame, strict: bool
) -> dict[str, Any]:
    """As it was judged; where the paper prints nothing to judge by, the mean of seeds that may be averaged."""
    if word:
        return {"ours_mean": word.mean, "ours_std": word.std, "n": word.n}
    alike = not (differing_columns(finals, columns_not_averaged(strict)) or twinned(finals))
    known = list(finals[metric].dropna()) if alike and metric in finals else []
    summary = sample(known)
    return {"ours_mean": summary.mean, "ours_std": summary.std, "n": summary.n}


def _best(metric: str, finals: pd.DataFrame) -> dict[str, Any]:
    """The best of several seeds, and the best over training where that was measured."""
    known = finals.dropna(subset=[metric]) if metric in finals else finals.iloc[:0]
    best = known.nsmallest(1, metric) if metric not in COUNTS and len(known) > 1 else known.iloc[:0]
    selected = SELECTED.get(metric, "")
    return {
        "best": float(best[metric].iloc[0]) if len(best) else None,
        "best_seed": int(best["seed"].iloc[0]) if len(best) else None,
        "selected_on_test": float(finals[selected].mean())
        if selected in finals and len(finals)
        else None,
    }


def _block(facts: pd.DataFrame, metric: str, marks: dict[str, str]) -> pd.DataFrame:
    """One metric's columns as text; a column that says nothing about any row is left out."""
    facts = facts[facts["metric"] == metric]
    digits = facts["digits"]
    cells = pd.DataFrame(
        {
            ROW: [f"{row} {marks[row]}" if row in marks else row for row in facts["row"]],
            PAPER: list(facts["paper_cell"]),
            OURS: [_our_cell(fact) for fact in facts.to_dict("records")],
            BEST: _numbers(facts["best"], digits),
            SELECTED_NAME: _numbers(facts["selected_on_test"], digits),
            VERDICT: list(facts["verdict"].fillna(MISSING)),
        },
        index=list(facts["row"]),
    )
    if "released" in facts:
        cells.insert(3, RELEASED, ["; ".join(cell) or MISSING for cell in facts["released"]])
    optional = (BEST, SELECTED_NAME, *([RELEASED] if RELEASED in cells else []))
    spare = [column for column in optional if (cells[column] == MISSING).all()]
    cells = cells.drop(columns=spare)
    return cells.rename(columns={OURS: "ours"}) if metric in COUNTS else cells


def _said(block: pd.DataFrame) -> pd.DataFrame:
    """The rows about which there is something to say."""
    ours = "ours" if "ours" in block else OURS
    return block[(block[[PAPER, ours, VERDICT]] != MISSING).any(axis=1)]


def _released_notes(name: str, scaled: Table, collected: Collected) -> tuple[str, ...]:
    """What the column of released weights holds, and how each number stands to those in print."""
    numbers = measured_numbers(name, scaled, collected.evaluations)
    if not numbers:
        return ()
    lines = [
        f"{number.row}, {number.metric}, {number.weights}: {in_words(number)}."
        for number in numbers
    ]
    return (
        "Released weights: measured here and trained by others; in no mean, no verdict.",
        *lines,
    )


def _our_cell(fact: dict[str, Any]) -> str:
    """mean ± std (n); a lone seed has no spread, and a count no seeds."""
    if pd.isna(fact["ours_mean"]):
        return MISSING
    if fact["metric"] in COUNTS:
        return f"{fact['ours_mean']:.{fact['digits'] + 2}f}"
    value = f"{fact['ours_mean']:.{fact['digits']}f}"
    spread = "" if pd.isna(fact["ours_std"]) else f" ± {fact['ours_std']:.{fact['digits']}f}"
    return f"{value}{spread} ({int(fact['n'])})"


def _numbers(values: pd.Series, digits: pd.Series) -> list[str]:
    return [
        MISSING if pd.isna(value) else f"{value:.{places}f}"
        for value, places in zip(values, digits, strict=True)
    ]


def _wide(blocks: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The metrics side by side; where there are several, each column says whose it is."""
    if len(blocks) == 1:
        return next(iter(blocks.values()))
    first = next(iter(blocks.values()))[[ROW]]
    parts = [
        block.drop(columns=ROW).rename(
            columns=lambda column, metric=metric: f"{named(metric)}: {column}"
        )
        for metric, block in blocks.items()
    ]
    return pd.concat([first, *parts], axis=1)


def _flush_right(blocks: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    """Everything is a number but the net and the verdict."""
    right = {
        column for block in blocks.values() for column in block if column not in (ROW, VERDICT)
    }
    return (*right, *(f"{named(metric)}: {column}" for metric in blocks for column in right))


def _notes(experiment: Table, facts: pd.DataFrame, scale: Scale) -> tuple[str, ...]:
    """What n, ± and the columns mean; what is missing; what cannot be compared, and why."""
    trained = ~facts["metric"].isin(COUNTS)
    said = [experiment.note] if experiment.note else []
    said += [f"{row.label}: {row.note}." for row in experiment.rows if row.note]
    said += [f"Scale {scale.name}: {scale.about}.", *([scale.note] if scale.note else [])]
    if trained.any():
        said.append("Ours: mean ± standard deviation over n seeds, of the last iteration.")
    if facts["selected_on_test"].notna().any():
        said.append(
            "Selected on test: the best epoch, chosen by its test error and so no estimate of it; not compared."
        )
    for count in sorted(set(facts["paper_n"].dropna().astype(int))):
        said.append(f"The paper's best (mean±std) is of {count} runs.")
    for reasons, labels in _by_reasons(facts[facts["verdict"].isin(TOLD)]).items():
        said.append(f"{', '.join(labels)}: {reasons}.")
    unlike = facts[~facts["verdict"].isin(TOLD)]
    flags = (
        f"{row}: {flag}."
        for row, found in zip(unlike["row"], unlike["flags"], strict=True)
        for flag in found
    )
    return tuple(dict.fromkeys((*said, *flags)))


def _by_reasons(facts: pd.DataFrame) -> dict[str, list[str]]:
    """The nets by what their verdict says of them, so that what is said of all is said once."""
    found: dict[str, list[str]] = {}
    for fact in facts.to_dict("records"):
        if fact["reasons"]:
            labels = found.setdefault(f"{fact['verdict']}, {'; '.join(fact['reasons'])}", [])
            labels += [fact["row"]] if fact["row"] not in labels else []
    return found


def _departures(scaled: Table) -> tuple[dict[str, str], tuple[str, ...]]:
    """A letter for each set of departures from the paper's protocol; none where all rows depart alike."""
    found = {
        row.label: tuple(map(str, departures_by_net(runs)))
        for row in scaled.rows
        if (runs := runs_of(row))
    }
    kinds = [kind for kind in dict.fromkeys(found.values()) if kind]
    if len(set(found.values())) == 1:
        return {}, tuple(f"Departs from the paper. {'; '.join(kind)}." for kind in kinds)
    letters = {kind: f"[{chr(ord('a') + at)}]" for at, kind in enumerate(kinds)}
    marks = {label: letters[kind] for label, kind in found.items() if kind}
    return marks, tuple(
        f"{letter} departs from the paper. {'; '.join(kind)}." for kind, letter in letters.items()
    )
