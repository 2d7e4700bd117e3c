"""All run folders as one Arrow table, which is kept so that no folder is read twice.

Reading 10,000 folders takes seconds. So `results/runs.parquet` keeps what was read: one row a run,
its curve in list columns, and a stamp of times and sizes. A folder with an unchanged stamp is not
opened again. A second file has the rows that are not shown: a second copy of a published run, or a
folder that is no run. Both files depend on the folders alone and are replaced whole, so two
collectors at once write the same bytes. If a crash between the two leaves a row in both or in
neither, the next collector notices and writes both again.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat, starmap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from repro.analysis.runs.equal_curves import twins
from repro.analysis.runs.run_places import Found, lab_of, stamped_folders, unread_folders
from repro.analysis.runs.run_record import DATA, PROVENANCE, Record, data_column, read_run
from repro.errors import quote
from repro.storage.atomic import write_atomic
from repro.storage.labs import OURS
from repro.storage.metrics_file import CURVE
from repro.storage.paths import Places

LAYOUT = "7"  # of runs.parquet: raise it when `records` reads something new


def _list_of(kind: pa.DataType) -> pa.DataType:
    # Named as Parquet names it, so that what was kept and what is fresh are of one type.
    return pa.list_(pa.field("element", kind))


_ARROW = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    list: _list_of(pa.string()),
}
_TEXTS = (
    *("lab", "place", "folder", "stamp", "state", "problem", "id", "net", "kind"),
    *("family", "shortcut", "recipe", "dataset", "scale", "definition"),
)
_COUNTS = ("depth", "iterations", "seed", "failed_at")


def _fixed_columns() -> Iterator[tuple[str, pa.DataType]]:
    """Yield the columns that every table has, in their order."""
    yield from zip(_TEXTS, repeat(pa.string()))
    yield from zip(_COUNTS, repeat(pa.int64()))
    yield "failure", pa.string()
    yield "not_finite", _list_of(pa.string())
    for name, kind in PROVENANCE:
        yield name, _ARROW[kind]
    for name, kind in DATA:
        yield data_column(name), _ARROW[kind]
    yield "responses", _list_of(pa.float64())
    for name in CURVE:
        number = pa.int64() if name == "iteration" else pa.float64()
        yield f"curve.{name}", _list_of(number)


_FIXED = tuple(_fixed_columns())
# Names that no metric may have: in a frame a metric's column is called by its bare name.
_TAKEN = {"reached", "twin", "copy_of"} | {name for name, _ in _FIXED}
_ABOUT = ["lab", "id", "state", "place", "folder", "problem"]
INTERNAL = ("stamp", "problem", "responses", *(f"curve.{name}" for name in CURVE))

Key = tuple[str, str]  # a lab and a run


@dataclass(frozen=True)
class Problem:
    """A folder that could not be read as it stands, or could only in part."""

    folder: str  # inside the results folder
    problem: str


@dataclass(frozen=True)
class CachedRuns:
    """`table` has one row for each run; `problems` names what was left out, cut or doubled."""

    table: pa.Table
    problems: tuple[Problem, ...]
    folders: int
    opened: int  # folders read this time; the others had not changed
    others: pa.Table  # a row for each folder that is not shown, kept as well
    changed: bool  # whether what is kept is out of date
    twins: dict[Key, Key]  # runs whose curve equals another run's, of our lab or an earlier one

    @property
    def labs(self) -> tuple[str, ...]:
        """The other labs that have a run here, by name."""
        names = set(self.table["lab"].to_pylist()) - {OURS}
        return tuple(sorted(names))

    def of_lab(self, lab: str) -> pa.Table:
        """Return the rows of one lab."""
        names = self.table["lab"].to_pylist()
        return _rows(self.table, [row for row, name in enumerate(names) if name == lab])


def read_runs(places: Places, keep: bool = True) -> CachedRuns:
    """Read the folders that changed; without `keep`, all of them."""
    kept = _kept(places) if keep else None
    everything = _schema().empty_table() if kept is None else kept
    found = list(stamped_folders(places))
    at_row = {key: row for row, key in enumerate(_keys(everything))}
    same, fresh = [], []
    for folder, key in found:
        if key in at_row:
            same.append(at_row[key])
        else:
            fresh.append((folder, key))
    # Fewer rows that are the same: a folder that was read before has gone.
    changed = kept is None or bool(fresh) or len(same) < everything.num_rows
    if changed:
        everything = _merged(everything, same, fresh)
    shown, problems = _one_each(everything)
    hidden = sorted(set(range(everything.num_rows)).difference(shown))
    tables = _rows(everything, shown), _rows(everything, hidden)
    doubles, doubled = _twins(tables[0])
    problems += doubled + tuple(starmap(Problem, unread_folders(places)))
    return CachedRuns(tables[0], problems, len(found), len(fresh), tables[1], changed, doubles)


def save(gathered: CachedRuns, places: Places) -> None:
    """Keep what was gathered for the next time, if it is news."""
    if gathered.changed:
        _write(gathered.table, places.frame)
        if gathered.others.num_rows or places.copies.exists():
            _write(gathered.others, places.copies)


def _write(table: pa.Table, path: Path) -> None:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_atomic(path, buffer.getvalue())


def _merged(known: pa.Table, same: list[int], fresh: list[Found]) -> pa.Table:
    """Return the known rows that still hold, and the fresh ones, read some at a time."""
    tables = [_rows(known, same)]
    # All records at once, as Python lists, would need many times the memory of the table.
    for start in range(0, len(fresh), 500):
        tables.append(_parsed(fresh[start : start + 500]))
    return _in_order(pa.concat_tables(tables, promote_options="default"))


def _keys(table: pa.Table) -> Iterator[tuple[str, ...]]:
    return zip(*table.select(["place", "folder", "stamp"]).to_pydict().values(), strict=True)


def _parsed(batch: Iterable[Found]) -> pa.Table:
    """Return the folders' records as a table. Only the metrics' columns are not declared above."""
    records = []
    for folder, (place, name, mark) in batch:
        where = {"lab": lab_of(place), "place": place, "folder": name, "stamp": mark}
        records.append(where | _with_own_columns(read_run(folder)))
    names = set().union(*records)
    metrics = [(name, pa.float64()) for name in sorted(names) if name.startswith("metric.")]
    schema = pa.schema([*_schema(), *metrics], metadata=_schema().metadata)
    columns = []
    for field in schema:
        values = [record.get(field.name) for record in records]
        columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _with_own_columns(record: Record) -> Record:
    """Return the record, or that it is unreadable: a metric would take another column's place."""
    for name in record:
        metric = name.removeprefix("metric.")
        if metric != name and metric in _TAKEN:
            problem = f"its metric {quote(metric)} has the name of a column"
            return {"state": "unreadable", "problem": problem}
    return record


