"""Bad input: one answer, what is wrong and what to do; the published exit codes; no traceback; and
nothing created."""

import os
import random
import sys
import tomllib
from pathlib import Path

import pytest

from repro.cli import main
from repro.cli.shared import click_errors
from repro.storage.paths import ROOT
from tests.cluster.fake_slurm import laptop
from tests.reliability.harness.hostile import (
    DRY,
    ENTRANCES,
    EXIT_CODES,
    LONGEST,
    NAMES,
    argument_list,
    given,
)

NOT_NAMED = "`repro list` names them all"
WHOLE = "it is a whole number from 1 to 1000"
SMOKE = ["--scale", "smoke", "--seeds", "1", "--only", "resnet-20"]
EXAMPLE = " (cluster `example`, `example.toml`)"
WORDS = "use letters, digits and . _ - , : | & * ( ) [ ] @ + = / and no blanks"
DATA_FOLDER = "`REPRO_DATA` names the folder of the data sets; `--set dataset=NAME` takes another"
CARRIES_ON = "what is half done carries on by itself; `--again` begins anew"
EVALUATE = ["evaluate", "--net", "resnet-50"]
TO_NULL = "predictions cannot replace `/dev/null`, which is a device"
NO_FILES = [
    (words, kind, path, what)
    for words, kind in (
        ([*EVALUATE, "--weights"], "weights"),
        (["evaluate", "--ensemble"], "predictions"),
    )
    for path, what in (("/dev/zero", "a device"), ("/proc", "a folder"))
]


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop without SLURM, in a folder of its own, so that a file made by mistake is seen."""
    monkeypatch.setenv("PATH", str(laptop(tmp_path.parent / f"{tmp_path.name}-programs")))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def repro(capsys: pytest.CaptureFixture[str]):
    """Exit code, standard output and standard error of a command."""

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def created(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def told(err: str) -> tuple[str, str]:
    """The problem and the hint of the one answer."""
    problem, _, hint = err.removesuffix("\n").partition("\n\nhint: ")
    return problem.removeprefix("Error: "), hint


def on(*options: str) -> list[str]:
    return ["run", "figure6", *SMOKE, *options]


MISTAKES = [
    # B2-B5, B10: commands, experiments, options
    (["rnu"], "no command named `rnu`", "did you mean `run`?"),
    (["../run"], "no command named `../run`", "did you mean `run`?"),
    (["data", "lst"], "no command named `lst`", "did you mean `list`?"),
    (["run", "resnet11"], "no experiment named `resnet11`", "`repro list` names them all"),
    (["run", ""], "no experiment named ``", NOT_NAMED),
    (["run", "a\x1b[31m\n"], "no experiment named `a\\x1b[31m\\n`", NOT_NAMED),
    (
        ["show", "cifar10"],
        "`cifar10` is a group",
        "show one of figure1, table6, figure6, figure7",
    ),
    (
        ["table", "figure[67]"],
        "`figure[67]` selects no table",
        "name one of table1, table2, table3, table4, table5, table6",
    ),
    (["figure", "figure6", "table6"], "`table6` is not a figure", None),
    (["figure", "figure6", "figur7"], "no experiment named `figur7`", "did you mean `figure7`?"),
    (["table", "table6", "table7"], None, "`repro list` shows what is"),
    (
        ["run", "-rf"],
        "no option `-r`",
        "`repro run --help` lists the options",
    ),
    (["run", "figure6", "--data", "X"], "no option `--data`", DATA_FOLDER),
    (["run", "figure6", "--sclae", "smoke"], "no option `--sclae`", "did you mean `--scale`?"),
    *(
        ([*on(), word], f"no option `{word}`", CARRIES_ON)
        for word in ("--resume", "--continue", "--restart")
    ),
    (["run", "figure6", "--scale"], "`--scale` needs a value", "`--help` says what there is"),
    (
        ["run", "figure6", "--only=-rf"],
        "no run's id contains `-rf`",
        "`repro show EXPERIMENT` lists the ids",
    ),
    (
        ["run"],
        "`EXPERIMENT…` is missing",
        "for example `repro run figure6 --scale smoke --seeds 2`",
    ),
    (["table"], "`TABLE…` is missing", "for example `repro table table6 --format latex`"),
    (["show", "table6", "x"], "too many arguments: `x`", "for example `repro show table6`"),
    (["run", "figure6", "--scale", "smok"], "no scale named `smok`", "did you mean `smoke`?"),
    (
        ["list", "--scale", "huge"],
        "no scale named `huge`",
        "scales: paper, tenth, quick, smoke",
    ),
    (on("--variant", "gost"), "no variant named `gost`", "did you mean `ghost`?"),
    *(
        (on("--device", d), f"`--device` cannot be `{d}`", "it is cpu, cuda, cuda:1 …")
        for d in ("gpu", "", "cuda:x")
    ),
    *((["table", "table6", "--scale", s], f"no scale named `{s}`", None) for s in ("", "smok")),
    *((["figure", "figure6", "--scale", s], f"no scale named `{s}`", None) for s in ("", "smok")),
    *(([verb, "--scale", ""], "no scale named ``", None) for verb in ("diff", "report", "list")),
    (on("--skip", "resnet"), "no run's id contains `resnet-20` and is without `resnet`", None),
    # B15, B33: numbers
    *(
        (["run", "figure6", "--seeds", text], f"`--seeds` cannot be `{text}`", WHOLE)
        for text in ("-1", "0", "1.5")
    ),
    *(
        (["run", "figure6", "--seeds", text], f"`--seeds` cannot be `{text}`", WHOLE)
        for text in ("abc", "0x10")
    ),
    *(
        (["diff", "--seeds", text], f"`--seeds` cannot be `{text}`", WHOLE)
        for text in ("1e3", "1_0", str(2**64))
    ),
    (["run", "figure6", "--seeds", "١٢"], "`--seeds` cannot be `\\u0661\\u0662`", WHOLE),
    *(
        ([*words, "--seeds", "١"], "`--seeds` cannot be `\\u0661`", WHOLE)
        for words in (
            ["table", "table6"],
            ["figure", "figure6"],
            ["diff"],
            ["reproduce", "figure6"],
        )
    ),
    (on("--jobs", "0"), "`--jobs` cannot be `0`", "it is a whole number from 1 to 64"),
    (["status", "--every", "1"], "`--every` cannot be `1`", "it is a whole number, 10 or more"),
    # B17-B23: the recipe
    (on("--set", "iterations=0"), "`recipe.iterations` is `0`", "it must be 1 or more"),
    (on("--set", "iterations=-3"), "`recipe.iterations` is `-3`", "it must be 1 or more"),
    *(
        (on("--set", f"iterations={n}"), f"`recipe.iterations` cannot be `{n}`", None)
        for n in ("nan", "1e9")
    ),
    (
        on("--set", "iterations=999999999"),
        "`recipe.iterations` is `999999999`",
        "it may be 10,000,000 at most",
    ),
    (on("--set", "lr=0.1"), "there is no setting `lr`", "did you mean `learning_rate`?"),
    (
        on("--set", "warmup=None"),
        "`recipe.warmup` cannot be `None`",
        "it is null, which takes it away: write `null`",
    ),
    (on("--set", "rate=0"), "`recipe.rate` is `0.0`", "it must be finite and positive"),
    (on("--set", "rate=-0.1"), "`recipe.rate` is `-0.1`", "it must be finite and positive"),
    *(
        (on("--set", f"rate={text}"), f"`recipe.rate` cannot be `{text}`", None)
        for text in ("nan", "inf", "0,1")
    ),
    *(
        (on("--set", f"rate={text}"), f"`recipe.rate` cannot be `{text}`", None)
        for text in ("", "high", "[0.1]")
    ),
    (on("--set", "rate=1e999"), "`recipe.rate` is `inf`", "it must be finite and positive"),
    (on("--set", "batch=0"), "`recipe.batch` is `0`", "it must be 1 or more"),
    (on("--set", "batch=1000000"), "`recipe.batch` is `1000000`", "it may be 65,536 at most"),
    (
        on("--set", "batch=2001"),
        "`recipe.batch` `2001` is more than the 2,000 training images of `generated`",
        "choose a smaller batch",
    ),
    (
        on("--set", "batch_norm_group=5"),
        "`recipe.batch_norm_group` `5` does not divide the batch of 32",
        "choose a divisor of the batch, 2 or more",
    ),
    (
        on("--set", "depth=21"),
        "no CIFAR net has depth `21`: depths are 6n+2",
        "the nearest are 20 and 26; the paper has 20, 32, 44, 56, 110 and 1202",
    ),
    (on("--set", "rat=0.1"), "there is no setting `rat`", "did you mean `rate`?"),
    (on("--set", "net=null"), "there is no setting `net`", None),
    (
        on("--set", "rate"),
        "`rate` is not a setting",
        "write KEY=VALUE, for example `rate=0.05`",
    ),
    (on("--set", "=1"), "`=1` is not a setting", "write KEY=VALUE, for example `rate=0.05`"),
    (on("--set", "rate=0.1", "--set", "rate=0.2"), "`recipe.rate` is set twice", "set it once"),
    (on("--set", "seed=3"), "`seed` cannot be set", "use `--seeds`"),
    # B5, B31-B33: what reaches sbatch
    (["submit", "figure6"], "`--on` is missing: which cluster?", None),
    (
        ["submit", "figure6", "--on", "exmaple"],
        "no cluster named `exmaple`",
        "did you mean `example`?",
    ),
    *(
        (["submit", "figure6", "--on", n], f"`{n}` is not a name for a cluster", None)
        for n in ("..", "%j", "/x")
    ),
    *(
        ([*DRY, "--time", t], f"`{t}` is not a time{EXAMPLE}", None)
        for t in ("-5", "10d", "1:99:00", "infinite")
    ),
    (
        [*DRY, "--time", "0"],
        f"`0` is not a time limit{EXAMPLE}",
        "it is one minute to 365 days",
    ),
    *(
        ([*DRY, "--memory", m], f"`memory` is `{m}`{EXAMPLE}", None)
        for m in ("0", "12XB", "-1G", "1e9G")
    ),
    ([*DRY, "--gpus", "-1"], "`--gpus` cannot be `-1`", "it is a whole number, 0 or more"),
    ([*DRY, "--gpus", "9999"], f"`gpus` is `9999`{EXAMPLE}", "it is 0 to 64"),
    *(
        ([*DRY, "--pack", p], f"`pack` is `{p}`{EXAMPLE}", "it is 1 to 64, or auto")
        for p in ("0", "x", "1.5", "")
    ),
    ([*DRY, "--max-parallel", "0"], f"`max_parallel` is `0`{EXAMPLE}", None),
    ([*DRY, "--partition", "a\nb"], f"`partition` is `a\\nb`{EXAMPLE}", WORDS),
    ([*DRY, "--account", "$(id)"], f"`account` is `$(id)`{EXAMPLE}", WORDS),
    ([*DRY, "--sbatch", "comment=a b"], "`sbatch.comment` is `a b`", WORDS),
    ([*DRY, "--sbatch", "mail-user=x'\"\n#"], "`sbatch.mail-user` is `x'\"\\n#`", WORDS),
    ([*DRY, "--sbatch", "wrap=sh"], "sbatch option `wrap` is not free", None),
    ([*DRY, "--test-only"], "`--dry-run` and `--test-only` exclude each other", None),
    # B24, B28, B38-B40: files, tables, figures
    (["diff", "--against", "nowhere.csv"], "no numbers at `nowhere.csv`", None),
    (["diff", "--against", "/dev/zero"], "`/dev/zero` is a device, no file of numbers", None),
    (
        ["diff", "--strict", "--allow-mixed"],
        "`--strict` and `--allow-mixed` exclude each other",
        None,
    ),
    (
        [*EVALUATE, "--weights", "nowhere.pt"],
        "no weights at `nowhere.pt`",
        "name weights of `torch.save`, a .safetensors file, or a .caffemodel",
    ),
    (
        [*EVALUATE, "--weights", "x" * 300],
        f"cannot look at `{'x' * 300}`: File name too long",
        None,
    ),
    (
        [*EVALUATE, "--weights", "x", "--device", "gpu"],
        "`--device` cannot be `gpu`",
        "it is cpu, cuda, cuda:1 …",
    ),
    ([*EVALUATE, "--weights", "x", "--save", "/dev/null"], TO_NULL, "name a file"),
    (["evaluate", "--ensemble", "nowhere.npz"], "no predictions at `nowhere.npz`", None),
    *(
        ([*words, path], f"`{path}` is {what}, no file of {kind}", None)
        for words, kind, path, what in NO_FILES
    ),
    (["diff", "table66"], "no experiment named `table66`", "did you mean `table6`?"),
    (["diff", "table7"], None, "`repro list` shows what is"),
    (["diff", "--fail-on", "bad"], "no verdict is called `bad`", None),
    (
        ["diff", "--format", "exe"],
        "`--format` cannot be `exe`",
        "it is one of table, md, latex, csv, json, html",
    ),
    (["table", "figure6"], "`figure6` is not a table", "draw it with `repro figure figure6`"),
    (["figure", "table6"], "`table6` is not a figure", "print it with `repro table table6`"),
    (
        ["figure", "figure6", "--format", "exe"],
        "no figure format `exe`",
        "formats: svg, pdf, png",
    ),
    (["completion", "tcsh"], "`SHELL` cannot be `tcsh`", "it is one of bash, zsh, fish"),
    (["data", "import", "../x", "."], "`../x` is not a name for a data set", None),
    (
        ["data", "import", "pets", "/dev/zero"],
        "`/dev/zero` is neither a folder nor a file",
        None,
    ),
    (
        ["data", "import", "imagenet", "/dev/zero"],
        "`/dev/zero` is neither a folder nor a file",
        None,
    ),
    (["data", "prepare", "cifar"], "no data set `cifar` to prepare", "did you mean `cifar10`?"),
    # B36: runs that are not there
    (["logs", "x"], "no run matches `x`", "`repro status` lists the runs"),
    (["cancel", "x"], "no run matches `x`", "`repro status` lists the runs"),
    (["status", "figure66"], "no run matches `figure66`", "did you mean `figure6`?"),
    (
        ["cancel", "a b"],
        "`a b` is not a pattern",
        "use an experiment's name, or a run's id with * and ?",
    ),
    (
        ["show", "table6", "--run", "x"],
        "table6 has no run `x` at scale paper",
        "`repro show table6` lists them",
    ),
]


def test_a_mistake_gets_one_answer_and_creates_nothing(repro, tmp_path):
    wrong = []
    for words, problem, hint in MISTAKES:
        code, out, err = repro(*words)
        answer = told(err)
        expected = (problem or answer[0], hint or answer[1])
        if (code, out, answer) != (2, "", expected) or not answer[1]:
            wrong.append((words, code, out, answer))
    assert wrong == []
    assert created(tmp_path) == []


OF_LABS = [
    ["publish", "table6", "--lab", "NAME", "--lab-name", "A group", "--contact", "a@b.example"],
    ["publish", "table6", "--lab", "kyoto", "--lab-name", "A group", "--contact", "NAME"],
    ["publish", "table6", "--lab", "NAME"],
    ["check-record", "NAME"],
]


@pytest.mark.parametrize(
    "entrance", [*ENTRANCES, *OF_LABS], ids=lambda words: "-".join((*words[:2], str(len(words))))
)
def test_a_hostile_name_is_refused_wherever_it_is_given(entrance, repro, tmp_path):
    for name in NAMES:
        code, out, err = repro(*given(entrance, name))
        assert code in (2, 4), name
        assert out == "", name
        assert len(told(err)[0]) <= LONGEST, name
        assert err.replace("\n", "").isprintable(), name
    assert created(tmp_path) == []


def test_no_arguments_are_answered_with_help(repro, tmp_path):
    for words in ([], ["data"]):
        code, out, err = repro(*words)
        assert (code, err) == (2, "")
        assert out.startswith("Usage:")
    assert created(tmp_path) == []


def test_a_data_set_that_is_not_there_is_said_before_anything_begins(repro, tmp_path, here):
    code, _, err = repro("run", "table6", "--only", "resnet-20", "--seeds", "1")
    assert (code, created(tmp_path)) == (4, [])
    assert (
        f"Error: no data set `cifar10` in `{here.data}`\n\nhint: `repro data prepare cifar10`"
        in err
    )


def test_without_slurm_nothing_is_sent_or_left(repro, tmp_path):
    code, _, err = repro("submit", "figure1", "--on", "example", "--scale", "smoke")
    assert (code, created(tmp_path)) == (4, [])
    assert "no `sbatch` here" in err


@pytest.mark.parametrize(
    "verb", [["status"], ["collect"], ["list"], ["run", "figure6"], ["report"]], ids=" ".join
)
def test_a_results_folder_that_is_none_is_refused_by_every_command(
    verb, repro, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    for path, ends, why in (
        (tmp_path / "file", 2, "which is not a folder"),
        (Path("/"), 4, "the root of the file system"),
    ):
        monkeypatch.setenv("REPRO_RESULTS", str(path))
        code, _, err = repro(*verb)
        assert (code, told(err)[0]) == (ends, f"`REPRO_RESULTS` is `{path}`, {why}")
    assert created(tmp_path) == ["file"]


@pytest.mark.parametrize(
    "files", [("manifest.json", "train.npy"), ("dataset.json", "photos.pack")], ids=lambda f: f[0]
)
def test_results_do_not_go_into_a_data_set(files, repro, here, monkeypatch):
    (here.data / "cifar10").mkdir(parents=True)
    for name in files:
        (here.data / "cifar10" / name).touch()
    monkeypatch.setenv("REPRO_FIGURES", str(here.data / "cifar10/deep/down"))
    said = f"`REPRO_FIGURES` is inside the data set `{here.data / 'cifar10'}`"
    code, _, err = repro("figure", "figure5")
    assert (code, told(err)[0]) == (4, said)


def test_a_folder_that_everybody_may_write_to_takes_a_word_of_trust(repro, here):
    here.results.mkdir(mode=0o700)
    here.results.chmod(0o777)
    code, _, err = repro("table", "table1")
    assert (code, told(err)[0]) == (4, f"everybody may write in `{here.results}`")
    assert (
        told(err)[1]
        == "`chmod o-w` it, or say `--trust-folder` if you trust whoever may write there"
    )
    assert list(here.results.iterdir()) == []
    assert repro("list")[0] == 0  # which only reads
    assert repro("table", "table1", "--trust-folder")[0] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_of_somebody_else_takes_a_word_of_trust(repro, here, monkeypatch):
    here.runs.mkdir(parents=True)
    os.chown(here.runs, 4242, -1)
    code, _, err = repro("collect")
    assert (code, told(err)[0]) == (4, f"`{here.runs}` belongs to user 4242")
    monkeypatch.setenv("REPRO_TRUST_FOLDER", "1")
    assert repro("collect")[0] == 3


def test_where_pytorch_is_missing_or_too_old_the_command_that_helps_is_named(
    repro, tmp_path, monkeypatch
):
    old = tmp_path / "old" / "torch-2.10.0.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.10.0\n")
    monkeypatch.syspath_prepend(str(tmp_path / "old"))
    code, _, err = repro(*on())
    assert (code, told(err)) == (
        4,
        ("PyTorch 2.10.0 is too old: it must be 2.11 or newer", "`pip install 'torch>=2.11'`"),
    )
    monkeypatch.setitem(sys.modules, "torch", None)
    said = (
        "`torch` is not installed, and this command needs it",
        f"`make install`, or {click_errors.TORCH}",
    )
    (tmp_path / "weights.pt").touch()
    for words in (on(), [*EVALUATE, "--weights", "weights.pt", "--device", "cpu"]):
        code, _, err = repro(*words)
        assert (code, told(err)) == (4, said)
    assert repro("table", "table1")[0] == 0  # what reads needs none


def test_python_is_new_enough_or_the_installation_says_so():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer is needed, this is" in (ROOT / "Makefile").read_text()


def test_a_folder_of_nobody_is_refused(repro, monkeypatch):
    monkeypatch.setenv("REPRO_DATA", "~nobody-at-all/x")
    code, _, err = repro("list")
    assert (code, told(err)[1]) == (2, "write it without `~`")


def test_a_working_directory_that_is_gone_is_named(repro, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    monkeypatch.setenv("REPRO_RESULTS", "results")
    (tmp_path / "gone").rmdir()
    assert repro("status") == (
        4,
        "",
        "Error: the working directory is gone\n\nhint: `cd` to a folder that exists\n",
    )


def test_what_the_system_refuses_is_no_traceback(repro, monkeypatch):
    monkeypatch.setenv("REPRO_RESULTS", "/proc/results")
    code, _, err = repro("collect")
    assert (code, "cannot write `/proc/results/runs.parquet`" in err) == (4, True)


@pytest.mark.parametrize(
    "words",
    [
        [*EVALUATE, "--weights", "PIPE"],
        ["evaluate", "--ensemble", "PIPE"],
        [*EVALUATE, "--weights", "x", "--save", "PIPE"],
        ["diff", "--against", "PIPE"],
        ["data", "import", "pets", "PIPE"],
        ["data", "import", "imagenet", "PIPE"],
        ["data", "import", "imagenet", "."],
    ],
    ids=lambda words: "-".join(words[-3:]),
)
def test_a_pipe_is_refused_without_waiting_for_somebody_to_write(words, repro, tmp_path):
    (tmp_path / "class").mkdir()
    os.mkfifo(tmp_path / "class/pipe.png")
    code, _, err = repro(*("class/pipe.png" if word == "PIPE" else word for word in words))
    assert code == 2
    assert (
        "pipe.png` is a pipe" in err
        or "is neither a folder nor a file" in err
        or "which is a pipe" in err
    )
    assert created(tmp_path) == ["class", "class/pipe.png"]


@pytest.mark.parametrize(
    "make", [os.mkfifo, Path.touch, Path.mkdir], ids=["pipe", "empty", "folder"]
)
def test_a_strange_file_of_numbers_is_refused_without_waiting_for_it(make, repro, tmp_path, here):
    make(tmp_path / "numbers.csv")
    code, _, err = repro("diff", "table6", "--against", "numbers.csv")
    assert code == 2
    assert "`numbers.csv`" in err
    assert not here.figures.exists()


def test_debug_shows_where_wherever_it_stands(repro):
    for words in (["--debug", "run", "tabel6"], ["run", "tabel6", "--debug"]):
        code, _, err = repro(*words)
        assert code == 2
        assert err.startswith("Traceback")
        assert err.endswith("hint: did you mean `table6`?\n")


def test_any_list_of_words_ends_in_a_published_exit_code(repro, tmp_path):
    chance = random.Random(1)
    for _ in range(150):
        words = argument_list(chance)
        code, _, err = repro(*words)
        assert code in EXIT_CODES, words
        assert "--debug" in words or "Traceback" not in err, words
        assert created(tmp_path) == [], words
