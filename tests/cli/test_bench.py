"""`repro bench`: parts by name, one JSON document, records kept when asked."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from repro.bench import suites
from repro.bench.harness import Contender, run_contest
from repro.cli import main
from repro.storage.paths import places


@pytest.fixture
def tiny(monkeypatch):
    """A part that really runs a contest, of one contender that has nothing to do."""

    def part(quick, say):
        return [run_contest("Nothing", "times", [Contender("ours", "jobs:ready")], 1, say)]

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent / "bench"))
    monkeypatch.setitem(suites.PARTS, "depth", part)


def repro(*words, capsys):
    with pytest.raises(SystemExit) as end:
        main(list(words))
    said = capsys.readouterr()
    return SimpleNamespace(code=end.value.code, out=said.out, err=said.err)


def test_a_part_prints_its_table(tiny, capsys):
    done = repro("bench", "depth", "--quick", capsys=capsys)
    assert done.code == 0
    assert done.out.startswith("| Nothing | times | ratio |")
    assert "| ours | 3 | 1.00 |" in done.out


def test_json_is_one_document(tiny, capsys):
    found = json.loads(repro("bench", "depth", "--json", capsys=capsys).out)
    assert (found["schema"], found["part"], found["quick"]) == (1, "depth", False)
    assert found["tables"][0]["lines"][0]["way"] == "ours"


def test_what_is_saved_is_the_record_and_the_table(tiny, capsys):
    repro("bench", "depth", "--quick", "--save", capsys=capsys)
    kept = places().results / "bench"
    assert json.loads((kept / "depth-quick.json").read_text())["part"] == "depth"
    assert (kept / "depth-quick.md").read_text().startswith("| Nothing |")


def test_a_part_that_is_none_is_an_error_with_the_nearest(capsys):
    done = repro("bench", "dept", capsys=capsys)
    assert done.code == 2
    assert "no benchmark named `dept`" in done.err
    assert "did you mean `depth`?" in done.err


def test_measuring_a_gpu_needs_one(capsys):
    done = repro("bench", "gpu", capsys=capsys)
    assert done.code == 4
    assert done.out == ""
    assert done.err == (
        "Error: no GPU here to measure\n\nhint: `repro bench cpu` measures the processors\n"
    )
