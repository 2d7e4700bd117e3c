"""`repro table`: data on stdout, files in the results folder, mistakes answered."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from experiments import table5, table6
from experiments.cifar10 import RESNET
from repro.cli import cli
from repro.definition.experiment import runs_of
from repro.errors import UserError
from repro.protocol import catalog
from repro.protocol.selection import select
from repro.storage.predictions import IN_ENSEMBLES, Scores, save

RUN, OTHER = list(RESNET[20])[:2]


def table(*words: str, **how: Any):
    return CliRunner().invoke(cli, ["table", *words], catch_exceptions=False, **how)


def resnet_20(done: Result) -> dict[str, Any]:
    """Its test error in the JSON."""
    rows = json.loads(done.stdout)["rows"]
    return next(row for row in rows if (row["row"], row["metric"]) == ("ResNet-20", "test_error"))


def code(*words: str) -> int:
    return int(table(*words, standalone_mode=False).return_value)


def test_a_table_is_printed_and_written_in_every_format(here):
    done = table("table1")
    assert done.exit_code == 0
    assert done.stdout.startswith("Table 1. Architectures for ImageNet")
    assert done.stderr == f"written: {here.results / 'table1'}.{{txt,md,tex,csv,json,html}}\n"
    assert (here.results / "table1.txt").read_text() == done.stdout


def test_table_1_equals_the_paper_within_a_printed_digit():
    rows = json.loads(table("table1", "--json").stdout)["rows"]
    assert len(rows) == 5
    assert all(abs(row["ours_mean"] - row["paper"]) <= 0.1 for row in rows)


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("table", "Table 1."),
        ("md", "**Table 1."),
        ("latex", r"\begin{table}"),
        ("html", "<table>"),
        ("json", "{"),
    ],
)
def test_every_format_is_printed_as_it_is(form, start):
    assert table("table1", "--format", form).stdout.startswith(start)


@pytest.fixture
def six_nets(finished):
    """The nets of Table 5's ensemble, with what they said of three images."""
    scores = Scores(np.arange(3), np.arange(3), np.eye(3, 10, dtype=np.float32))
    for run in runs_of(table5.experiment):
        save(finished(run).predictions, "1a9e", {IN_ENSEMBLES: scores}, IN_ENSEMBLES)


def test_csv_on_stdout_is_only_csv():
    rows = list(csv.DictReader(io.StringIO(table("table1", "--format", "csv").stdout)))
    assert [row["row"] for row in rows] == [
        "18-layer",
        "34-layer",
        "50-layer",
        "101-layer",
        "152-layer",
    ]


def test_without_a_scale_the_most_serious_one_with_results_is_shown(finished):
    row = next(row for row in table6.experiment.rows if row.runs)
    finished(catalog.load_scale("quick")(next(iter(row.runs))), test_error=20.0)
    assert json.loads(table("table6", "--json").stdout)["scale"] == "quick"
    assert json.loads(table("table6", "--json", "--scale", "paper").stdout)["scale"] == "paper"


def test_the_scale_that_was_chosen_is_said_and_one_that_was_asked_for_is_not(finished):
    assert table("table6").stderr.startswith(
        "scale: paper (nothing is done yet; --scale chooses another)\n"
    )
    finished(catalog.load_scale("smoke")(RUN), test_error=20.0)
    assert table("table6").stderr.startswith(
        "scale: smoke (the most serious with results; --scale chooses another)\n"
    )
    assert table("table6", "--scale", "smoke").stderr.startswith("written: ")


def test_a_table_without_a_number_of_ours_is_incomplete_and_of_what_diverged_a_failure(
    diverged, finished
):
    assert code("table6") == 3
    diverged(RUN)
    assert code("table6") == 1
    finished(OTHER, test_error=9.0)
    assert code("table6") == code("table1") == 0


def test_a_table_of_an_ensemble_is_incomplete_until_all_its_nets_have_finished(
    finished, six_nets, here
):
    assert code("table5") == 0
    shutil.rmtree(here.run(runs_of(table5.experiment)[0].id).path)
    assert code("table5") == 3


@pytest.mark.parametrize(
    ("words", "file", "note"),
    [
        (["--variant", "ghost"], "table6-ghost", "With variant ghost."),
        (["--set", "rate=0.05"], "table6-rate-0.05", "With rate=0.05."),
        (
            ["--variant", "ghost", "--set", "drops=[2, 3]"],
            "table6-ghost-drops-2-3",
            "With variant ghost, drops=[2, 3].",
        ),
    ],
)
def test_runs_of_a_variant_are_shown_where_it_is_asked_for_and_take_the_place_of_no_others(
    words, file, note, finished, here
):
    finished(RUN, test_error=8.0)
    assert code("table6", *words) == 3
    given = {
        option: [words[at + 1] for at, word in enumerate(words) if word == option]
        for option in words[::2]
    }
    chosen = select(
        "table6",
        scale="quick",
        seeds=1,
        variants=given.get("--variant", ()),
        settings=given.get("--set", ()),
    )
    finished(chosen.runs()[0], test_error=20.0)
    table("table6")
    before = (here.results / "table6.json").read_bytes()
    done = table("table6", *words)
    assert done.stderr.startswith("scale: quick (the most serious with results")
    assert note in " ".join(done.stdout.split())
    assert resnet_20(table("table6", *words, "--json"))["ours_mean"] == 20.0
    assert (here.results / "quick" / f"{file}.md").exists()
    assert (here.results / "table6.json").read_bytes() == before
    assert not (here.results / "quick" / "table6.json").exists()


