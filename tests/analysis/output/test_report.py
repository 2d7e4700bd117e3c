"""The report: whole with gaps, linked to its runs, and closed to the world."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from experiments.cifar10 import PLAIN
from repro.analysis.output.report import report, write
from repro.analysis.runs.run_frames import collect
from repro.definition.run import to_definition
from repro.protocol import catalog
from repro.storage import metrics_file
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Places

PAPER = catalog.load_scale("paper")
HOSTILE = '</td><script>alert("x")</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """What a test asks of a page: its tags, its ids, its links, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [found[name] or "" for _, found in self.tags if name in found]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def one_run(tmp_path_factory) -> Places:
    """One finished run of seventy, from a machine with a name that means ill."""
    root = tmp_path_factory.mktemp("one run")
    there, run = Places(root / "results", root / "figures", root / "data"), next(iter(PLAIN[20]))
    folder, curve = there.run(run.id), range(1, 4)
    about = {"name": "cifar10", "hash": "da7a", "origin": "official archive"}
    where = {"device": HOSTILE, "commit": "abc1234", "seconds": 3600.0, "data": about}
    where |= {"precision": "fp32", "layout": "NCHW", "captured": True, "mps": True}
    where |= {"driver": "580.65"}
    metrics = {"test_error": 9.5, "train_error": 1.4}
    final = {
        "schema": 1,
        "id": run.id,
        "run": to_definition(run),
        "metrics": metrics,
        "provenance": where,
    }
    final["responses"] = [1.0] * 19
    rows = [
        {"iteration": 1000 * at, "train_error": 21.0 - at, "test_error": 22.0 - at} for at in curve
    ]
    write_atomic(folder.definition, to_json(to_definition(run)))
    write_atomic(folder.metrics, b"".join(map(metrics_file.encode, rows)))
    write_atomic(folder.final, to_json(final))
    return there


@pytest.fixture(scope="module")
def html(one_run) -> str:
    return report(collect(one_run), PAPER)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_after_one_run_of_seventy_everything_that_is_there_is_shown(page):
    assert "1 of 70 training runs have finished at scale paper, the paper's own." in page.text
    assert "plain-20: 1 of 5 seeds" in page.text
    # Figures 3, 5 and 7 have one form; 1, 4 and 6 have one for small screens as well.
    assert sum(tag == "svg" for tag, _ in page.tags) == 9
    for name in ("figure1", "figure3", "table1", "figure5", "table6", "figure6", "figure7"):
        assert name in page.values("id")


def test_the_title_promises_no_more_than_there_is(page):
    title = "Deep Residual Learning: a reproduction in progress"
    assert page.text.startswith(title)
    assert page.text.count("reproduced and compared") == 0


def test_the_sixth_figure_and_the_verdicts_come_first(page):
    lead = page.text.index("Figure 6 of the paper: Training on CIFAR-10")
    verdicts = page.text.index("Verdicts, table by table")
    first_section = page.text.rindex("Training error and test error on CIFAR-10")
    assert lead < verdicts < first_section
    assert re.search(r"Of \d+ claims that runs can decide", page.text[verdicts:first_section])
    assert "Table 1 Architectures for ImageNet: multiply-adds (10⁹) 5 reproduced" in page.text


def test_a_run_says_how_it_was_computed(page):
    how = "fp32, NCHW, one CUDA graph a step, shared by MPS, driver 580.65"
    assert how in page.text
    for fact in ("Driver 580.65", "Precision fp32", "Memory layout NCHW"):
        assert fact in page.text


def test_what_plain_readers_skip_is_folded_away_and_departures_stand_once(page, html):
    folded = html.index('<details id="runs">')
    for technical in ("abc1234", "da7a", "&lt;script&gt;alert"):
        assert html.index(technical) > folded
    assert page.text.count("recipe.batch_norm_group: the whole batch, not 64") == 1


def test_a_result_of_ours_is_unfolded_and_nothing_else(page):
    sections = {
        found["id"]: "open" in found for _, found in page.tags if found.get("class") == "section"
    }
    assert {name for name, opened in sections.items() if opened} == {
        "figure1",
        "figure6",
        "figure7",
    }


def test_a_number_is_linked_to_its_runs_with_seed_commit_data_device_and_time(page):
    anchor = f"of-{next(iter(PLAIN[20])).id}"
    assert f"#{anchor}" in page.values("href")
    assert anchor in page.values("id")
    for said in (
        "abc1234",
        "da7a",
        "official archive",
        "1.00",
        "recipe.batch_norm_group: the whole batch, not 64",
    ):
        assert said in page.text


def test_every_link_leads_somewhere_on_the_page_and_no_id_is_there_twice(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = [link for name in ("href", "xlink:href") for link in page.values(name)]
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for name in ("aria-labelledby",):
        assert {one for value in page.values(name) for one in value.split()} <= set(ids)


def test_nothing_on_the_page_asks_a_network_or_runs_what_it_should_not(page, html):
    assert not page.values("src")
    assert not page.values("style")
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not re.search(r"url\((?!#)|@import", html)
    policy = next(found["content"] for _, found in page.tags if "http-equiv" in found)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_what_a_run_says_of_itself_arrives_as_text(page):
    assert HOSTILE in page.text
    assert "img" not in {tag for tag, _ in page.tags}


def test_figures_carry_a_title_and_a_description(page):
    assert page.values("role").count("img") == 9
    assert "34-layer residual, 34 weighted layers: 7×7 conv 64 /2; pool /2" in page.text
    assert "plain-20 ends at training error 18.0 %" in page.text


def test_with_no_run_at_all_it_is_still_a_report(places):
    page = Page(report(collect(places), PAPER))
    assert "No run has been started at this scale." in page.text
    assert "No run has started yet: what is drawn is the paper's" in page.text
    assert "No plain and residual nets to compare yet." in page.text


def test_tables_that_are_not_reproduced_are_named_with_the_reason(page):
    assert "Table 7" in page.text
    assert "it needs Faster R-CNN" in page.text


def test_it_is_small_and_the_same_from_another_process(one_run, html):
    code = "import sys; from repro.cli import main; main(['report', '--scale', 'paper'])"
    environment = os.environ | {"PYTHONHASHSEED": "7", "REPRO_RESULTS": str(one_run.results)}
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment, capture_output=True, timeout=120
    )
    assert one_run.report.read_text() == html
    assert len(html) < 2_000_000


def test_it_is_written_to_the_results_folder(places):
    assert write("<p>", places) == places.results / "report.html"
    assert places.report.read_text() == "<p>"
