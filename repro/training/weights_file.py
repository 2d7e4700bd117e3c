"""A finished run's weights as a file to give away: the net alone, from the run's checkpoint."""

from __future__ import annotations

import io

import torch

from repro.definition.run import Run
from repro.errors import Incomplete, RunFailed, quote
from repro.storage.paths import Folder
from repro.training.checkpoint import FoundCheckpoint, find_checkpoint


def trained_weights(run: Run, folder: Folder) -> bytes:
    """Return what `torch.load(…, weights_only=True)` reads as the net's state dict.

    It has weights and batch-norm buffers, without the momentum. The same checkpoint gives the same
    bytes.
    """
    checkpoint = find_checkpoint(folder)
    if checkpoint is None:
        raise Incomplete(
            f"{quote(run.id, 100)} has no checkpoint to take weights from",
            "publish where the run was trained, before its checkpoint is removed",
        )
    _check(run, checkpoint)
    # Tensors of a net in channels last would be saved with its strides; others expect plain ones.
    plain = torch.contiguous_format
    net = checkpoint.state["net"]
    weights = {name: value.clone(memory_format=plain) for name, value in net.items()}
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


def _check(run: Run, checkpoint: FoundCheckpoint) -> None:
    """Refuse weights that are not those which the final record was measured with."""
    if checkpoint.state["run"] != run.id:
        raise RunFailed(
            f"{quote(checkpoint.path, 300)} is of the run {quote(checkpoint.state['run'], 100)}",
            "bring the run's own checkpoint back, or train it again with `repro run … --again`",
        )
    iteration = checkpoint.state["iteration"]
    last = run.recipe.iterations
    if iteration != last:
        raise Incomplete(
            f"the newest whole checkpoint of {quote(run.id, 100)} is of iteration "
            f"{iteration:,} of {last:,}",
            "bring the last one back from a backup, or train it again with `repro run … --again`",
        )
