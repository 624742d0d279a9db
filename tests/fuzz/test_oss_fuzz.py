# SPDX-License-Identifier: Apache-2.0
"""The targets build in OSS-Fuzz's environment, and run the archives that ClusterFuzz would take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pilotlight.builder import object_cache

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bounded  # noqa: E402
import building  # noqa: E402

SCRIPT = HERE / "oss_fuzz" / "build.sh"
FLAGS = "-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
LIMIT_S = 900


def _environment(folder: Path, **variables: str) -> dict[str, str]:
    folders = {"OUT": str(folder / "out"), "WORK": str(folder / "work")}
    flags = {"CFLAGS": FLAGS, "CXXFLAGS": FLAGS}
    # The compiler and the flags of ENGINE=replay: files that it compiled are not compiled again.
    cache = f"{sys.executable};-S;{object_cache.__file__}"
    launchers = {f"CMAKE_{language}_COMPILER_LAUNCHER": cache for language in ("C", "CXX")}
    compilers = {"CC": "cc", "CXX": "c++"}
    return {**os.environ, **compilers, "PYTHON": sys.executable, **launchers, **flags, **folders, **variables}


def _build(environment: dict[str, str], *targets: str) -> subprocess.CompletedProcess[str]:
    return bounded.run([str(SCRIPT), *targets], LIMIT_S, capture_output=True, text=True, env=environment)


def _corpus(out: Path, target: str) -> list[Path]:
    """Unpack the seed corpus of `target` and return its files."""
    folder = out / f"corpus-{target}"
    with zipfile.ZipFile(out / f"{target}_fuzzer_seed_corpus.zip") as archive:
        archive.extractall(folder)
    return sorted(folder.iterdir())


@pytest.mark.time_limit(900)
def test_they_build_with_an_engine_of_gcc_and_replay_the_corpus(tmp_path: Path) -> None:
    """An engine is any object with main(). replay.cpp as the engine tells how each input ended."""
    engine = tmp_path / "engine.o"
    compiling = ["g++", "-std=c++17", *FLAGS.split(), "-c", str(HERE / "firmware/replay.cpp"), "-o", str(engine)]
    done = bounded.run(compiling, LIMIT_S, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    environment = _environment(tmp_path, LIB_FUZZING_ENGINE=str(engine))
    targets = ("loader", "delegate", "frames")
    done = _build(environment, *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    for target in targets:
        files = _corpus(tmp_path / "out", target)
        fuzzer = str(tmp_path / "out" / f"{target}_fuzzer")
        ran = bounded.run([fuzzer, *map(str, files)], LIMIT_S, capture_output=True, text=True, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        executed = re.search(r"^ *(\d+)  executions$", ran.stderr, re.MULTILINE)
        assert executed is not None and int(executed.group(1)) == len(files) >= 3
        options = (tmp_path / "out" / f"{target}_fuzzer.options").read_text()
        assert f"max_len = {building.MAX_LENGTH[target]}" in options
        words = (tmp_path / "out" / f"{target}_fuzzer.dict").read_text().splitlines()
        assert words and all(re.fullmatch(r'\w+="(\\x[0-9a-f]{2})+"', word) for word in words)
        # The engine cuts off seeds beyond max_len. Shortened seeds would no longer be good
        # programs.
        assert sum(file.stat().st_size > building.MAX_LENGTH[target] for file in files) <= len(files) // 20


@pytest.mark.parametrize("missing", ["CC", "LIB_FUZZING_ENGINE", "OUT"])
def test_outside_of_that_environment_it_says_what_is_missing(tmp_path: Path, missing: str) -> None:
    environment = _environment(tmp_path, LIB_FUZZING_ENGINE="-fsanitize=fuzzer")
    del environment[missing]
    done = _build(environment)
    assert done.returncode == 20 and f"{missing} is not set" in done.stderr and "try:" in done.stderr


@pytest.mark.campaign
@pytest.mark.time_limit(3600)
@pytest.mark.parametrize("architecture", ["x86_64", "i386"])
def test_all_build_with_libfuzzer_and_find_nothing_in_the_corpus(tmp_path: Path, architecture: str) -> None:
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed (scripts/setup.sh --fuzz installs it)")
    word = " -m32" if architecture == "i386" else ""
    sanitizers = FLAGS.replace(" -fno-sanitize-recover=all", "") + " -fsanitize=fuzzer-no-link" + word
    environment = _environment(
        *(tmp_path,),
        CMAKE_C_COMPILER_LAUNCHER="",
        CMAKE_CXX_COMPILER_LAUNCHER="",
        CC="clang",
        CXX="clang++",
        CFLAGS=sanitizers,
        CXXFLAGS=sanitizers,
        ARCHITECTURE=architecture,
        LIB_FUZZING_ENGINE="-fsanitize=fuzzer",
    )
    done = _build(environment)
    assert done.returncode == 0, done.stdout + done.stderr
    for target in building.MAX_LENGTH:
        out = tmp_path / "out"
        files = _corpus(out, target)
        fuzzer = [str(out / f"{target}_fuzzer"), "-runs=0", f"-dict={out / target}_fuzzer.dict"]
        ran = bounded.run([*fuzzer, str(files[0].parent)], LIMIT_S, capture_output=True, text=True, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert f"{len(files)} files found" in ran.stderr
