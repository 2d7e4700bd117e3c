"""What the nets see of a photo: section 3.4's training view, and the views of its tests.

Resizing is Pillow's bilinear, whose triangle widens where the image shrinks, so that nothing
aliases; the paper does not say which it used. Sizes and the centre are rounded as in torchvision,
so that published accuracies of its weights can be checked here. Orientation tags are ignored, as
the usual tools for ImageNet ignore them.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from repro.data.sampling import RandomDraws, random_bits
from repro.definition.preprocessing import Filter

Pixels = NDArray[np.uint8]  # … × height × width × 3

# Krizhevsky et al. 2012, section 4.1: the principal components of the colours of ImageNet's
# training pixels, of 0 to 1. That paper does not print the numbers; the public reimplementations
# share these.
EIGENVALUES = np.array([0.2175, 0.0188, 0.0045])
EIGENVECTORS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)


def decode(content: bytes) -> Image.Image:
    """Return the image as RGB, whatever its file is called and however its colours are stored."""
    image = Image.open(BytesIO(content))
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")


def resized_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return width and height when the shorter of them becomes `side`."""
    if width <= height:
        return side, side * height // width
    return side * width // height, side


def resize_whole(image: Image.Image, side: int, filter: Filter = "bilinear") -> Pixels:
    """Return the whole image, its shorter side resized to `side`."""
    size = resized_size(image.width, image.height, side)
    if filter == "aliased bilinear":
        return _aliased(image, size)
    kind = Image.Resampling.BICUBIC if filter == "bicubic" else Image.Resampling.BILINEAR
    return np.asarray(image.resize(size, kind))


def _aliased(image: Image.Image, size: tuple[int, int]) -> Pixels:
    """Return the image resized from the two nearest pixels each way, as OpenCV's bilinear does."""
    from torch import from_numpy
    from torch.nn.functional import interpolate

    pixels = from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    resized = interpolate(
        pixels, size=size[::-1], mode="bilinear", align_corners=False, antialias=False
    )
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def crop(image: Image.Image, side: int, left: int, top: int, size: int) -> Pixels:
    """Return a size×size crop of the image resized to the shorter side `side`.

    Only the region it needs is resized, which takes half the time; a value may round to its
    neighbour.
    """
    width, height = resized_size(image.width, image.height, side)
    across, down = image.width / width, image.height / height
    right = min((left + size) * across, image.width)
    bottom = min((top + size) * down, image.height)
    box = (left * across, top * down, right, bottom)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


def centre_crop(image: Image.Image, side: int, size: int) -> Pixels:
    """Return the crop in the middle."""
    return centre_of(resize_whole(image, side), size)


def centre_of(pixels: Pixels, size: int) -> Pixels:
    """Return the crop in the middle of an image already resized."""
    top, left = (round((length - size) / 2) for length in pixels.shape[:2])
    return pixels[top : top + size, left : left + size]


def ten_crops(image: Image.Image, side: int, size: int) -> Pixels:
    """Return the corners, the centre, and the flips of these: 10 × size × size × 3."""
    return ten_of(resize_whole(image, side), size)


def ten_of(pixels: Pixels, size: int) -> Pixels:
    """Return the ten crops of an image already resized."""
    height, width = pixels.shape[:2]
    bottom, right = height - size, width - size
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    centre = (round(bottom / 2), round(right / 2))
    cut = [pixels[top : top + size, left : left + size] for top, left in (*corners, centre)]
    five = np.stack(cut)
    return np.concatenate([five, five[:, :, ::-1]])


def training_view(
    image: Image.Image, size: int, drawn: NDArray[np.uint64], sides: tuple[int, int], flip: bool
) -> Pixels:
    """Return section 3.4's view: shorter side random in [256, 480], a random crop of it or its
    horizontal flip."""
    shorter, left, top, flipped = (int(number) for number in drawn[:4])
    side = sides[0] + shorter % (sides[1] - sides[0] + 1)
    width, height = resized_size(image.width, image.height, side)
    pixels = crop(image, side, left % (width - size + 1), top % (height - size + 1), size)
    return pixels[:, ::-1] if flip and flipped % 2 else pixels


def draws(seed: int, iteration: int, batch: int) -> NDArray[np.uint64]:
    """Return the random bits of a batch: eight numbers an image, four of them for its colour."""
    return random_bits(seed, RandomDraws.AUGMENTATION, iteration, 8 * batch).reshape(batch, 8)


def colour_shift(drawn: NDArray[np.uint64], sigma: float) -> NDArray[np.float32]:
    """Return AlexNet's colour augmentation, N × 3: what is added to all pixels of an image."""
    strengths = EIGENVALUES * sigma * _normal(drawn[:, 4:])[:, :3]
    shifts: NDArray[np.float32] = (strengths @ EIGENVECTORS.T).astype(np.float32)
    return shifts


def _normal(drawn: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return standard normal numbers, by Box and Muller, for an even number of columns."""
    uniform = ((drawn >> np.uint64(11)) + np.uint64(1)) * 2.0**-53  # in (0, 1]
    radius = np.sqrt(-2 * np.log(uniform[:, ::2]))
    angle = 2 * np.pi * uniform[:, 1::2]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
