# SPDX-License-Identifier: Apache-2.0
"""Compares our runtime with the wheel's: the same files and calls must give the same results.

The probe (differential/probe.cpp) is linked with each runtime. The output of the two probes is
compared file by file.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from pilotlight.codegen.method_pool import method_pool_bytes
from pilotlight.pte import read_program

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from bad_programs import bad  # noqa: E402
from damaged_programs import damaged  # noqa: E402
from good_programs import good  # noqa: E402
from programs import Assembler  # noqa: E402

# Intended differences: ours checks every file in full when it loads it. Each entry begins with our
# error.
DIFFERENT = {
    "numel_overflow": "0x23: the wheel multiplies without a check and then finds the planned memory too small",
    "nbytes_overflow": "0x23: likewise",
    "planned_buffer_negative": "0x23: likewise",
    "delegate_out_of_range": "0x23: the wheel notices when the instruction is run",
    "delegate_negative": "0x23: likewise",
    "memory_offset_wraps": "0x21: beyond the buffer, like any other offset",
    "mutable_offset_wraps": "0x12: beyond the segment, like any other offset",
    "external_constant_without_name": "0x24: the wheel first asks for a map of external data",
    "TensorList_item_that_is_an_int": "0x13: what the wheel gives at level Minimal, at either level",
    "nbytes_beyond_signed": "0x23: likewise",
    "jump_to_99": "0x23: the wheel notices when it has jumped",
    "jump_to_-1": "0x23: likewise",
    "jump_on_a_tensor_without_memory": "0x23: no reason to distinguish it from other bad jumps",
}
# Files that the wheel runs, or refuses only when a caller asks for the faulty part.
REFUSED = {
    "no_name": "0x23",
    "memory_offset_odd": "0x23",
    "strides_overflow": "0x23",
    "device_unknown": "0x23",
    "location_unknown": "0x23",
    "buffer_device_99": "0x23",
    "buffer_device_unknown": "0x23",
    "free_of_planned_memory": "0x23",
    "move_of_an_int_to_a_tensor": "0x23",
    "constant_offset_odd": "0x23",
    "constant_segment_odd": "0x23",
    "mutable_index_99": "0x20",
    "mutable_index_wraps": "0x20",
    "segment_offset_wraps": "0x12",
    "named_segment_99": "0x23",
    "named_segment_far": "0x12",
    "named_key_null": "0x23",
    "cut_to_nearly_all": "0x23",  # The last byte is padding, but the FlatBuffers verifier needs it.
    "header_program_short": "0x23",  # The wheel follows offsets beyond the size in the header.
}
# These files are refused only when the method is loaded, because only then are the bytes read.
REFUSED_BY_LOAD_METHOD = {"constant_boolean_2": "0x23", "initial_boolean_2": "0x23"}
# Files that are well formed but need something that the image, its caller or this runtime lacks,
# and harmless files.
LATER = {
    "no_constants_in_segment_99",
    "no_methods",
    "storage_offset",
    "scalar_type_gap",
    "scalar_type_undefined",
    "shape_dynamism_unbound",
    "external_without_map",
    "external_constant_without_map",
    "kernel_missing",
    "kernel_missing_twice",
    "kernel_fails",
    "kernel_without_arguments",
    "jump_on_a_tensor_without_memory",
    "jump_on_an_int",  # A comparison might have turned the value into a boolean.
    "endless_loop",
    "backend_unknown",
    "backend_refuses",
    "specs_null",
    "header_length_24",
    "header_length_huge",
    "header_base_0",
    "header_data_0",
}
# Refused when run. In the first two, a tensor has no memory: the wheel follows the null pointer or
# passes it to a kernel. In the last, set_input() was refused, so the input does not count as set.
REFUSED_BY_EXECUTE = {
    "argument_without_memory": "0x2",
    "listed_tensor_without_memory": "0x2",
    "input_is_a_list": "0x12",
}

# These programs have lists that the .pte reader does not distinguish, so the computed pool is a
# little larger than the real one.
BOUNDED = {"every_kind_of_value", "scalar_inputs", "accumulator"}


class Probes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, which: str, files: Iterable[Path], *flags: str) -> dict[str, str]:
        """Return the probe's output for each file, by the file's name without suffix."""
        command = [str(self._folder / f"probe_{which}"), *flags, *(str(file) for file in files)]
        result = subprocess.run(command, check=True, capture_output=True)
        prints = {}
        for part in result.stdout.decode(errors="replace").split("=== ")[1:]:
            name, _, text = part.partition("\n")
            prints[Path(name).stem] = text
        return prints


@pytest.fixture(scope="module")
def probes(differential_build: Path) -> Probes:
    return Probes(differential_build)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of all hand-written programs: good/, bad/ and damaged/."""
    folder = tmp_path_factory.mktemp("programs")
    assembler = Assembler(folder)
    sound = assembler.assemble(good())
    for kind, contents in (
        ("good", sound),
        ("bad", assembler.assemble(bad())),
        ("damaged", dict(damaged(sound["one_kernel"], sound["constants"]))),
    ):
        (folder / kind).mkdir()
        for name, content in contents.items():
            (folder / kind / f"{name}.pte").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("exported")
    command = [sys.executable, str(HERE / "exported_programs.py"), str(folder)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    return sorted(folder.glob("*.pte"))


def _trace(operators: Iterable[str]) -> list[str]:
    return [flag for operator in operators for flag in ("--operator", operator)]


def _operators(files: Iterable[Path]) -> set[str]:
    found: set[str] = set()
    for file in files:
        for method in read_program(file.read_bytes()).methods.values():
            found.update(method.operators)
    return found


def _differences(ours: dict[str, str], wheel: dict[str, str]) -> dict[str, list[str]]:
    """Return the lines that only one of the two printed, by file."""
    result = {}
    for name in wheel:
        if ours[name] != wheel[name]:
            mine, theirs = ours[name].splitlines(), wheel[name].splitlines()
            result[name] = [f"ours  {line}" for line in mine if line not in theirs][:5]
            result[name] += [f"wheel {line}" for line in theirs if line not in mine][:5]
    return result


def _is_refused(text: str) -> bool:
    """Whether load or load_method returned an error, without a crash or a run."""
    loads = re.findall(r"^(?:load|load_method) (0x[0-9a-f]+)$", text, re.MULTILINE)
    ran = re.search(r"^execute 0x0$", text, re.MULTILINE) is not None
    return "crashed" not in text and any(code != "0x0" for code in loads) and not ran


@pytest.mark.parametrize("flags", [(), ("--verify",)])
def test_good_programs_give_the_same_values_metadata_and_errors(
    probes: Probes, written: Path, flags: Sequence[str]
) -> None:
    files = sorted((written / "good").glob("*.pte"))
    flags = [*flags, *_trace(["probe::trace.out"])]
    ours, wheel = probes.run("ours", files, *flags), probes.run("wheel", files, *flags)
    assert len(wheel) == len(files) >= 13
    assert _differences(ours, wheel) == {}
    assert all("execute 0x0" in text for text in wheel.values()), "a good program did not run on the wheel"


def test_exported_programs_give_the_same_values_metadata_and_errors(probes: Probes, exported: list[Path]) -> None:
    flags = _trace(_operators(exported))
    ours, wheel = probes.run("ours", exported, *flags), probes.run("wheel", exported, *flags)
    assert len(wheel) == 9
    assert _differences(ours, wheel) == {}
    assert all("execute 0x0" in text for text in wheel.values())
    assert "optional tensors" in wheel["indexing"]
    assert "attribute total 0x0 tensor" in wheel["accumulator"]


def _first_error(text: str) -> tuple[str, str]:
    """Return the first step that failed and its error.

    The later step with a pool that is too small must fail.
    """
    tried = text.partition("with a pool of")[0]
    steps = re.findall(r"^(load|load_method|execute) (0x[0-9a-f]+)$", tried, re.MULTILINE)
    return next(((step, code) for step, code in steps if code != "0x0"), ("runs", "0x0"))


def wrong_answers(ours: dict[str, str], wheel: dict[str, str]) -> list[str]:
    """Return the malformed files for which ours gives neither the wheel's error nor the expected
    one.
    """
    wrong = []
    for name in wheel:
        (step, code), (wheels_step, wheels_code) = _first_error(ours[name]), _first_error(wheel[name])
        if name in REFUSED_BY_EXECUTE:
            right = (step, code) == ("execute", REFUSED_BY_EXECUTE[name])
        elif name in REFUSED_BY_LOAD_METHOD:
            right = (step, code) == ("load_method", REFUSED_BY_LOAD_METHOD[name])
        elif name in REFUSED:
            right = (step, code) == ("load", REFUSED[name])
        elif "crashed" in wheel[name]:
            right = step == "load" or name in _HARMLESS
        else:
            right = code == (DIFFERENT[name].partition(":")[0] if name in DIFFERENT else wheels_code)
            right = right and (step == "load" or name in LATER)
        if not right or "crashed" in ours[name]:
            wrong.append(f"{name}: ours {step} {code}, wheel {wheels_step} {wheels_code}")
    return wrong


@pytest.mark.parametrize("flags", [(), ("--verify",)])
@pytest.mark.parametrize("kind", ["bad", "damaged"])
def test_malformed_programs_give_the_same_error_as_the_wheel_or_the_same_earlier(
    probes: Probes, written: Path, kind: str, flags: Sequence[str]
) -> None:
    files = sorted((written / kind).glob("*.pte"))
    flags = [*flags, *_trace(["probe::trace.out"])]
    ours, wheel = probes.run("ours", files, *flags), probes.run("wheel", files, *flags)
    assert len(wheel) == len(files)
    wrong = wrong_answers(ours, wheel)
    assert not wrong, "\n".join(wrong)


# The wheel crashes on these, and ours may run them: an absent list of delegates is an empty one.
_HARMLESS = {"no_delegates"}


def test_every_prefix_of_a_program_is_refused(probes: Probes, written: Path, tmp_path: Path) -> None:
    files = []
    for name, step in (("one_kernel", 3), ("constants", 11)):
        whole = (written / "good" / f"{name}.pte").read_bytes()
        for size in range(0, len(whole), step):
            files.append(tmp_path / f"{name}_{size}.pte")
            files[-1].write_bytes(whole[:size])
    prints = probes.run("ours", files, *_trace(["probe::trace.out"]))
    assert len(prints) == len(files) > 300
    assert [name for name, text in prints.items() if not _is_refused(text)] == []


def test_the_method_pool_is_as_large_as_computed_from_the_program(
    probes: Probes, written: Path, exported: list[Path]
) -> None:
    files = [*sorted((written / "good").glob("*.pte")), *exported]
    flags = ["--pool", *_trace({*_operators(exported), "probe::trace.out"})]
    prints = probes.run("ours", files, *flags)
    for file in files:
        used = [int(size) for size in re.findall(r"^pool (\d+)$", prints[file.stem], re.MULTILINE)]
        methods = read_program(file.read_bytes()).methods.values()
        # The probe's backend takes 16 bytes per delegate.
        computed = max(method_pool_bytes(method, pointer_bytes=8, handle_bytes=16) for method in methods)
        if file.stem in BOUNDED:
            assert max(used) <= computed <= max(used) + 128, file.stem
        else:
            assert max(used) == computed, file.stem
