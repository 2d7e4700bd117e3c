"""What some runs could decide, said before anything is spent on them: claims and their scope.

A claim about the recipe needs two seeds of every net at least. One seed of each can decide a claim
about these trained nets on these test images, where predictions are kept; on CIFAR-10 nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from repro.definition.claim_checks import (
    Bound,
    Check,
    Close,
    Counted,
    InMostLayers,
    Ordering,
    Unchecked,
)
from repro.definition.experiment import Claim, Experiment, Skipped, groups_of

Scope = Literal["by counting", "recipe", "these nets", "nothing"]

# From the surest to none: a claim is decided no better than its weakest part.
SCOPES: tuple[Scope, ...] = ("by counting", "recipe", "these nets", "nothing")
PER_IMAGE = ("top1", "top5")  # in the names of metrics whose predictions are kept
LEAST_SEEDS = 2


@dataclass(frozen=True)
class Decidable:
    """What the runs asked for can say about a claim, and why not more."""

    claim: str
    scope: Scope
    reason: str = ""


def decidable_claims(experiment: Experiment) -> list[Decidable]:
    """Return for each claim of an experiment, as it is to be run, what its runs can decide."""
    if isinstance(experiment, Skipped):
        return []
    return [decidable_claim(claim) for claim in experiment.claims]


def warnings(experiments: Iterable[Experiment]) -> list[str]:
    """Return sentences for a user about runs that decide less than they could."""
    by_scope: dict[tuple[Scope, str], list[str]] = {}
    for experiment in experiments:
        for one in decidable_claims(experiment):
            by_scope.setdefault((one.scope, one.reason), []).append(one.claim)
    sentences = []
    for (scope, reason), claims in by_scope.items():
        if scope == "these nets":
            sentences.append(
                f"Claims {', '.join(claims)}: these runs can decide them for these trained nets "
                f"only, not for the recipe: {reason}."
            )
        elif scope == "nothing" and not reason.startswith("not checked"):
            sentences.append(
                f"Claims {', '.join(claims)}: these runs cannot decide them: {reason}."
            )
    return sentences


def decidable_claim(claim: Claim) -> Decidable:
    """Return what the runs of a claim, as it is to be run, can say about it."""
    weakest = Decidable(claim.id, "by counting")
    for check in claim.checks:
        scope, reason = _of_check(check)
        if SCOPES.index(scope) > SCOPES.index(weakest.scope):
            weakest = Decidable(claim.id, scope, reason)
    return weakest


def _of_check(check: Check) -> tuple[Scope, str]:
    if isinstance(check, Unchecked):
        return "nothing", f"not checked here: {check.reason}"
    if isinstance(check, Counted):
        return "by counting", ""
    groups = list(groups_of(check))
    scale = groups[0].run.scale
    if isinstance(check, Bound | Close) and scale != "paper":
        return "nothing", f"a threshold of the paper's says nothing at scale {scale}"
    if min(group.seeds for group in groups) >= LEAST_SEEDS:
        return "recipe", ""
    need = f"it has one seed, and `--seeds {LEAST_SEEDS}` or more are needed"
    return ("these nets", need) if _one_seed_is_enough(check) else ("nothing", need)


def _one_seed_is_enough(check: Check) -> bool:
    """Return whether one trained net each can be compared: by its predictions, or by its curve."""
    if isinstance(check, InMostLayers | Counted | Unchecked):
        return False
    if isinstance(check, Ordering) and (check.throughout or check.metric == "train_error"):
        return True
    return check.metric.endswith(PER_IMAGE)
