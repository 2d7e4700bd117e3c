"""A process that trains runs one after another.

On its standard input it gets `{"id": …, "measure_again": false, "device": null}`, a line a run; it
answers each with a JSON line on standard output. SIGTERM and Ctrl-C make it save, answer, and end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from repro.errors import FAILED, FINE, INTERRUPTED, UserError
from repro.stop_request import Stopped, StopRequest
from repro.storage.atomic import set_private_umask
from repro.storage.paths import Places, places
from repro.storage.run_files import read_definition


def main() -> int:
    set_private_umask()
    stop = StopRequest().install(signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    # Loaded after that: it takes seconds, and who stops the run meanwhile has not killed it.
    import torch

    torch.set_num_threads(int(os.environ.get("REPRO_THREADS", torch.get_num_threads())))
    here = places()
    for line in sys.stdin:
        answer = attempt(json.loads(line), here, stop)
        print(json.dumps(answer), flush=True)
        if stop.reason:
            return INTERRUPTED
        if answer.get("last"):
            return FAILED
    return FINE


def attempt(request: dict[str, Any], here: Places, stop: StopRequest) -> dict[str, Any]:
    """Train one run, and return how it ended."""
    import torch

    from repro.training import train
    from repro.training.attempt import Superseded
    from repro.training.device_errors import DeviceFailure

    run_id = request["id"]
    try:
        run = read_definition(here.run(run_id))
        device = None
        if request.get("device"):
            device = torch.device(request["device"])
        train(run, here, stop, device, measure_again=request["measure_again"])
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
            # Its memory may be lost to a failed run: the next run gets a new process.
            "last": isinstance(error, DeviceFailure),
        }
    return {"id": run_id, "state": "done"}


if __name__ == "__main__":
    sys.exit(main())
