"""The columns of several labs: their mean, and how far seeds and labs spread.

The three standard deviations are those of ISO 5725-2. A row's verdict is of the labs' mean.
Where there is one lab, there are no such columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from repro.analysis.compare.judged_numbers import JudgedNumber
from repro.analysis.output.table_formats import MISSING

ALL = "all labs"
WITHIN, BETWEEN, TOGETHER = "s_r", "s_L", "s_R"
COLUMNS = (ALL, WITHIN, BETWEEN, TOGETHER)
ABOUT = (
    "All labs: the mean of the labs' means, and n runs; standard deviations of ISO 5725-2: s_r "
    "between the seeds of one lab, s_L between labs, s_R of one run of one lab. The verdict is of "
    "that mean, against one more lab."
)


def with_lab_facts(
    facts: pd.DataFrame, judged: Mapping[tuple[str, str], JudgedNumber]
) -> pd.DataFrame:
    """Return the facts with those of several labs, if a number has them."""
    rows = []
    for key in zip(facts["row"], facts["metric"], strict=True):
        number = judged.get(key)
        rows.append(lab_fact(number) if number else {})
    if not any(rows):
        return facts
    more = pd.DataFrame(rows, index=facts.index)
    return pd.concat([facts, more], axis=1)


def lab_fact(number: JudgedNumber) -> dict[str, Any]:
    """Return what several labs say of a number; nothing where there is one lab."""
    if number.labs is None:
        return {}
    spread = number.labs.spread
    return {
        "labs": spread.labs,
        "labs_n": spread.n,
        "labs_mean": spread.mean,
        "repeatability_std": spread.repeatability,
        "between_labs_std": spread.between,
        "between_labs_low": spread.between_low,
        "between_labs_high": spread.between_high,
        "reproducibility_std": spread.reproducibility,
        "lab_means": "; ".join(map(str, number.labs.numbers)),
    }


def with_lab_columns(
    block: pd.DataFrame, facts: pd.DataFrame, metric: str, before: str
) -> pd.DataFrame:
    """Return one metric's columns with those of several labs, if a row of it has them."""
    facts = facts[facts["metric"] == metric]
    if "labs" not in facts or facts["labs"].isna().all():
        return block
    cells: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for fact in facts.to_dict("records"):
        digits = fact["digits"]
        cells[ALL].append(_mean(fact, digits))
        cells[WITHIN].append(_number(fact["repeatability_std"], digits))
        cells[BETWEEN].append(_number(fact["between_labs_std"], digits))
        cells[TOGETHER].append(_number(fact["reproducibility_std"], digits))
    block = block.copy()
    at = list(block.columns).index(before)
    for offset, (name, column) in enumerate(cells.items()):
        block.insert(at + offset, name, column)
    return block


def lab_notes(facts: pd.DataFrame) -> list[str]:
    """Return what the columns mean, and what each lab has of each row."""
    if "labs" not in facts:
        return []
    notes = [ABOUT]
    several = facts[facts["labs"].notna()]
    for label, metric, means in zip(
        several["row"], several["metric"], several["lab_means"], strict=True
    ):
        notes.append(f"{label}, {metric}: {means}.")
    return notes


def _mean(fact: Mapping[Any, Any], digits: int) -> str:
    if pd.isna(fact["labs"]):
        return MISSING
    return f"{fact['labs_mean']:.{digits}f} ({fact['labs']:.0f} labs, n = {fact['labs_n']:.0f})"


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None or pd.isna(value) else f"{value:.{digits}f}"
