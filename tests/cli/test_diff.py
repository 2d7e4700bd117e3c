"""`repro diff`, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

import repro.cli.diff as page
from experiments import figure4
from experiments.cifar10 import PLAIN, RESNET
from experiments.recipes import VARIANTS
from experiments.scales import SCALES
from repro.cli import cli
from repro.definition.experiment import runs_of
from repro.errors import UserError

SCHEMA = Path(page.__file__).parent.parent / "analysis" / "output" / "diff.schema.json"
SPREAD = (0.0, 0.1, -0.1, 0.05, -0.05)
PRINTED = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.61, 1202: 7.93}


def repro(*words: str) -> Result:
    return CliRunner().invoke(
        cli, words, prog_name="repro", standalone_mode=False, catch_exceptions=False
    )


@pytest.fixture
def table6_as_printed(finished):
    def write(off: float = 0.0, seeds: int = 5) -> None:
        for depth, printed in PRINTED.items():
            for run in list(RESNET[depth])[:seeds]:
                finished(run, test_error=printed + off + SPREAD[run.seed], train_error=0.05)

    return write


def test_all_there_and_all_well_is_0(places, table6_as_printed):
    table6_as_printed()
    assert repro("diff", "table6").return_value == 0


def test_something_worse_is_1(places, table6_as_printed):
    table6_as_printed(off=3.0)
    assert repro("diff", "table6").return_value == 1


def test_fail_on_says_what_is_1(places, table6_as_printed):
    table6_as_printed(off=3.0)
    assert repro("diff", "table6", "--fail-on", "better").return_value == 0
    assert repro("diff", "table6", "--fail-on", "better,worse").return_value == 1
    assert repro("diff", "table6", "--fail-on", "").return_value == 0


def test_something_missing_is_3_and_with_fail_on_1(places, table6_as_printed):
    table6_as_printed(seeds=2)
    assert repro("diff", "table6").return_value == 3
    assert repro("diff", "table6", "--fail-on", "incomplete").return_value == 1
    assert repro("diff", "figure1", "--fail-on", "missing").return_value == 1


def test_without_names_the_exit_code_is_the_same_and_the_whole_is_kept(places, table6_as_printed):
    table6_as_printed(seeds=2)
    said = repro("diff")
    assert said.return_value == repro("diff", "all").return_value == 3
    assert said.stderr.endswith(f"written: {places.results / 'diff.md'}\n")
    assert (places.results / "diff.md").read_text() == repro("diff", "--format", "md").stdout


def test_fewer_seeds_may_be_asked_for(places, table6_as_printed):
    table6_as_printed(seeds=2)
    assert repro("diff", "table6", "--seeds", "2").return_value == 0


IMAGENET = {
    "train_error": 30.9,
    "best_test_error": 31.0,
    "center_top5": 11.2,
    "ten_crop_top1": 27.9,
}  # with the curve


def test_a_figure_of_imagenet_is_judged_by_the_centre_crop_of_the_final_record(places, finished):
    for run in runs_of(figure4.experiment):
        finished(run, [{"test_error": 40.0, "train_error": 41.0}], **IMAGENET, center_top1=31.4)
    said = repro("diff", "figure4", "--json", "--fail-on", "")
    rows = {
        (row["row"], row["metric"]): row["ours_mean"] for row in json.loads(said.stdout)["rows"]
    }
    assert rows["plain-18", "center_top1"] == rows["ResNet-34", "center_top1"] == 31.4
    assert {metric for _, metric in rows} == {"center_top1", "train_error"}
    assert said.return_value == 0


def test_a_number_that_finished_runs_lack_is_missing_and_3(places, finished):
    for run in runs_of(figure4.experiment):
        finished(run, **IMAGENET)
    said = repro("diff", "figure4", "--fail-on", "")
    assert "figure4: 4 numbers missing (no run has given one): plain-18, plain-34" in said.stdout
    verbose = repro("diff", "figure4", "--fail-on", "", "--verbose").stdout
    assert "figure4 plain-18 center_top1: – vs 31.40 missing\n" in verbose
    assert " ".join(verbose.split()).count("1 finished without center_top1") == 4
    assert said.return_value == 3


def test_a_variants_runs_are_judged_where_it_is_asked_for(places, finished):
    for run in RESNET[20]:
        finished(VARIANTS["ghost"](run), test_error=8.75 + SPREAD[run.seed])
    assert resnet_20(repro("diff", "table6", "--json"))["verdict"] == "missing"
    said = repro("diff", "table6", "--variant", "ghost")
    assert said.stdout.startswith("With variant ghost. Of 4 claims that runs can decide, ")
    assert "table6 ResNet-20 test_error: 8.75 vs 8.75 reproduced (n=5)\n" in said.stdout
    assert "Departures" not in said.stdout
    repro("diff", "--variant", "ghost")
    assert not (places.results / "diff.md").exists()


def test_an_unknown_word_is_refused(places):
    with pytest.raises(UserError, match="no verdict is called `worst`"):
        repro("diff", "table6", "--fail-on", "worst")


def test_a_table_that_is_not_reproduced_here_is_refused(places):
    with pytest.raises(UserError, match="`table7` is not reproduced here"):
        repro("diff", "table7")


@pytest.mark.parametrize("scale", ["paper", "tenth", "quick", "smoke"])
def test_the_json_is_one_document_that_the_schema_describes(places, finished, scale):
    for run in SCALES[scale](PLAIN[20].run).repeated(2):
        finished(run, [30.0, 20.0], test_error=9.7 + run.seed / 10, train_error=1.4)
    said = repro("diff", "figure6", "--scale", scale, "--json")
    whole = json.loads(said.stdout)
    jsonschema.validate(whole, json.loads(SCHEMA.read_text()))
    assert whole["scale"] == scale
    assert repro("diff", "figure6", "--scale", scale, "--format", "json").stdout == said.stdout


def test_without_names_everything_is_compared(places):
    whole = json.loads(repro("diff", "--json").stdout)
    assert {"table6", "figure4", "table1"} <= set(whole["experiments"])


def test_the_most_serious_scale_with_results_is_chosen_and_said_on_stderr(places, finished):
    finished(SCALES["smoke"](RESNET[20].run), test_error=40.0)
    said = repro("diff", "table6")
    assert said.stderr == "scale: smoke (the most serious with results; --scale chooses another)\n"
    assert said.stdout.startswith("At scale smoke. Of 4 claims that runs can decide, ")
    assert "table6 ResNet-20 test_error: 40.00 vs 8.75 not comparable (n=1)\n" in said.stdout


def test_without_names_the_most_serious_scale_with_results_is_chosen_too(places, finished):
    finished(SCALES["smoke"](RESNET[20].run), test_error=40.0)
    assert repro("diff").stderr.startswith("scale: smoke (the most serious with results")


def test_a_pattern_of_one_scales_runs_needs_no_scale_beside_it(places, finished):
    run = SCALES["smoke"](RESNET[20].run)
    finished(run, test_error=40.0)
    said = repro("diff", run.id)
    assert "table6 ResNet-20 test_error: 40.00 vs 8.75 not comparable (n=1)\n" in said.stdout
    assert "With only resnet-20.cifar10.smoke" in " ".join(said.stdout.split())


def test_a_folder_with_problems_is_told(places, table6_as_printed):
    table6_as_printed()
    (places.runs / "holiday").mkdir()
    assert (
        "Folders with problems\nruns/holiday: not a run: it has no run.json\n"
        in repro("diff", "table6").stdout
    )


ELSEWHERE = [
    "cpu: A, 1 threads, torch 2.15.0, code aaaa",
    "cpu: B, 1 threads, torch 2.15.0, code aaaa",
]
MOVED = "seed 1 went on elsewhere, so it is not comparable bit for bit: cpu: A → cpu: B"


def resnet_20(said: Result) -> dict[str, Any]:
    """Its test error in the JSON."""
    rows = json.loads(said.stdout)["rows"]
    return next(row for row in rows if (row["row"], row["metric"]) == ("ResNet-20", "test_error"))


def test_a_run_that_went_on_elsewhere_is_told_and_strictly_not_averaged(places, finished):
    for run in list(RESNET[20])[:3]:
        finished(
            run, test_error=8.75, provenance={"machines": ELSEWHERE} if run.seed == 1 else None
        )
    said = repro("diff", "table6", "--json", "--fail-on", "")
    assert MOVED in resnet_20(said)["reasons"]
    assert said.return_value == 3
    said = repro("diff", "table6", "--json", "--strict", "--fail-on", "")
    row = resnet_20(said)
    assert (row["verdict"], row["ours_mean"], said.return_value) == ("not comparable", None, 1)
    assert f"{MOVED}; not averaged" in row["reasons"]
    assert not (places.results / "diff.md").exists()


def test_strictly_a_claim_about_runs_of_different_code_is_undecided(places, finished):
    for depth, code in ((44, "aaaa"), (56, "bbbb")):
        for run in list(PLAIN[depth])[:3]:
            finished(
                run,
                [30.0, 20.0],
                test_error=9.0 + depth / 10,
                train_error=depth / 10,
                provenance={"code": code},
            )
    for strict, differ in (((), False), (("--strict",), True)):
        claims = json.loads(repro("diff", "figure6", "--json", "--fail-on", "", *strict).stdout)[
            "claims"
        ]
        said = [finding["said"] for claim in claims for finding in claim["evidence"]]
        assert any("runs of different code are not compared" in text for text in said) == differ


@pytest.mark.parametrize("form", ["md", "latex", "csv", "html"])
def test_every_format_is_printed(places, table6_as_printed, form):
    table6_as_printed()
    assert "ResNet-1202" in repro("diff", "table6", "--format", form).stdout


def test_against_another_labs_numbers(places, table6_as_printed, tmp_path):
    table6_as_printed()
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("experiment,row,metric,value\ntable6,ResNet-20,test_error,8.75\n")
    said = repro("diff", "table6", "--against", str(theirs))
    assert said.return_value == 0
    assert said.stdout.startswith("Of 1 number, 1 is reproduced.")


def test_against_a_folder_its_numbers_go_by_its_name_and_not_by_the_papers(
    places, table6_as_printed, monkeypatch
):
    table6_as_printed()
    monkeypatch.chdir(places.results.parent)
    said = repro("diff", "table6", "--against", "results", "--verbose").stdout
    assert "  results 8.75 ± 0.08 (n = 5) · ours 8.75 ± 0.08 (n = 5)" in said
    assert "best of 5: 8.65 (theirs: 8.65)" in said
    assert "paper" not in said.split("Departures")[0].split("Claims")[0]
    table = repro("diff", "table6", "--against", "results", "--format", "md").stdout
    start = "**Ours and those of results**\n\n| experiment | row "
    assert table.startswith("Of 6 numbers, 6 are reproduced.")
    assert start in table
    assert " theirs | " in table.split(start)[1].splitlines()[0]


def in_a_terminal(*words: str, **environment: str) -> str:
    """What the command prints where standard output is a terminal."""
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "repro.cli", *words]
    process = subprocess.Popen(
        command, stdout=slave, stderr=subprocess.DEVNULL, env=os.environ | environment
    )
    os.close(slave)
    said = b""
    while True:
        try:
            said += (chunk := os.read(master, 65536))
        except OSError:
            break
        if not chunk:
            break
    os.close(master)
    process.wait()
    return said.decode()


def test_colour_is_for_terminals_that_want_it(places, table6_as_printed):
    table6_as_printed()
    assert "\x1b[32mreproduced" in in_a_terminal("diff", "table6", TERM="xterm")
    assert "\x1b" not in in_a_terminal("diff", "table6", TERM="xterm", NO_COLOR="1")
    assert "\x1b" not in repro("diff", "table6").stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_lines_are_as_wide_as_columns_says(places, table6_as_printed, monkeypatch, columns):
    table6_as_printed()
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = repro("diff", "table6").stdout.splitlines()
    assert columns - 25 < max(map(len, lines)) <= columns
