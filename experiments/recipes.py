"""The training recipes of sections 3.4 and 4.2, and the variants of them.

Section 3.4 (ImageNet): "The image is resized with its shorter side randomly sampled in [256, 480]
for scale augmentation [41]. A 224×224 crop is randomly sampled from an image or its horizontal
flip, with the per-pixel mean subtracted [21]. The standard color augmentation in [21] is used. We
adopt batch normalization (BN) [16] right after each convolution and before activation, following
[16]. We initialize the weights as in [13] and train all plain/residual nets from scratch. We use
SGD with a mini-batch size of 256. The learning rate starts from 0.1 and is divided by 10 when the
error plateaus, and the models are trained for up to 60×10⁴ iterations. We use a weight decay of
0.0001 and a momentum of 0.9. We do not use dropout [14], following the practice in [16]."

Section 4.2 (CIFAR-10): "The network inputs are 32×32 images, with the per-pixel mean subtracted.
[…] We use a weight decay of 0.0001 and momentum of 0.9, and adopt the weight initialization in [13]
and BN [16] but with no dropout. These models are trained with a mini-batch size of 128 on two GPUs.
We start with a learning rate of 0.1, divide it by 10 at 32k and 48k iterations, and terminate
training at 64k iterations, which is determined on a 45k/5k train/val split. We follow the simple
data augmentation in [24] for training: 4 pixels are padded on each side, and a 32×32 crop is
randomly sampled from the padded image or its horizontal flip. For testing, we only evaluate the
single view of the original 32×32 image."
"""

from dataclasses import replace
from typing import Any

from experiments.scales import stretched
from repro.definition.recipe import Input, Plateau, Recipe, Warmup
from repro.definition.run import Run
from repro.definition.scales_and_variants import Variant

# The protocol as the paper prints it. Runs are compared with it field by field: the deviation
# ledger. Where the words leave a value open, ours is a reading of them, and the ledger quotes them.

CIFAR10_AS_PRINTED = Recipe(
    name="cifar10-as-printed",
    dataset="cifar10",
    input=Input(size=32, pad=4),
    batch=128,
    iterations=64_000,
    drops=(32_000, 48_000),
    evaluate_every=1_000,  # Figure 6 has one vertex per 1k iterations
    batch_norm_group=64,  # "on two GPUs": each normalised its own half
)

IMAGENET_AS_PRINTED = Recipe(
    name="imagenet-as-printed",
    dataset="imagenet",
    input=Input(
        size=224,
        shorter_side=(256, 480),
        colour=0.1,
        test_side=256,
        test_sides=(224, 256, 384, 480, 640),
    ),
    batch=256,
    iterations=550_000,  # read off Figure 4
    drops=(150_000, 300_000),  # read off Figure 4
    evaluate_every=5_000,
    batch_norm_group=32,  # eight GPUs
    batch_norm_average="re-estimated",
)

# What is printed where no value is, by family and field.
PRINTED_WORDS = {
    "imagenet": {
        "recipe.iterations": "up to 60×10⁴ iterations",
        "recipe.drops": "when the error plateaus",
    }
}

# What is run by default.

CIFAR10 = replace(CIFAR10_AS_PRINTED, name="cifar10", batch_norm_group=None)

# "until the training error is below 80%"
MEASURED_WARMUP = Warmup(rate=0.01, below=80.0, window=100)

CIFAR10_WARMUP = replace(CIFAR10, name="cifar10-warmup", warmup=MEASURED_WARMUP)

IMAGENET = replace(
    IMAGENET_AS_PRINTED,
    name="imagenet",
    input=replace(IMAGENET_AS_PRINTED.input, mean="channel"),
)

AS_PRINTED = {"cifar": CIFAR10_AS_PRINTED, "imagenet": IMAGENET_AS_PRINTED}

# Why the defaults depart from the printed protocol, by field.

WHY = {
    "recipe.batch_norm_group": "one device holds the whole batch; the variant `ghost` "
    "normalises as the paper did",
    "recipe.input.mean": "the authors subtract a mean image of 224×224 from each crop, as the "
    "variant `mean-image` does; the whole images of Table 4 have no such crop, and the mean of "
    "each channel fits both",
}


def _recipe(**changes: Any) -> Any:
    """A change of the recipe's fields, as a variant or a scale needs it."""
    return lambda run: replace(run, recipe=replace(run.recipe, **changes))


