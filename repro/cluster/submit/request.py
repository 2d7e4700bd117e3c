"""What `repro submit` and `repro.submit` do: plan a selection, foresee what it takes, send it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repro.cluster.preflight.estimate import Estimate, estimate
from repro.cluster.preflight.warnings import memory_in_words, warnings_for
from repro.cluster.profile import Profile
from repro.cluster.slurm import max_array_size
from repro.cluster.submit.packing import Element, pack_runs
from repro.cluster.submit.submission import Plan, SubmitOptions, make_plan
from repro.cost.precisions import computing
from repro.definition.experiment import Experiment, Skipped, groups_of
from repro.definition.run import Run
from repro.protocol.decidable import decidable_claim
from repro.protocol.decidable import warnings as limits_of_claims
from repro.protocol.selection import Selection
from repro.storage.paths import Places
from repro.storage.run_files import is_done


@dataclass(frozen=True)
class Foresight:
    """What a plan will take, and what it will decide."""

    runs: int
    arrays: int
    jobs: int  # fewer than runs where runs share a job
    hours: Estimate
    memory: str  # of the largest job, in words
    computing: tuple[str, ...]  # in which precision and layout, and what faster ones would take
    claims: tuple[str, ...]  # the paper's claims of which all runs are done once these are
    limits: tuple[str, ...] = ()  # sentences: which claims these runs decide in part, or not at all


def plan_selection(
    selection: Selection, places: Places, profile: Profile, options: SubmitOptions
) -> Plan:
    """Return what is left to send of the selected runs."""
    runs = selection.runs_by_experiment()
    return make_plan(runs, places, profile, options, max_array_size(profile.slurm_conf))


def foresee(plan: Plan, selection: Selection, places: Places, profile: Profile) -> Foresight:
    """Return what a plan with runs will take, and what it will decide."""
    jobs = elements(plan, profile)
    experiments = selection.experiments_at_scale()
    return Foresight(
        runs=len(plan.runs),
        arrays=len(plan.arrays),
        jobs=len(jobs),
        hours=estimate(jobs, places, profile),
        memory=memory_in_words(jobs, profile),
        computing=tuple(computing(plan.runs, profile.on_gpu, profile.gpu_type)),
        claims=claims_decided(experiments, plan.runs, places),
        limits=tuple(limits_of_claims(experiments.values())),
    )


def elements(plan: Plan, profile: Profile) -> list[Element]:
    """Return the jobs of a plan, each with the runs that share it."""
    jobs: list[Element] = []
    for _, runs in plan.arrays:
        jobs += pack_runs(runs, profile)
    return jobs


def warnings(plan: Plan, places: Places, profile: Profile) -> Sequence[str]:
    """Return what could go wrong, each trouble in a sentence with what to do."""
    return list(warnings_for(elements(plan, profile), places, profile))


def above_limits(plan: Plan, hours: Estimate, profile: Profile) -> bool:
    """Return whether a plan is so large that the user is asked first."""
    many = len(plan.runs) > profile.ask_above_jobs
    return many or hours.gpu_hours > profile.ask_above_gpu_hours


def claims_decided(
    experiments: Mapping[str, Experiment], planned: Sequence[Run], places: Places
) -> tuple[str, ...]:
    """Return the ids of the claims that planned runs complete: all their other runs are done."""
    to_come = set(planned)
    claims: list[str] = []
    for experiment in experiments.values():
        if isinstance(experiment, Skipped):
            continue
        for claim in experiment.claims:
            needed: set[Run] = set()
            for group in groups_of(claim):
                needed.update(group)
            missing = {run for run in needed if not is_done(run.id, places)}
            scope = decidable_claim(claim).scope
            if missing and missing <= to_come and scope != "nothing":
                here = " (for these nets only)" if scope == "these nets" else ""
                claims.append(f"{claim.id}{here}")
    return tuple(dict.fromkeys(claims))
