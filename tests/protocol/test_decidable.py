"""Before spending: which claims the runs asked for can decide, and in what scope."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from experiments import figure6, table1, table2
from experiments.scales import SCALES
from repro.cli import cli
from repro.definition.experiment import at_scale
from repro.protocol.decidable import decidable_claims, warnings

PAPER, QUICK = SCALES["paper"], SCALES["quick"]


def scopes(experiment) -> dict[str, str]:
    return {one.claim: one.scope for one in decidable_claims(experiment)}


def test_one_seed_of_imagenet_decides_for_these_nets_and_two_for_the_recipe():
    assert scopes(at_scale(table2.experiment, PAPER))["T2-1"] == "these nets"
    assert scopes(at_scale(table2.experiment, PAPER, 2))["T2-1"] == "recipe"


def test_one_seed_of_cifar_decides_nothing():
    assert scopes(at_scale(figure6.experiment, PAPER, 1))["F6-3"] == "nothing"
    assert scopes(at_scale(figure6.experiment, PAPER, 5))["F6-3"] == "recipe"


def test_a_threshold_is_not_decided_at_another_scale_and_an_ordering_is():
    quick = scopes(at_scale(figure6.experiment, QUICK))
    assert (quick["F6-2"], quick["F6-1"]) == ("nothing", "recipe")


def test_counts_need_no_runs():
    assert scopes(table1.experiment)["S1-3"] == "by counting"


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        (1, ["Claims T2-1, T2-2, T2-3, T2-4", "these trained nets only", "--seeds 2"]),
        (3, []),
    ],
)
def test_the_warnings_name_the_claims_and_what_would_help(seeds, words):
    said = " ".join(warnings([at_scale(table2.experiment, PAPER, seeds)]))
    assert all(word in said for word in words)
    assert bool(said) == bool(words)


def test_show_warns_before_anything_is_spent():
    result = CliRunner().invoke(cli, ["show", "table2"], catch_exceptions=False)
    text = " ".join(result.stdout.split())
    assert "Before you spend on these runs" in text
    assert "for these trained nets only, not for the recipe" in text
    document = json.loads(
        CliRunner().invoke(cli, ["show", "table2", "--json"], catch_exceptions=False).stdout
    )
    assert {one["scope"] for one in document["decidable"]} == {"these nets", "nothing"}
