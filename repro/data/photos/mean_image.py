"""The mean image of the training photos, which the authors subtracted from each crop.

It is the mean of the centre crops. The sums are whole numbers, so neither the order of the images
nor the number of processes changes a digit. The mean image is kept beside the pack, because a
million photos must be decoded for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from repro.data.photos import transforms
from repro.data.photos.ordered_pool import map_in_order, usable_cores
from repro.data.photos.pack_format import Pack
from repro.distributed import share, total_in_memory
from repro.errors import EnvironmentProblem
from repro.storage.atomic import write_atomic

MEAN_IMAGES = "mean-image-*.npz"  # what those of one set are called, for each size of a crop
MANY = 10_000  # photos, from which on it is said that they are being read


def mean_image(
    pack: Pack, decode: Callable[[int], Image.Image], side: int, size: int
) -> NDArray[np.float32]:
    """Return the mean of the training photos' centre crops: size × size × 3, colours of 0 to 1.

    `decode` reads the photo of a row. All processes of a group call this together: each reads its
    share of the photos.
    """
    path = pack.folder / MEAN_IMAGES.replace("*", f"{side}-{size}")
    kept = _read(path, pack, size)
    lacking = total_in_memory(torch.tensor([kept is None]).long())
    if kept is not None and not lacking.any():
        return kept
    if len(pack.train) >= MANY and share().first:
        print(f"reading {len(pack.train):,} photos once, for their mean image", file=sys.stderr)

    def crop(row: int) -> transforms.Pixels:
        return transforms.centre_crop(decode(row), side, size)

    own = pack.train[share().of(len(pack.train))].tolist()
    sums = np.zeros((size, size, 3), np.int64)
    for pixels in map_in_order(crop, own, ahead=4 * usable_cores()):
        sums += pixels
    total = total_in_memory(torch.from_numpy(sums)).numpy()
    image = (total / (255 * len(pack.train))).astype(np.float32)
    if share().first:
        _keep(path, pack, image)
    return image


def _read(path: Path, pack: Pack, size: int) -> NDArray[np.float32] | None:
    """Return the image that is kept; None where it is of other photos, damaged, or not there."""
    try:
        content = path.read_bytes()  # np.load would leave a damaged file open
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            image, about = file["image"], str(file["about"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        return None
    whole = image.shape == (size, size, 3) and image.dtype == np.float32
    return image if whole and about == _about(pack, image) else None


def _keep(path: Path, pack: Pack, image: NDArray[np.float32]) -> None:
    """Write the image beside the pack, if that is allowed: shared data may be read-only."""
    file = io.BytesIO()
    np.savez(file, image=image, about=np.array(_about(pack, image)))
    with contextlib.suppress(EnvironmentProblem):
        write_atomic(path, file.getvalue())


def _about(pack: Pack, image: NDArray[np.float32]) -> str:
    """Return of which photos the image is, and its own digest."""
    return f"{pack.about.hash} {hashlib.sha256(image.tobytes()).hexdigest()}"
