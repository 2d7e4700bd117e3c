"""The report as a reader meets it: light and dark, wide and narrow, with the keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from experiments import figure1, table6
from repro.analysis.output.report import report
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import at_scale, groups_of
from repro.definition.run import Run, to_definition
from repro.protocol import catalog
from repro.storage import metrics_file
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Places

pytestmark = pytest.mark.browser

SMOKE = catalog.load_scale("smoke")


@dataclass
class Opened:
    """A page and everything it said or asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """The report on smoke results: a few runs of many."""
    root = tmp_path_factory.mktemp("smoke")
    there = Places(root / "results", root / "figures", root / "data")
    wanted = [
        *groups_of(at_scale(figure1.experiment, SMOKE)),
        *list(groups_of(at_scale(table6.experiment, SMOKE)))[:3],
    ]
    for number, run in enumerate(run for group in wanted for run in group):
        _finish(there, run, 40.0 + number)
    path = root / "report.html"
    path.write_text(report(collect(there), SMOKE), encoding="utf-8")
    return path


def _finish(there: Places, run: Run, error: float) -> None:
    folder = there.run(run.id)
    points = range(1, run.recipe.iterations // run.recipe.evaluate_every + 1)
    rows = [{"train_error": error - at, "test_error": error + 1 - at} for at in points]
    rows = [
        {"iteration": run.recipe.evaluate_every * at} | row
        for at, row in zip(points, rows, strict=True)
    ]
    about = {"name": "generated", "hash": "da7a", "origin": "generated"}
    write_atomic(folder.definition, to_json(to_definition(run)))
    write_atomic(folder.metrics, b"".join(map(metrics_file.encode, rows)))
    final = {
        "schema": 1,
        "id": run.id,
        "run": to_definition(run),
        "metrics": {"test_error": rows[-1]["test_error"]},
    }
    write_atomic(folder.final, to_json(final | {"provenance": {"data": about}}))


@pytest.fixture(params=["light", "dark"])
def opened(chromium, file, request) -> Iterator[Opened]:
    yield from _open(
        chromium, file, color_scheme=request.param, viewport={"width": 1100, "height": 900}
    )


@pytest.fixture
def phone(chromium, file) -> Iterator[Opened]:
    yield from _open(chromium, file, viewport={"width": 390, "height": 844})


def _open(chromium: Any, file: Path, **how: Any) -> Iterator[Opened]:
    context = chromium.new_context(**how)
    opened = Opened(context.new_page())
    opened.page.set_default_timeout(5_000)
    opened.page.on("console", lambda message: opened.said.append(message.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.page.on("request", lambda request: opened.asked.append(request.url))
    opened.page.goto(file.as_uri())
    yield opened
    context.close()


def errors(page: Any) -> Any:
    """Table 6's second part: the errors."""
    return page.locator("#table6 table").nth(1)


def column(page: Any, number: int) -> list[str]:
    return errors(page).locator(f"tbody td:nth-child({number})").all_inner_texts()


def test_it_says_nothing_on_the_console_and_asks_for_nothing_but_itself(opened, file):
    opened.page.wait_for_load_state("networkidle")
    assert opened.said == []
    assert opened.asked == [file.as_uri()]


def test_the_theme_is_the_reader_s(opened):
    light = opened.page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    ink = opened.page.evaluate("getComputedStyle(document.querySelector('svg .fill-ink')).fill")
    assert (background == "rgb(255, 255, 255)") == light
    assert (ink == "rgb(28, 30, 33)") == light


def test_training_lines_can_be_hidden_and_shown(phone):
    figure = phone.page.locator("section.lead")
    lines = figure.locator("svg .training")
    assert any(line.is_visible() for line in lines.all())
    figure.get_by_role("checkbox", name="training error").focus()
    phone.page.keyboard.press("Space")
    assert lines.count() > 0
    assert not any(line.is_visible() for line in lines.all())
    phone.page.keyboard.press("Space")
    assert any(line.is_visible() for line in lines.all())


def test_a_figure_whose_panel_would_be_empty_without_them_has_no_such_toggle(phone):
    assert phone.page.locator("#figure1").get_by_role("checkbox").count() == 0


def test_a_column_sorts_up_and_down_and_what_is_missing_stays_last(opened):
    header = errors(opened.page).locator("thead th:nth-child(3)")
    header.get_by_role("button").focus()
    opened.page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    up = [text for text in column(opened.page, 3) if text != "–"]
    header.get_by_role("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    down = column(opened.page, 3)
    assert len(up) == 3
    assert up == sorted(up, key=lambda text: float(text.split()[0]))
    assert down[:3] == up[::-1]
    assert set(down[3:]) == {"–"}


def test_a_number_leads_to_its_runs(opened):
    link = opened.page.locator("#table6 td a").first
    target = link.get_attribute("href")
    link.click()
    assert opened.page.url.endswith(target)
    assert (
        opened.page.locator(f"[id='{target.removeprefix('#')}'] tr").count() == 3
    )  # the net, and its two seeds


BESIDE_THE_SCREEN = """[...document.querySelectorAll("body *")].filter(element => {
  const box = element.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !element.closest("svg, .skip");
}).map(element => element.outerHTML.slice(0, 80))"""
SCROLLS_SIDEWAYS = """[...document.querySelectorAll("body *")].filter(element =>
  element.scrollWidth > element.clientWidth + 1 && element.clientWidth
  && getComputedStyle(element).display !== "inline" && !element.closest("svg")
).map(element => element.outerHTML.slice(0, 80))"""


def test_on_a_phone_nothing_is_cut_off_or_needs_sideways_scrolling(phone):
    phone.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390
    assert phone.page.evaluate(BESIDE_THE_SCREEN) == []
    assert phone.page.evaluate(SCROLLS_SIDEWAYS) == []


def test_on_a_phone_the_panels_of_a_figure_stand_one_under_the_other(phone):
    narrow, wide = (
        phone.page.locator(".lead .on-narrow svg"),
        phone.page.locator(".lead .on-wide svg"),
    )
    assert narrow.is_visible()
    assert not wide.is_visible()
    box = narrow.bounding_box()
    assert box["height"] > box["width"]


def test_the_sixth_figure_is_above_the_fold_and_the_page_is_short(opened):
    box = opened.page.locator(".lead .on-wide svg").bounding_box()
    assert box["y"] + box["height"] < 900
    # It was 18,900 px at scale quick before it was folded.
    assert opened.page.evaluate("document.documentElement.scrollHeight") < 6_300


def test_a_dark_page_has_other_colours_for_the_same_curves(opened):
    light = opened.page.evaluate("matchMedia('(prefers-color-scheme: light)').matches")
    line = "getComputedStyle(document.querySelector('svg .stroke-orange')).stroke"
    assert opened.page.evaluate(line) == ("rgb(222, 143, 5)" if light else "rgb(245, 176, 65)")


def test_a_link_into_what_is_folded_unfolds_it(opened):
    opened.page.get_by_role("link", name="What the words mean").click()
    assert opened.page.get_by_text("Some seeds have not finished.").is_visible()


def test_everything_that_can_be_used_can_be_reached_by_keyboard_and_has_a_name(phone):
    unnamed = (
        "[...document.querySelectorAll('a,button,input,summary')]"
        ".filter(e => !(e.textContent.trim() || e.labels?.length))"
    )
    assert phone.page.evaluate(f"{unnamed}.length") == 0
    phone.page.keyboard.press("Tab")
    assert phone.page.evaluate("document.activeElement.textContent") == "Skip to the verdicts"


def test_it_prints_in_black_on_white_without_buttons(opened, tmp_path):
    opened.page.emulate_media(media="print")
    assert (
        opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert not opened.page.locator(".toggle").first.is_visible()
    assert opened.page.pdf(path=tmp_path / "report.pdf").startswith(b"%PDF")
