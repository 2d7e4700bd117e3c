"""A process of a contest: `python -m repro.bench.worker module:function '{"given": …}'`.

It prepares its job, does it once unmeasured, and says that it is ready; each line on standard input
then has it do the job once more, and answer its number and the most memory it ever took.
"""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module


def main() -> None:
    module, _, function = sys.argv[1].partition(":")
    job = getattr(import_module(module), function)(**json.loads(sys.argv[2]))
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    job()
    print("{}", file=answers, flush=True)
    for _ in sys.stdin:
        answer = job()
        said = answer if isinstance(answer, dict) else {"number": answer}
        said["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
        print(json.dumps(said) + "\n{}", file=answers, flush=True)


if __name__ == "__main__":
    main()
