"""The paper's tables with ours beside them, as frames and as a reader sees them."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from experiments import table1, table2, table6
from repro.analysis.compare.number_text import printed_text
from repro.analysis.output import table_facts, tables
from repro.analysis.output.table_formats import SUFFIXES, render
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import Paper, Row, Table, at_scale, quoted
from repro.definition.experiment import mean as mean_of
from repro.protocol import catalog

PAPER, QUICK = catalog.load_scale("paper"), catalog.load_scale("quick")
TABLE6 = table6.experiment


def row_of(table: Table, label: str) -> Row:
    return next(row for row in table.rows if row.label == label)


def finish(finished, label: str, errors: list[float], scale=PAPER, **more) -> None:
    runs = row_of(at_scale(TABLE6, scale), label).runs
    for run, error in zip(runs, errors, strict=False):
        finished(run, test_error=error, best_test_error=error - 0.2, **more)


def facts(places, label: str, metric: str = "test_error", scale=PAPER) -> pd.Series:
    frame = table_facts.table("table6", TABLE6, collect(places), scale)
    return frame[(frame["row"] == label) & (frame["metric"] == metric)].iloc[0]


def text(places, scale=PAPER, form: str = "table") -> str:
    return render(tables.sheet("table6", TABLE6, collect(places), scale), form)


def line(text: str, start: str) -> str:
    """The last line that begins so: errors come after parameters."""
    return next(line for line in reversed(text.splitlines()) if line.startswith(start + " "))


def test_the_rows_are_the_paper_s_in_the_paper_s_order(places):
    frame = table_facts.table("table6", TABLE6, collect(places), PAPER)
    assert list(frame["row"].unique()) == [row.label for row in TABLE6.rows]
    assert list(frame["metric"].unique()) == ["parameters_millions", "test_error"]


def test_ours_is_the_mean_and_spread_of_the_finished_seeds_with_the_best_beside_it(
    places, finished
):
    finish(finished, "ResNet-110", [6.5, 6.7, 6.6, 6.4, 6.8])
    fact = facts(places, "ResNet-110")
    assert (fact["ours_mean"], fact["n"], fact["best"], fact["best_seed"]) == (
        pytest.approx(6.6),
        5,
        6.4,
        3,
    )
    assert fact["ours_std"] == pytest.approx(0.158, abs=1e-3)
    assert fact["selected_on_test"] == pytest.approx(6.4)
    assert line(text(places), "ResNet-110").split() == (
        [
            "ResNet-110",
            "6.43",
            "(6.61±0.16)",
            "6.60",
            "±",
            "0.16",
            "(5)",
            "6.40",
            "6.40",
            "reproduced",
        ]
    )


def test_one_seed_has_no_spread_and_no_best(places, finished):
    finish(finished, "ResNet-20", [8.7])
    fact = facts(places, "ResNet-20")
    assert fact["n"] == 1
    assert pd.isna(fact["ours_std"])
    assert pd.isna(fact["best"])
    assert " 8.70 (1) " in line(text(places), "ResNet-20")


def test_what_is_missing_stays_missing(places):
    assert pd.isna(facts(places, "ResNet-20")["ours_mean"])
    assert line(text(places), "ResNet-20").split() == ["ResNet-20", "8.75", "–", "missing"]


def test_the_best_epoch_stands_only_in_a_column_that_says_selected_on_test(places, finished):
    finish(finished, "ResNet-20", [8.7, 8.9])
    assert "selected on test" in text(places, form="md")
    assert "Selected on test: the best epoch, chosen by its test error" in text(places)
    assert facts(places, "ResNet-20")["ours_mean"] == pytest.approx(8.8)


def test_parameters_are_counted_without_any_run(places):
    fact = facts(places, "ResNet-110", "parameters_millions")
    assert fact["ours_mean"] == pytest.approx(1.727962)
    assert fact["verdict"] == "reproduced"


def test_table_1_needs_no_training(places):
    frame = table_facts.table("table1", table1.experiment, collect(places), PAPER)
    assert list(frame["ours_mean"].round(3)) == [1.795, 3.644, 3.858, 7.570, 11.282]
    assert set(frame["verdict"]) == {"reproduced"}


def test_a_quoted_number_is_the_paper_s_and_nobody_else_s(places):
    fact = facts(places, "Highway-19")
    assert (fact["paper_cell"], fact["verdict"]) == ("7.54 (7.72±0.16)", "quoted")
    assert pd.isna(fact["ours_mean"])


def test_another_scale_is_said_and_not_compared(places, finished):
    finish(finished, "ResNet-20", [20.0, 21.0], QUICK)
    assert facts(places, "ResNet-20", scale=QUICK)["verdict"] == "not comparable"
    said = " ".join(text(places, QUICK).split())
    assert "Scale quick: real images, a shortened schedule, bfloat16" in said
    assert "ResNet-20: not comparable, scale: quick" in said
    assert pd.isna(facts(places, "ResNet-20")["ours_mean"])


def test_images_that_only_counts_show_to_be_the_papers_are_named_under_the_table(places, finished):
    origin = "folders, complete: 1,281,167 + 50,000"
    for run in list(table2.experiment.rows[3].runs):
        finished(run, ten_crop_top1=25.0, data={"origin": origin})
    sheet = tables.sheet("table2", table2.experiment, collect(places), PAPER)
    note = f"Data: {origin}; every class has its number of images, and no official digest is known"
    assert note in " ".join(render(sheet, "table").split())


def test_errors_of_images_trained_on_are_said_to_be_none_of_images_not_seen(places, finished):
    note = (
        "The test images are the training images: their errors say nothing about images not seen."
    )
    finish(finished, "ResNet-20", [0.8, 0.9], QUICK, data={"tested_on_training_images": False})
    assert note not in " ".join(text(places, QUICK).split())
    finish(finished, "ResNet-32", [0.8, 0.9], QUICK, data={"tested_on_training_images": True})
    assert note in " ".join(text(places, QUICK).split())


def test_some_seeds_of_all_are_said(places, finished):
    finish(finished, "ResNet-20", [8.7, 8.8, 8.9])
    assert "ResNet-20: incomplete, 3 of 5 seeds have finished" in " ".join(text(places).split())


def test_fewer_seeds_can_be_asked_for(places, finished):
    finish(finished, "ResNet-20", [8.7, 8.8, 8.9])
    frame = table_facts.table("table6", TABLE6, collect(places), PAPER, seeds=2)
    assert frame[frame["row"] == "ResNet-20"]["n"].max() == 2


def test_seeds_on_different_images_are_not_averaged(places, finished):
    finish(finished, "ResNet-20", [8.7])
    second = list(row_of(TABLE6, "ResNet-20").runs)[1]
    finished(second, test_error=12.0, data={"hash": "0th3r"})
    fact = facts(places, "ResNet-20")
    assert pd.isna(fact["ours_mean"])
    assert fact["verdict"] == "not comparable"


def test_departures_stand_under_the_table(places):
    assert "Departs from the paper. recipe.batch_norm_group: the whole batch, not 64" in " ".join(
        text(places).split()
    )


def test_rows_that_depart_differently_carry_letters(places):
    ghost = catalog.load_variant("ghost")
    plain, other = TABLE6.rows[-6], TABLE6.rows[-5]
    changed = Row(other.label, type(other.runs)(ghost(other.runs.run), 5), other.paper)
    mixed = Table("mixed", TABLE6.metrics, (plain, changed), 7)
    sheet = tables.sheet("table6", mixed, collect(places), PAPER)
    assert list(sheet.cells["net"]) == ["ResNet-20 [a]", "ResNet-32"]
    assert any(
        note.startswith("[a] departs from the paper. recipe.batch_norm_group")
        for note in sheet.notes
    )


def test_every_line_for_a_terminal_has_80_columns_or_fewer(places, finished):
    for label in ("ResNet-20", "ResNet-110", "ResNet-1202"):
        finish(finished, label, [10.25, 11.75], QUICK)
    assert max(map(len, text(places, QUICK).splitlines())) <= 80


def test_latex_spans_each_metric_over_its_columns(places):
    latex = text(places, form="latex")
    assert r"\multicolumn{3}{c}{parameters (10\textsuperscript{6})}" in latex
    assert r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}" in latex
    assert (
        r"ResNet-110 & 1.7 & 1.728 & reproduced & 6.43 (6.61$\pm$0.16) & -- & missing \\" in latex
    )


def test_csv_and_json_have_every_number_with_its_scale_and_runs(places, finished):
    finish(finished, "ResNet-20", [8.7, 8.9])
    frame = pd.read_csv(io.StringIO(text(places, form="csv")))
    assert set(frame["scale"]) == {"paper"}
    row = next(row for row in json.loads(text(places, form="json"))["rows"] if row["n"] == 2)
    assert (row["ours_mean"], row["runs"]) == (
        pytest.approx(8.8),
        [run.id for run in row_of(TABLE6, "ResNet-20").runs][:2],
    )


def test_every_format_is_written_whole_and_the_same_twice(places, finished):
    finish(finished, "ResNet-20", [8.7, 8.9])
    sheet = tables.sheet("table6", TABLE6, collect(places), PAPER)
    paths = tables.write("table6", sheet, places, "paper")
    before = {path: path.read_bytes() for path in paths}
    tables.write("table6", tables.sheet("table6", TABLE6, collect(places), PAPER), places, "paper")
    assert {path: path.read_bytes() for path in paths} == before
    assert {path.name for path in paths} == {f"table6{suffix}" for suffix in SUFFIXES.values()}


@pytest.mark.parametrize("scale", ["tenth", "quick"])
def test_the_tables_of_a_scale_have_their_own_folder(places, scale):
    sheet = tables.sheet("table1", table1.experiment, collect(places), catalog.load_scale(scale))
    assert tables.write("table1", sheet, places, scale, ["csv"]) == [
        places.results / scale / "table1.csv"
    ]


@pytest.mark.parametrize(
    ("paper", "cell"),
    [
        (Paper(8.75), "8.75"),
        (Paper(7.4), "7.40"),
        (quoted(6.8, 1), "6.8"),
        (mean_of(6.61, std=0.16, n=5, best=6.43), "6.43 (6.61±0.16)"),
        (mean_of(6.61, std=0.16, n=5), "6.61±0.16"),
    ],
)
def test_the_paper_s_cell_is_set_as_the_paper_sets_it(paper, cell):
    assert printed_text(paper) == cell
