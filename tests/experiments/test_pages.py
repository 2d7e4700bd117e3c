"""An experiment is a page of data: light to import, short, complete, and its runs are shared, not
repeated."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import experiments
from experiments.cifar10 import PLAIN, RESNET, RESNET_110_COLD
from repro.cost.layers import layers, vgg
from repro.definition.experiment import (
    Counted,
    Drawing,
    Figure,
    Ordering,
    Row,
    Skipped,
    Table,
    Unchecked,
    runs_of,
)
from repro.definition.net import plain
from repro.definition.run import Run
from repro.protocol.catalog import NAMES, REPRODUCED, load_experiment

FOLDER = Path(experiments.__file__).parent
HEAVY = (
    "torch",
    "torchvision",
    "pandas",
    "numpy",
    "scipy",
    "matplotlib",
    "msgspec",
    "submitit",
    "click",
    "rich",
)
CLAIMS = {  # by section, table or figure; D: detection and localisation, all unchecked
    "F1": "1 2",
    "F2": "1",
    "S1": "1 2 3 4 5",
    "S32": "1 2",
    "S33": "1 2",
    "T2": "1 2 3 4",
    "F4": "1 2 3 4 5",
    "S41": "1 2 3 4 5",
    "T3": "1 2 3 4 5",
    "F5": "1 2",
    "T4": "1 2",
    "T5": "1",
    "F6": "1 1b 2 3 3b",
    "T6": "0 1 2",
    "W": "1 2",
    "K": "1 1b 2 3",
    "F7": "1 2 3",
    "A": "1",
    "D": "1 2 3 4 5 6 7 8",
}

tables = [name for name in NAMES if isinstance(load_experiment(name), Table)]
figures = [name for name in NAMES if isinstance(load_experiment(name), Figure)]
drawings = [name for name in NAMES if isinstance(load_experiment(name), Drawing)]
skipped = [name for name in NAMES if isinstance(load_experiment(name), Skipped)]


def needed(name: str) -> tuple[Run, ...]:
    """Return the runs of an experiment at scale `paper`."""
    return runs_of(load_experiment(name))


def claims():
    pages = (*tables, *figures, *skipped)
    return [claim for name in pages for claim in load_experiment(name).claims]


def test_every_table_and_figure_of_the_classification_part_is_an_experiment():
    assert sorted(tables) == [f"table{number}" for number in range(1, 7)]
    assert sorted(figures) == ["figure1", "figure4", "figure6", "figure7"]
    assert sorted(drawings) == ["figure3", "figure5"]


@pytest.mark.parametrize("name", skipped)
def test_a_gap_is_a_definition_with_a_title_a_reason_and_a_page(name):
    assert load_experiment(name).title
    assert load_experiment(name).reason.endswith("this project stops at classification")
    assert 8 <= load_experiment(name).page <= 12


@pytest.mark.parametrize("name", [*REPRODUCED, "skipped"])
def test_an_experiment_imports_nothing_heavy(name):
    script = f"import sys, experiments.{name}; print(*sorted(set(sys.modules) & {set(HEAVY)}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", REPRODUCED)
def test_an_experiment_is_a_page_of_data_that_opens_with_its_caption(name):
    text = (FOLDER / f"{name}.py").read_text()
    page = ast.parse(text)
    kind, number = re.fullmatch(r"([a-z]+)(\d+)", name).groups()
    assert ast.get_docstring(page).startswith(f"{kind.title()} {number}. ")
    assert text.count("\n") <= 180  # those with many claims; the data alone is under 60
    assert not [
        node
        for node in ast.walk(page)
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.FunctionDef)
    ]


@pytest.mark.parametrize("name", tables)
def test_a_row_gives_one_number_or_a_gap_for_each_metric(name):
    table = load_experiment(name)
    assert all(len(row.paper) == len(table.metrics) for row in table.rows)
    assert len({row.label for row in table.rows}) == len(table.rows)


@pytest.mark.parametrize("name", tables)
def test_what_is_quoted_has_no_runs_and_what_is_ours_is_not_quoted(name):
    for row in load_experiment(name).rows:
        kinds = {paper.kind for paper in row.paper if paper}
        assert ("quoted" in kinds) == (not runs_of(row) and row.net is None)


@pytest.mark.parametrize("name", tables)
def test_margins_are_declared(name):
    table = load_experiment(name)
    if name != "table1":  # counts have no margin
        assert len(table.margins) == len(table.spreads) == len(table.metrics)
        assert 0 < table.spreads[-1] < table.margins[-1] <= 0.5


def test_every_claim_has_one_home():
    found = [claim.id for claim in claims()]
    assert sorted(found) == sorted(
        f"{place}-{number}" for place, numbers in CLAIMS.items() for number in numbers.split()
    )


def test_every_claim_says_where_the_paper_makes_it_and_is_checked_or_says_why_not():
    for claim in claims():
        assert claim.where, claim.id
        assert claim.text.endswith((".", ".)")), claim.id
        assert claim.checks, claim.id
        assert all(check.reason for check in claim.checks if isinstance(check, Unchecked)), claim.id


def test_the_ordering_of_plain_nets_in_training_error_starts_at_32_layers():
    [claim] = [claim for claim in claims() if claim.id == "F6-1"]
    assert claim.checks == (Ordering("train_error", (PLAIN[56], PLAIN[44], PLAIN[32])),)


def test_a_count_lies_in_a_range():
    counts = [check for claim in claims() for check in claim.checks if isinstance(check, Counted)]
    assert len(counts) > 20
    assert all(count.low <= count.high for count in counts)


def test_tables_and_figures_of_section_42_share_their_runs():
    table6, figure1, figure6, figure7 = (
        set(needed(name)) for name in ("table6", "figure1", "figure6", "figure7")
    )
    assert table6 < figure6
    assert figure1 < figure6
    assert figure7 < figure6
    assert len(figure6) == 5 * (5 + 6 + 1)


def test_tables_and_figures_of_section_41_share_their_runs():
    assert set(needed("table2")) == set(needed("figure4"))
    assert set(needed("table4")) < set(needed("table3"))
    assert (
        len({run for name in NAMES for run in needed(name) if run.net.family == "imagenet"})
        == 9 + 1
    )


def test_table_5_adds_one_run_to_those_of_table_4_a_second_resnet_152():
    [second] = set(needed("table5")) - set(needed("table4"))
    assert (second.net.name, second.seed) == ("resnet-152-b", 1)


def test_resnet_110_and_1202_warm_up_and_the_others_do_not():
    assert {depth for depth, runs in RESNET.items() if runs.run.recipe.warmup} == {110, 1202}
    assert not any(runs.run.recipe.warmup for runs in (*PLAIN.values(), RESNET_110_COLD))


def test_first_seeds_come_first_so_that_a_table_fills_evenly():
    assert [run.seed for run in runs_of(load_experiment("table6"))] == [
        seed for seed in range(5) for _ in range(6)
    ]


def test_a_panel_names_its_rows_as_the_digitised_file_does():
    for name in figures:
        for panel in load_experiment(name).panels:
            if panel.digitised:
                lines = (
                    (FOLDER / "paper" / load_experiment(name).digitised).read_text().splitlines()
                )
                known = {tuple(line.split(",")[:2]) for line in lines}
                assert {(panel.digitised, row.label) for row in panel.rows if row.paper} <= known
                assert all(isinstance(row, Row) and row.runs for row in panel.rows)


def test_the_34_layer_baseline_has_more_filters_in_all_and_fewer_on_maps_of_one_size():
    [claim] = [claim for claim in claims() if claim.id == "S33-2"]
    [check] = claim.checks
    ours = [layer for layer in layers(plain(34, "imagenet")) if layer.role == "main"]
    theirs = [layer for layer in vgg(19) if layer.role == "main"]
    counts = [sum(layer.outputs for layer in net) for net in (ours, theirs)]
    assert check.reason.startswith(
        f"it depends on what is counted: {counts[0]:,} filters in all against {counts[1]:,} of VGG-19"
    )
    widths = [
        {layer.size: layer.outputs for layer in net if layer.size in (56, 28, 14)}
        for net in (ours, theirs)
    ]
    assert widths == [{56: 64, 28: 128, 14: 256}, {56: 256, 28: 512, 14: 512}]
