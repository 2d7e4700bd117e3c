"""What the documents say is true: links lead somewhere, commands do what they are there for,
examples come out so."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from experiments.cifar10 import PLAIN
from repro.analysis.compare import verdict
from repro.analysis.compare.cost_of_looking import LookBook
from repro.analysis.compare.margins import Rule
from repro.analysis.compare.power import equivalence_power, seeds_to_decide
from repro.analysis.compare.seed_groups import Finding
from repro.analysis.compare.seed_statistics import paired_difference, prediction_estimate, sample
from repro.cli import VERBS, cli, main
from repro.data.small import cifar10
from repro.definition.experiment import Paper
from repro.definition.verdicts_and_states import ClaimVerdict, Verdict
from repro.protocol.catalog import REPRODUCED, load_experiment, load_scale
from repro.storage.paths import ROOT
from tests.cluster.fake_slurm import FakeSlurm

ADDING, VERDICTS = ROOT / "docs" / "adding-an-experiment.md", ROOT / "docs" / "reading-a-verdict.md"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = {  # what stands in a block besides `repro`, and what must be there for it
    "make": lambda word: f"\n{word}:" in (ROOT / "Makefile").read_text(),
    "cp": lambda word: (ROOT / word).exists(),
    "python": lambda word: (ROOT / word).exists(),
    "slurm/local-cluster": lambda word: (
        f"slurm/local-cluster {word} " in (ROOT / "slurm/local-cluster").read_text()
    ),
    ".": lambda word: word == ".venv/bin/activate",
}
SCALED = ("list", "show", "run", "submit", "table", "figure", "diff", "report")
SCALED += ("reproduce", "export")
ENDS = {
    "diff": {0, 1, 3},
    "table": {0, 3},
    "figure": {0, 3},
    "doctor": {0, 4},
    "data prepare": {4},
    "data check": {4},
    "data resize": {2, 4},
    "logs": {0, 3},
    "publish": {0, 1, 3},
    "export": {0, 3},
}  # else 0
TINY = ["--set", "iterations=4", "--set", "drops=[2]", "--set", "evaluate_every=2"]
# What takes seconds is run for the first document that has it.
LONG = ("repro run", "repro reproduce", "repro report", "repro figure", "repro diff")
NOT_RUN = ("evaluate", "forensics", "bench")  # they need weights, or minutes


def blocks(path: Path, language: str = "") -> list[str]:
    """The fenced blocks of a document in one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    return [text for named, text in fenced if named == language]


def lines(path: Path) -> list[str]:
    """The commands in a document's blocks."""
    text = "\n".join(blocks(path)).replace("\\\n", " ")  # a command may go on in the next line
    typed = [line.split("  #")[0].strip() for line in text.splitlines()]
    return [line for line in typed if line.split(" ")[0] in ("repro", *SHELL)]


def mentioned(path: Path) -> list[str]:
    """The commands of `repro` in a document's sentences and tables."""
    prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [" ".join(found.split()) for found in re.findall(r"`(repro [^`]+)`", prose)]


