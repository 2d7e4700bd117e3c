"""The page's table is what was measured."""

from repro.storage.atomic import read_json
from tests.reliability.long import FILE, FULL, PAGE, WORDS, published


def test_the_readme_has_the_figures_of_the_long_tier():
    readme = PAGE.read_text()
    assert published(readme, read_json(FILE)) == readme, (
        "run `python -m tests.reliability.long print`"
    )


def test_every_kind_of_damage_has_its_line():
    assert WORDS.keys() == FULL.keys()
