"""What is published for weights that others released, to compare a measurement with.

The authors' own nets were tested by centre crop and by ten crops. torchvision's numbers are its
own, of its own test; a file's name carries how its SHA-256 begins. akamaster's and a-martyn's are
from their README files; a-martyn's are of the best test epoch.
"""

from repro.definition.weight_release import Number, Released

AUTHORS_README = "README of the authors' release, 1-crop and 10-crop validation error"
TORCHVISION_PAGE = "torchvision's table of classification weights"


def _authors(depth: int, center: tuple[float, float], ten: tuple[float, float]) -> Released:
    numbers = (
        Number("center_top1", center[0], 1),
        Number("center_top5", center[1], 1),
        Number("ten_crop_top1", ten[0], 1),
        Number("ten_crop_top5", ten[1], 1),
    )
    name = f"the authors' ResNet-{depth}"
    net = f"resnet-{depth}-b"
    return Released(name, "authors", net, "authors", numbers, AUTHORS_README)


def _torchvision(net: str, version: int, sha256: str, top1: float, top5: float) -> Released:
    """`top1` and `top5` are accuracies, as torchvision gives them."""
    numbers = (
        Number("center_top1", round(100 - top1, 3), 3),
        Number("center_top5", round(100 - top5, 3), 3),
    )
    name = f"torchvision's {net}, version {version}"
    preprocess = f"torchvision-v{version}"
    return Released(name, "torchvision", net, preprocess, numbers, TORCHVISION_PAGE, sha256)


def _cifar(maker: str, net: str, error: float, source: str) -> Released:
    numbers = (Number("test_error", error, 2),)
    return Released(f"{maker}'s {net}", maker, net, maker, numbers, source)


AKAMASTER = "README of pytorch_resnet_cifar10"
MARTYN = "README of a-martyn/resnet: best test epoch"

RELEASED = (
    _authors(50, center=(24.7, 7.8), ten=(22.9, 6.7)),
    _authors(101, center=(23.6, 7.1), ten=(21.8, 6.1)),
    _authors(152, center=(23.0, 6.7), ten=(21.4, 5.7)),
    _torchvision("resnet-18-b", 1, "f37072fd", 69.758, 89.078),
    _torchvision("resnet-34-b", 1, "b627a593", 73.314, 91.420),
    _torchvision("resnet-50-b", 1, "0676ba61", 76.130, 92.862),
    _torchvision("resnet-101-b", 1, "63fe2227", 77.374, 93.546),
    _torchvision("resnet-152-b", 1, "394f9c45", 78.312, 94.046),
    _torchvision("resnet-50-b", 2, "11ad3fa6", 80.858, 95.434),
    _torchvision("resnet-101-b", 2, "cd907fc2", 81.886, 95.780),
    _torchvision("resnet-152-b", 2, "f82ba261", 82.284, 96.002),
    _cifar("akamaster", "resnet-20", 8.27, AKAMASTER),
    _cifar("akamaster", "resnet-32", 7.37, AKAMASTER),
    _cifar("akamaster", "resnet-44", 6.90, AKAMASTER),
    _cifar("akamaster", "resnet-56", 6.61, AKAMASTER),
    _cifar("akamaster", "resnet-110", 6.32, AKAMASTER),
    _cifar("akamaster", "resnet-1202", 6.18, AKAMASTER),
    _cifar("a-martyn", "plain-20", 9.5, MARTYN),
    _cifar("a-martyn", "plain-32", 9.92, MARTYN),
    _cifar("a-martyn", "plain-44", 11.35, MARTYN),
    _cifar("a-martyn", "plain-56", 12.76, MARTYN),
    _cifar("a-martyn", "resnet-20", 8.0, MARTYN),
    _cifar("a-martyn", "resnet-32", 7.51, MARTYN),
    _cifar("a-martyn", "resnet-44", 7.38, MARTYN),
    _cifar("a-martyn", "resnet-56", 7.33, MARTYN),
)
