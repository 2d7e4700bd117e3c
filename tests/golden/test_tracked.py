"""What is tracked comes out of the commands byte for byte: what needs no training, and what
published runs make."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from repro.analysis.runs import run_record
from repro.analysis.runs.publish import weights_are_whole
from repro.cli import cli
from repro.definition.experiment import at_scale, runs_of
from repro.protocol import catalog
from repro.storage.atomic import read_json
from repro.storage.paths import ROOT, Folder, Places, run_folders

RESULTS, FIGURES = ROOT / "results", ROOT / "figures"
PUBLISHED = [folder.path for folder in run_folders(RESULTS / "published")]


def published_at(scale: str) -> list[str]:
    """The published runs that the experiments name at a scale; another reading's runs are on no
    page of theirs."""
    public = {path.name for path in PUBLISHED}
    experiments = tuple(
        at_scale(catalog.load_experiment(name), catalog.load_scale(scale))
        for name in catalog.REPRODUCED
    )
    return [run.id for run in runs_of(experiments) if run.id in public]


SCALES = [name for name in catalog.all_scales() if published_at(name)]
# The diff of scale `paper` is tracked without a run as well: it says what follows from counting.
DIFFS = list(dict.fromkeys(["paper", *SCALES]))
LOOKS = [folder for folder in RESULTS.glob("**/looks") if "smoke" not in folder.parts]


def made(folder: Path, kind: str) -> list[tuple[str, str, str]]:
    """The scales, variants and names of what is tracked: Table 1 and the drawings at the paper's
    scale, the rest where it was made. A variant's files have its name at their end."""
    scales = {
        scale: folder if scale == "paper" else folder / scale
        for scale in catalog.all_scales()
        if scale != "smoke"
    }
    return [
        (scale, variant, name)
        for scale, place in scales.items()
        for variant in ("", *catalog.all_variants())
        for name in catalog.REPRODUCED
        if name.startswith(kind) and list(place.glob(f"{file_name(name, variant)}.*"))
    ]


def file_name(name: str, variant: str) -> str:
    return f"{name}-{variant}" if variant else name


def options(scale: str, variant: str) -> list[str]:
    return ["--scale", scale, *(["--variant", variant] if variant else [])]


@pytest.fixture
def clone(here: Places) -> Places:
    """A clone: published runs and no others, and the looks at them that are tracked."""
    here.results.mkdir()
    for name in ("published", "labs"):
        (here.results / name).symlink_to(RESULTS / name)
    for looks in LOOKS:
        shutil.copytree(looks, here.results / looks.relative_to(RESULTS))
    return here


def repro(*words: str) -> None:
    CliRunner().invoke(cli, words, catch_exceptions=False)


def same(made_here: Path, tracked: Path, name: str) -> None:
    files = sorted(tracked.glob(f"{name}.*"))
    assert files
    assert [
        path.name for path in files if (made_here / path.name).read_bytes() != path.read_bytes()
    ] == []


@pytest.mark.parametrize(("scale", "variant", "name"), made(RESULTS, "table"))
def test_a_tracked_table_is_what_the_command_writes(
    scale: str, variant: str, name: str, clone: Places
) -> None:
    repro("table", name, *options(scale, variant))
    tracked = RESULTS if scale == "paper" else RESULTS / scale
    same(clone.tables_at(scale), tracked, file_name(name, variant))


@pytest.mark.parametrize(("scale", "variant", "name"), made(FIGURES, "figure"))
def test_a_tracked_figure_is_what_the_command_draws(
    scale: str, variant: str, name: str, clone: Places
) -> None:
    repro("figure", name, *options(scale, variant))
    tracked = FIGURES if scale == "paper" else FIGURES / scale
    same(clone.figures_at(scale), tracked, file_name(name, variant))


@pytest.mark.parametrize("scale", DIFFS)
def test_the_tracked_diff_is_what_the_command_says(scale: str, clone: Places) -> None:
    repro("diff", "--scale", scale)
    same(clone.tables_at(scale), RESULTS if scale == "paper" else RESULTS / scale, "diff")


@pytest.mark.parametrize("scale", SCALES)
def test_looking_at_the_published_runs_again_adds_no_look(scale: str, clone: Places) -> None:
    repro("diff", "--scale", scale)
    tracked = RESULTS if scale == "paper" else RESULTS / scale
    written = {path.name: path.read_bytes() for path in clone.tables_at(scale).glob("looks/*")}
    assert written == {path.name: path.read_bytes() for path in tracked.glob("looks/*")}


@pytest.mark.parametrize("scale", SCALES)
def test_two_clones_write_the_same_report_and_it_shows_every_published_run_of_its_scale(
    scale: str, clone: Places
) -> None:
    repro("report", "--scale", scale)
    written = clone.report.read_bytes()
    subprocess.run(
        [sys.executable, "-m", "repro.cli", "report", "--scale", scale],
        env=os.environ | {"LC_ALL": "C", "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    assert clone.report.read_bytes() == written
    assert [run_id for run_id in published_at(scale) if run_id.encode() not in written] == []


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: path.name)
def test_a_published_run_reads_in_full_and_says_where_it_comes_from(folder: Path) -> None:
    [found] = [each for each in run_folders(folder.parent) if each.path == folder]
    record = run_record.read_run(found)
    assert (record["state"], record["problem"], record["id"]) == ("done", None, folder.name)
    about = read_json(found.final)["provenance"]
    assert about["dirty"] is False
    assert re.fullmatch("[0-9a-f]{40}", about["commit"])
    assert all(about[what] for what in ("code", "device", "torch"))
    assert about["data"]["hash"]
    assert about["data"].get("tested_on_training_images") is not True


def test_published_weights_have_the_digest_that_their_record_names() -> None:
    with_weights = [path for path in PUBLISHED if list(path.glob("weights.*"))]
    assert [path.name for path in with_weights if not weights_are_whole(Folder(path))] == []