def test_several_tables_are_printed_one_after_another_and_the_scale_is_said_once(finished):
    finished(catalog.load_scale("quick")(RUN), test_error=20.0)
    done = table("table1", "table6", standalone_mode=False)
    assert done.stdout.startswith("Table 1. ")
    assert "\n\nTable 6. " in done.stdout
    assert done.stderr.count("scale: quick") == 1
    assert done.stderr.count("written: ") == 2
    assert done.return_value == 0
    assert code("table1", "table2") == 3  # one of them has no number of ours


def test_several_tables_are_one_json_document_and_one_csv():
    document = json.loads(table("table1", "table6", "--json").stdout)
    assert document["schema"] == 1
    names = [[row["row"] for row in one["rows"]] for one in document["tables"]]
    assert names[0][0] == "18-layer"
    assert "ResNet-20" in names[1]
    rows = list(csv.DictReader(io.StringIO(table("table1", "table6", "--format", "csv").stdout)))
    assert {row["experiment"] for row in rows} == {"table1", "table6"}


def test_of_a_group_or_a_pattern_the_tables_are_printed():
    assert list(_experiments("imagenet")) == ["table1", "table2", "table3", "table4", "table5"]
    assert list(_experiments("table[12]")) == ["table1", "table2"]
    assert list(_experiments("resnet-20.*", "--scale", "smoke")) == ["table6"]


def _experiments(*words: str) -> dict[str, None]:
    rows = csv.DictReader(io.StringIO(table(*words, "--format", "csv").stdout))
    return dict.fromkeys(row["experiment"] for row in rows)


def test_a_part_of_a_table_is_shown_and_takes_the_place_of_no_whole_one(finished, here):
    finished(RUN, test_error=8.0)
    table("table6")
    before = (here.results / "table6.json").read_bytes()
    for words in (["table6", "--only", "resnet-20"], ["table6", "!*s1*", "--only", "resnet-20"]):
        rows = json.loads(table(*words, "--json").stdout)["rows"]
        assert {row["row"] for row in rows} == {"ResNet-20"}
    assert "With only resnet-20" in table("table6", "--only", "resnet-20").stdout
    assert "Without resnet-1202." in table("table6", "--skip", "resnet-1202").stdout
    assert (here.results / "table6-only-resnet-20.json").exists()
    assert (here.results / "table6-only-resnet-20-skip-s1.json").exists()
    assert "ResNet-32" not in table("resnet-20.*").stdout
    assert (here.results / "table6-only-resnet-20.json").exists()
    assert (here.results / "table6.json").read_bytes() == before


def test_beside_a_part_of_a_table_one_that_needs_no_run_is_whole():
    document = json.loads(table("table1", "table6", "--only", "resnet-20", "--json").stdout)
    rows = [[row["row"] for row in one["rows"]] for one in document["tables"]]
    assert rows[0][0] == "18-layer"
    assert set(rows[1]) == {"ResNet-20"}


def test_a_table_of_which_no_run_is_selected_is_named():
    done = table("table6", "table2", "--only", "resnet-20", "--scale", "smoke")
    assert "left out, as no run of it is selected: table2" in done.stderr
    assert "Table 2" not in done.stdout


def test_strictly_runs_of_different_code_are_not_averaged(finished):
    finished(RUN, test_error=8.0)
    finished(OTHER, test_error=9.0, provenance={"code": "0ther"})
    done = table("table6", "--json", standalone_mode=False)
    assert (resnet_20(done)["ours_mean"], done.return_value) == (8.5, 0)
    mixed = "the runs were trained with different code (0ther, c0de)"
    text = " ".join(table("table6", "--seeds", "2").stdout.split())
    assert f"ResNet-20: {mixed}." in text
    done = table("table6", "--strict", "--json", standalone_mode=False)
    row = resnet_20(done)
    assert (row["ours_mean"], row["verdict"], done.return_value) == (None, "not comparable", 1)
    assert f"{mixed}; not averaged" in row["reasons"]
    assert done.stderr.endswith("not averaged: ResNet-20\n")


def test_a_folder_that_cannot_be_read_is_named_on_stderr(here):
    (here.runs / "foreign").mkdir(parents=True)
    assert "Warning: runs/foreign: not a run" in table("table1").stderr


@pytest.mark.parametrize(
    ("words", "problem", "hint"),
    [
        (["tabel6"], "no experiment named `tabel6`", "did you mean `table6`?"),
        (["figure6"], "`figure6` is not a table", "draw it with `repro figure figure6`"),
        (["table6", "--variant", "gost"], "no variant named `gost`", "did you mean `ghost`?"),
        (
            ["table6", "--scale", "big"],
            "no scale named `big`",
            "scales: paper, tenth, quick, smoke",
        ),
    ],
)
def test_a_mistake_says_what_is_wrong_and_what_to_do(words, problem, hint, here):
    with pytest.raises(UserError) as caught:
        table(*words)
    assert (caught.value.problem, caught.value.hint) == (problem, hint)
    assert not here.results.exists()


def test_a_table_that_is_not_reproduced_says_why():
    with pytest.raises(UserError, match="`table7` is not reproduced here: detection"):
        table("table7")


@pytest.mark.parametrize("name", ["table1", "table5"])
def test_it_works_where_torch_is_not_installed(name, six_nets):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['torchvision'] = None\n"
        f"from repro.cli import main; main(['table', '{name}', '--json'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"][-1]["ours_mean"] is not None
