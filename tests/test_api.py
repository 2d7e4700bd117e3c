"""`import repro`: the same doors as the command line, from Python."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

import repro
from repro.protocol import catalog
from repro.protocol.selection import select
from repro.storage.paths import ROOT, Folder, Places

TINY = {"scale": "smoke", "seeds": 1, "only": ["resnet-20"]}


def example() -> str:
    page = (ROOT / "docs" / "from-python.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(here: Places) -> None:
    done = subprocess.run([sys.executable, "-c", example()], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 runs are done\n")
    assert "ResNet-20 test_error not comparable" in done.stdout
    assert (here.figures / "smoke" / "figure6.svg").exists()


def test_load_gives_the_page_as_the_paper_has_it_or_at_a_scale() -> None:
    assert repro.load("table6") is catalog.load_experiment("table6")
    smoke = repro.load("table6", scale="smoke", seeds=1)
    assert isinstance(smoke, repro.Table)
    assert {row.runs.run.scale for row in smoke.rows if row.runs} == {"smoke"}


def test_what_is_done_is_not_trained_again(finished: Callable[..., Folder]) -> None:
    [run] = select("table6", scale="smoke", seeds=1, only=["resnet-20"]).runs()
    finished(run, test_error=9.0)
    result = repro.run("table6", scale="smoke", seeds=1, only=["resnet-20"])
    assert (result.done, result.ended, result.code) == (1, (), 0)


def test_a_selection_and_its_words_say_the_same(finished: Callable[..., Folder]) -> None:
    chosen = select("table6", scale="smoke", seeds=1, only=["resnet-20"])
    [run] = chosen.runs()
    finished(run, test_error=9.0)
    diff = repro.compare(chosen)
    assert {row.row for row in diff.rows} == {"ResNet-20"}
    assert diff.lacking == ()
    assert list(repro.collect(chosen).runs["id"]) == [run.id]
    assert "ResNet-20" in str(repro.table("table6", scale="smoke"))


def test_without_a_scale_the_most_serious_one_with_results_is_taken(
    finished: Callable[..., Folder],
) -> None:
    [run] = select("table6", scale="smoke", seeds=1, only=["resnet-20"]).runs()
    finished(run, test_error=9.0)
    assert repro.compare("table6").scale == "smoke"
    assert repro.table("table6").scale.name == "smoke"


def test_a_figure_shows_itself_in_a_notebook(here: Places) -> None:
    drawn = repro.figure("figure5", formats=["svg"])
    assert drawn.files == (here.figures / "figure5.svg",)
    svg = drawn._repr_svg_()
    assert svg is not None
    assert "<svg" in svg


def test_a_mistake_is_a_user_error_with_a_hint() -> None:
    with pytest.raises(repro.UserError) as caught:
        repro.figure("table6")
    assert caught.value.hint == "print it with `repro table table6`"


def test_status_is_a_list_of_states(here: Places, finished: Callable[..., Folder]) -> None:
    assert repro.status("table6") == []
