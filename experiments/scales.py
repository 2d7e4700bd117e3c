"""The scales: how much of a run is trained, from the paper's own to a smoke test."""

from dataclasses import replace

from repro.definition.recipe import Input
from repro.definition.run import Run
from repro.definition.scales_and_variants import Scale


def stretched(run: Run, times: int, over: int) -> Run:
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
    return stretched(run, 1, 10)


def _quick(run: Run) -> Run:
    """Return the run with real images and a fortieth of the schedule, in bfloat16.

    ImageNet nets see a quarter of the resolution besides.
    """
    if run.net.family == "cifar":
        run = stretched(run, 1, 40)
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
        run = stretched(run, 3, 1600)
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
        if warmup.window:
            # 20 small batches say less than 100 large ones: ask for more before the rate rises.
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
