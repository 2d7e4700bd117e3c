"""Why an attempt gave up, written down before its error goes on to whoever asked for the run."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

from repro.definition.run import Run
from repro.errors import RunFailed, UserError
from repro.stop_request import Stopped
from repro.training.attempt import Attempt, Superseded
from repro.training.device_errors import DeviceFailure
from repro.training.window import Diverged


@contextlib.contextmanager
def failures_recorded(run: Run, attempt: Attempt) -> Iterator[None]:
    """Write `failed.json` for every error within; being stopped or superseded is none."""
    try:
        yield
    except Diverged as problem:
        attempt.fail("diverged", problem.iteration, str(problem), cause="nan")
        hint = "its record is kept; `repro status` shows it"
        raise RunFailed(f"{run.id}: {problem}", hint) from None
    except DeviceFailure as failure:
        attempt.fail("failed", attempt.iteration, failure.problem, failure.hint, failure.cause)
        raise
    except UserError as error:
        with contextlib.suppress(UserError):  # a disk that is full has no room for this either
            attempt.fail("failed", attempt.iteration, error.problem, error.hint)
        raise
    except (Stopped, Superseded):
        raise
    except Exception as error:  # of a library or of ours: where it was belongs on record
        with contextlib.suppress(UserError, Superseded):
            attempt.say(traceback.format_exc())
            words = f"{type(error).__name__}: {error}"
            attempt.fail("failed", attempt.iteration, words, "`log.txt` has the traceback")
        raise
