"""One small image out of the bytes of its file, with Pillow."""

from __future__ import annotations

import io

import numpy as np

from repro.data.small.image_arrays import Pixels
from repro.errors import UserError, quote

LARGEST_SIDE = 128  # pixels: every image is held in memory


class SmallImages:
    """A decoder that holds all images of a set to one size."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None

    def decode(self, name: object, content: bytes) -> Pixels:
        """Return the pixels of an image file; one that is no whole image, or of another size, is named."""
        image = _pixels(name, content)
        self.shape = self.shape or image.shape
        if image.shape != self.shape:
            raise UserError(
                f"{quote(name)} is {_sides(image.shape)}, but the images before it are {_sides(self.shape)}",
                "the images of a set are all of one size",
            )
        return image


def _pixels(name: object, content: bytes) -> Pixels:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            side = image.size  # known before anything is decoded
            if side[0] != side[1] or side[0] > LARGEST_SIDE:
                raise UserError(
                    f"{quote(name)} is {side[1]}×{side[0]}",
                    f"images are square, with at most {LARGEST_SIDE} pixels a side",
                )
            return np.asarray(image.convert("RGB"))  # grey gets three equal channels
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = (
            str(error).split("<")[0].strip() or "unreadable"
        )  # Pillow names an object in memory
        raise UserError(
            f"{quote(name)} is not a whole image: {reason[:80]}", "copy it again, or remove it"
        ) from None


def _sides(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}×{shape[1]}"
