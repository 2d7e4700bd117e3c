"""The data sets: opened by name, as a recipe wants them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from repro.errors import UserError, quote

if TYPE_CHECKING:
    from repro.data.source import Source
    from repro.definition.recipe import Recipe

PHOTOS = ("imagenet", "generated-photos")  # images of many sizes, decoded and resized on the way


def open_source(recipe: Recipe, folder: Path) -> Source:
    """Return the recipe's data set; `folder` is where the data sets are."""
    source = _open(recipe, folder)
    if recipe.batch > source.train_images:
        images = f"the {source.train_images:,} training images of {quote(source.name)}"
        problem = f"`recipe.batch` {quote(recipe.batch)} is more than {images}"
        raise UserError(problem, "choose a smaller batch")
    return source


def _open(recipe: Recipe, folder: Path) -> Source:
    if is_photos(recipe.dataset, folder):
        from repro.data.photos.source import open_photos

        return open_photos(recipe, folder)
    from repro.data.small.source import open_images

    return open_images(recipe, folder)


def is_photos(name: str, folder: Path) -> bool:
    """Return whether the set holds photos of many sizes, rather than small images of one."""
    from repro.data.photos.pack_format import ABOUT

    return name in PHOTOS or (folder / name / ABOUT).exists()
