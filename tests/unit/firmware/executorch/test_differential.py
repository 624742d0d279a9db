# SPDX-License-Identifier: Apache-2.0
"""Our runtime against the wheel's: the same files, the same calls, the same answers.

The probe (differential/probe.cpp) is linked with either; its prints are compared file by file.
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

import programs  # noqa: E402

# Where the two differ by design. Ours checks every file in full when it is loaded, so it refuses these before
# anything runs; the wheel checks less, or later.
REFUSED_EARLIER = {
    "numel_overflow": "the wheel multiplies without a check and then finds the planned memory too small",
    "nbytes_overflow": "likewise",
    "delegate_out_of_range": "the wheel notices when the instruction is run",
    "delegate_negative": "likewise",
    "segment_offset_wraps": "the wheel adds without a check and reads before the segments",
    "cut_to_nearly_all": "the last byte is padding; the FlatBuffers verifier wants it all the same",
    "header_program_short": "the wheel follows offsets beyond the size in the header",
}
# And one where ours is stricter after loading.
STRICTER = {"input_is_a_list": "a refused set_input() does not count as having set the input"}

# With lists that the .pte's reader does not tell apart, so the computed pool is a little larger than the real one.
BOUNDED = {"every_kind_of_value", "scalar_inputs", "accumulator"}


class Probes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, which: str, files: Iterable[Path], *flags: str) -> dict[str, str]:
        """Return what the probe printed about each file, by the file's name without suffix."""
        command = [str(self._folder / f"probe_{which}"), *flags, *(str(file) for file in files)]
        result = subprocess.run(command, check=True, capture_output=True, timeout=300)
        prints = {}
        for part in result.stdout.decode(errors="replace").split("=== ")[1:]:
            name, _, text = part.partition("\n")
            prints[Path(name).stem] = text
        return prints


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Probes:
    folder = tmp_path_factory.mktemp("differential")
    source = HERE / "differential"
    for command in (
        [
            "cmake",
            "-G",
            "Ninja",
            "-S",
            str(source),
            "-B",
            str(folder),
            "-DCMAKE_BUILD_TYPE=Debug",
            f"-DPILOTLIGHT_PYTHON={sys.executable}",
        ],
        ["ninja", "-j2", "-C", str(folder)],
    ):
        result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    return Probes(folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all hand-written programs: good/, bad/ and damaged/."""
    folder = tmp_path_factory.mktemp("programs")
    assembler = programs.Assembler(folder)
    good = assembler.assemble(programs.good())
    for kind, contents in (
        ("good", good),
        ("bad", assembler.assemble(programs.bad())),
        ("damaged", dict(programs.damaged(good["one_kernel"], good["constants"]))),
    ):
        (folder / kind).mkdir()
        for name, content in contents.items():
            (folder / kind / f"{name}.pte").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("exported")
    command = [sys.executable, str(HERE / "exported_programs.py"), str(folder)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
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
    """Per file, the lines that only one of them printed."""
    result = {}
    for name in wheel:
        if ours[name] != wheel[name]:
            mine, theirs = ours[name].splitlines(), wheel[name].splitlines()
            result[name] = [f"ours  {line}" for line in mine if line not in theirs][:5]
            result[name] += [f"wheel {line}" for line in theirs if line not in mine][:5]
    return result


def _is_refused(text: str) -> bool:
    """Neither crashed nor got as far as running: load or load_method gave an error."""
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
    assert len(wheel) == 4
    assert _differences(ours, wheel) == {}
    assert all("execute 0x0" in text for text in wheel.values())
    assert "optional tensors" in wheel["indexing"]
    assert "attribute total 0x0 tensor" in wheel["accumulator"]


@pytest.mark.parametrize("flags", [(), ("--verify",)])
@pytest.mark.parametrize("kind", ["bad", "damaged"])
def test_malformed_programs_give_the_same_errors_or_are_refused_earlier(
    probes: Probes, written: Path, kind: str, flags: Sequence[str]
) -> None:
    files = sorted((written / kind).glob("*.pte"))
    flags = [*flags, *_trace(["probe::trace.out"])]
    ours, wheel = probes.run("ours", files, *flags), probes.run("wheel", files, *flags)
    assert len(wheel) == len(files)
    assert [name for name, text in ours.items() if "crashed" in text] == []
    by_design = {name for name in (*REFUSED_EARLIER, *STRICTER) if name in wheel}
    crashed = {name for name, text in wheel.items() if "crashed" in text}
    for name in (crashed | by_design) - STRICTER.keys():
        assert _is_refused(ours[name]) or ours[name] == wheel[name] or name in _HARMLESS, f"{name}\n{ours[name]}"
    unexplained = {name: lines for name, lines in _differences(ours, wheel).items() if name not in crashed | by_design}
    assert unexplained == {}


# What the wheel crashes on and ours may run: an absent list of delegates is an empty one.
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
        # The probe's backend takes 16 bytes a delegate.
        computed = max(method_pool_bytes(method, pointer_bytes=8, handle_bytes=16) for method in methods)
        if file.stem in BOUNDED:
            assert max(used) <= computed <= max(used) + 128, file.stem
        else:
            assert max(used) == computed, file.stem