def _schema() -> pa.Schema:
    return pa.schema(_FIXED, metadata={"repro": LAYOUT})


def _in_order(table: pa.Table) -> pa.Table:
    """Sort rows by run and columns by name: the same folders then give the same bytes."""
    metrics = []
    for name in sorted(table.column_names):
        # A metric that only removed folders had would tell of them, so the bytes would differ.
        if name.startswith("metric.") and table[name].null_count < len(table):
            metrics.append(name)
    table = table.select([*_schema().names, *metrics])
    order = [("id", "ascending"), ("place", "ascending"), ("folder", "ascending")]
    return table.sort_by(order).combine_chunks()


def _kept(places: Places) -> pa.Table | None:
    """Return what an earlier collection read, if it can be trusted: of shown and other folders."""
    shown, others = _trusted(places.frame), _trusted(places.copies)
    if shown is None or others is None or not others.num_rows:
        return shown
    return _in_order(pa.concat_tables([shown, others], promote_options="default"))


def _trusted(path: Path) -> pa.Table | None:
    if not path.is_file():  # a pipe would wait for somebody to write
        return None
    try:
        # `read_table` would import pandas, as would `pa.array` of a list.
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException):
        return None
    if (table.schema.metadata or {}).get(b"repro") != LAYOUT.encode():
        return None
    return table if table.column_names[: len(_FIXED)] == _schema().names else None


def _one_each(everything: pa.Table) -> tuple[list[int], tuple[Problem, ...]]:
    """Choose one copy of each lab's run: a finished one, else a working one; name differences."""
    labs, ids, state, place, folder, problem = everything.select(_ABOUT).to_pydict().values()
    names, problems = [], []
    copies: dict[Key, list[int]] = {}
    for at, key in enumerate(zip(labs, ids, strict=True)):
        names.append(f"{place[at]}/{folder[at]}")
        if problem[at]:
            problems.append(Problem(names[at], problem[at]))
        if key[1]:  # what is unreadable has no id, so it is never shown
            copies.setdefault(key, []).append(at)
    chosen = []
    for rows in copies.values():
        best, *others = sorted(rows, key=lambda at: (state[at] != "done", place[at] != "runs", at))
        chosen.append(best)
        for at in others:
            if state[at] == "done" and _measured(everything, at) != _measured(everything, best):
                difference = f"differs from {names[best]}, which is the one shown"
                problems.append(Problem(names[at], difference))
    return chosen, tuple(problems)


def _twins(table: pa.Table) -> tuple[dict[Key, Key], tuple[Problem, ...]]:
    """Return the runs that equal another one, and warn of those that equal one of their own lab."""
    about = table.select(["lab", "id", "place", "folder"]).to_pydict()
    labs, ids, places, folders = about.values()
    # Our lab comes first, so that a run which two labs have counts for us: it is one sample.
    order = sorted(range(len(labs)), key=lambda row: (labs[row] != OURS, labs[row]))
    doubles, problems = {}, []
    for twin in twins(table, order):
        doubles[labs[twin.row], ids[twin.row]] = labs[twin.other], ids[twin.other]
        if labs[twin.row] != labs[twin.other]:
            continue  # no fault, since equal machines train alike to the bit
        folder = f"{places[twin.row]}/{folders[twin.row]}"
        original = f"{places[twin.other]}/{folders[twin.other]}"
        count = f"the first point of its curve equals that of {original}"
        if twin.points > 1:
            count = f"the first {twin.points} points of its curve equal those of {original}"
        why = "they are no independent seeds, and no mean or verdict counts both"
        problems.append(Problem(folder, f"{count} to the digit: {why}"))
    return doubles, tuple(problems)


def _rows(table: pa.Table, chosen: list[int]) -> pa.Table:
    """These rows of it: the table itself where they are all, as they mostly are."""
    if chosen == list(range(table.num_rows)):
        return table
    numbers = pa.py_buffer(array("q", chosen))
    return table.take(pa.Array.from_buffers(pa.int64(), len(chosen), [None, numbers]))


def _measured(table: pa.Table, row: int) -> str:
    """Everything a copy measured, as text, in which NaN equals NaN."""
    names = [
        name for name in table.column_names if name.startswith(("metric.", "curve.", "responses"))
    ]
    return repr(table.select(names).slice(row, 1).to_pylist())
