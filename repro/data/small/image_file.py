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
        """Return the pixels of an image file; name one that is damaged or of another size."""
        image = _pixels(name, content)
        self.shape = self.shape or image.shape
        if image.shape != self.shape:
            sides, others = _sides(image.shape), _sides(self.shape)
            problem = f"{quote(name)} is {sides}, but the images before it are {others}"
            raise UserError(problem, "the images of a set are all of one size")
        return image


def _pixels(name: object, content: bytes) -> Pixels:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            # The size is known before anything is decoded.
            if image.width != image.height or image.width > LARGEST_SIDE:
                hint = f"images are square, with at most {LARGEST_SIDE} pixels a side"
                raise UserError(f"{quote(name)} is {image.height}×{image.width}", hint)
            return np.asarray(image.convert("RGB"))  # grey gets three equal channels
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        # Pillow's messages end in the address of an object in memory.
        reason = str(error).split("<")[0].strip() or "unreadable"
        problem = f"{quote(name)} is not a whole image: {reason[:80]}"
        raise UserError(problem, "copy it again, or remove it") from None


def _sides(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}×{shape[1]}"
