"""`repro figure`: draws with what there is, prints where it is."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from repro.cli import cli
from repro.errors import UserError


def figure(*words: str):
    return CliRunner().invoke(cli, ["figure", *words], catch_exceptions=False)


def test_the_paths_are_printed_and_the_files_are_there(here):
    done = figure("figure1")
    assert done.stdout.splitlines() == [str(here.figures / f"figure1.{form}") for form in ("svg", "pdf", "png")]
    assert (here.figures / "figure1.pdf").read_bytes().startswith(b"%PDF")
    assert (here.figures / "figure1.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_of_nets_needs_no_run(here):
    done = figure("figure3", "--format", "svg")
    assert done.stdout.splitlines() == [str(here.figures / "figure3.svg")]
    assert done.stderr.startswith("VGG-19, 19 weighted layers: 3×3 conv 64")


def test_what_is_missing_is_said_on_stderr():
    assert figure("figure7", "--format", "svg").stderr == "No run has started yet.\n"


def test_another_scale_goes_to_its_own_folder(here):
    done = figure("figure1", "--scale", "smoke", "--format", "svg", "--json")
    document = json.loads(done.stdout)
    assert document["files"] == [str(here.figures / "smoke" / "figure1.svg")]
    assert (document["schema"], document["scale"]) == (1, "smoke")


@pytest.mark.parametrize(
    ("words", "problem", "hint"),
    [
        (["figure66"], "no experiment named `figure66`", "did you mean `figure6`?"),
        (["table6"], "`table6` is not a figure", "print it with `repro table table6`"),
        (["figure1", "--format", "exe"], "no figure format `exe`", "formats: svg, pdf, png"),
        (["figure1", "--format", "pgn"], "no figure format `pgn`", "did you mean `png`?"),
        (["figure1", "--format", ","], "`--format` names no format", "formats: svg, pdf, png"),
        (["figure1", "--scale", "smok"], "no scale named `smok`", "did you mean `smoke`?"),
    ],
)
def test_a_mistake_says_what_is_wrong_and_what_to_do(words, problem, hint, here):
    with pytest.raises(UserError) as caught:
        figure(*words)
    assert (caught.value.problem, caught.value.hint) == (problem, hint)
    assert not here.figures.exists()


def test_a_file_where_the_folder_should_be_is_an_error_and_no_traceback(here):
    here.figures.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="which is not a folder"):
        figure("figure7", "--format", "svg")
