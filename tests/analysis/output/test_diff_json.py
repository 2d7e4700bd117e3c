"""The whole diff: its JSON, its words, and that nothing irrelevant changes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

import repro.analysis.output
from experiments import figure1, figure6, table1, table2, table5, table6
from experiments.cifar10 import PLAIN, RESNET
from experiments.scales import SCALES
from repro.analysis.compare.paper_diff import Diff, compare, parse_verdicts
from repro.analysis.output.diff_json import diff_document
from repro.analysis.output.diff_sheets import render_diff
from repro.analysis.output.diff_text import render_text
from repro.analysis.output.diff_words import summary
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import Experiment, Skipped, at_scale
from repro.errors import UserError
from repro.protocol import catalog

SCHEMA = json.loads(Path(repro.analysis.output.__file__).with_name("diff.schema.json").read_text())
SPREAD = (0.0, 0.1, -0.1, 0.05, -0.05)
PRINTED = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.61, 1202: 7.93}


def diff_of(
    places, *experiments: Experiment, scale: str = "paper", seeds: int | None = None, **other
) -> Diff:
    declared = {f"e{number}": experiment for number, experiment in enumerate(experiments)}
    scaled = {
        name: at_scale(experiment, SCALES[scale], seeds) for name, experiment in declared.items()
    }
    return compare(declared, scaled, collect(places), scale, **other)


def words(diff: Diff) -> dict[tuple[str, str], str]:
    return {(row.row, row.metric): row.verdict.word for row in diff.rows}


@pytest.fixture
def as_printed(finished):
    """Five seeds of every ResNet of Table 6 around the paper's number."""

    def write(off: float = 0.0, seeds: int = 5, **other) -> None:
        for depth, printed in PRINTED.items():
            for run in list(RESNET[depth])[:seeds]:
                finished(
                    run, test_error=printed + off + SPREAD[run.seed], train_error=0.05, **other
                )

    return write


def test_a_table_as_the_paper_printed_it_is_reproduced(places, as_printed):
    as_printed()
    diff = diff_of(places, table6.experiment)
    judged = words(diff)
    # Those whose neighbours are as near as 0.2 to 0.34 cannot be told from them by five seeds.
    near = {(f"ResNet-{depth}", "test_error") for depth in (32, 44, 56)}
    assert {judged.pop(row) for row in near} == {"consistent"}
    assert set(judged.values()) == {"reproduced"}
    assert diff.lacking == ()


def test_nothing_finished_is_missing_row_by_row_and_lacks_every_run(places):
    diff = diff_of(places, table6.experiment)
    assert words(diff)["ResNet-20", "test_error"] == "missing"
    assert len(diff.lacking) == diff.asked == 30


def test_counts_need_no_runs(places):
    assert set(words(diff_of(places, table1.experiment)).values()) == {"reproduced"}


def test_quoted_rows_are_kept_apart(places):
    diff = diff_of(places, table5.experiment, table6.experiment)
    assert "Maxout" not in {row.row for row in diff.rows}
    assert ("e1", "Maxout", "test_error", 9.38) in [
        (*number[:3], number[3].value) for number in diff.quoted
    ]


def test_read_off_levels_are_judged_for_test_and_training(places, finished):
    for run in PLAIN[20]:
        finished(run, test_error=9.69 + SPREAD[run.seed], train_error=1.4 + SPREAD[run.seed])
    found = words(diff_of(places, figure1.experiment))
    assert found["plain-20", "test_error"] == "consistent"  # of plain nets no spread is published
    assert (
        found["plain-20", "train_error"] == "consistent"
    )  # the reading error of 0.3 leaves a margin of 0.2


def test_some_seeds_are_incomplete_and_fewer_may_be_asked_for(places, as_printed):
    as_printed(seeds=3)
    assert words(diff_of(places, table6.experiment))["ResNet-20", "test_error"] == "incomplete"
    assert (
        words(diff_of(places, table6.experiment, seeds=3))["ResNet-20", "test_error"]
        == "reproduced"
    )


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"origin": "imported"}, "data: imported, not the official pixels"),
        ({"origin": None}, "data: of unrecorded origin, not the official pixels"),
        ({"train_images": 45_000}, "train images: 45,000, not 50,000"),
        ({"test_images": 1_000}, "test images: 1,000, not 10,000"),
        ({"tested_on_training_images": True}, "the test images are the training images"),
    ],
)
def test_other_images_are_not_comparable(places, as_printed, data, field):
    as_printed(data=data)
    (row, *_) = [
        row for row in diff_of(places, table6.experiment).rows if row.metric == "test_error"
    ]
    assert (row.verdict.word, row.verdict.reasons) == ("not comparable", (field,))
    assert row.mean == pytest.approx(8.75)


