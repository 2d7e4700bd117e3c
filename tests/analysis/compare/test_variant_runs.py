"""Finished runs of a variant are named beside a table or a diff that does not count them."""

from __future__ import annotations

import json

import jsonschema

from experiments.cifar10 import RESNET
from repro.analysis.compare.paper_diff import Diff, compare
from repro.analysis.compare.variant_runs import variant_runs
from repro.analysis.figures import curve_figures
from repro.analysis.output import diff_json, tables
from repro.analysis.output.diff_sheets import render_diff
from repro.analysis.output.diff_text import render_text
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import at_scale
from repro.protocol.catalog import load_experiment, load_scale
from repro.protocol.selection import Selection
from repro.storage.paths import ROOT

PAPER = load_scale("paper")


def in_variants(*variants: str, seed: int = 0):
    scale = Selection(scale="paper", variants=variants).chosen_scale()
    return [*scale_runs(scale)][seed]


def scale_runs(scale):
    group = RESNET[20]
    return (scale(run) for run in group)


def named(name: str, places, scale=PAPER) -> list[str]:
    found = variant_runs([load_experiment(name)], scale, collect(places, keep=False))
    return [str(one) for one in found]


def test_runs_of_a_variant_are_named_with_the_option_that_shows_them(places, finished):
    finished(in_variants("bf16"), test_error=8.8, train_error=0.4)
    finished(in_variants("bf16", seed=1), test_error=8.9, train_error=0.4)
    assert named("table6", places) == [
        "finished at scale paper, with variant bf16: resnet-20 (2 seeds); `--variant bf16` shows them"
    ]


def test_an_experiment_of_other_runs_names_nothing(places, finished):
    finished(in_variants("bf16"), test_error=8.8, train_error=0.4)
    assert named("table2", places) == []


def test_runs_of_a_more_serious_scale_are_named_and_those_of_a_lesser_one_are_not(places, finished):
    finished(in_variants("bf16"), test_error=8.8, train_error=0.4)
    [said] = named("table6", places, load_scale("quick"))
    assert said.startswith("finished at scale paper, with variant bf16")
    quick = Selection(scale="quick", variants=("ghost",)).chosen_scale()
    finished(next(iter(scale_runs(quick))), test_error=33.0, train_error=33.0)
    assert len(named("table6", places)) == 1


def test_runs_that_the_table_counts_already_are_not_named(places, finished):
    finished(RESNET[20].run, test_error=8.8, train_error=0.4)
    # ResNets of 20 layers have no warm-up: this variant leaves the run its id.
    assert in_variants("cold") == RESNET[20].run
    assert named("table6", places) == []


def test_what_the_user_chose_is_a_reading_already(places, finished):
    finished(in_variants("bf16"), test_error=8.8, train_error=0.4)
    chosen = Selection(scale="paper", variants=("bf16",)).chosen_scale()
    assert named("table6", places, chosen) == []


def test_two_variants_at_once_are_a_reading_of_their_own_and_not_named_as_one(places, finished):
    finished(in_variants("bf16", "ghost"), test_error=8.8, train_error=0.4)
    assert named("table6", places) == []


SAID = "finished at scale paper, with variant bf16: resnet-20 (1 seed); `--variant bf16` shows them"


def diff_of(name: str, places, note: str = "") -> Diff:
    page = load_experiment(name)
    scaled = {name: at_scale(page, PAPER)}
    return compare({name: page}, scaled, collect(places, keep=False), "paper", note=note)


def test_the_diff_names_them_in_every_format_and_counts_none(places, finished):
    finished(in_variants("bf16"), test_error=8.8, train_error=0.4)
    diff = diff_of("table6", places)
    assert not any(row.n for row in diff.rows if row.metric == "test_error")
    assert SAID in " ".join(render_text(diff).split())
    assert f"Not counted here: {SAID}" in render_diff(diff, "md").replace("\\`", "`")
    document = {"schema": 1, **diff_json.diff_document(diff)}
    schema = ROOT / "repro" / "analysis" / "output" / "diff.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text()))
    assert [(one["variant"], one["seeds"]) for one in document["variants"]] == [
        ("bf16", {"resnet-20": 1})
    ]
    assert diff_of("table6", places, note="With variant bf16.").variants == ()


def test_the_table_and_the_figure_name_them_under_what_they_show(places, finished):
    finished(in_variants("bf16"), test_error=8.8, train_error=0.4)
    collected = collect(places, keep=False)
    sheet = tables.sheet("table6", load_experiment("table6"), collected, PAPER)
    assert f"Not counted here: {SAID}." in sheet.notes
    said = curve_figures.described(load_experiment("figure6"), collected, PAPER)
    assert f"Not drawn here: {SAID}." in said
