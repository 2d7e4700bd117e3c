"""A declaration is read, never run: scales change its runs and nothing else."""

from dataclasses import replace

import pytest

from experiments.cifar10 import RESNET
from experiments.imagenet import RESNET as IMAGENET_RESNET
from repro.definition.experiment import (
    Ordering,
    Paper,
    Table,
    at_scale,
    digitised,
    exact,
    groups_of,
    mean,
    quoted,
    runs_of,
)
from repro.definition.scales_and_variants import Scale, with_variants
from repro.protocol.catalog import NAMES, all_scales, load_experiment, load_scale, load_variant
from repro.protocol.selection import select

HALF = Scale(
    "half", "for tests", 2, lambda run: replace(run, recipe=replace(run.recipe, iterations=10))
)


def test_every_kind_of_number_says_what_it_is():
    assert Paper(8.75).kind == "single"
    assert mean(6.61, 0.16, 5, best=6.43) == Paper(6.61, kind="mean", std=0.16, n=5, best=6.43)
    assert exact(1.7, 1) == Paper(1.7, 1, "exact")
    assert digitised(9.69, 0.05) == Paper(9.69, kind="digitised", reading_error=0.05)
    assert quoted(24.4, 1) == Paper(24.4, 1, "quoted")


def test_a_scale_changes_every_run_and_marks_it():
    runs = runs_of(at_scale(load_experiment("figure6"), HALF))
    assert {run.scale for run in runs} == {"half"}
    assert {run.recipe.iterations for run in runs} == {10}
    assert {run.seed for run in runs} == {0, 1}


def test_a_scale_reaches_the_runs_that_claims_compare():
    scaled = at_scale(load_experiment("figure6"), HALF)
    compared = [
        check.higher_to_lower
        for claim in scaled.claims
        for check in claim.checks
        if isinstance(check, Ordering)
    ]
    assert {runs.run.scale for group in compared for runs in group} == {"half"}


@pytest.mark.parametrize(
    ("name", "reading", "chosen_scale", "other"),
    [
        ("table2", "ghost", "paper", False),  # ImageNet nets take their statistics so anyway
        ("table2", "ghost", "quick", False),
        ("figure1", "ghost", "paper", True),
        ("figure1", "cold", "paper", False),
        ("figure1", "bf16", "paper", True),
        ("figure1", "bf16", "quick", False),  # the scale computes so anyway
    ],
)
def test_a_variant_makes_another_run_only_where_it_changes_something(
    name, reading, chosen_scale, other
):
    chosen = load_scale(chosen_scale)
    runs = runs_of(at_scale(load_experiment(name), chosen))
    read = runs_of(
        at_scale(
            load_experiment(name),
            replace(chosen, change=lambda run: with_variants(run, [load_variant(reading)], chosen)),
        )
    )
    assert [one.id != another.id for one, another in zip(runs, read, strict=True)] == [other] * len(
        runs
    )


def test_scale_paper_changes_nothing():
    for name in NAMES:
        assert at_scale(load_experiment(name), load_scale("paper")) == load_experiment(name)


@pytest.mark.parametrize(("seeds", "per_net"), [(None, 2), (1, 1), (7, 7)])
def test_seeds_asked_for_count_more_than_the_scale(seeds, per_net):
    assert len(runs_of(at_scale(load_experiment("table6"), HALF, seeds))) == 6 * per_net


def test_a_setting_comes_after_the_scale():
    usual, asked = (
        select("figure1", scale="smoke", settings=settings).experiments_at_scale()
        for settings in ((), ["iterations=7"])
    )
    assert {run.recipe.iterations for run in runs_of(asked["figure1"])} == {7}
    assert all(run.recipe.iterations > 7 for run in runs_of(usual["figure1"]))


def test_a_group_named_twice_is_one_group():
    groups = list(groups_of(load_experiment("figure7")))
    assert len(groups) == len(set(groups)) == 5


def test_what_is_counted_or_quoted_needs_no_run():
    assert runs_of(load_experiment("table1")) == ()
    assert runs_of(load_experiment("figure3")) == ()


@pytest.mark.parametrize("seeds", [None, 1, 7])
def test_an_ensemble_keeps_its_members_whatever_number_of_seeds_is_asked_for(seeds):
    for known in all_scales().values():
        runs = runs_of(at_scale(load_experiment("table5"), known, seeds))
        assert [(run.net.name, run.seed) for run in runs] == [
            ("resnet-34-b", 0),
            ("resnet-34-c", 0),
            ("resnet-50-b", 0),
            ("resnet-101-b", 0),
            ("resnet-152-b", 0),
            ("resnet-152-b", 1),
        ]
        assert {run.scale for run in runs} == {known.name}


def test_nets_of_counted_rows_are_left_alone_by_a_scale():
    table: Table = at_scale(load_experiment("table1"), load_scale("smoke"))
    assert [row.net for row in table.rows] == [row.net for row in load_experiment("table1").rows]


@pytest.mark.parametrize("name", all_scales())
def test_every_run_at_a_scale_is_named_after_it(name):
    assert all(
        f".{name}.s" in run.id
        for run in runs_of(at_scale(load_experiment("table3"), load_scale(name)))
    )


def test_quick_keeps_the_real_data_and_smoke_generates_its_own():
    data = {
        name: {
            run.recipe.dataset
            for run in runs_of(at_scale(load_experiment("table6"), load_scale(name)))
        }
        for name in all_scales()
    }
    real = {name: {"cifar10"} for name in ("paper", "tenth", "quick")}
    assert data == real | {"smoke": {"generated"}}


@pytest.mark.parametrize(
    ("net", "schedule"),
    [
        (RESNET[110].run, (6_400, (3_200, 4_800), 100)),
        (IMAGENET_RESNET[34, "A"].run, (55_000, (15_000, 30_000), 500)),
    ],
)
def test_tenth_changes_the_schedule_and_nothing_else(net, schedule):
    paper, tenth = net.recipe, load_scale("tenth")(net).recipe
    assert (tenth.iterations, tenth.drops, tenth.evaluate_every) == schedule
    names = ("iterations", "drops", "evaluate_every")
    assert replace(tenth, **{name: getattr(paper, name) for name in names}) == paper
    assert tenth.precision == "fp32"
    assert load_scale("tenth").seeds == 3


def test_runs_of_one_net_stay_different_at_every_scale():
    for name in all_scales():
        for experiment in NAMES:
            groups = list(groups_of(load_experiment(experiment)))
            assert len({at_scale(group, load_scale(name)) for group in groups}) == len(groups)


def test_what_is_chosen_beside_a_scale_names_files_that_any_disk_takes():
    chosen = replace(HALF, chosen=("variant ghost", f"dataset=../{'x' * 300}"))
    assert chosen.named("table6").startswith("table6-ghost-dataset-..-xxx")
    assert len(chosen.named("table6")) == 100
    assert HALF.named("table6") == "table6"
