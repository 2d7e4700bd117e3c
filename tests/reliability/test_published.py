"""The page's tables are what was measured and what is tested."""

import json
import re

import pytest

from repro.storage.atomic import read_json
from repro.storage.paths import ROOT
from tests.reliability import long
from tests.reliability.harness.faults import fault_tests
from tests.reliability.long import FILE, FULL, PAGE, WORDS, published


def test_the_readme_has_the_figures_of_the_long_tier():
    readme = PAGE.read_text()
    assert published(readme, read_json(FILE)) == readme, (
        "run `python -m tests.reliability.long print`"
    )


def test_every_kind_of_damage_has_its_line():
    assert WORDS.keys() == FULL.keys()


def test_every_fault_of_the_page_names_tests_that_exist():
    faults = fault_tests()
    assert len(faults) >= 30
    for fault, named in faults.items():
        assert named, fault
        for name in named:
            file, _, function = name.partition("::")
            assert re.search(rf"^def {function}\(", (ROOT / file).read_text(), re.M), name


@pytest.mark.slow
def test_the_long_tier_runs_kinds_side_by_side_and_fails_if_a_figure_must_be_0_and_is_not(
    tmp_path, monkeypatch, capsys
):
    file, page = tmp_path / "reliability.json", tmp_path / "reliability.md"
    page.write_text(PAGE.read_text())
    file.write_text(json.dumps({"words": {"typed": 7, "wrong_answers": 0, "files_made": 0}}))
    monkeypatch.setattr(long, "FILE", file)
    monkeypatch.setattr(long, "PAGE", page)
    monkeypatch.setattr(long, "FULL", {"calls": (100,), "secrets": (), "deep": (2,)})
    assert long.main([]) == 0
    measured = json.loads(file.read_text())
    assert (measured["calls"]["differing_bytes"], measured["secrets"]["found"]) == (0, 0)
    assert measured["words"]["typed"] == 7  # what was not done keeps its figure
    assert "| 7 | 0 tracebacks or unpublished exit codes, 0 files made |" in page.read_text()
    monkeypatch.setattr(long, "_figures", lambda name: {"planted": 6, "files": 8, "found": 2})
    assert long.main(["secrets"]) == 1
    assert "wrong: secrets: 2 found, not 0" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(long, "FILE", file)
    monkeypatch.setattr(long, "PAGE", page)
    monkeypatch.setattr(long, "FULL", {"no such kind": ()})
    assert long.main([]) == 1
    assert json.loads(file.read_text())["secrets"]["found"] == 2
