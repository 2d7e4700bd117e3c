"""Experiments by name, and what to type instead of a wrong one."""

import pytest

from repro.definition.experiment import Skipped, runs_of
from repro.errors import UserError
from repro.protocol import catalog


def problem_and_hint(make):
    with pytest.raises(UserError) as error:
        make()
    return error.value.problem, error.value.hint


def test_every_name_loads():
    for name in catalog.NAMES:
        assert catalog.load_experiment(name).title


@pytest.mark.parametrize(
    "find", [catalog.load_experiment, lambda name: catalog.expand_groups([name])]
)
def test_a_misspelt_name_leads_to_the_right_one(find):
    assert problem_and_hint(lambda: find("tabel6")) == (
        "no experiment named `tabel6`",
        "did you mean `table6`?",
    )


@pytest.mark.parametrize(
    "find", [catalog.load_experiment, lambda name: catalog.expand_groups([name])]
)
def test_a_name_far_from_all_leads_to_the_list(find):
    assert problem_and_hint(lambda: find("zzz")) == (
        "no experiment named `zzz`",
        "`repro list` names them all",
    )


def test_a_misspelt_group_leads_to_the_group():
    assert (
        problem_and_hint(lambda: catalog.expand_groups(["imagnet"]))[1]
        == "did you mean `imagenet`?"
    )


def test_a_misspelt_scale_leads_to_the_right_one():
    assert problem_and_hint(lambda: catalog.load_scale("smok")) == (
        "no scale named `smok`",
        "did you mean `smoke`?",
    )
    assert (
        problem_and_hint(lambda: catalog.load_scale("zzz"))[1]
        == "scales: paper, tenth, quick, smoke"
    )


def test_groups_stand_for_their_members_each_once():
    assert catalog.expand_groups(["cifar10", "table6"]) == (
        "figure1",
        "table6",
        "figure6",
        "figure7",
    )
    assert catalog.expand_groups(["table6", "figure1"]) == ("table6", "figure1")


def test_all_is_everything_that_is_not_skipped():
    assert catalog.expand_groups(["all"]) == tuple(
        name for name in catalog.NAMES if not isinstance(catalog.load_experiment(name), Skipped)
    )
    assert set(catalog.expand_groups(["cifar10", "imagenet"])) == set(
        catalog.expand_groups(["all"])
    )


def test_a_group_holds_the_experiments_of_its_data_set():
    for group, family in (("cifar10", "cifar"), ("imagenet", "imagenet")):
        runs = [
            run
            for name in catalog.expand_groups([group])
            for run in runs_of(catalog.load_experiment(name))
        ]
        assert {run.net.family for run in runs} == {family}


def test_a_skipped_table_needs_no_run():
    assert runs_of(catalog.load_experiment("table7")) == ()
