"""A process that trains runs one after another.

On its standard input it is told `{"id": …, "measure_again": false, "device": null}`, a line a run; it answers each with
a JSON line on standard output. SIGTERM and Ctrl-C make it save, answer, and end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import torch

from repro.errors import FINE, INTERRUPTED, UserError
from repro.storage.atomic import set_private_umask
from repro.storage.paths import Places, places
from repro.storage.run_files import read_definition
from repro.training import Stopped, StopRequest, train
from repro.training.attempt import Superseded


def main() -> int:
    set_private_umask()
    torch.set_num_threads(int(os.environ.get("REPRO_THREADS", torch.get_num_threads())))
    stop = StopRequest().install(signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
    here = places()
    for line in sys.stdin:
        answer = attempt(json.loads(line), here, stop)
        print(json.dumps(answer), flush=True)
        if stop.reason:
            return INTERRUPTED
    return FINE


def attempt(asked: dict[str, Any], here: Places, stop: StopRequest) -> dict[str, Any]:
    """Train one run, and say how it ended."""
    run_id = asked["id"]
    try:
        run = read_definition(here.run(run_id))
        device = torch.device(asked["device"]) if asked.get("device") else None
        train(run, here, stop, device, measure_again=asked["measure_again"])
    except Stopped as reason:
        return {"id": run_id, "state": "stopped", "problem": str(reason)}
    except Superseded as reason:
        return {"id": run_id, "state": "superseded", "problem": str(reason)}
    except UserError as error:
        return {
            "id": run_id,
            "state": "failed",
            "problem": error.problem,
            "hint": error.hint,
            "code": error.code,
        }
    return {"id": run_id, "state": "done"}


if __name__ == "__main__":
    sys.exit(main())