@pytest.mark.parametrize("origin", ["official pixels", "official archive"])
def test_official_images_are_comparable_under_their_old_and_new_name(places, as_printed, origin):
    as_printed(data={"origin": origin})
    (row, *_) = [
        row for row in diff_of(places, table6.experiment).rows if row.metric == "test_error"
    ]
    assert row.verdict.word == "reproduced"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"iterations": 64_124}, "iterations: 64,124, not 64,000"),
        ({"split": "45k/5k"}, "split: 45k/5k, not train"),
        ({"dataset": "cifar100"}, "data set: cifar100, not cifar10"),
    ],
)
def test_another_protocol_is_not_comparable(places, finished, change, field):
    run = replace(RESNET[20].run, recipe=replace(RESNET[20].run.recipe, **change))
    finished(run, data={"origin": "official archive"}, test_error=8.75)
    row = replace(table6.experiment.rows[6], runs=run.repeated(1))
    diff = diff_of(places, replace(table6.experiment, rows=(row,), claims=()))
    assert diff.rows[1].verdict.reasons == (field,)


def test_other_crops_are_not_comparable(places, finished):
    recipe = RESNET[20].run.recipe
    run = replace(RESNET[20].run, recipe=replace(recipe, input=replace(recipe.input, size=28)))
    finished(run, test_error=8.75)
    row = replace(table6.experiment.rows[6], runs=run.repeated(1))
    diff = diff_of(places, replace(table6.experiment, rows=(row,), claims=()))
    assert diff.rows[1].verdict.reasons == ("crops (size): 28, not 32",)


def test_the_best_over_training_is_not_comparable(places, finished):
    finished(RESNET[20].run, best_test_error=8.5)
    rows = (replace(table6.experiment.rows[6], paper=(table6.experiment.rows[6].paper[1],)),)
    diff = diff_of(
        places,
        replace(table6.experiment, rows=rows, metrics=("best_test_error",), claims=()),
        seeds=1,
    )
    assert diff.rows[0].verdict.reasons == ("selection: the best on the test set, not the last",)


def test_another_scale_is_not_comparable(places, finished):
    for run in SCALES["smoke"](RESNET[20].run).repeated(2):
        finished(run, test_error=40.0 + run.seed)
    (row, *_) = [
        row
        for row in diff_of(places, table6.experiment, scale="smoke").rows
        if row.metric == "test_error"
    ]
    assert row.verdict.word == "not comparable"
    assert row.verdict.reasons[0] == "scale: smoke"


COMPLETE = "folders, complete: 1,281,167 + 50,000"


def imagenet_row(places, finished, **data) -> tuple[Diff, str, tuple[str, ...]]:
    """ResNet-34 at the paper's number, on images of which `data` says more."""
    row = table2.experiment.rows[3]
    finished(row.runs.run, ten_crop_top1=25.03, data=data)
    diff = diff_of(places, table2.experiment)
    (judged,) = [one for one in diff.rows if one.row == row.label]
    return diff, judged.verdict.word, judged.verdict.reasons


