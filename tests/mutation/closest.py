# SPDX-License-Identifier: Apache-2.0
"""The closest tests of a place, the quickest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from coverage_map import MEASURED, CoverageMap
from places import Place
from tree import ROOT

PYTEST = ("pytest", "-c", "python/pyproject.toml", "--rootdir", ".", "-m", "not campaign", "-q", "-x")
# There is a limit, because nearly every test of the export runs the simulator, for example.
_SECONDS_FOR_OTHERS = 120
_SECONDS_OF_QUICK_TESTS = 20
UNIT_TESTS = "build/unit-tests"


@dataclass(frozen=True)
class Stage:
    """One command.

    builds: its failure means that the change does not compile.
    says_nothing: exit codes after which nothing is known.
    """

    name: str
    command: tuple[str, ...]
    limit_s: float = 900
    builds: bool = False
    says_nothing: tuple[int, ...] = ()


CONFIGURE = Stage(
    "configure",
    (
        "cmake",
        "-S",
        ".",
        "-B",
        UNIT_TESTS,
        "-G",
        "Ninja",
        "-DBOARD=host",
        "-DPILOTLIGHT_TESTS=ON",
        "-DPILOTLIGHT_JOIN_SOURCES=OFF",
    ),
    builds=True,
)
# Libraries are named too: the unit tests alone build only those parts that they link.
_TARGETS = ("all", "pilotlight_executorch", "pilotlight_kernels")
_BUILD = Stage("build", ("cmake", "--build", UNIT_TESTS, "--target", *_TARGETS), builds=True)
_CTEST = Stage("unit tests of firmware", ("ctest", "--test-dir", UNIT_TESTS, "--stop-on-failure"), limit_s=120)


def _pytest(*paths: str) -> Stage:
    return Stage(paths[0], (*PYTEST, *paths))


_EXECUTORCH = "tests/unit/firmware/executorch"
_FUZZ = "tests/fuzz/test_fuzz_mutations.py"
_NUMBERS = "tests/unit/python/link/test_numbers.py"
# Tests by folder of the firmware, the closest first.
FIRMWARE: dict[str, tuple[Stage, ...]] = {
    "firmware/apps/check": (_pytest(_FUZZ, "-k", "frames"), _pytest("tests/hil/test_never_a_false_pass.py")),
    "firmware/base": (_pytest(_NUMBERS), _pytest(_FUZZ)),
    "firmware/console_session": (_pytest("tests/emulator/test_links.py"), _pytest("tests/emulator/test_faults.py")),
    "firmware/ethos_u": (
        _pytest("tests/npu/test_register_map.py"),
        _pytest("tests/npu/test_driver_verification.py"),
        _pytest("tests/emulator/test_npu_port.py"),
        _pytest(_FUZZ),
    ),
    "firmware/executorch": (
        _pytest(f"{_EXECUTORCH}/test_differential.py"),
        _pytest(f"{_EXECUTORCH}/test_primitives.py"),
        _pytest(f"{_EXECUTORCH}/test_lent_memory.py", f"{_EXECUTORCH}/test_signatures.py"),
        _pytest(_FUZZ),
        _pytest(f"{_EXECUTORCH}/conformance/test_conformance.py"),
    ),
    "firmware/kernels": (
        _pytest("tests/unit/firmware/kernels"),
        _pytest(f"{_EXECUTORCH}/test_primitives.py", f"{_EXECUTORCH}/conformance/test_conformance.py"),
    ),
    "firmware/model": (_pytest("tests/hil/test_examples.py"),),
    "firmware/protocol": (_pytest(_NUMBERS), _pytest(_FUZZ, "-k", "frames")),
}

_EXAMPLES = (_pytest("tests/hil/test_examples.py"),)
_BOARD = (_pytest("tests/emulator/test_faults.py"), _pytest("tests/hil/test_never_a_false_pass.py"))
# Tests by part of the package that run it in other processes, which coverage.py does not see.
PACKAGE: dict[str, tuple[Stage, ...]] = {
    "boards": _EXAMPLES,
    "build_folder": _EXAMPLES,
    "builder": _EXAMPLES,
    "check": _BOARD,
    "codegen": _EXAMPLES,
    "elf": (_pytest("tests/hil/test_size.py"), _pytest("tests/emulator/test_faults.py")),
    "fault": _BOARD,
    "fvp_shim": (_pytest("tests/emulator/upstream/test_shim.py"),),
    "generate": (_pytest("tests/hil/test_generate.py"),),
    "kernels": (_pytest("tests/unit/python/kernels"),),
    "link": _BOARD,
    "listen": (_pytest("tests/hil/test_keyword_spotting.py"),),
    "npu": (_pytest("tests/emulator/test_npu_port.py"),),
    "proof": (_pytest("tests/hil/test_proof.py"),),
    "size": (_pytest("tests/hil/test_size.py"),),
    "stack": _EXAMPLES,
    "targets": _BOARD,
}


def stages(place: Place, coverage: CoverageMap) -> Sequence[Stage]:
    """Return the stages to run for `place`."""
    name = str(place.file)
    if place.file.suffix == ".py":
        part = place.file.parts[2].removesuffix(".py")
        seconds = coverage.seconds_of_file
        tests = [*_that_import(place.file), *_of_the_line(place, part, coverage.by_test_file(name), seconds)]
        # Ten times the test's own time plus a minute: this notices a change that loops endlessly.
        inside = [Stage(test, (*PYTEST, test), 60 + 10 * seconds.get(test, 0)) for test in dict.fromkeys(tests)]
        return (*_quick(place, coverage), *inside, *_in_other_processes(part))
    folder = next(folder for folder in FIRMWARE if name.startswith(folder + "/"))
    return (_BUILD, _CTEST, *_of_the_same_name(place.file), *FIRMWARE[folder])


def _quick(place: Place, coverage: CoverageMap) -> tuple[Stage, ...]:
    """Some tests that run the line, in one process.

    Whole files follow, because a test may check the result of a fixture that ran in another test.
    """
    tests = coverage.quickest(str(place.file), place.line, _SECONDS_OF_QUICK_TESTS)
    if not tests:
        return ()
    # A test that was renamed after the map was measured.
    return (Stage("quick tests", (*PYTEST, *tests), 60 + 10 * _SECONDS_OF_QUICK_TESTS, says_nothing=(4,)),)


def _in_other_processes(part: str) -> tuple[Stage, ...]:
    if part not in PACKAGE:
        return ()
    own = f"tests/unit/python/{part}"
    return (*((_pytest(own),) if (ROOT / own).is_dir() else ()), *PACKAGE[part])


@cache
def _that_import(file: Path) -> tuple[str, ...]:
    """Return the test files that name a module.

    coverage.py does not see a test that only reads a module's tables.
    """
    module = ".".join(file.with_suffix("").parts[1:])
    named = re.compile(rf"\b{re.escape(module)}\b(?!\.)")
    tests = (test for area in MEASURED for test in sorted((ROOT / area).rglob("test_*.py")))
    return tuple(str(test.relative_to(ROOT)) for test in tests if named.search(test.read_text(encoding="utf-8")))


def _of_the_line(place: Place, part: str, by_test: dict[str, set[int]], seconds: dict[str, float]) -> list[str]:
    """Return the test files of the place's part that run any line of its file, and some others.

    The others run the place's own line. A line at a module's top level runs only once, for the
    test that imports the module first.
    """
    tests = sorted(by_test, key=lambda test: (place.line not in by_test[test], seconds.get(test, 0)))
    own = [test for test in tests if f"/{part}/" in test]
    others, budget_s = [], _SECONDS_FOR_OTHERS
    for test in tests:
        budget_s -= 0 if test in own else seconds.get(test, 0)
        if test not in own and budget_s >= 0 and (place.line in by_test[test] or not own):
            others.append(test)
    return own + others


def _of_the_same_name(file: Path) -> tuple[Stage, ...]:
    """Return the test that has a kernel file's name, as a quick first stage."""
    tests = (ROOT / "tests/unit" / file.parent).glob(f"test_{file.stem}*.py")
    return tuple(_pytest(str(test.relative_to(ROOT))) for test in tests)
