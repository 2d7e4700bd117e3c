"""The plan of a campaign: within its budget, and its forecast is what the judge says of simulated
runs."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from experiments import figure1, figure6, table6
from experiments.cifar10 import RESNET
from repro.analysis.compare.claims import judge_claims
from repro.analysis.compare.cost_of_looking import LookBook
from repro.analysis.compare.judged_numbers import judge_numbers
from repro.analysis.planning.plan import Plan, make_plan
from repro.analysis.planning.simulated_outcomes import Outcomes
from repro.analysis.runs.run_frames import Collected, collect
from repro.cli import cli
from repro.cli.plan import _share
from repro.cost.gpu_hours import gpu_hours
from repro.definition.experiment import at_scale, runs_of
from repro.definition.scales_and_variants import Scale
from repro.errors import UserError
from tests.run_folders import DATA, PROVENANCE

EXPERIMENTS = {
    "figure1": figure1.experiment,
    "table6": table6.experiment,
    "figure6": figure6.experiment,
}
CAMPAIGNS = 40


def plan_of(budget: float, done=frozenset(), **chosen) -> Plan:
    return make_plan(chosen or EXPERIMENTS, budget, done, 5)


def repro(*words: str):
    return CliRunner().invoke(cli, words, prog_name="repro", catch_exceptions=False)


@pytest.mark.parametrize("budget", [1.0, 5.0, 20.0])
def test_a_plan_stays_within_its_budget_and_names_no_run_twice(budget):
    plan = plan_of(budget)
    runs = [run for step in plan.steps for run in step.runs]
    assert sum(map(gpu_hours, runs)) == pytest.approx(plan.hours)
    assert plan.hours <= budget
    assert len(set(runs)) == len(runs)
    assert set(runs) <= set(runs_of(tuple(EXPERIMENTS.values())))


def test_more_gpu_hours_decide_no_less():
    expected = [plan_of(budget).expected_claims for budget in (1.0, 5.0, 20.0)]
    assert expected == sorted(expected)
    assert expected[-1] > 2


def test_what_is_done_is_not_trained_again_and_costs_nothing():
    done = frozenset(RESNET[110])
    plan = plan_of(20.0, done)
    assert not done & {run for step in plan.steps for run in step.runs}
    assert plan.hours < plan_of(20.0).hours


def test_a_budget_that_pays_for_nothing_gives_an_empty_plan():
    assert plan_of(0.001).steps == ()


def test_the_command_prints_the_steps_and_what_they_decide():
    said = repro("plan", "table6", "--gpu-hours", "20").stdout
    assert said.startswith("1. resnet-110 cifar10-warmup seeds 0 to ")
    assert "If the paper is right, this decides 1 claim of 1 and about 1.3 of 6 rows" in said
    document = json.loads(repro("plan", "table6", "--gpu-hours", "20", "--json").stdout)
    assert document["gpu_hours"] <= 20
    assert document["steps"][0]["chances"]["T6-2"] > 0.9


@pytest.mark.parametrize(
    ("expected", "total", "words"),
    [
        (1.0, 1, "1 claim of 1"),
        (0.98, 1, "1 claim of 1"),
        (2.0, 5, "2 claims of 5"),
        (2.4, 5, "about 2.4 of 5 claims"),
        (0.6, 1, "about 0.6 of 1 claim"),
    ],
)
def test_what_is_expected_is_said_as_people_say_it(expected, total, words):
    assert _share(expected, total, "claim") == words


def test_the_command_says_what_stays_undecided_and_what_it_would_take():
    said = " ".join(repro("plan", "table6", "--gpu-hours", "20").stdout.split())
    assert "Claims left undecided, more likely than not: K-1b: 4 seeds of each net would" in said
    assert "5 rows would stay `consistent` even with 5 seeds" in said
    document = json.loads(repro("plan", "table6", "--gpu-hours", "20", "--json").stdout)
    left_out = {one["name"]: one for one in document["left_out"]}
    assert left_out["K-1b"]["gpu_hours"] > 20 - document["gpu_hours"]
    assert left_out["resnet-56 test_error 6.97"]["chance"] < 0.05
    assert "T6-2" not in left_out
    photos = " ".join(repro("plan", "table2", "--gpu-hours", "20").stdout.split())
    assert "T2-2: 1 seed of each net would decide it for these nets" in photos


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("table6", "--gpu-hours", "0"), "`--gpu-hours` cannot be `0.0`"),
        (("table6", "--gpu-hours", "nan"), "`--gpu-hours` cannot be `nan`"),
        (("table7", "--gpu-hours", "20"), "`table7` is not reproduced here"),
    ],
)
def test_what_cannot_be_planned_is_an_error(words, problem):
    result = CliRunner().invoke(cli, ["plan", *words], standalone_mode=False)
    assert isinstance(result.exception, UserError)
    assert problem in result.exception.problem


def test_no_seeds_cannot_be_planned():
    result = CliRunner().invoke(cli, ["plan", "table6", "--gpu-hours", "20", "--seeds", "0"])
    assert result.exit_code == 2
    assert "'0' is not allowed" in result.stderr


def simulated(plan: Plan, campaign: int, outcomes: Outcomes, empty: Collected) -> Collected:
    """The planned runs as if they had finished, with the numbers of one simulated campaign."""
    rows = []
    about = DATA["cifar"] | {"origin": "official archive"}
    for step in plan.steps:
        for run in step.runs:
            metrics = {}
            for metric in ("test_error", "train_error"):
                if (replace(run, seed=0), metric) in outcomes._numbers:
                    metrics[metric] = outcomes.values(replace(run, seed=0), metric)[
                        campaign, run.seed
                    ]
            images = {f"data_{name}": about[name] for name in ("name", "hash", "origin")}
            images |= {name: about[name] for name in ("train_images", "test_images")}
            facts = {"id": run.id, "net": run.net.name, "seed": run.seed, "state": "done"}
            rows.append(
                PROVENANCE | images | facts | metrics | {"not_finite": [], "machines": None}
            )
    runs = pd.DataFrame(rows).reindex(
        columns=[*dict.fromkeys([*empty.runs.columns, "test_error", "train_error"])]
    )
    return replace(empty, runs=runs.astype({"twin": object, "machines": object}))


@pytest.mark.slow
@pytest.mark.parametrize("budget", [20.0])
def test_the_forecast_is_what_the_judge_says_of_simulated_campaigns_within_a_fifth(places, budget):
    plan = plan_of(budget)
    as_asked = Scale("paper", "five seeds", None, lambda run: run)
    experiments = {name: at_scale(one, as_asked) for name, one in EXPERIMENTS.items()}
    outcomes = Outcomes(EXPERIMENTS.values(), 5, draws=CAMPAIGNS)
    empty = collect(places, keep=False)
    claims, rows = [], []
    planned = {run for step in plan.steps for run in step.runs}
    for campaign in range(CAMPAIGNS):
        collected = simulated(plan, campaign, outcomes, empty)
        trimmed = {name: _only(one, planned) for name, one in experiments.items()}
        books = {name: LookBook() for name in trimmed}
        judged = judge_claims(trimmed, trimmed, collected, books)
        words = {one.claim.id: one.word for one in judged}
        claims.append(sum(words[name] in ("holds", "fails") for name in plan.claims))
        numbers = set()
        for name, one in trimmed.items():
            for row in judge_numbers(name, one, collected):
                if row.verdict.word == "reproduced" and row.rule:
                    numbers.add((row.row, row.metric, row.paper.value))
        rows.append(len(numbers))
    assert np.mean(claims) == pytest.approx(plan.expected_claims, rel=0.2)
    assert np.mean(rows) == pytest.approx(plan.expected_rows, rel=0.2)


def _only(experiment, planned):
    """The experiment with as many seeds of each net as were planned: none of them is incomplete."""
    from repro.definition.experiment import _with_runs

    def trimmed(runs):
        seeds = sum(replace(run, seed=run.seed) in planned for run in runs)
        return replace(runs, seeds=max(seeds, 1))

    return _with_runs(experiment, trimmed)