def _joined(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def test_a_complete_set_is_compared_and_printed_as_a_departure(places, finished):
    diff, word, reasons = imagenet_row(places, finished, origin=COMPLETE)
    assert word == "consistent"
    assert not [reason for reason in reasons if "data" in reason]
    assert (
        f"data: imagenet, {COMPLETE}, not imagenet, official archive (every class has its"
        in _joined(render_text(diff, verbose=True))
    )
    assert "data" in render_text(diff).split("Departures from the paper's protocol")[1]


def test_official_pixels_are_no_departure(places, finished):
    diff, word, _ = imagenet_row(places, finished, origin="official pixels")
    assert word == "consistent"
    assert "data: imagenet" not in _joined(render_text(diff, verbose=True))


@pytest.mark.parametrize(
    ("origin", "count"),
    [
        ("imported, incomplete: class `n01440764` has 49 validation images, not 50", 50_000),
        ("imported, incomplete: 1,281,167 + 49,999 images, not 1,281,167 + 50,000", 49_999),
        ("folders, complete: 1,281,167 + 49,999", 49_999),
        ("folders, complete", 50_000),
    ],
)
def test_a_set_that_is_not_complete_is_barred_and_says_by_what(places, finished, origin, count):
    _, word, reasons = imagenet_row(places, finished, origin=origin, test_images=count)
    assert word == "not comparable"
    named = f"data: {origin}, not the official archive"
    counted = f"test images: {count:,}, not 50,000"
    complete = origin.startswith("folders, complete:")
    assert reasons == (*([] if complete else [named]), *([] if count == 50_000 else [counted]))


def test_runs_on_the_same_images_from_two_containers_are_averaged(places, finished):
    for run in RESNET[20]:
        origin = ("official archive", "official pixels")[run.seed % 2]
        finished(run, test_error=8.75 + SPREAD[run.seed], data={"origin": origin})
    row = diff_of(places, table6.experiment).rows[1]
    assert (row.verdict.word, row.n, row.flags) == ("reproduced", 5, ())


MIXED_IMAGES = "the runs have different images (hash0, hash1)"


def test_runs_on_two_data_sets_are_not_averaged(places, finished):
    for run in RESNET[20]:
        finished(run, test_error=8.7 + SPREAD[run.seed], data={"hash": f"hash{run.seed % 2}"})
    row = diff_of(places, table6.experiment).rows[1]
    assert (row.verdict.word, row.mean, row.verdict.low) == ("not comparable", None, None)
    assert row.verdict.reasons == (f"{MIXED_IMAGES}; not averaged",)


def test_runs_on_two_data_sets_are_averaged_if_asked_for_and_flagged(places, finished):
    for run in RESNET[20]:
        finished(run, test_error=8.75 + SPREAD[run.seed], data={"hash": f"hash{run.seed % 2}"})
    row = diff_of(places, table6.experiment, allow_mixed=True).rows[1]
    assert row.verdict.word == "reproduced"
    assert row.verdict.reasons[-1] == MIXED_IMAGES


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("torch", "trained with different versions of PyTorch"),
        ("code", "trained with different code"),
        ("commit", "trained at different commits"),
        ("device", "trained on different devices"),
    ],
)
def test_other_code_or_machines_are_averaged_and_flagged(places, finished, field, words):
    for run in RESNET[20]:
        finished(run, test_error=8.75 + SPREAD[run.seed], provenance={field: f"v{run.seed % 2}"})
    row = diff_of(places, table6.experiment).rows[1]
    assert (row.verdict.word, row.verdict.reasons[-1]) == (
        "reproduced",
        f"the runs were {words} (v0, v1)",
    )


def test_a_diverged_run_makes_a_row_worse_and_is_named(places, finished, diverged):
    for run in list(RESNET[20])[:4]:
        finished(run, test_error=8.75 + SPREAD[run.seed])
    diverged(list(RESNET[20])[4], iteration=700)
    row = diff_of(places, table6.experiment).rows[1]
    assert row.verdict.word == "worse"
    assert row.verdict.reasons[0] == "1 of 5 runs diverged (seed 4 at iteration 700)"
    assert list(RESNET[20])[4].id in row.runs


def test_a_run_that_finished_without_the_metric_is_mentioned(places, finished):
    for run in RESNET[20]:
        finished(
            run, **({"test_error": 8.75 + SPREAD[run.seed]} if run.seed else {"train_error": 0.5})
        )
    row = diff_of(places, table6.experiment).rows[1]
    assert (row.verdict.word, row.verdict.reasons[-1]) == (
        "incomplete",
        "1 finished without test_error",
    )


def test_the_document_validates_against_the_published_schema(places, as_printed, diverged):
    as_printed(seeds=3)
    diverged(PLAIN[20].run)
    (places.runs / "holiday").mkdir()
    every = [
        one
        for name in catalog.NAMES[:10]
        if not isinstance(one := catalog.load_experiment(name), Skipped)
    ]
    for scale in ("paper", "smoke"):
        whole = {"schema": 1} | diff_document(diff_of(places, *every, scale=scale))
        jsonschema.validate(json.loads(json.dumps(whole, allow_nan=False)), SCHEMA)


