"""The RO-Crate of published runs: every MUST of version 1.1 that bears on it, and true digests.

The specification's MUSTs are numbered below as they stand in its chapters: 1 metadata file,
2 descriptor, 3 root, 4 data entities, 5 contextual entities and JSON-LD, 6 citation, 7 actions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pandas as pd
import pytest

from experiments.cifar10 import PLAIN, RESNET
from repro.analysis.runs.publish import Weights, publish
from repro.cli import main
from repro.protocol import catalog
from repro.storage.paths import ROOT, Folder, Places

SMOKE = catalog.load_scale("smoke")
RUNS = (SMOKE(PLAIN[20].run), SMOKE(RESNET[20].run))
COMMIT = "0123456789abcdef0123456789abcdef01234567"

Entities = dict[str, dict[str, Any]]


def code(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["export", *words])
    return int(ended.value.code or 0)


@pytest.fixture
def published(finished: Callable[..., Any], places: Places) -> list[Path]:
    """Two published runs, one of them with weights."""
    folders = []
    for run, weights in zip(RUNS, (None, Weights(lambda: b"weights", "repro …")), strict=True):
        working = finished(run, [50.0, 12.5], test_error=12.5, provenance={"commit": COMMIT})
        public = Folder(places.published / run.id)
        assert publish(working, public, weights=weights) == "published"
        folders.append(public.path)
    return folders


@pytest.fixture
def crate(published: list[Path], tmp_path: Path) -> Path:
    target = tmp_path / "crate"
    assert code("figure6", "--scale", "smoke", "--ro-crate", str(target)) == 0
    return target


def entities(crate: Path) -> Entities:
    """The entities by id; that no two have one is MUST 5.1."""
    document = json.loads((crate / "ro-crate-metadata.json").read_text("utf-8"))  # MUST 1.1
    assert set(document) == {"@context", "@graph"}
    assert "https://w3id.org/ro/crate/1.1/context" in document["@context"]  # MUST 1.2
    graph = document["@graph"]
    ids = [entity["@id"] for entity in graph]
    assert len(ids) == len(set(ids))
    return dict(zip(ids, graph, strict=True))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def parts(found: Entities, start: str) -> Iterator[str]:
    """What an entity has as parts, and what those have."""
    for part in listed(found[start].get("hasPart", [])):
        yield part["@id"]
        yield from parts(found, part["@id"])


def of_type(found: Entities, name: str) -> list[dict[str, Any]]:
    return [entity for entity in found.values() if name in listed(entity["@type"])]


def test_the_descriptor_and_the_root_are_as_the_specification_demands(crate: Path) -> None:
    found = entities(crate)
    descriptor = found["ro-crate-metadata.json"]  # MUST 2.1
    assert descriptor["@type"] == "CreativeWork"  # MUST 2.2
    assert descriptor["about"] == {"@id": "./"}  # MUST 2.3
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = found["./"]  # MUST 3.1: its id ends with a slash
    assert root["@type"] == "Dataset"  # MUST 3.2
    assert root["name"]  # MUST 3.3
    assert "figure6 at scale smoke" in root["name"]
    assert root["description"]  # MUST 3.4
    datetime.fromisoformat(root["datePublished"])  # MUST 3.5
    licence = found[root["license"]["@id"]]  # MUST 3.6
    assert (licence["@id"], licence["name"]) == ("https://spdx.org/licenses/MIT", "MIT License")


def test_every_file_is_reached_from_the_root_and_is_what_its_entity_says(crate: Path) -> None:
    found = entities(crate)
    reached = set(parts(found, "./"))
    files = of_type(found, "File")  # MUST 4.2
    folders = [entity for entity in of_type(found, "Dataset") if entity["@id"] != "./"]
    for entity in (*files, *folders):
        assert entity["@id"] in reached  # MUST 4.1
        path = unquote(entity["@id"])  # MUST 4.3: a path inside the crate, as a URI
        assert not urlparse(entity["@id"]).scheme
        assert not path.startswith("/")
        assert ".." not in path
    assert all((crate / unquote(entity["@id"])).is_dir() for entity in folders)
    for entity in files:
        content = (crate / unquote(entity["@id"])).read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
        assert "/" in entity["encodingFormat"]
    there = {str(path.relative_to(crate)) for path in crate.rglob("*") if path.is_file()}
    assert there - {unquote(entity["@id"]) for entity in files} == {"ro-crate-metadata.json"}


def test_it_is_flat_and_everything_named_is_described(crate: Path) -> None:
    found = entities(crate)
    elsewhere = {"conformsTo", "actionStatus"}  # terms of the specification and of schema.org
    for entity in found.values():
        assert isinstance(entity["@type"], str | list)  # MUST 5.2
        for key, value in entity.items():
            for item in listed(value):
                if isinstance(item, dict):
                    assert list(item) == ["@id"]  # MUST 5.3
                    assert key in elsewhere or item["@id"] in found, item


def test_terms_that_version_1_1_lacks_are_in_its_context(crate: Path) -> None:
    document = json.loads((crate / "ro-crate-metadata.json").read_text())
    [added] = [part for part in document["@context"] if isinstance(part, dict)]
    assert added == {"sha256": "http://schema.org/sha256"}


def test_the_paper_is_cited_by_its_url_and_the_authors_are_those_of_the_citation(
    crate: Path,
) -> None:
    found = entities(crate)
    paper = found[found["./"]["citation"]["@id"]]  # MUST 6.1: the id is a URL
    assert paper["@id"] == "https://doi.org/10.1109/CVPR.2016.90"
    assert paper["@type"] == "ScholarlyArticle"
    assert paper["sameAs"] == "https://arxiv.org/abs/1512.03385"
    writers = [found[person["@id"]]["name"] for person in paper["author"]]
    assert writers == ["Kaiming He", "Xiangyu Zhang", "Shaoqing Ren", "Jian Sun"]
    author = found[found["./"]["author"]["@id"]]
    assert (author["@type"], author["name"]) == ("Organization", "The repro maintainers")


def test_each_run_is_an_action_by_the_code_at_its_commit(crate: Path) -> None:
    found = entities(crate)
    actions = of_type(found, "CreateAction")
    assert len(actions) == 2
    assert [{"@id": action["@id"]} for action in actions] == found["./"]["mentions"]
    for run, action in zip(RUNS, actions, strict=True):
        assert run.net.name in action["name"]
        instrument = found[action["instrument"]["@id"]]
        assert instrument["@id"] == f"swh:1:rev:{COMMIT}"
        assert (instrument["@type"], instrument["version"]) == ("SoftwareSourceCode", COMMIT)
        assert action["endTime"] == "2026-01-01T01:00:00+00:00"
        datetime.fromisoformat(action["endTime"])  # MUST 7.1
        used = [item["@id"] for item in action["object"]]  # MUST 7.2: at least one
        assert used == [f"runs/{run.id}/run.json", "#data-da7a"]
        made = [item["@id"].rpartition("/")[2] for item in action["result"]]
        assert made[:2] == ["metrics.jsonl", "final.json"]
    assert made == ["metrics.jsonl", "final.json", "weights.pt"]


def test_the_records_are_those_that_are_published_and_the_csv_has_their_numbers(
    crate: Path, published: list[Path]
) -> None:
    for folder in published:
        copy = crate / "runs" / folder.name
        assert {path.name: path.read_bytes() for path in copy.iterdir()} == {
            path.name: path.read_bytes() for path in folder.iterdir()
        }
    numbers = pd.read_csv(crate / "numbers.csv")
    assert set(numbers["run"]) == {run.id for run in RUNS}
    assert len(numbers) == 6
    assert (crate / "CITATION.cff").read_text() == (ROOT / "CITATION.cff").read_text()
    assert (crate / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.usefixtures("published")
def test_the_same_day_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1735689600")
    contents = []
    for name in ("first", "second"):
        assert code("figure6", "--ro-crate", str(tmp_path / name)) == 0
        contents.append((tmp_path / name / "ro-crate-metadata.json").read_bytes())
    assert contents[0] == contents[1]
    assert entities(tmp_path / "first")["./"]["datePublished"] == "2025-01-01"


def test_only_published_runs_go_in_and_without_one_nothing_is_written(
    finished: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(RUNS[0], [50.0], test_error=12.5)
    assert code("figure6", "--ro-crate", str(tmp_path / "crate")) == 3
    said = capsys.readouterr().err
    assert "no run of this selection is published\n\nhint: `repro publish`" in said
    assert not (tmp_path / "crate").exists()


def test_a_published_record_that_is_damaged_is_refused_and_nothing_is_written(
    published: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = Folder(published[0]).metrics
    metrics.write_bytes(metrics.read_bytes()[:-5])
    before = sorted(tmp_path.iterdir())
    assert code("figure6", "--ro-crate", str(tmp_path / "crate")) == 1
    assert f"Error: published/{RUNS[0].id}: " in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_with_files_is_not_added_to_and_an_empty_one_is_filled(
    published: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "crate"
    target.mkdir()
    assert code("figure6", "--ro-crate", str(target)) == 0
    before = (target / "ro-crate-metadata.json").read_bytes()
    assert code("figure6", "--skip", "plain", "--ro-crate", str(target)) == 2
    assert "is there already, and a crate is never added to" in capsys.readouterr().err
    assert (target / "ro-crate-metadata.json").read_bytes() == before
