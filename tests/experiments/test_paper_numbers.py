"""The numbers beside the runs are the numbers of the paper, cell by cell and digit by digit."""

import csv
from pathlib import Path

import pytest

import experiments
from repro.definition.experiment import Figure, Paper, Table
from repro.protocol.catalog import NAMES, load_experiment

PAPER = Path(experiments.__file__).parent / "paper"


def read(name):
    with (PAPER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def cells(table):
    """(row, metric) → the paper's number, as the module has it."""
    pairs = (
        (row.label, metric, paper)
        for row in table.rows
        for metric, paper in zip(table.metrics, row.paper, strict=True)
    )
    return {(label, metric): paper for label, metric, paper in pairs if paper}


def optional(text):
    return float(text) if text else None


def as_printed(line):
    digits = len(line["printed"].partition(".")[2])
    n = int(line["n"]) if line["n"] else None
    std, best = optional(line["std"]), optional(line["best"])
    return Paper(float(line["printed"]), digits, line["kind"], std=std, n=n, best=best)


@pytest.mark.parametrize("number", range(1, 7))
def test_a_table_has_every_number_of_the_paper_in_its_order_and_no_other(number):
    table = load_experiment(f"table{number}")
    printed = {
        (line["row"], line["metric"]): as_printed(line) for line in read(f"table{number}.csv")
    }
    assert cells(table) == printed
    assert list(cells(table)) == list(printed)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("table")])
def test_a_table_is_on_the_page_its_numbers_name(name):
    assert {(line["table"], int(line["page"])) for line in read(f"{name}.csv")} == {
        (name, load_experiment(name).page)
    }


def test_resnet_110_is_the_mean_of_five_with_its_best_beside_it():
    number = cells(load_experiment("table6"))["ResNet-110", "test_error"]
    assert (number.value, number.std, number.n, number.best, number.kind) == (
        6.61,
        0.16,
        5,
        6.43,
        "mean",
    )


def levels(figure, window):
    chosen = (
        line
        for line in read("plateaus.csv")
        if line["figure"] == figure and line["window"] == window
    )
    return {
        (line["panel"], line["label"], line["split"]): optional(line["mean"]) for line in chosen
    }


def beside_the_rows(figure, split):
    rows = ((panel.digitised, row) for panel in figure.panels for row in panel.rows if row.paper)
    return {
        (panel, row.label, split): row.paper[("test", "train").index(split)].value
        for panel, row in rows
    }


@pytest.mark.parametrize(
    ("name", "split", "window"),
    [
        ("figure6", "test", "last point"),
        ("figure6", "train", "final"),
        ("figure4", "test", "final"),
        ("figure4", "train", "final"),
    ],
)
def test_the_levels_beside_a_figure_are_those_read_off_it(name, split, window):
    ours = beside_the_rows(load_experiment(name), split)
    read_off = levels(name, window)
    printed = {key for key in ours if key[0] == "middle" and key[2] == "test"}
    ours = {key: value for key, value in ours.items() if key not in printed}
    assert ours == {key: read_off[key] for key in ours}
    assert len(ours) == {("figure6", "train"): 9}.get((name, split), 4)


def test_the_levels_of_figure_1_are_those_of_figure_6():
    for split in ("test", "train"):
        assert (
            beside_the_rows(load_experiment("figure1"), split).items()
            <= beside_the_rows(load_experiment("figure6"), split).items()
        )


def test_levels_are_never_passed_off_as_printed():
    figures = [load_experiment(name) for name in NAMES if isinstance(load_experiment(name), Figure)]
    numbers = [
        paper
        for figure in figures
        for panel in figure.panels
        for row in panel.rows
        for paper in row.paper
    ]
    printed = [number for number in numbers if not number.reading_error]
    assert all(number.kind == "digitised" for number in numbers if number.reading_error)
    # What is not read off is printed in Table 6, to the digit.
    assert set(printed) <= {row.paper[1] for row in load_experiment("table6").rows}


def test_table_6_gives_the_last_points_of_figure_6():
    table, ends = cells(load_experiment("table6")), levels("figure6", "last point")
    for depth in (20, 32, 44, 56):
        gap = (
            table[f"ResNet-{depth}", "test_error"].value - ends["middle", f"ResNet-{depth}", "test"]
        )
        assert abs(gap) <= 0.03 + 1e-9


@pytest.mark.parametrize(("name", "end"), [("figure4.csv", 550_000), ("figure6.csv", 64_000)])
def test_digitised_curves_are_errors_in_percent_within_the_training(name, end):
    for line in read(name):
        assert 0 < int(line["iteration"]) <= end
        assert 0 <= float(line["error"]) <= 100
        assert 0 < float(line["reading_error"]) < 1
        assert line["split"] in ("train", "test")


def test_digitised_responses_are_ranked_in_descending_order():
    lines = read("figure7.csv")
    for label in {line["label"] for line in lines}:
        ranked = [
            (int(line["rank"]), float(line["std"])) for line in lines if line["label"] == label
        ]
        assert ranked == sorted(ranked)
        assert [std for _, std in ranked] == sorted((std for _, std in ranked), reverse=True)


def test_reproductions_of_others_belong_to_rows_of_ours():
    known = {
        (name, row.label)
        for name in NAMES
        if isinstance(load_experiment(name), Table)
        for row in load_experiment(name).rows
    }
    known |= {("figure6", f"plain-{depth}") for depth in (20, 32, 44, 56, 110)}
    for name in ("table7", "table8"):  # skipped here; their rows are in the paper's own numbers
        known |= {(name, line["row"]) for line in read(f"{name}.csv")}
    for line in read("reproductions.csv"):
        assert (line["experiment"], line["row"]) in known
        assert line["source"]
        assert line["reporting"]


def test_the_protocol_names_a_section_or_says_that_the_paper_is_silent():
    lines = read("protocol.csv")
    assert len(lines) > 40
    assert all(line["section"] != "-" or line["stated"] == "absent" for line in lines)
    assert {line["dataset"] for line in lines} == {"ImageNet", "CIFAR-10"}
