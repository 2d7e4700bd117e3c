"""What is tracked comes out of the commands byte for byte: what needs no training, and what published runs make."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from repro import catalog
from repro.cli import cli
from repro.folders import ROOT, Places, run_folders
from repro.reading import records
from repro.whole import read_json

RESULTS, FIGURES = ROOT / "results", ROOT / "figures"
PUBLISHED = [folder.path for folder in run_folders(RESULTS / "published")]


def made(folder: Path, kind: str) -> list[tuple[str, str]]:
    """The scales and names of what is tracked: Table 1 and the drawings at the paper's, the rest where it was made."""
    scales = {scale: folder if scale == "paper" else folder / scale for scale in catalog.scales() if scale != "smoke"}
    return [
        (scale, name)
        for scale, place in scales.items()
        for name in catalog.REPRODUCED
        if name.startswith(kind) and list(place.glob(f"{name}.*"))
    ]


@pytest.fixture
def clone(here: Places) -> Places:
    """A clone: published runs, and no others."""
    here.results.mkdir()
    (here.results / "published").symlink_to(RESULTS / "published")
    return here


def repro(*words: str) -> None:
    CliRunner().invoke(cli, words, catch_exceptions=False)


def same(made_here: Path, tracked: Path, name: str) -> None:
    files = sorted(tracked.glob(f"{name}.*"))
    assert files
    assert [path.name for path in files if (made_here / path.name).read_bytes() != path.read_bytes()] == []


@pytest.mark.parametrize(("scale", "name"), made(RESULTS, "table"))
def test_a_tracked_table_is_what_the_command_writes(scale: str, name: str, clone: Places) -> None:
    repro("table", name, "--scale", scale)
    same(clone.tables_at(scale), RESULTS if scale == "paper" else RESULTS / scale, name)


@pytest.mark.parametrize(("scale", "name"), made(FIGURES, "figure"))
def test_a_tracked_figure_is_what_the_command_draws(scale: str, name: str, clone: Places) -> None:
    repro("figure", name, "--scale", scale)
    same(clone.figures_at(scale), FIGURES if scale == "paper" else FIGURES / scale, name)


def test_the_tracked_diff_is_what_the_command_says(clone: Places) -> None:
    repro("diff", "--scale", "quick")
    same(clone.tables_at("quick"), RESULTS / "quick", "diff")


def test_two_clones_write_the_same_report_and_it_shows_every_published_run_of_its_scale(clone: Places) -> None:
    written = []
    for locale in ("C", "C.UTF-8"):
        subprocess.run(
            [sys.executable, "-m", "repro.cli", "report", "--scale", "quick"],
            env=os.environ | {"LC_ALL": locale, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
        )
        written.append(clone.report.read_bytes())
    assert written[0] == written[1]
    assert [path.name for path in PUBLISHED if path.name.encode() not in written[0]] == []


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_a_published_run_reads_in_full_and_says_where_it_comes_from(folder: Path) -> None:
    [found] = [each for each in run_folders(folder.parent) if each.path == folder]
    record = records.read(found)
    assert (record["state"], record["problem"], record["id"]) == ("done", None, folder.name)
    about = read_json(found.final)["provenance"]
    assert about["dirty"] is False
    assert re.fullmatch("[0-9a-f]{40}", about["commit"])
    assert all(about[what] for what in ("code", "device", "torch"))
    assert about["data"]["hash"]
