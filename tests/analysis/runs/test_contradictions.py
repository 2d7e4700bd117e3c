"""Records that were edited by hand are named, and nothing is judged by them."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from experiments import table6
from experiments.cifar10 import RESNET
from repro.analysis.compare.paper_diff import compare
from repro.analysis.runs.publish import publish
from repro.analysis.runs.run_frames import collect
from repro.storage.atomic import to_json
from repro.storage.paths import Folder

RUN, OTHER = list(RESNET[20])[:2]
LAST = {"train_error": 0.6, "train_loss": 0.02, "test_error": 8.7}
CURVE = [{"train_error": 50.0, "train_loss": 1.0, "test_error": 50.0}] * 63 + [LAST]
METRICS = LAST | {"best_test_error": 8.7}


def problems(places) -> list[str]:
    return [problem.problem for problem in collect(places).problems]


def verdict(places) -> str:
    declared = {"table6": table6.experiment}
    rows = compare(declared, declared, collect(places), "paper").rows
    return next(r.verdict.word for r in rows if (r.row, r.metric) == ("ResNet-20", "test_error"))


def edit(folder: Folder, **metrics: float) -> None:
    final = json.loads(folder.final.read_bytes())
    final["metrics"] |= metrics
    folder.final.write_bytes(to_json(final))


def test_published_weights_that_change_after_they_were_read_are_noticed_and_so_is_their_return(
    places, finished
):
    folder = finished(RUN, CURVE, published=True, **METRICS)
    folder.weights.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    folder.weights_record.write_bytes(to_json({"sha256": sha256}))
    assert problems(places) == []
    folder.weights.write_bytes(b"others!")
    assert "weights.pt is not what was published" in problems(places)[0]
    folder.weights.write_bytes(b"weights")
    assert problems(places) == []


def test_a_whole_record_contradicts_nothing(places, finished):
    finished(RUN, CURVE, **METRICS)
    assert problems(places) == []
    assert len(collect(places).finals) == 1


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        ({"train_error": 0.3}, "final.json has train_error 0.3, the last point of its curve 0.6"),
        ({"test_error": 8.2}, "final.json has test_error 8.2, the last point of its curve 8.7"),
        ({"best_test_error": 8.1}, "final.json has best_test_error 8.1, its curve 8.7"),
    ],
)
def test_a_number_that_was_edited_is_named_and_not_judged(places, finished, metrics, problem):
    edit(finished(RUN, CURVE, **METRICS), **metrics)
    assert problems(places)[0].startswith(f"it contradicts itself: {problem}")
    assert verdict(places) == "missing"


@pytest.mark.parametrize("error", [108.7, -1])
def test_an_error_outside_0_to_100_is_named_and_not_judged(places, finished, error):
    edit(finished(RUN, CURVE, **METRICS), test_error=error)
    assert f"`test_error` cannot be {error:g}" in problems(places)[0]
    assert verdict(places) == "missing"


def test_a_last_test_error_measured_anew_on_another_machine_may_differ_by_an_image(
    places, finished
):
    edit(finished(RUN, CURVE, **METRICS), test_error=8.71)
    assert problems(places) == []


def test_an_edited_point_of_the_curve_is_an_error_that_no_line_can_hide(places, finished):
    finished(RUN, [*CURVE[:-1], LAST | {"test_error": 120.0}], train_error=0.6)
    assert "a point of its curve has test_error 120" in problems(places)[0]


def test_another_runs_final_record_is_named_and_not_judged(places, finished):
    folder, other = finished(RUN, CURVE, **METRICS), finished(OTHER, CURVE, **METRICS)
    shutil.copy(other.final, folder.final)
    assert any("another run" in said for said in problems(places))
    assert RUN.id not in set(collect(places).finals["id"])


@pytest.mark.parametrize("name", ["final.json", "metrics.jsonl"])
def test_a_published_record_whose_digest_is_wrong_is_named_and_not_judged(places, finished, name):
    working = finished(RUN, CURVE, **METRICS)
    public = Folder(places.published / RUN.id)
    publish(working, public)
    shutil.rmtree(working.path)
    assert problems(places) == []
    path = public.path / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert problems(places) == [
        f"it contradicts itself: {name} is not what was published: its SHA-256 is another"
    ]
    assert verdict(places) == "missing"


def test_weights_that_are_not_those_published_are_named(places, finished):
    folder = finished(RUN, CURVE, published=True, **METRICS)
    folder.weights.write_bytes(b"weights")
    folder.weights_record.write_bytes(to_json({"sha256": "0" * 64}))
    assert "weights.pt is not what was published" in problems(places)[0]


def test_digests_of_files_elsewhere_are_not_followed(places, finished):
    """A record is written by others: it may name a device that never ends."""
    folder = finished(RUN, test_error=8.7, published=True)
    folder.published_digests.write_bytes(to_json({"sha256": {"/dev/zero": "0"}}))
    [problem] = collect(places).problems
    assert "/dev/zero is not what was published" in problem.problem
