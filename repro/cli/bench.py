"""`repro bench`: this machine against the usual way of doing the same."""

from __future__ import annotations

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.completers import starting
from repro.cli.shared.environment_checks import check_owners
from repro.cli.shared.options import did_you_mean_one_of, json_option, print_json
from repro.errors import FINE, EnvironmentProblem, UserError, quote
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import places

# The names of `repro.bench.suites`, here so that help and completion need no torch.
PARTS = {
    "cpu": "training on processors against the usual loop; the machine's limits; faithfulness",
    "gpu": "training on a GPU, captured and packed",
    "evaluation": "ten-crop and multi-scale testing",
    "input": "ImageNet's input on one core",
    "commands": "what commands take, from 10 to 10,000 runs",
    "checkpoints": "the share of the time that saving takes",
    "depth": "time and memory a layer as nets get deeper",
}


def _names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return starting(PARTS, incomplete)


@click.command(cls=Command, epilog=f"Parts: {'; '.join(map(': '.join, PARTS.items()))}.")
@click.argument("part", metavar="PART", shell_complete=_names)
@click.option("--quick", is_flag=True, help="Fewer nets and rounds: a first look, in minutes.")
@click.option("--save", is_flag=True, help="Keep the record and the table in results/bench/.")
@json_option
def command(part: str, quick: bool, save: bool, as_json: bool) -> int:
    """Compare the speed of repro and of the usual code on this machine. The two take turns, and a
    ratio is the median over several rounds.

    For example:  repro bench cpu --quick
    """
    if part not in PARTS:
        raise UserError(f"no benchmark named {quote(part)}", did_you_mean_one_of(part, list(PARTS)))
    # A bench takes minutes: what would stop it at the end is asked first.
    if part == "gpu":
        _need_a_gpu()
    if save:
        check_owners(places().results)
    from repro.bench import bench_record
    from repro.bench.suites import PARTS as MEASURED

    before = bench_record.load()  # how busy the machine was before anything of ours ran
    tables = MEASURED[part](quick, lambda line: click.echo(line, err=True))
    found = bench_record.record(part, quick, tables, before)
    text = bench_record.markdown(tables, found["machine"])
    if save:
        folder = places().results / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        name = part
        if quick:
            name += "-quick"  # so that a first look replaces no whole measurement
        write_atomic(folder / f"{name}.json", to_json(found))
        write_atomic(folder / f"{name}.md", text.encode())
    if as_json:
        print_json(found)
    else:
        click.echo(text, nl=False)
    return FINE


def _need_a_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise EnvironmentProblem(
            "no GPU here to measure", "`repro bench cpu` measures the processors"
        )
