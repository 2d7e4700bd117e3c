"""The training recipes of sections 3.4 and 4.2, their other readings, and the scales.

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

from repro.definition.recipe import Input, Plateau, Recipe, Warmup
from repro.definition.run import Run
from repro.definition.scales import Reading, Scale, Variant

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

MEASURED_WARMUP = Warmup(
    rate=0.01, below=80.0, window=100
)  # "until the training error is below 80%"

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

READINGS = (
    Reading(
        "initialisation",
        "He normal, fan-in",
        "equation 10 of [13], and the default of the authors' framework",
    ),
    Reading(
        "initialisation of the last layer",
        "He normal, fan-in, no bias at first",
        "[13] as for a 1×1 convolution",
    ),
    Reading(
        "batch norm's ε and momentum", "1e-5 and 0.1", "the framework's; the paper gives neither"
    ),
    Reading(
        "option A", "zero channels appended at the end", "the paper says only that they are zero"
    ),
    Reading("stride of a bottleneck", "in its first 1×1", "as in the authors' published nets"),
    Reading(
        "input scale",
        "pixels from 0 to 1",
        "not stated; the first batch norm cancels it but for its ε",
    ),
    Reading(
        "45k/5k",
        "trains on a fixed 45,000 and tests on the test set",
        "the test error stays the same quantity",
    ),
    Reading(
        "pad value",
        "zeros, after the mean is subtracted",
        "as in the cited augmentation's public code",
    ),
    Reading("warm-up iterations", "count within the 64k", "one counter is the plain reading"),
    Reading(
        "“until the training error is below 80%”",
        "of the last 100 iterations together",
        "the paper does not say over how many images; one batch of 128 is too noisy",
    ),
    Reading("warm-up of plain-110", "none", "section 4.2 gives it for the 110-layer ResNet"),
    Reading("warm-up of ResNet-1202", "as ResNet-110", "“trained as described above”"),
    Reading(
        "CIFAR training set",
        "all 50,000 images",
        "the 45k/5k split was used to choose the schedule",
    ),
    Reading("weight decay", "on every parameter", "exceptions are not mentioned"),
    Reading(
        "momentum (variant `caffe-sgd`)",
        "v ← 0.9 v + g, and the rate multiplies the step",
        "the authors' README gives Caffe's v ← 0.9 v + lr g, in which an old rate lives on for "
        "some ten steps",
    ),
    Reading("“up to 60×10⁴ iterations” (ImageNet)", "550,000", "Figure 4 stops at 55×10⁴"),
    Reading(
        "“when the error plateaus” (ImageNet)",
        "fixed drops at 150,000 and 300,000",
        "where the curves of Figure 4 drop",
    ),
    Reading(
        "mean image (variant `mean-image`)",
        "the mean of the training photos' centre crops, from a shorter side of 256; a crop is "
        "flipped before it is subtracted",
        "the authors give its size, and no more",
    ),
    Reading(
        "max pooling (variant `unpadded-pool`)",
        "padded by one pixel",
        "as most ports do; the authors' net pads nothing and rounds the map's size up",
    ),
    Reading(
        "training error",
        "running, with augmentation, over the window",
        "as the noisy curves of Figure 6 suggest",
    ),
    Reading(
        "below 90 % (footnote 5)",
        "running training error of the last 100 iterations",
        "as for the warm-up",
    ),
    Reading(
        "“when the error plateaus” (variant `plateau`)",
        "running training error; 5 points of the curve without 0.1 points of gain; two drops",
        "drops chosen by the test error would be selected on the test set",
    ),
    Reading(
        "layer responses",
        "over the whole test set, all positions and channels",
        "the paper does not say",
    ),
    Reading(
        "resizing",
        "bilinear, antialiased, only the region the crop needs",
        "the paper does not name a filter",
    ),
    Reading(
        "ten crops",
        "224×224 from a shorter side of 256; softmax averaged",
        "as the authors' README says; the paper cites [21] alone",
    ),
    Reading(
        "fully convolutional test",
        "softmax at each position; positions, flips, then scales averaged",
        "unsaid",
    ),
    Reading(
        "batch-norm averages",
        "over 51,200 training images",
        "the authors say a sufficiently large batch",
    ),
    Reading(
        "reported error", "of the last iteration", "Table 6 equals the last points of Figure 6"
    ),
)


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
        Variant("3x", "three times the iterations: footnote 3", lambda run: _stretched(run, 3, 1)),
    )
}


def _stretched(run: Run, times: int, over: int) -> Run:
    """The same schedule, longer or shorter."""
    recipe = run.recipe
    return replace(
        run,
        recipe=replace(
            recipe,
            iterations=recipe.iterations * times // over,
            drops=tuple(drop * times // over for drop in recipe.drops),
            evaluate_every=max(1, recipe.evaluate_every * times // over),
        ),
    )


def _dropping(run: Run, drops: tuple[int, ...], patience: int) -> Run:
    """Return the run with these drops.

    One that drops at plateaus waits for `patience` points of its curve, which has few.
    """
    recipe = run.recipe
    if recipe.plateau:
        return replace(
            run, recipe=replace(recipe, plateau=replace(recipe.plateau, patience=patience))
        )
    return replace(run, recipe=replace(recipe, drops=drops))


def _tenth(run: Run) -> Run:
    """Return the run with a tenth of its schedule: real images, the paper's sizes, and fp32.

    On CIFAR-10 that is 6,400 iterations with drops at 3,200 and 4,800; on ImageNet 55,000 with
    drops at 15,000 and 30,000. A warm-up stays as declared, because it ends by the training error
    and not by the schedule.
    """
    return _stretched(run, 1, 10)


def _quick(run: Run) -> Run:
    """Return the run with real images and a fortieth of the schedule, in bfloat16.

    ImageNet nets see a quarter of the resolution besides.
    """
    if run.net.family == "cifar":
        run = _stretched(run, 1, 40)
        run = _dropping(run, run.recipe.drops, patience=2)
        return replace(run, recipe=replace(run.recipe, evaluate_every=100, precision="bf16"))
    small = _small_input(run, 64, (74, 137), (64, 74, 110))
    run = _dropping(run, (300, 450), patience=2)
    recipe = replace(run.recipe, input=small, batch=32, batch_norm_group=None, iterations=600)
    return replace(run, recipe=replace(recipe, evaluate_every=50, precision="bf16"))


def _small_input(run: Run, size: int, sides: tuple[int, int], test_sides: tuple[int, ...]) -> Input:
    """Return an input of smaller photos that are otherwise seen as the run's."""
    return replace(
        run.recipe.input,
        size=size,
        shorter_side=sides,
        test_side=sides[0],
        test_sides=test_sides,
    )