def test_the_schema_itself_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_document_has_the_fields_of_the_contract(places, as_printed):
    as_printed()
    whole = diff_document(diff_of(places, table6.experiment))
    row = next(
        row for row in whole["rows"] if row["metric"] == "test_error" and row["row"] == "ResNet-110"
    )
    assert (row["paper"], row["paper_kind"], row["n"], row["verdict"]) == (
        6.61,
        "mean",
        5,
        "reproduced",
    )
    assert row["low"] < row["ours_mean"] < row["high"]
    assert row["runs"] == [run.id for run in RESNET[110]]
    claim = next(claim for claim in whole["claims"] if claim["id"] == "K-2")
    assert {"id", "text", "verdict", "p", "evidence"} <= set(claim)


def test_an_unrelated_run_changes_nothing(places, as_printed, finished):
    as_printed()
    before = diff_document(diff_of(places, table6.experiment))
    finished(
        PLAIN[56].run,
        [{"test_error": 13.0}],
        test_error=13.0,
        data={"hash": "other"},
        provenance={"torch": "1.0"},
    )
    assert diff_document(diff_of(places, table6.experiment)) == before


def test_renaming_folders_changes_nothing(places, as_printed):
    as_printed()
    before = diff_document(diff_of(places, table6.experiment))
    for number, folder in enumerate(sorted(places.runs.iterdir(), reverse=True)):
        folder.rename(folder.with_name(f"renamed-{number}"))
    assert diff_document(diff_of(places, table6.experiment)) == before


def test_permuting_the_seeds_changes_only_whose_number_is_whose(places, as_printed, tmp_path):
    as_printed()
    before = diff_document(diff_of(places, table6.experiment))["rows"]
    there = replace(places, results=tmp_path / "permuted")
    from tests.run_folders import (
        PROVENANCE,
        to_definition,
        to_json,
    )  # the same numbers, given to other seeds

    for depth, printed in PRINTED.items():
        for run in RESNET[depth]:
            folder = there.run(run.id)
            folder.path.mkdir(parents=True)
            folder.definition.write_bytes(to_json(to_definition(run)))
            final = json.loads(places.run(run.id).final.read_bytes())
            final["metrics"]["test_error"] = printed + SPREAD[(run.seed + 2) % 5]
            folder.final.write_bytes(
                to_json(final | {"provenance": final["provenance"] or PROVENANCE})
            )
    for one, other in zip(
        before, diff_document(diff_of(there, table6.experiment))["rows"], strict=True
    ):
        assert one["verdict"] == other["verdict"]
        assert one["ours_mean"] == pytest.approx(other["ours_mean"])


def test_the_departures_are_listed_once_with_the_nets_they_concern(places):
    found = {
        d["field"]: d["nets"]
        for d in diff_document(diff_of(places, figure6.experiment))["departures"]
    }
    assert found["recipe.warmup"] == ["resnet-110 cifar10-warmup-cold"]
    assert "plain-20" in found["recipe.batch_norm_group"]


def test_the_summary_speaks_plainly(places, as_printed):
    as_printed()
    said = summary(diff_of(places, table6.experiment))
    assert said.startswith("Of 4 claims that runs can decide, ")
    assert " Of 12 numbers, 9 are reproduced, 3 are consistent with the paper " in said


def test_the_summary_names_what_is_few_and_what_is_lacking(places, as_printed):
    as_printed(seeds=4)
    said = summary(diff_of(places, table6.experiment, seeds=4))
    assert "runs have not finished" not in said
    assert "6 of 30 runs have not finished." in summary(diff_of(places, table6.experiment))
    assert summary(diff_of(places, table6.experiment, scale="smoke")).startswith("At scale smoke. ")


def test_the_text_fits_in_eighty_columns_and_each_verdict_can_be_grepped(places, as_printed):
    as_printed()
    text = render_text(diff_of(places, table6.experiment, figure6.experiment))
    assert max(map(len, text.splitlines())) <= 80
    assert "\ne0 ResNet-110 test_error: 6.61 vs 6.61 reproduced (n=5)\n" in text
    assert "\ne0 ResNet-110 parameters_millions: 1.728 vs 1.7 reproduced\n" in text
    assert "\nclaim K-2: holds (p = " in text
    assert text.index("claim K-2") < text.index("e0 ResNet-20")
    assert "\r" not in text


