"""`repro config`, `repro init`, `--version`, `--color`, completion: what surrounds the work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from repro.cli import cli
from repro.cli.shared import streams
from repro.cli.shared.completers import complete_clusters, complete_pages, complete_selection
from repro.errors import UserError, did_you_mean
from repro.provenance import checkout
from repro.storage.paths import Places
from tests.run_folders import finished, places, write_run

__all__ = ["finished", "places", "write_run"]


def repro(*words: str) -> Result:
    return CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False)


def test_config_says_every_setting_and_where_it_comes_from(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_DEVICE", "cpu")
    monkeypatch.setenv("REPRO_PARTITION", "long")
    lines = repro("config", "--show-origin", "--on", "example").stdout.splitlines()
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in lines}
    assert rows["results"] == [str(here.results), "REPRO_RESULTS"]
    assert rows["REPRO_DEVICE"] == ["cpu", "REPRO_DEVICE"]
    assert rows["partition"] == ["long", "REPRO_PARTITION"]
    assert rows["cpus"][1] == str(here.slurm / "example.toml")
    assert rows["nodes"] == ["1", "default"]


def test_config_prints_one_json_document() -> None:
    document = json.loads(repro("config", "--json").stdout)
    assert document["schema"] == 1
    assert {"name", "value", "origin"} == set(document["settings"][0])


def test_init_lays_out_a_folder_and_replaces_nothing(tmp_path: Path) -> None:
    profile = tmp_path / "slurm" / "example.toml"
    assert repro("init", str(tmp_path)).stdout.splitlines()[0] == str(profile)
    assert list((tmp_path / "results" / "published").iterdir())
    profile.write_text("cpus = 3\n")
    again = repro("init", str(tmp_path))
    assert again.stdout == ""
    assert f"{profile}: there already" in again.stderr
    assert profile.read_text() == "cpus = 3\n"


def test_the_version_names_the_commit_and_what_torch_was_built_for() -> None:
    text = repro("--version").stdout
    assert re.search(
        r"^repro \S+ \(commit ([0-9a-f]{7}|unknown)\) · torch \S+ \((CUDA|ROCm|CPU)", text
    )


@pytest.mark.parametrize(
    ("words", "environment", "wanted"),
    [
        ([], {}, None),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color=never"], {}, False),
        (["--color", "auto"], {"NO_COLOR": "1"}, False),
        ([], {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_asked_for_or_left_to_the_terminal(
    words: list[str],
    environment: dict[str, str],
    wanted: bool | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert streams.wanted_colour(words) is wanted


def test_completion_knows_experiments_run_ids_and_clusters(here: Places) -> None:
    context, parameter = click.Context(cli), click.Option(["--x"])
    (here.runs / "resnet-20.cifar10.smoke.s0-bb30979b9a").mkdir(parents=True)
    assert complete_selection(context, parameter, "table1") == [
        "table1",
        *(f"table1{digit}" for digit in range(5) if f"table1{digit}" in _names()),
    ]
    assert complete_selection(context, parameter, "resnet-20") == [
        "resnet-20.cifar10.smoke.s0-bb30979b9a"
    ]
    assert "example" in complete_clusters(context, parameter, "ex")
    tables = complete_pages("table")(context, parameter, "")
    assert {"table1", "table6", "cifar10", "all"} < set(tables)
    assert "figure6" not in tables


def _names() -> tuple[str, ...]:
    from repro.protocol.catalog import NAMES

    return NAMES


def test_require_clean_refuses_code_that_no_commit_has(monkeypatch: pytest.MonkeyPatch) -> None:
    dirty = {"commit": "abcdef0123", "dirty": True}
    monkeypatch.setattr(checkout, "code_state", lambda: dirty)
    monkeypatch.setattr(checkout, "uncommitted", lambda: ["repro/nets/blocks.py", "repro/x.py"])
    with pytest.raises(UserError) as caught:
        repro("run", "table1", "--require-clean")
    assert caught.value.problem == "`repro/nets/blocks.py` and 1 more differs from commit abcdef0"
    monkeypatch.setattr(checkout, "code_state", lambda: dirty | {"dirty": False})
    assert repro("run", "table1", "--require-clean").return_value == 0


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("figure4", ["figure4", "figure6"], "otherwise"),  # a word that is known is no slip
        ("nosuch", ["bench", "show"], "otherwise"),
        ("mycluster", ["local-cluster", "example"], "otherwise"),
        ("tabel6", ["table6"], "did you mean `table6`?"),
        ("rnu", ["run"], "did you mean `run`?"),
    ],
)
def test_a_hint_is_given_only_where_it_is_near_and_would_work(
    word: str, known: list[str], hint: str
) -> None:
    assert did_you_mean(word, known, "otherwise") == hint
