"""What a user types, and what it answers."""

import json
import os
import re
import statistics
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from repro.cli import SECTIONS, VERBS, cli
from repro.definition.experiment import runs_of
from repro.definition.overrides import with_overrides
from repro.protocol import catalog
from repro.protocol.selection import select
from repro.storage.run_files import is_done, write_definition

TINY = [
    "--scale",
    "smoke",
    "--only",
    "resnet-20",
    "--seeds",
    "1",
    "--set",
    "iterations=6",
    "--set",
    "drops=[4]",
]


def repro(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "repro.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


@pytest.mark.parametrize("verb", ["run", "diff", "status"])
def test_the_help_names_every_scale(verb):
    *others, last = catalog.all_scales()
    text = " ".join(CliRunner().invoke(cli, [verb, "--help"]).output.split())
    assert f"{', '.join(others)} or {last}" in text


def test_no_arguments_show_the_help_and_exit_2():
    done = repro()
    assert done.returncode == 2
    assert "Train:" in done.stdout


def test_the_help_lists_every_command_once():
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help_with_an_example(verb, flag):
    shown = CliRunner().invoke(cli, [verb, flag], prog_name="repro")
    if verb not in ("data", "bench"):  # groups of commands
        assert "For example:" in shown.output
    assert shown.exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "Error: no command named `rnu`\n\nhint: did you mean `run`?\n"),
        (
            ["run", "tabel6"],
            "Error: no experiment named `tabel6`\n\nhint: did you mean `table6`?\n",
        ),
        (
            ["show", "figure66"],
            "Error: no experiment named `figure66`\n\nhint: did you mean `figure6`?\n",
        ),
        (["run", ""], "Error: no experiment named ``\n\nhint: `repro list` names them all\n"),
        (
            ["run", "../x"],
            "Error: no experiment named `../x`\n\nhint: `repro list` names them all\n",
        ),
        (["run", "a;b"], "Error: no experiment named `a;b`\n\nhint: `repro list` names them all\n"),
        (
            ["run", "table 6"],
            "Error: no experiment named `table 6`\n\nhint: did you mean `table6`?\n",
        ),
        (
            ["run", "täble6"],
            "Error: no experiment named `t\\xe4ble6`\n\nhint: did you mean `table6`?\n",
        ),
        (
            ["run", "table6", "--scale", "tiny"],
            "Error: no scale named `tiny`\n\nhint: scales: paper, tenth, quick, smoke\n",
        ),
        (
            ["run", "table6", "--variant", "gost"],
            "Error: no variant named `gost`\n\nhint: did you mean `ghost`?\n",
        ),
        (
            ["run", "table6", "--set", "lrr=0.1"],
            None,
        ),
        (
            ["run", "table7"],
            "Error: `table7` is not reproduced here: detection: it needs Faster R-CNN, and this project stops at "
            "classification\n\nhint: `repro list` shows what is\n",
        ),
        (
            ["run", "table6", "--only", "resnet-21"],
            "Error: no run's id contains `resnet-21`\n\nhint: `repro show EXPERIMENT` lists the ids\n",
        ),
    ],
)
def test_a_mistake_is_answered_with_what_is_wrong_and_what_to_do(words, message, here):
    done = repro(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert message is None or done.stderr == message
    assert not here.results.exists()


@pytest.mark.parametrize("value", ["abc", "-1", "inf", ""])
def test_a_time_between_saves_that_is_none_is_a_mistake_and_nothing_begins(
    value, here, monkeypatch
):
    monkeypatch.setenv("REPRO_SAVE_EVERY", value)
    done = repro("run", "table6", *TINY)
    assert done.returncode == 2
    problem = f"Error: `REPRO_SAVE_EVERY` cannot be `{value}`\n"
    hint = "it is a number of seconds, 0 or more; leave it unset to save every minute"
    assert done.stderr == f"{problem}\nhint: {hint}\n"
    assert not here.results.exists()


def test_a_depth_that_is_no_depth_names_the_right_ones():
    done = repro("run", "table6", "--set", "net.depth=21")
    assert done.returncode == 2
    assert "depths are 6n+2" in done.stderr
    assert "the nearest are 20 and 26" in done.stderr


def test_a_missing_data_set_says_the_command_that_gets_it(here):
    done = repro("run", "table6", "--only", "resnet-20", "--seeds", "1")
    assert done.returncode == 4
    assert "repro data prepare cifar10" in done.stderr


def test_list_names_every_experiment_and_what_is_skipped():
    listed = json.loads(repro("list", "--json").stdout)
    assert [line["experiment"] for line in listed["experiments"]] == list(catalog.NAMES)
    assert listed["schema"] == 1
    assert {line["state"] for line in listed["experiments"][12:]} == {"skipped"}


def test_show_has_the_exact_counts_of_table_6():
    shown = json.loads(repro("show", "table6", "--json").stdout)
    counts = [net["params"] for net in shown["nets"]]
    assert counts == [269_722, 464_154, 658_586, 853_018, 1_727_962, 19_421_274]
    assert {"id", "recipe", "scale", "seed"} <= set(shown["runs"][0])
    assert {"flops", "layers", "projections", "shortcut"} <= set(shown["nets"][0])


@pytest.mark.parametrize("name", catalog.NAMES)
def test_show_prints_every_experiment(name):
    shown = CliRunner().invoke(cli, ["show", name], prog_name="repro")
    assert shown.exit_code == 0, shown.output
    assert catalog.load_experiment(name).title in " ".join(shown.output.split())


@pytest.mark.parametrize("name", ["table1", "table5", "figure6"])
def test_show_sets_the_papers_numbers_in_columns(name):
    shown = CliRunner().invoke(cli, ["show", name], prog_name="repro").output
    numbers = json.loads(
        CliRunner().invoke(cli, ["show", name, "--json"], prog_name="repro").output
    )["paper"]
    lines = shown.partition("\nThe paper's numbers\n")[2].splitlines()[: len(numbers)]
    lines = [re.sub(r" ± \S+( \(n=\d+\))?", "", line) for line in lines]
    expected = [
        [number["row"], number["metric"], f"{number['value']:.{number['digits']}f}"]
        for number in numbers
    ]
    assert [re.split(r" {2,}", line.strip())[:3] for line in lines] == expected


def test_show_says_which_run_of_a_net_with_two_recipes_departs():
    shown = CliRunner().invoke(cli, ["show", "figure6"], prog_name="repro").output
    assert "footnote 5 starts at 0.1 directly) [resnet-110 cifar10-warmup-cold]" in " ".join(
        shown.split()
    )
    assert "normalises as the paper did)\n" in shown


def test_show_says_what_the_variants_change_and_where_they_change_nothing():
    shown = CliRunner().invoke(
        cli, ["show", "table6", "--variant", "tf32", "--variant", "std"], prog_name="repro"
    )
    text = " ".join(shown.output.split())
    assert (
        "tf32: TensorFloat-32 products on GPUs that have them (only NVIDIA GPUs from 2020 on"
        in text
    )
    assert "std: channel mean and standard deviation, as most public code does" in text


def test_show_prints_one_run_by_its_id():
    run = runs_of(catalog.load_experiment("table6"))[0]
    shown = json.loads(repro("show", "table6", "--run", run.id, "--json").stdout)
    assert shown["run"]["net"]["depth"] == 20
    assert f"has no run `{'x'}`" in repro("show", "table6", "--run", "x").stderr


def test_run_trains_what_is_lacking_and_then_nothing(here):
    first = repro("run", "table6", *TINY)
    assert first.returncode == 0, first.stderr
    assert "1 run: 0 done, 1 to do" in first.stderr
    assert "\r" not in first.stderr
    second = repro("run", "table6", *TINY, "--json")
    assert json.loads(second.stdout) == {"schema": 1, "done": 1, "ended": []}


@pytest.mark.slow
def test_a_net_of_imagenet_is_trained_and_shown_in_its_table(here):
    done = repro("run", "table2", "--scale", "smoke", "--only", "plain-18", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    shown = json.loads(repro("table", "table2", "--scale", "smoke", "--json").stdout)
    plain_18 = next(row for row in shown["rows"] if row["row"] == "plain-18")
    assert (plain_18["n"], plain_18["verdict"]) == (1, "not comparable")
    assert 0 <= plain_18["ours_mean"] <= 100
    assert (here.results / "smoke" / "table2.tex").exists()


def test_reproduce_shows_tables_and_figures_and_ends_in_a_few_plain_lines(here):
    done = repro("reproduce", "table1", "figure5")
    assert done.returncode == 0, done.stderr
    assert "Table 1. Architectures for ImageNet" in done.stdout
    assert str(here.figures / "figure5.svg") in done.stdout
    end = done.stdout.split("\n\n")[-1].splitlines()
    assert end[0].startswith("Of 5 claims that follow from counting, 5 hold. Of 5 numbers, 5 are")
    assert f"Picture: {here.figures / 'figure5.png'}" in end
    assert f"Diff: {here.results / 'diff.txt'}" in end
    assert end[-1].startswith("Next: ")
    assert "__main__" not in end[-1]
    assert len(end) <= 6
    assert "\nclaim S33-1: holds" in (here.results / "diff.txt").read_text()


def test_reproduce_of_a_part_shows_whole_pages_under_their_own_names(finished, here):
    for name in ("plain-20", "resnet-20"):
        [run] = select("figure6", scale="smoke", seeds=1, only=[f"{name}."]).runs()
        finished(run, [50.0, 12.0], test_error=12.0)
    words = ("figure6", "table6", "--scale", "smoke", "--seeds", "1", "--only", "resnet-20.")
    done = repro("reproduce", *words)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("Table 6.")[2]
    assert "ResNet-20" in table
    assert "ResNet-32" in table
    assert "figure6-only" not in done.stdout
    picture = here.figures / "smoke" / "figure6.png"
    assert picture.exists()
    assert f"Picture: {picture}" in done.stdout
    assert "ResNet-32" not in (here.results / "smoke" / "diff.txt").read_text()


@pytest.mark.parametrize("wrong", [["--device", "gpu"], ["--set", "batch=5000"]])
def test_run_again_moves_nothing_if_it_cannot_begin(wrong, finished, here):
    run = catalog.load_scale("smoke")(runs_of(catalog.load_experiment("table6"))[0])
    changed = with_overrides(run, wrong[1:]) if wrong[0] == "--set" else run
    finished(changed, test_error=9.0)
    done = repro("run", "table6", *TINY[:-4], *wrong, "--again")
    assert done.returncode == 2
    assert is_done(changed.id, here)


def test_run_again_keeps_the_old_folder_aside(here):
    repro("run", "table6", *TINY)
    assert repro("run", "table6", *TINY, "--again").returncode == 0
    assert len(list(here.runs.glob(".*.replaced-1"))) == 1


def test_a_run_that_diverges_is_a_failure_with_its_iteration(here):
    done = repro("run", "table6", *TINY[:-4], "--set", "rate=1e30")
    assert done.returncode == 1
    assert "not finite at iteration" in done.stderr


def test_ctrl_c_saves_and_the_next_call_carries_on(here):
    import signal

    command = [
        sys.executable,
        "-m",
        "repro.cli",
        "run",
        "table6",
        *TINY[:-4],
        "--set",
        "iterations=2000",
    ]
    command += ["--set", "evaluate_every=5"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(
        lambda: (
            list(here.runs.glob("*/metrics.jsonl"))
            and any(p.stat().st_size for p in here.runs.glob("*/metrics.jsonl"))
        )
    )
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "carries on" in said
    assert list(here.runs.glob("*/checkpoint.pt"))


def test_a_worker_that_is_killed_is_told_apart_and_the_others_go_on(here):
    command = [
        sys.executable,
        "-m",
        "repro.cli",
        "run",
        "table6",
        *TINY[:-4],
        "--set",
        "iterations=3000",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(here.runs.glob("*/progress.json")))
    os.kill(json.loads(next(here.runs.glob("*/progress.json")).read_bytes())["pid"], 9)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "its process was killed by signal 9" in said


def test_a_folder_that_cannot_be_written_is_named():
    done = repro("run", "table6", *TINY, REPRO_RESULTS="/proc/results")
    assert done.returncode == 4
    assert "cannot write `/proc/results/runs/" in done.stderr


def test_a_run_folder_of_another_version_is_refused(here):
    run = catalog.load_scale("smoke")(runs_of(catalog.load_experiment("table6"))[0])
    write_definition(here.run(run.id), run)
    folder = here.run(run.id)
    folder.definition.write_text(folder.definition.read_text().replace('"depth"', '"depht"'))
    done = repro("run", "table6", "--scale", "smoke", "--only", run.id)
    assert done.returncode == 1
    assert done.stderr.endswith("next: repro status --failed\n")
    assert "not the definition of a run" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell):
    assert "_REPRO_COMPLETE" in repro("completion", shell).stdout


def test_completion_knows_the_experiments():
    done = repro(_REPRO_COMPLETE="bash_complete", COMP_WORDS="repro run tab", COMP_CWORD="2")
    assert "plain,table6" in done.stdout


def test_it_starts_in_at_most_three_times_the_time_of_python_and_click(tmp_path):
    # Compiled files are there, as after a first call.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}

    def seconds(*code: str) -> float:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, *code], capture_output=True, check=True, env=os.environ | compiled
        )
        return time.perf_counter() - began

    ratios = {"list": [], "--help": [], "completion bash": []}
    for number in range(8):
        bare = seconds("-c", "import click")
        for words, measured in ratios.items():
            ratio = seconds("-m", "repro.cli", *words.split()) / bare
            if number:  # the first call compiles
                measured.append(ratio)
    medians = {words: statistics.median(measured) for words, measured in ratios.items()}
    assert max(medians.values()) <= 3, medians


def wait_for(condition, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)
