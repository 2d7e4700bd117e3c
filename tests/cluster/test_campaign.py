"""A week of a cluster, small: nothing is lost or sent twice, no word is wrong; and it can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repro.cluster.records.ownership import Claim
from repro.cluster.submit import submission
from repro.storage.paths import Folder
from tests.cluster import campaign as campaign_module
from tests.cluster.campaign import campaign


def test_a_small_campaign_loses_nothing_doubles_nothing_and_says_no_wrong_word(
    tmp_path: Path,
) -> None:
    figures = campaign(runs=24, seed=3, folder=tmp_path)
    kept = ("runs", "lost", "doubled", "wrong_words")
    assert {name: figures[name] for name in kept} == {
        "runs": 24,
        "lost": 0,
        "doubled": 0,
        "wrong_words": 0,
    }
    assert figures["preempted"] + figures["node_deaths"] + figures["killed"] > 0


def test_a_campaign_in_which_two_may_claim_one_run_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_always(folder: Folder, claim: Claim, old: Any) -> Claim:
        return claim

    monkeypatch.setattr(submission, "take_claim", take_always)
    monkeypatch.setattr(campaign_module, "HOURS", 8)
    figures = campaign(runs=8, seed=3, folder=tmp_path)
    assert figures["doubled"] > 0