def test_verbose_gives_each_number_its_interval_and_each_claim_its_evidence(places, as_printed):
    as_printed()
    diff = diff_of(places, table6.experiment, figure6.experiment)
    short, text = render_text(diff), render_text(diff, verbose=True)
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "  paper 6.61 ± 0.16 (n = 5) · ours 6.61 ± 0.08 (n = 5) · 95 % of mean: ",
        "  test_error: resnet-1202 7.93, to be above resnet-110 6.61",
        "\nClaims that nothing here checks\nT6-0: ",
        "Departures from the paper's protocol\nrecipe.batch_norm_group: the whole batch, not 64",
    ):
        assert part in text
        assert part not in short


def test_an_experiment_s_missing_and_incomparable_numbers_are_one_line_each(places, finished):
    for depth in (20, 32):
        for run in SCALES["smoke"](RESNET[depth].run).repeated(2):
            finished(run, test_error=40.0 + run.seed)
    diff = diff_of(places, table6.experiment, scale="smoke")
    text = _joined(render_text(diff))
    assert "e0: 2 numbers not comparable (scale: smoke; `--verbose` shows " in text
    assert "more reasons): ResNet-20, ResNet-32" in text
    missing = "e0: 4 numbers missing (no run has given one): ResNet-44, ResNet-56, ResNet-110,"
    assert missing in text
    whole = render_text(diff, verbose=True)
    assert "\ne0 ResNet-20 test_error: 40.50 vs 8.75 not comparable (n=2)\n" in whole


def test_a_claim_that_does_not_hold_is_told_with_its_evidence(places, finished):
    for depth in (20, 56):
        for run in list(PLAIN[depth])[:3]:
            finished(run, test_error=9.0 + run.seed % 2, train_error=2.0)
    text = _joined(render_text(diff_of(places, figure1.experiment)))
    claim = text.split("claim F1-1: undecided")[1]
    assert "test_error: plain-56 9.333 (3 of 5 seeds), to be above plain-20 9.333" in claim


@pytest.mark.parametrize("form", ["md", "html", "latex"])
def test_in_every_table_claims_come_before_numbers(places, as_printed, form):
    as_printed()
    text = render_diff(diff_of(places, table6.experiment), form)
    assert text.index("K-2") < text.index("Ours and the paper")


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("md", "Of 4 claims that runs can decide, "),
        ("latex", "\\begin{table}"),
        ("html", "<table>"),
        (
            "csv",
            "experiment,row,metric,paper,paper_kind,ours_mean,ours_std,n,low,high,verdict,reasons,runs\n",
        ),
    ],
)
def test_every_format_starts_as_it_should_and_has_every_number(places, as_printed, form, start):
    as_printed()
    text = render_diff(diff_of(places, table6.experiment), form)
    assert text.startswith(start)
    assert all(f"ResNet-{depth}" in text for depth in PRINTED)
    assert "K-2" in text


def test_what_bars_several_numbers_is_said_once_under_the_table(places, finished):
    for depth in (20, 32):
        for run in SCALES["smoke"](RESNET[depth].run).repeated(2):
            finished(run, test_error=40.0 + run.seed)
    text = render_diff(diff_of(places, table6.experiment, scale="smoke"), "md")
    rows = [line for line in text.splitlines() if "not comparable" in line and line.startswith("|")]
    assert len(rows) == 1
    assert "| ResNet-20, ResNet-32 " in rows[0]
    assert "| (1) " in rows[0]
    assert text.count("scale: smoke;") == 1
    assert "- (1): scale: smoke; " in text


def test_fail_on_looks_at_numbers_and_checked_claims(places, as_printed):
    as_printed(off=2.0)
    diff = diff_of(places, table6.experiment)
    assert diff.fails(("worse",))
    assert not diff.fails(("better",))
    assert not diff_of(places, table5.experiment).fails(("undecided",))


def test_words_of_knows_the_words_and_suggests_the_near_one():
    assert parse_verdicts("worse, fails,not-comparable") == ("worse", "fails", "not comparable")
    with pytest.raises(UserError, match="no verdict is called `worst`") as caught:
        parse_verdicts("worst")
    assert caught.value.hint == "did you mean `worse`?"
