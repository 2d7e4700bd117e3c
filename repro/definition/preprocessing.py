"""What a net's test images go through before they reach it, as declared values.

A net is tested rightly only by the preprocessing it was trained for, and a published number is of
one preprocessing. So each is a value with a name, which stands in the record of every evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from repro.errors import UserError, did_you_mean, quote

RGB = tuple[float, float, float]

# `aliased` takes the two nearest pixels only, as OpenCV and Caffe do; the others average over all.
Filter = Literal["bilinear", "bicubic", "aliased bilinear"]

IMAGENET_MEAN: RGB = (0.485, 0.456, 0.406)
IMAGENET_STD: RGB = (0.229, 0.224, 0.225)

# The mean colour of ImageNet's training images in most ports of Caffe's nets: 123.68, 116.779,
# 103.939.
CAFFE_MEAN: RGB = (123.68 / 255, 116.779 / 255, 103.939 / 255)

SCALES = (224, 256, 384, 480, 640)  # section 3.4: the shorter sides of the fully convolutional test


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes a net's input. Colours are red, green, blue, of 0 to 1."""

    name: str
    resize: int = 256  # the shorter side that centre and ten crops are cut from
    crop: int = 224
    filter: Filter = "bilinear"
    # What is subtracted: colours; `image`: the mean image of a file, pixel by pixel; `data`: the
    # data set's own mean; `data image`: its own mean image.
    mean: RGB | Literal["image", "data", "data image"] = "data"
    std: RGB | None = None  # what is divided by
    colours: Literal["rgb", "bgr"] = "rgb"
    highest: Literal[1, 255] = 1  # the pixels' range is 0 to this
    sides: tuple[int, ...] = SCALES

    def __str__(self) -> str:
        mean = self.mean if isinstance(self.mean, str) else "colour"
        parts = [f"shorter side {self.resize}", self.filter, f"crop {self.crop}", f"mean: {mean}"]
        parts.append("no std" if self.std is None else "std")
        return ", ".join((*parts, self.colours.upper(), f"0 to {self.highest}"))


PAPER = Preprocessing("paper")
AUTHORS = Preprocessing("authors", mean="image", colours="bgr", highest=255)
TORCHVISION = Preprocessing("torchvision-v1", mean=IMAGENET_MEAN, std=IMAGENET_STD)

PHOTOS = {
    preprocessing.name: preprocessing
    for preprocessing in (
        PAPER,
        AUTHORS,
        replace(AUTHORS, name="authors-mean-colour", mean=CAFFE_MEAN),
        TORCHVISION,
        replace(TORCHVISION, name="torchvision-v2", resize=232),
    )
}

# Small images are seen as they are; only what is subtracted and divided by differs.
SMALL = {
    preprocessing.name: preprocessing
    for preprocessing in (
        Preprocessing("paper", resize=32, crop=32, mean="data", sides=()),
        Preprocessing(
            "akamaster", resize=32, crop=32, mean=IMAGENET_MEAN, std=IMAGENET_STD, sides=()
        ),
        # This notebook's sums mixed its channels up, and its nets were trained with what came out.
        Preprocessing(
            "a-martyn",
            resize=32,
            crop=32,
            mean=(0.4918687901200927, 0.49185976472299225, 0.4918583862227116),
            std=(0.24697121702736, 0.24696766978537033, 0.2469719877121087),
            sides=(),
        ),
        Preprocessing(
            "fb.resnet.torch",
            resize=32,
            crop=32,
            mean=(125.3 / 255, 123.0 / 255, 113.9 / 255),
            std=(63.0 / 255, 62.1 / 255, 66.7 / 255),
            sides=(),
        ),
    )
}

# timm's nets of the paper's architecture: how each was tested for the number that timm publishes.
# Tag → crop, the share of the shorter side that it is, filter, depths.
_DEPTHS = (18, 34, 50, 101, 152)
_TIMM: tuple[tuple[tuple[str, ...], int, float, Filter, tuple[int, ...]], ...] = (
    (("tv_in1k",), 224, 0.875, "bilinear", _DEPTHS),
    (("tv2_in1k",), 224, 0.965, "bilinear", (50, 101, 152)),
    (("a1_in1k", "a2_in1k"), 288, 1.0, "bicubic", _DEPTHS),
    (("a3_in1k",), 224, 0.95, "bicubic", _DEPTHS),
    (("a1h_in1k",), 224, 1.0, "bicubic", (50,)),
    (("a1h_in1k",), 288, 1.0, "bicubic", (101, 152)),
    (("b1k_in1k", "b2k_in1k", "c1_in1k", "c2_in1k", "d_in1k"), 288, 1.0, "bicubic", (50,)),
    (("ram_in1k", "ra_in1k"), 288, 0.95, "bicubic", (50,)),
    (("bt_in1k",), 288, 0.95, "bicubic", (34, 50)),
    (("am_in1k",), 224, 0.875, "bicubic", (50,)),
    (("gluon_in1k",), 224, 0.875, "bicubic", _DEPTHS),
)


def _timm() -> dict[str, Preprocessing]:
    known = {}
    for tags, crop, share, kind, depths in _TIMM:
        for tag in tags:
            for depth in depths:
                name = f"timm:resnet{depth}.{tag}"
                # timm rounds the shorter side down.
                resize = int(crop / share)
                known[name] = replace(TORCHVISION, name=name, resize=resize, crop=crop, filter=kind)
    return known


TIMM = _timm()


def named(name: str, small: bool) -> Preprocessing:
    """Return the preprocessing of that name, of photos or of small images."""
    known = SMALL if small else PHOTOS | TIMM
    if name in known:
        return known[name]
    listed = ", ".join((*SMALL,) if small else (*PHOTOS, "timm:NAME"))
    images = "small images" if small else "photos"
    hint = did_you_mean(name, known, f"there are {listed}")
    raise UserError(f"no preprocessing of {images} is called {quote(name)}", hint)