def _smoke(run: Run) -> Run:
    """Generated images, a schedule of seconds, on any machine."""
    if run.net.family == "cifar":
        run = _stretched(run, 3, 1600)
        return _smoke_cifar(_dropping(run, run.recipe.drops, patience=1))
    tiny = _small_input(run, 32, (36, 68), (32, 36, 54))
    run = _dropping(run, (6, 9), patience=1)
    recipe = replace(
        run.recipe, dataset="generated-photos", input=tiny, batch=8, batch_norm_group=None
    )
    recipe = replace(recipe, iterations=12, evaluate_every=4)
    return replace(run, recipe=recipe, net=replace(run.net, classes=10))


def _smoke_cifar(run: Run) -> Run:
    """Return the run with 120 iterations of 32 images of 8×8.

    The rate is one at which so few iterations teach a deep residual net something.
    """
    recipe, warmup = run.recipe, run.recipe.warmup
    if warmup:
        warmup = replace(warmup, rate=warmup.rate / 10, iterations=warmup.iterations and 20)
        if (
            warmup.window
        ):  # 20 small batches say less than 100 large ones: ask for more before the rate rises
            warmup = replace(warmup, window=20, below=60.0)
    group = 16 if recipe.batch_norm_group else None
    seen = replace(recipe.input, size=8, pad=1)
    recipe = replace(recipe, dataset="generated", input=seen, batch=32, batch_norm_group=group)
    recipe = replace(
        recipe, learning_rate=recipe.learning_rate / 20, evaluate_every=12, warmup=warmup
    )
    return replace(run, recipe=recipe)


SCALES = {
    scale.name: scale
    for scale in (
        Scale("paper", "the paper's own data, nets and schedule", None, lambda run: run),
        Scale(
            "tenth",
            "real images, a tenth of the schedule, fp32: orderings can be judged, numbers not",
            3,
            _tenth,
        ),
        Scale(
            "quick",
            "real images, a shortened schedule, bfloat16: orderings can be judged, numbers not",
            3,
            _quick,
        ),
        Scale("smoke", "generated images and seconds: proves that everything works", 2, _smoke),
    )
}
