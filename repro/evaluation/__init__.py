"""What is measured once a run has been trained: all that any table or figure needs of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from repro.cost.layers import cost
from repro.data.source import Source
from repro.definition.run import Run
from repro.distributed import share
from repro.evaluation.error import measure_error
from repro.evaluation.responses import responses
from repro.nets import ConvNet
from repro.storage import metrics_file
from repro.storage.paths import Folder


def measure(
    run: Run,
    net: ConvNet,
    source: Source,
    folder: Folder,
    may_publish: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Return the final record's `metrics`, and the layers' `responses` where the paper shows them.

    `may_publish` is called before a file is put into the folder, and raises if another attempt
    has the run.
    """
    if run.recipe.batch_norm_average == "re-estimated":
        from repro.evaluation.batch_norm_averages import re_estimate_for

        re_estimate_for(run, net, source)
    rows, _ = metrics_file.read_valid_prefix(folder.metrics.read_bytes())
    counted = cost(run.net, run.recipe.input.size)
    metrics: dict[str, Any] = {
        "parameters": counted.parameters,
        "multiply_adds": counted.multiply_adds,
    }
    metrics |= _of_the_curve(rows)
    metrics |= measure_error(net, source.train_clean(share=share()), "train_clean")
    metrics["train_error_clean"] = metrics.pop("train_clean_error")
    if run.net.family == "imagenet":
        from repro.data.photos.source import Photos
        from repro.evaluation.photos import measure as measure_photos

        photos = cast(Photos, source)
        return {"metrics": metrics | measure_photos(net, run, photos, folder, may_publish)}
    metrics |= measure_error(net, source.test(share=share()), "test")
    layers = responses(net, source.test())
    metrics["response_mean"] = sum(layers) / len(layers)
    return {"metrics": metrics, "responses": layers}


def _of_the_curve(rows: list[metrics_file.MetricsRow]) -> dict[str, Any]:
    """Return the last point, and the best test error, which is chosen on the test set."""
    names = ("train_error", "train_loss", "gradient_first", "gradient_last")
    tested = [row.test_error for row in rows if row.test_error is not None]
    return {name: getattr(rows[-1], name) for name in names} | {"best_test_error": min(tested)}
