"""`repro figure`: draws with what there is, prints where it is."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from experiments.cifar10 import RESNET
from repro.analysis.figures import curve_figures, style
from repro.analysis.runs.run_frames import collect
from repro.cli import cli
from repro.errors import UserError
from repro.protocol import catalog
from repro.storage import atomic

RUN = RESNET[20].run


def figure(*words: str, **how: Any):
    return CliRunner().invoke(cli, ["figure", *words], catch_exceptions=False, **how)


def test_the_paths_are_printed_and_the_files_are_there(here):
    done = figure("figure1")
    assert done.stdout.splitlines() == [
        str(here.figures / f"figure1.{form}") for form in ("svg", "pdf", "png")
    ]
    assert (here.figures / "figure1.pdf").read_bytes().startswith(b"%PDF")
    assert (here.figures / "figure1.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_of_nets_needs_no_run(here):
    done = figure("figure3", "--format", "svg")
    assert done.stdout.splitlines() == [str(here.figures / "figure3.svg")]
    assert done.stderr.startswith("VGG-19, 19 weighted layers: 3×3 conv 64")


def test_several_figures_are_drawn_and_each_is_described(here):
    done = figure("figure3", "figure5", "--format", "svg", standalone_mode=False)
    assert done.stdout.splitlines() == [
        str(here.figures / f"{name}.svg") for name in ("figure3", "figure5")
    ]
    assert done.stderr.startswith("figure3: VGG-19, 19 weighted layers")
    assert "\nfigure5: " in done.stderr
    assert done.return_value == 0
    document = json.loads(figure("figure3", "figure5", "--format", "svg", "--json").stdout)
    assert [one["experiment"] for one in document["figures"]] == ["figure3", "figure5"]


def test_of_a_group_the_figures_are_drawn(here):
    done = figure("cifar10", "--format", "svg", "--scale", "smoke", standalone_mode=False)
    names = [path.name for path in sorted((here.figures / "smoke").iterdir())]
    assert names == ["figure1.svg", "figure6.svg", "figure7.svg"]
    assert done.return_value == 3


def test_a_part_of_a_figure_has_a_file_of_its_own(write_run, here):
    write_run(RUN, [20.0, 10.0])
    done = figure("figure6", "--only", "resnet-20", "--format", "svg", standalone_mode=False)
    assert done.stdout.splitlines() == [str(here.figures / "figure6-only-resnet-20.svg")]
    assert done.return_value == 0


def test_what_is_missing_is_said_on_stderr():
    done = figure("figure7", "--format", "svg")
    assert done.stderr == (
        "scale: paper (nothing is done yet; --scale chooses another)\n"
        "No run has started yet: what is drawn is the paper's, read off its figure.\n"
    )


@pytest.mark.parametrize(
    ("given", "code"), [((), 3), ((20.0,), 0), ((None,), 1)], ids=["nothing", "one point", "NaN"]
)
def test_a_figure_of_nothing_is_incomplete_one_point_will_do_and_of_what_diverged_is_a_failure(
    diverged, write_run, given, code
):
    if given == (None,):
        diverged(RUN, curve=[{"train_error": None, "test_error": None}])
    elif given:
        write_run(RUN, given)
    assert figure("figure6", "--format", "svg", standalone_mode=False).return_value == code


def test_a_figure_that_needs_no_run_is_never_incomplete():
    assert figure("figure5", "--format", "svg", standalone_mode=False).return_value == 0


@pytest.mark.parametrize("name", [r"$\input{x}$", "$", "a_b", r"\alpha^2", "%", "a\0b"])
def test_whatever_a_net_is_called_is_drawn_as_text(name, finished, here):
    figure6 = catalog.load_experiment("figure6")
    panel = figure6.panels[-1]
    odd = replace(
        figure6, panels=(replace(panel, title=name, rows=(replace(panel.rows[0], label=name),)),)
    )
    finished(RESNET[20].run, [20.0, 10.0], test_error=9.0)
    drawing = curve_figures.draw(odd, collect(here), catalog.load_scale("paper"))
    assert b"<svg" in style.rendered(drawing, "svg")


def test_a_variants_figure_is_of_its_runs_says_so_and_has_a_file_of_its_own(finished, here):
    finished(catalog.load_variant("ghost")(RUN), [20.0, 10.0], test_error=9.0)
    assert figure("figure6", "--format", "svg", standalone_mode=False).return_value == 3
    done = figure("figure6", "--variant", "ghost", "--format", "svg", standalone_mode=False)
    assert done.stdout.splitlines() == [str(here.figures / "figure6-ghost.svg")]
    assert "ResNet-20 ends at test error 10.0 %. With variant ghost." in " ".join(
        done.stderr.split()
    )
    assert done.return_value == 0


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


def test_on_a_full_disk_the_folder_of_figures_is_named_and_the_variable_that_moves_it(
    here, monkeypatch
):
    def full(handle: int, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "write_all", full)
    with pytest.raises(UserError) as caught:
        figure("figure5", "--format", "svg")
    assert str(here.figures / "figure5.svg") in caught.value.problem
    assert "No space left on device" in caught.value.problem
    assert "choose another folder with `REPRO_FIGURES`" in caught.value.hint
    assert not [*here.figures.rglob("*.tmp"), *here.figures.rglob("*.svg")]