def commands(path: Path) -> list[str]:
    return [
        line
        for line in (*lines(path), *mentioned(path))
        if line.startswith("repro ") and "depths" not in line
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(path):
    targets = re.findall(r"\]\(([^)]+)\)", path.read_text())
    assert not [
        name
        for name in targets
        if not name.startswith("https://") and not (path.parent / name).exists()
    ]


def test_the_readings_are_those_of_the_recipes():
    write = runpy.run_path(str(Path(__file__).parent / "write.py"))
    page = write["READINGS_PAGE"].read_text()
    assert write["readings"](page) == page, "run `python tests/golden/write.py`"


ALL = {line for path in DOCUMENTS for line in commands(path)}


def test_the_readmes_table_names_every_command():
    table = (ROOT / "README.md").read_text().partition("## Commands")[2].partition("\n## ")[0]
    named = re.findall(r"`(?:repro )?([a-z-]+)", table)
    assert set(VERBS) - set(named) == set()


def test_commands_in_the_documents_are_understood():
    for line in sorted(ALL):
        words = shlex.split(line.replace("…", "x"))[1:]
        if words[0].startswith("-"):  # of `repro` itself
            continue
        name, command, rest = cli.resolve_command(click.Context(cli, info_name="repro"), words)
        assert command is not None, line
        if rest:  # `repro submit` alone is a name, not a command to type
            parent = click.Context(cli, info_name="repro", **cli.context_settings)
            try:
                command.make_context(name, rest, parent=parent)
            except click.ClickException as error:
                pytest.fail(f"{line}: {error.format_message()}")


def test_what_the_other_commands_need_is_there():
    for line in {line for path in DOCUMENTS for line in lines(path)} - ALL:
        program, *words = line.split()
        assert program == "repro" or all(SHELL[program](word) for word in words[:1]), line


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_a_document_run_one_after_another(
    path, finished, tmp_path, monkeypatch, capsys
):
    slurm = FakeSlurm.install(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{slurm.folder}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/x")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)  # where `repro export` writes what it is told
    finished(
        load_scale("smoke")(PLAIN[20].run),
        [50.0] * 9 + [12.0],
        [1.0] * 19,
        test_error=12.0,
        train_error=11.0,
    )
    earlier = {
        small(line) for before in DOCUMENTS[: DOCUMENTS.index(path)] for line in commands(before)
    }
    for line in dict.fromkeys(line for line in map(small, commands(path)) if line):
        if line.startswith(LONG) and line in earlier:
            continue
        code, said = run(line, capsys)
        assert code in next(
            (codes for verb, codes in ENDS.items() if line.startswith(f"repro {verb}")), {0}
        ), line
        assert "Traceback" not in said


def run(line: str, capsys) -> tuple[int, str]:
    """How the command ended, and what it said on standard error; where it starts others, in a
    process of its own."""
    verb, *rest = shlex.split(line)[1:]
    if verb in ("run", "reproduce"):
        done = subprocess.run(
            [sys.executable, "-m", "repro.cli", verb, *rest], capture_output=True, text=True
        )
        return done.returncode, done.stderr
    with pytest.raises(SystemExit) as ended:
        main([verb, *rest])
    return int(ended.value.code or 0), capsys.readouterr().err


def small(line: str) -> str:
    """The same command at a size for a test; nothing where the line only names a command or wants
    what is not here."""
    verb, *rest = shlex.split(line)[1:]
    only_named = not rest and verb not in ("list", "status", "collect", "diff", "report", "doctor")
    if (
        verb in NOT_RUN
        or only_named
        or re.search(r"\b[A-Z]{4,}\b|…", line)
        or rest[:1] == ["import"]
    ):
        return ""
    words = [word.replace("mycluster", "example").replace("paper", "smoke") for word in rest]
    words = [word for word in words if word not in ("--watch", "-f", "--open")]
    words += ["--scale", "smoke"] if verb in SCALED and "--scale" not in words else []
    words += ["--yes"] if verb in ("submit", "cancel") and "--dry-run" not in words else []
    words += ["--format", "svg"] if verb == "figure" and "--format" not in words else []
    if verb in ("run", "reproduce"):
        words += ["--only", "resnet-20" if "table6" in words else "plain-20", "--seeds", "1"]
    if verb == "run" and "figure7" not in words:  # that one is done already
        words += TINY
    return shlex.join(["repro", verb, *words])


def test_the_page_of_ones_own_works_as_it_stands(tmp_path):
    for folder in ("repro", "experiments"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    [page] = blocks(ADDING, "python")
    (tmp_path / "experiments" / "depths.py").write_text(page)
    catalog = tmp_path / "repro" / "protocol" / "catalog.py"
    catalog.write_text(
        catalog.read_text().replace('    "figure7",\n', '    "figure7",\n    "depths",\n', 1)
    )
    ended = {}
    for line in (line for line in lines(ADDING) if "depths" in line):
        words = [
            *shlex.split(line)[1:],
            *(["--only", "plain-20", *TINY] if " run " in line else []),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "repro.cli", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        ended[words[0]] = done
    assert {verb: done.returncode for verb, done in ended.items()} == {
        "show": 0,
        "run": 0,
        "table": 3,
        "diff": 3,
    }
    assert "claim D-1: missing" in ended["diff"].stdout


def test_what_is_tracked_can_be_written_anew_with_the_page_of_ones_own():
    [page] = blocks(ADDING, "python")
    experiment: dict[str, Any] = {}
    exec(page, experiment)
    write = runpy.run_path(str(Path(__file__).parent / "write.py"))
    made = {name: write["command_of"](load_experiment(name)) for name in REPRODUCED}
    assert write["command_of"](experiment["experiment"]) == "table"
    assert all(name.startswith(command) for name, command in made.items())


def test_the_row_of_another_depth_works_as_it_stands(tmp_path):
    shutil.copytree(
        ROOT / "experiments", tmp_path / "experiments", ignore=shutil.ignore_patterns("__pycache__")
    )
    runs, table = tmp_path / "experiments" / "cifar10.py", tmp_path / "experiments" / "table6.py"
    runs.write_text(runs.read_text().replace("(20, 32, 44, 56)}", "(20, 26, 32, 44, 56)}"))
    [row] = (block for block in blocks(ADDING) if block.startswith("(26"))
    table.write_text(table.read_text().replace("    (32, exact", f"    {row}    (32, exact", 1))
    script = "from experiments.table6 import experiment as e; print(*(row.label for row in e.rows if row.runs))"
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=path, capture_output=True, text=True
    )
    assert done.stdout.split()[:3] == ["ResNet-20", "ResNet-26", "ResNet-32"], done.stderr


def cells(heading: str) -> list[list[str]]:
    """The rows of the table on verdicts that has this heading."""
    _, _, table = VERDICTS.read_text().partition(f"| {heading} |")
    rows = (line.strip("| ").split(" | ") for line in table.split("\n\n")[0].splitlines()[2:])
    return [[cell.strip(" `") for cell in row] for row in rows]


@pytest.mark.parametrize(("numbers", "word", "because"), cells("our test errors | word | because"))
def test_an_example_has_the_verdict_that_the_page_gives_it(numbers, word, because):
    values = tuple(map(float, numbers.split()))
    planned = 1 if len(values) == 1 else 5
    rule = Rule(margin=0.5, spread=0.16)
    found = verdict.judge(verdict.OurValues(values, planned), Paper(8.75), rule)
    assert (found.word, because in found.reasons) == (word, True), found.reasons


@pytest.mark.parametrize(
    ("std", "certify", "seeds"),
    cells("standard deviation of our seeds | five seeds certify | seeds for four times in five"),
)
def test_the_power_of_five_seeds_is_as_the_page_says(std, certify, seeds):
    assert f"{equivalence_power(5, float(std), 0.5, spread=0.16):.0%}".replace("%", " %") == certify
    assert str(seeds_to_decide(float(std), 0.5, spread=0.16) or "no number") == seeds


def test_the_worked_example_is_computed_as_the_page_says():
    """Each number of the five steps, as it is printed."""
    page = " ".join(VERDICTS.read_text().split())
    ours = sample((8.41, 8.62, 8.79, 8.95, 8.60))
    estimate = prediction_estimate(ours, 8.75, 0.16)
    tight = prediction_estimate(sample((8.60, 8.71, 8.78, 8.83, 8.69)), 8.75, 0.16)
    pairs = paired_difference((13.2, 13.6, 13.1), (9.7, 9.9, 9.6))
    for said in (
        f"Our mean is {ours.mean:.2f}, with a standard deviation s of {ours.std:.2f}",
        f"√(0.09² + 0.20²) = {estimate.error:.2f}",
        f"{(0.5 + estimate.difference) / estimate.error:.1f} standard errors away",
        f"degrees of freedom p = {estimate.p_within(0.5):.3f}",
        f"p = {estimate.p_different():.2f}. This is not shown either",
        f"the standard error is {tight.error:.2f}, p in step 4 is {tight.p_within(0.5):.3f}",
        f"{pairs.difference:.2f}, is {pairs.difference / pairs.error:.1f} standard errors",
        f"p = {pairs.p_above(0):.4f}",
    ):
        assert said in page


@pytest.mark.parametrize(
    ("looks", "portions", "became"),
    cells("looks at | portions of the 5 % | p = 0.02 at the last look becomes"),
)
def test_the_portions_of_each_look_are_as_the_page_says(looks, portions, became):
    seeds = [int(word) for word in re.findall(r"\d+", looks)]
    book = LookBook()
    spent = []
    for count in seeds:
        runs = tuple(f"run {seed}" for seed in range(count))
        look = Finding("tested", "", 0.02, 0.98, 1.0, runs=runs, seeds=count, planned=5)
        spent.append(book.portion("C part 1", look))
    assert ", ".join(f"{portion:.2f}" for portion in spent) == portions
    assert f"{0.02 / spent[-1]:.3f}" == became


def test_the_page_explains_every_word():
    explained = [
        word for row in cells("word | means") for word in row[0].replace("`", "").split(", ")
    ]
    assert set(explained) == {*Verdict}
    assert all(f"`{word}`" in VERDICTS.read_text() for word in ClaimVerdict)


def test_all_runs_are_read_with_pandas_as_the_page_says(places, finished, monkeypatch, capsys):
    for one in (PLAIN[20].run, PLAIN[56].run):
        finished(one, [{"test_error": 50.0, "train_error": 51.0}] * 3, [1.0] * 19, test_error=12.0)
    finished(PLAIN[20].run, published=True, test_error=12.0)
    assert run("repro collect", capsys)[0] == 0
    monkeypatch.chdir(places.results.parent)
    [example] = blocks(VERDICTS, "python")
    read: dict[str, Any] = {}
    exec(example, read)
    assert (len(read["runs"]), read["errors"]["mean"].tolist(), len(read["curves"])) == (
        2,
        [12.0, 12.0],
        6,
    )
    named = {
        name for row in cells("column | what it is") for name in re.findall(r"[a-z_]+", row[0])
    }
    columns = {name.split(".")[0] for name in read["runs"]}
    assert columns ^ named == {
        "definition",
        "failed_at",
        "failure",
        "not_finite",
    }  # the page has them beside others


def test_there_are_commands_to_test():
    assert sum(len(commands(path)) for path in DOCUMENTS) > 40