def _input(**changes: Any) -> Any:
    return lambda run: replace(
        run, recipe=replace(run.recipe, input=replace(run.recipe.input, **changes))
    )


def _net(**changes: Any) -> Any:
    return lambda run: replace(run, net=replace(run.net, **changes))


def _ghost(run: Run) -> Run:
    """ImageNet nets take them as the paper did, over 32 images, without being asked."""
    return replace(
        run,
        recipe=replace(run.recipe, batch_norm_group=AS_PRINTED[run.net.family].batch_norm_group),
    )


def _both_sides(run: Run) -> Run:
    return replace(run, net=replace(run.net, zeros="both")) if run.net.zeros else run


def _stride_in_3x3(run: Run) -> Run:
    return replace(run, net=replace(run.net, stride_in="3x3")) if run.net.bottleneck else run


def _mean_image(run: Run) -> Run:
    """CIFAR images have theirs subtracted without being asked."""
    return _input(mean="pixel")(run) if run.net.family == "imagenet" else run


def _decoded_on_card(run: Run) -> Run:
    """CIFAR images need no decoding."""
    return _input(decoder="gpu")(run) if run.net.family == "imagenet" else run


def _unpadded_pool(run: Run) -> Run:
    return (
        replace(run, net=replace(run.net, pool="unpadded")) if run.net.family == "imagenet" else run
    )


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            "ghost",
            "CIFAR nets take batch statistics over 64 images, as on each of the paper's GPUs",
            _ghost,
        ),
        Variant(
            "45k",
            "train on 45k images, the split on which the paper chose its schedule",
            _recipe(split="45k/5k"),
        ),
        Variant(
            "warm400",
            "0.01 for exactly 400 iterations, as the authors' next paper does",
            _recipe(warmup=Warmup(rate=0.01, iterations=400)),
        ),
        Variant(
            "warm",
            "the measured warm-up of section 4.2, for nets that have none",
            _recipe(warmup=MEASURED_WARMUP),
        ),
        Variant("cold", "no warm-up: footnote 5 starts at 0.1 directly", _recipe(warmup=None)),
        Variant(
            "decay-weights",
            "no decay of batch norm and biases, as matresnet does",
            _recipe(decay_on="weights"),
        ),
        Variant(
            "caffe-sgd",
            "the rate is inside the momentum, v ← 0.9 v + lr g, as in the authors' Caffe",
            _recipe(momentum_form="caffe"),
        ),
        Variant(
            "std",
            "channel mean and standard deviation, as most public code does",
            _input(mean="channel", std="channel"),
        ),
        Variant(
            "164-epochs",
            "drops after 81 and 122 epochs, stop after 164, as many ports count",
            _recipe(iterations=64_124, drops=(31_671, 47_702)),
        ),
        Variant(
            "bf16",
            "bfloat16 autocast; weights and batch norm stay in fp32",
            _recipe(precision="bf16"),
        ),
        Variant(
            "tf32",
            "TensorFloat-32 products on GPUs that have them",
            _recipe(precision="tf32"),
            no_change_because="only NVIDIA GPUs from 2020 on have TensorFloat-32; "
            "elsewhere the numbers are fp32's",
        ),
        Variant(
            "fan-out", "He initialisation by fan-out, as fb.resnet.torch does", _net(init="fan_out")
        ),
        Variant(
            "zeros-both",
            "option A pads channels on both sides, as Lasagne and akamaster do",
            _both_sides,
        ),
        Variant(
            "unpadded-pool",
            "the max pooling pads nothing and rounds up, as the authors' prototxt does",
            _unpadded_pool,
        ),
        Variant(
            "decode-on-gpu",
            "the GPU decodes and resizes training photos, and rounds otherwise than Pillow",
            _decoded_on_card,
            no_change_because="only on a GPU: elsewhere it is refused",
        ),
        Variant(
            "mean-image",
            "photos less their mean image of the crop's size, as the authors' are; whole images "
            "less its colour",
            _mean_image,
        ),
        Variant(
            "stride-3x3",
            "bottlenecks stride in the 3×3, as torchvision and fb.resnet.torch do",
            _stride_in_3x3,
        ),
        Variant(
            "plateau",
            "the rate drops when the training error plateaus, at most twice: the words of section "
            "3.4",
            _recipe(plateau=Plateau(), drops=()),
        ),
        Variant("3x", "three times the iterations: footnote 3", lambda run: stretched(run, 3, 1)),
    )
}
