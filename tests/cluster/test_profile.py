"""Profiles: what may be written in slurm/<name>.toml, and what is refused before it can reach
sbatch."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from repro.cluster.profile import Profile, load_profile, with_sbatch
from repro.cluster.slurm_time import format_time, parse_time
from repro.errors import UserError
from repro.storage.paths import ROOT

SLURM = ROOT / "slurm"


@pytest.mark.parametrize("name", sorted(path.stem for path in SLURM.glob("*.toml")))
def test_every_profile_of_the_project_is_valid(name: str) -> None:
    assert load_profile(name, SLURM).name == name


def test_the_example_invents_nothing() -> None:
    example = load_profile("example", SLURM)
    assert (example.partition, example.account, example.qos, example.constraint) == (
        None,
        None,
        None,
        None,
    )


def test_the_example_names_every_key_and_its_comments_are_valid(tmp_path: Path) -> None:
    lines = (SLURM / "example.toml").read_text().splitlines()
    text = "\n".join(
        line.removeprefix("# ") for line in lines if " = " in line or line.startswith(("# [", "["))
    )
    text = text.replace("; 0 trains on the CPU", "")
    (tmp_path / "all.toml").write_text(text)
    everything = load_profile("all", tmp_path)
    missing = {name for name in Profile.__dataclass_fields__ if name not in tomllib.loads(text)}
    assert everything.sbatch == {"reservation": "spring", "mail-type": "FAIL"}
    assert missing == {"name", "slurm_conf"}


def test_an_unknown_cluster_is_named_with_the_near_one() -> None:
    with pytest.raises(UserError, match="no cluster named `exampel`") as error:
        load_profile("exampel", SLURM)
    assert error.value.hint == "did you mean `example`?"


def test_an_unknown_key_is_named_with_the_near_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('partiton = "gpu"')
    with pytest.raises(
        UserError, match=r"no key `partiton` in a profile \(cluster `mine`, `mine.toml`\)"
    ) as error:
        load_profile("mine", tmp_path)
    assert error.value.hint == "did you mean `partition`?"


def test_a_wrong_type_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("gpus = 1.5")
    with pytest.raises(
        UserError, match="wrong type in a profile: Expected `int`, got `float` - at `gpus`"
    ):
        load_profile("mine", tmp_path)


def test_a_profile_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("gpus = = 2")
    with pytest.raises(UserError, match="is not TOML"):
        load_profile("mine", tmp_path)


def test_a_huge_profile_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("#" * (2**20 + 1))
    with pytest.raises(UserError, match="too large for a profile"):
        load_profile("mine", tmp_path)


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(
        'partition = "file"\naccount = "file"\nqos = "file"\ncpus = 2'
    )
    monkeypatch.setenv("REPRO_PARTITION", "environment")
    monkeypatch.setenv("REPRO_ACCOUNT", "environment")
    monkeypatch.setenv("REPRO_CPUS", "3")
    found = load_profile("mine", tmp_path, {"partition": "said", "qos": None})
    assert (found.partition, found.account, found.qos, found.cpus, found.nodes) == (
        "said",
        "environment",
        "file",
        3,
        1,
    )


@pytest.mark.parametrize(
    ("text", "meant"), [("1", True), ("true", True), ("0", False), ("False", False)]
)
def test_a_switch_can_be_set_in_the_environment(
    text: str, meant: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text("cpus = 2")
    monkeypatch.setenv("REPRO_MPS", text)
    assert load_profile("mine", tmp_path, {}).mps is meant


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        (90, 90),
        ("30:00", 30),
        ("1:30:00", 90),
        ("2-12:00:00", 3600),
        ("2-12", 3600),
        ("0:00:01", 1),
    ],
)
def test_times_are_slurms_own_forms(text: str | int, minutes: int) -> None:
    assert parse_time(text) == minutes


@pytest.mark.parametrize(
    "text",
    ["0", "-5", "1:99", "1:60:00", "1-24:00:00", "infinite", "10d", "", "٩٠", "1e9", "9" * 9],
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a time"):
        parse_time(text)


def test_a_time_is_shown_as_slurm_shows_it() -> None:
    assert [format_time(90), format_time(3600)] == ["01:30:00", "2-12:00:00"]


HOSTILE = [
    "a b",
    "x'\ntouch F\n#",
    'x"\n',
    "x\ttouch",
    "x\0",
    "x\x1b[31m",
    "$(touch F)",
    "`id`",
    "; rm -rf ~",
    "|\\sh",
    "-rf",
    "--wrap=sh",
    "p\u202eq",
    "р",
    "x" * 201,
    "",
]


@pytest.mark.parametrize(
    "key", ["partition", "account", "qos", "constraint", "exclude", "gpu_type"]
)
def test_hostile_words_never_become_part_of_a_profile(key: str) -> None:
    for text in HOSTILE:
        with pytest.raises(UserError) as error:
            Profile("mine", **{key: text})
        assert len(error.value.problem) < 200, text
        assert error.value.problem.isprintable(), text


def test_hostile_options_of_sbatch_are_refused() -> None:
    for text in filter(None, HOSTILE):
        for option in (f"reservation={text}", f"{text}=1"):
            with pytest.raises(UserError):
                with_sbatch(Profile("mine"), (option,))


@pytest.mark.parametrize(
    "values",
    [
        {"setup": ("module load cuda\nrm -rf ~",)},
        {"container": ("apptainer\r",)},
        {"environment": {"A": "1\n2"}},
        {"scratch": "/x\0"},
        {"python": "py\x07"},
    ],
)
def test_control_characters_are_refused_everywhere(values: dict[str, object]) -> None:
    with pytest.raises(UserError, match="control character"):
        Profile("mine", **values)  # type: ignore[arg-type]


def test_a_variable_has_a_variables_name() -> None:
    with pytest.raises(UserError, match="`A B` is not the name of a variable"):
        Profile("mine", environment={"A B": "1"})


@pytest.mark.parametrize("memory", ["0", "12XB", "-1G", "1e30G", "G", "16 GB", "1.5GB"])
def test_memory_needs_a_number_and_a_unit(memory: str) -> None:
    with pytest.raises(UserError, match="`memory` is"):
        Profile("mine", memory=memory)


@pytest.mark.parametrize(
    ("key", "value"), [("cpus", 0), ("gpus", -1), ("nodes", 0), ("max_parallel", 0), ("grace", 1)]
)
def test_counts_have_their_range(key: str, value: int) -> None:
    with pytest.raises(UserError, match=f"`{key}` is `{value}`"):
        Profile("mine", **{key: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "option", ["array=0-9", "time=5", "job-name=x", "output=/x", "cpus-per-task=3", "wrap=sh"]
)
def test_what_is_ours_to_set_is_not_a_free_option(option: str) -> None:
    with pytest.raises(UserError, match="is not free"):
        with_sbatch(Profile("mine"), (option,))


def test_the_same_option_twice_is_refused() -> None:
    with pytest.raises(UserError, match="`reservation` is given twice"):
        with_sbatch(Profile("mine"), ("reservation=a", "--reservation=b"))


def test_a_free_option_may_have_no_value() -> None:
    assert with_sbatch(Profile("mine"), ("--exclusive", "reservation=a")).sbatch == {
        "exclusive": True,
        "reservation": "a",
    }


def profile_file(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mine.toml").write_text(text)
    return tmp_path


def test_an_unbalanced_quote_in_a_container_is_named(tmp_path: Path) -> None:
    folder = profile_file(tmp_path, 'container = "apptainer exec \'image.sif"\n')
    with pytest.raises(UserError, match=r"`container` is .*no closing quotation"):
        load_profile("mine", folder)


def test_a_profile_nested_too_deep_is_refused(tmp_path: Path) -> None:
    folder = profile_file(tmp_path, f"a = {'[' * 5000}{']' * 5000}\n")
    with pytest.raises(UserError, match=r"is nested too deep|is not TOML"):
        load_profile("mine", folder)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_profile_that_is_no_file_is_named_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "mine.toml")
    with pytest.raises(UserError, match="is not a file") as error:
        load_profile("mine", tmp_path)
    assert "did you mean" not in error.value.hint


def test_a_cluster_that_is_not_near_is_answered_with_how_to_describe_it() -> None:
    with pytest.raises(UserError, match="no cluster named `mycluster`") as error:
        load_profile("mycluster", SLURM)
    assert error.value.hint.startswith("copy `slurm/example.toml` to `slurm/mycluster.toml`")
