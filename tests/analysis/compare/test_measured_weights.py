"""Released weights that were measured here stand beside the paper's rows in every output, and in no
mean."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from experiments import table3, table4
from repro.analysis.compare.measured_weights import Agreement, measured_numbers
from repro.analysis.compare.paper_diff import compare
from repro.analysis.output import diff_json, tables
from repro.analysis.output.diff_text import render_text
from repro.analysis.output.report import report
from repro.analysis.output.table_formats import render
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import at_scale
from repro.definition.net import resnet
from repro.definition.preprocessing import PHOTOS
from repro.protocol import catalog
from repro.storage.evaluations import DataFacts, Evaluation, EvaluationFolder, WeightsFacts

PAPER = catalog.load_scale("paper")
AUTHORS_50 = resnet(50, "B", "imagenet", pool="unpadded")
VALIDATION = DataFacts("imagenet", "abc", "official pixels", 50_000)


def keep(places, *, net=AUTHORS_50, metrics, layout="authors", data=VALIDATION, **more):
    """Write a record as `evaluate --save` does."""
    sha256 = more.pop("sha256", "0" * 64)
    preprocess = more.pop("preprocess", layout)
    reading = {"preprocessing": asdict(PHOTOS[preprocess])}
    name = f"{net.name}.{layout}.{len(list(places.results.glob('evaluations/*')))}"
    evaluation = Evaluation(
        id=name,
        net=net,
        weights=WeightsFacts("file", sha256, layout),
        data=data,
        scale=more.pop("scale", "paper"),
        views="ten",
        reading=reading,
        metrics=metrics,
        **more,
    )
    folder = EvaluationFolder(places.results / "evaluations" / name)
    folder.finish(evaluation, {"labels": np.zeros(1, np.uint16)})
    return evaluation


def numbers(places, name="table3", table=table3.experiment):
    collected = collect(places)
    return measured_numbers(name, at_scale(table, PAPER), collected.evaluations)


def test_the_authors_nets_are_judged_to_the_printed_digit_of_both_numbers(places):
    keep(places, metrics={"ten_crop_top1": 22.854, "ten_crop_top5": 6.76})
    top1, top5 = numbers(places)
    assert (top1.row, top1.against_paper, top1.against_published) == ("ResNet-50", "equal", "equal")
    assert (top5.against_paper, top5.against_published) == (Agreement.HIGHER, Agreement.DIFFERS)


def test_what_is_published_for_weights_and_in_no_table_is_judged_all_the_same(places):
    """The authors' README has centre crops, the paper's tables have none."""
    keep(places, metrics={"center_top1": 24.74, "center_top5": 7.9})
    top1, top5 = numbers(places)
    assert (top1.row, top1.metric, top1.paper) == ("ResNet-50", "center_top1", None)
    assert (top1.against_published, top5.against_published) == ("equal", "differs")


def test_what_is_published_for_weights_alone_is_told_once_in_a_diff_of_two_tables(places):
    keep(places, metrics={"center_top1": 24.74, "center_top5": 7.8})
    declared = {"table3": table3.experiment, "table4": table4.experiment}
    compared = compare(declared, declared, collect(places), "paper")
    assert [number.metric for number in compared.measured] == ["center_top1", "center_top5"]
    text = " ".join(render_text(compared).split())
    assert "table3 ResNet-50 center_top1, the authors' ResNet-50: 24.7 vs 24.7 equal" in text
    assert "give 2 numbers (to those published for them: 2 equal)" in text
    sheet = tables.sheet("table3", table3.experiment, collect(places), PAPER)
    assert "published for these weights 24.7: equal" in " ".join(render(sheet, "table").split())
    document = {"schema": 1} | diff_json.diff_document(compared)
    path = diff_json.__file__.replace("diff_json.py", "diff.schema.json")
    with Path(path).open() as file:
        jsonschema.validate(json.loads(json.dumps(document)), json.load(file))


def test_other_peoples_nets_are_told_from_the_authors(places):
    net = resnet(50, "B", "imagenet", stride_in="3x3")
    version1 = {
        "layout": "torchvision",
        "preprocess": "torchvision-v1",
        "sha256": "0676ba61" + "0" * 56,
    }
    keep(places, net=net, metrics={"ten_crop_top1": 22.0}, **version1)
    (number,) = numbers(places)
    assert number.weights == "torchvision's resnet-50-b, version 1"
    assert (number.against_paper, number.against_published) == ("lower", "nothing published")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data": DataFacts("sample", "x", "imported", 250)}, "test images: 250, not 50,000"),
        ({"data": DataFacts("own", "x", "imported", 50_000)}, "data: imported, not the official"),
        ({"scale": "smoke"}, "scale: smoke"),
    ],
)
def test_other_images_are_not_compared(places, change, reason):
    keep(places, metrics={"ten_crop_top1": 22.85}, **change)
    (number,) = numbers(places)
    assert (number.against_paper, number.against_published) == ("not comparable", "not comparable")
    assert any(text.startswith(reason) for text in number.reasons)


def test_a_table_shows_them_in_a_column_of_their_own(places):
    keep(places, metrics={"multi_scale_top1": 20.74, "multi_scale_top5": 5.25})
    sheet = tables.sheet("table4", table4.experiment, collect(places), PAPER)
    text = render(sheet, "table")
    row = next(line for line in text.splitlines() if line.startswith("ResNet-50"))
    assert "20.74 (the authors' ResNet-50)" in text
    assert "missing" in row
    assert not tables.has_ours(sheet)
    assert "measured here and trained by others; in no mean, no verdict" in " ".join(text.split())


def test_without_records_a_table_is_what_it_was(places):
    assert "released" not in tables.table("table4", table4.experiment, collect(places), PAPER)


def diff(places):
    declared = {"table3": table3.experiment}
    scaled = {name: at_scale(table, PAPER) for name, table in declared.items()}
    return compare(declared, scaled, collect(places), "paper")


def test_diff_judges_them_with_their_own_words(places):
    keep(places, metrics={"ten_crop_top1": 22.854, "ten_crop_top5": 6.71})
    compared = diff(places)
    text = render_text(compared)
    line = "table3 ResNet-50 ten_crop_top1, the authors' ResNet-50: 22.85 vs 22.85 equal"
    assert line in " ".join(text.split())
    assert "published for these weights 22.9: equal" in " ".join(text.split())
    document = {"schema": 1} | diff_json.diff_document(compared)
    path = diff_json.__file__.replace("diff_json.py", "diff.schema.json")
    with Path(path).open() as file:
        jsonschema.validate(json.loads(json.dumps(document)), json.load(file))
    assert [one["against_published"] for one in document["measured"]] == ["equal", "equal"]
    assert not compared.fails(("equal", "differs"))
    assert all(row.verdict.word == "missing" for row in compared.rows)


def test_the_report_lists_them(places):
    keep(places, metrics={"ten_crop_top1": 22.854})
    html = report(collect(places), PAPER)
    assert "trained by others, measured here" in html
    assert "Table 3, ResNet-50, top-1 error (%), 10-crop" in html


def test_a_damaged_record_is_a_problem_and_not_a_crash(places):
    folder = places.results / "evaluations" / "odd"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text("{}")
    (problem,) = collect(places).problems
    assert "is no record of an evaluation" in problem.problem


def test_what_is_declared_for_torchvision_is_what_torchvision_says():
    from torchvision.models import resnet as theirs

    from experiments.released_weights import RELEASED

    declared = {one.sha256: one for one in RELEASED if one.layout == "torchvision"}
    compared = 0
    for depth in (18, 34, 50, 101, 152):
        for weights in getattr(theirs, f"ResNet{depth}_Weights"):
            sha256 = weights.url.rpartition("-")[2].removesuffix(".pth")
            accuracy = weights.meta["_metrics"]["ImageNet-1K"]
            top1, top5 = declared[sha256].numbers
            assert (top1.value, top5.value) == pytest.approx(
                (100 - accuracy["acc@1"], 100 - accuracy["acc@5"])
            )
            preprocessing = PHOTOS[declared[sha256].preprocess]
            transforms = weights.transforms()
            assert [preprocessing.resize] == transforms.resize_size
            assert [preprocessing.crop] == transforms.crop_size
            assert list(preprocessing.mean) == transforms.mean
            assert list(preprocessing.std) == transforms.std
            compared += 1
    assert compared == len(declared)
