"""The README's first table is the best that is published, and says of each number what it is of."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.cifar10 import PLAIN, RESNET
from experiments.scales import SCALES
from repro.protocol.selection import Selection
from repro.storage.paths import ROOT, Folder, Places

README = (ROOT / "README.md").read_text()
Finished = Callable[..., Folder]


@pytest.fixture(scope="module")
def results() -> Callable[..., str]:
    """What `python tests/golden/write.py` makes of the README."""
    write = runpy.run_path(str(Path(__file__).parent / "write.py"))
    made: Callable[..., str] = write["results"]
    return made


def rows(readme: str) -> dict[str, list[str]]:
    """The cells of each net's line in the table of results, by its name."""
    _, _, text = readme.partition("<!-- results:")
    lines = [
        line
        for line in text.partition("<!-- end of results -->")[0].splitlines()
        if line.startswith("| ")
    ]
    cells = [line.strip("| ").split(" | ") for line in lines]
    return {name: rest for name, *rest in cells[1:]}


def errors(test: float, train: float) -> dict[str, Any]:
    return {
        "published": True,
        "test_error": test,
        "train_error": train,
        "curve": [{"test_error": test}],
    }


def test_the_readme_is_what_the_published_runs_make(results: Callable[..., str]) -> None:
    assert results(README) == README, "run `python tests/golden/write.py`"


def test_while_nothing_is_published_the_curves_are_named_the_papers_and_no_number_is_ours(
    results: Callable[..., str],
    places: Places,
) -> None:
    places.published.mkdir(parents=True)
    readme = results(README, places.published)
    assert "(figures/figure6.png)" in readme
    assert "These are **the paper's** curves" in readme
    assert "no run of scale `paper` is published yet**, of the 60" in readme
    assert "Of scale `quick`" not in readme
    assert rows(readme) == {}


def test_a_published_run_says_its_seeds_scale_and_data_beside_the_papers_number(
    results: Callable[..., str],
    places: Places,
    finished: Finished,
) -> None:
    finished(RESNET[20].run, **errors(8.31, 0.9))
    readme = results(README, places.published)
    assert "1 of 9 nets has a number so far" in readme
    assert rows(readme)["ResNet-20"] == [
        "8.31 (n = 1)",
        "8.75",
        "incomplete 1/5",
        "0.90 (n = 1)",
        "0.63 (read off, ± 0.1)",
        "paper",
        "cifar10, official archive",
    ]
    assert rows(readme)["plain-20"][0] == "none yet"
    assert "(figures/figure6.png)" in readme
    assert "The paper's claims, at scale `paper`:" in readme


def test_runs_of_scale_quick_are_counted_and_their_numbers_not_shown(
    results: Callable[..., str],
    places: Places,
    finished: Finished,
) -> None:
    finished(SCALES["quick"](PLAIN[20].run), **errors(33.0, 34.0))
    readme = results(README, places.published)
    assert rows(readme) == {}
    assert "33.0" not in readme
    assert "Of scale `quick`, whose numbers cannot be compared, 1 of 36 runs are" in readme


def test_images_that_are_not_the_official_ones_are_named(
    results: Callable[..., str],
    places: Places,
    finished: Finished,
) -> None:
    finished(PLAIN[20].run, **errors(9.5, 1.4), data={"origin": "imported"})
    cells = rows(results(README, places.published))["plain-20"]
    assert (cells[2], cells[-1]) == ("not comparable", "cifar10, imported")


def test_each_net_is_shown_at_the_best_scale_there_is_of_it(
    results: Callable[..., str],
    places: Places,
    finished: Finished,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Scale quick stands for one that is shown where there is nothing better.
    monkeypatch.setitem(results.__globals__, "TOO_SHORT", ("smoke",))
    for run in (PLAIN[20].run, PLAIN[56].run):
        finished(SCALES["quick"](run), **errors(15.0, 12.0))
    finished(PLAIN[20].run, **errors(9.5, 1.4))
    readme = results(README, places.published)
    table = rows(readme)
    assert (table["plain-20"][0], table["plain-20"][-2]) == ("9.50 (n = 1)", "paper")
    assert (table["plain-56"][0], table["plain-56"][-2]) == ("15.00 (n = 1)", "quick")
    assert "at scale `paper`:" in readme


def test_a_variant_is_shown_where_the_own_reading_has_no_run_and_named_as_such(
    results: Callable[..., str],
    places: Places,
    finished: Finished,
) -> None:
    bf16 = Selection(scale="paper", variants=("bf16",)).chosen_scale()
    for run in (RESNET[20].run, RESNET[56].run):
        finished(bf16(run), **errors(8.9, 0.9))
    finished(RESNET[56].run, **errors(7.1, 0.2))
    table = rows(results(README, places.published))
    assert (table["ResNet-20"][0], table["ResNet-20"][-2]) == (
        "8.90 (n = 1)",
        "paper, variant bf16",
    )
    assert (table["ResNet-56"][0], table["ResNet-56"][-2]) == ("7.10 (n = 1)", "paper")


def test_where_all_there_is_is_a_variant_the_figure_is_drawn_of_it(
    results: Callable[..., str],
    places: Places,
    finished: Finished,
) -> None:
    bf16 = Selection(scale="paper", variants=("bf16",)).chosen_scale()
    finished(bf16(RESNET[20].run), **errors(8.9, 0.9))
    readme = results(README, places.published)
    assert "(figures/figure6-bf16.png)" in readme
    assert "at scale `paper, variant bf16`:" in readme
