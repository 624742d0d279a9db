# SPDX-License-Identifier: Apache-2.0
"""The cache returns exactly what the compiler would write."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pilotlight.builder import object_cache
from pilotlight.paths import ROOT

SCRIPT = Path(object_cache.__file__)
# A compiler that counts its calls.
COUNTING = '#!/bin/sh\necho >>"$CALLS"\nexec g++ "$@"\n'


class Project:
    """A source, two folders of headers, and build folders anywhere."""

    def __init__(self, home: Path, shared: Path) -> None:
        """Write the source and the headers to home. `shared` has the compiler and the cache."""
        self.home, self.shared, self.cache = home, shared, shared / "cache"
        self.compiler = shared / "compiler"
        if not self.compiler.exists():
            self.compiler.write_text(COUNTING, encoding="utf-8")
            self.compiler.chmod(0o755)
        self.write("first/own.h", "#define VALUE 1\n")
        self.write("second/other.h", "inline int Other() { return 2; }\n")
        self.write("a b.cpp", '#include "own.h"\n#include "other.h"\nint Sum() { return VALUE + Other(); }\n')

    def write(self, name: str, text: str) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        past = path.stat().st_mtime - 60
        os.utime(path, (past, past))

    @property
    def calls(self) -> int:
        path = self.shared / "calls"
        return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0

    def compile(
        self, build: str, *more: str, cache: str | None = None, source: str = "a b.cpp"
    ) -> subprocess.CompletedProcess[str]:
        """Compile in the folder `build`. Headers and source stay where they are."""
        folder = self.home / build
        (folder / "objects").mkdir(parents=True, exist_ok=True)
        arguments = [f"-I{self.home / 'first'}", "-isystem", str(self.home / "second"), *more]
        arguments += [f"-ffile-prefix-map={folder}=build", "-g", "-fstack-usage"]
        arguments += ["-MD", "-MT", "objects/a.o", "-MF", "objects/a.o.d", "-o", "objects/a.o", "-c"]
        launcher = [sys.executable, "-S", str(SCRIPT)]
        return subprocess.run(
            [*launcher, str(self.compiler), *arguments, str(self.home / source)],
            cwd=folder,
            env={
                **os.environ,
                "CALLS": str(self.shared / "calls"),
                "PILOTLIGHT_OBJECT_CACHE": cache or str(self.cache),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def written(self, build: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.home / build / "objects").iterdir()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, tmp_path)


def test_another_build_folder_gets_the_same_files_without_the_compiler(project: Project) -> None:
    assert project.compile("one").returncode == 0
    assert project.compile("two").returncode == 0
    assert project.calls == 1
    one, two = project.written("one"), project.written("two")
    assert set(one) == {"a.o", "a.o.d", "a.su"} == set(two)
    assert one["a.o"] == two["a.o"] and one["a.su"] == two["a.su"]
    assert object_cache._dependencies(str(project.home / "two/objects/a.o.d")) == object_cache._dependencies(
        str(project.home / "one/objects/a.o.d")
    )
    shutil.rmtree(project.home / "two/objects")
    assert project.compile("two", cache="off").returncode == 0
    assert project.written("two")["a.o"] == one["a.o"]


def test_of_builds_that_start_together_one_compiles(project: Project) -> None:
    project.compiler.write_text(COUNTING.replace("exec", "sleep 0.5\nexec"), encoding="utf-8")
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(project.compile, ["one", "two", "three"]))
    assert [outcome.returncode for outcome in outcomes] == [0, 0, 0]
    assert project.calls == 1
    assert project.written("one")["a.o"] == project.written("two")["a.o"] == project.written("three")["a.o"]


def test_a_compilation_that_was_killed_holds_nobody_up(project: Project) -> None:
    project.compiler.write_text("#!/bin/sh\nkill -9 $PPID\n", encoding="utf-8")
    assert project.compile("one").returncode == -9
    project.compiler.write_text(COUNTING, encoding="utf-8")
    assert project.compile("two").returncode == 0
    assert project.calls == 1


def test_a_checkout_elsewhere_gets_the_same_objects_with_its_own_paths_beside_them(tmp_path: Path) -> None:
    one, two = (Project(tmp_path / name, tmp_path) for name in ("one", "two"))
    for project in (one, two):
        assert project.compile("build", f"-ffile-prefix-map={project.home}/=").returncode == 0
    assert two.calls == 1
    given = two.written("build")
    shutil.rmtree(two.home / "build")
    two.compile("build", f"-ffile-prefix-map={two.home}/=", cache="off")
    own = two.written("build")
    assert given["a.o"] == own["a.o"]
    assert given["a.su"] == own["a.su"] != one.written("build")["a.su"]
    two.write("second/other.h", "inline int Other() { return 3; }\n")
    two.compile("build", f"-ffile-prefix-map={two.home}/=")
    assert two.written("build")["a.o"] != own["a.o"]


def test_sources_that_are_joined_in_a_checkout_elsewhere_give_the_same_object(tmp_path: Path) -> None:
    one, two = (Project(tmp_path / name, tmp_path) for name in ("one", "two"))
    joined = "build/Unity/unity_0_cxx.cxx"
    for project in (one, two):
        project.write(joined, f'#include "{project.home}/a b.cpp"\n')
        mapped = f"-ffile-prefix-map={project.home}/="
        assert project.compile("build", mapped, source=joined).returncode == 0
    assert two.calls == 1
    given = two.written("build")["a.o"]
    two.compile("build", mapped, source=joined, cache="off")
    assert two.written("build")["a.o"] == given
    two.write("a b.cpp", "int Sum() { return 5; }\n")
    two.compile("build", mapped, source=joined)
    assert two.written("build")["a.o"] != given
    two.write("c.cpp", "int Sum() { return 5; }\n")
    two.write(joined, f'#include "{two.home}/c.cpp"\n')
    two.compile("build", mapped, source=joined)
    assert two.calls == 4


def test_a_folder_that_the_object_names_is_no_other_folder(tmp_path: Path) -> None:
    one, two = (Project(tmp_path / name, tmp_path) for name in ("one", "two"))
    one.compile("build")
    two.compile("build")
    assert two.calls == 2


@pytest.mark.parametrize("words", [('-DHOME="{}/data"',), ("-D", 'HOME="{}/data"')], ids=["one word", "two words"])
def test_a_definition_that_names_the_folder_is_that_of_this_checkout(tmp_path: Path, words: tuple[str, ...]) -> None:
    for name in ("one", "two"):
        project = Project(tmp_path / name, tmp_path)
        project.write("a b.cpp", '#include "own.h"\nconst char* Where() { return HOME; }\n')
        definition = [word.format(project.home) for word in words]
        assert project.compile("build", f"-ffile-prefix-map={project.home}/=", *definition).returncode == 0
        assert f"{project.home}/data".encode() in project.written("build")["a.o"]


def test_what_is_counted_for_coverage_is_compiled_where_the_counts_are_written(project: Project) -> None:
    for build in ("one", "two"):
        project.compile(build, "--coverage")
        assert "a.gcno" in project.written(build)
    assert project.calls == 2


CHANGES: dict[str, Callable[[Project], object]] = {
    "a header": lambda p: p.write("second/other.h", "inline int Other() { return 3; }\n"),
    "the source": lambda p: p.write("a b.cpp", '#include "own.h"\nint Sum() { return VALUE; }\n'),
    "a header that is found first": lambda p: p.write("first/other.h", "inline int Other() { return 4; }\n"),
    "the compiler": lambda p: p.compiler.write_text(COUNTING + "\n", encoding="utf-8"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_compiled_anew(project: Project, change: str) -> None:
    project.compile("one")
    CHANGES[change](project)
    project.compile("two")
    assert project.calls == 2
    project.compile("three", cache="off")
    assert project.written("two")["a.o"] == project.written("three")["a.o"]


@pytest.mark.parametrize("missing", ["", "-MD", "-MF", "-o", "-c", "-MF twice"])
def test_only_a_compilation_of_one_source_is_kept(missing: str) -> None:
    options = {"-MD": (), "-MF": ("a.d",), "-o": ("a.o",), "-c": ("a.c",)}
    words = [word for option, values in options.items() if option != missing for word in (option, *values)]
    if missing == "-MF twice":
        words += ["-MF", "b.d"]
    found = object_cache.Compilation.of(["gcc", *words])
    assert (found is not None) == (not missing)


def test_a_folder_whose_name_begins_alike_is_another_folder() -> None:
    compilation = object_cache.Compilation(["-ffile-prefix-map=/a/b=build", "-ffile-prefix-map=/a/="], "", "")
    assert compilation.general("-I/a/b/include") == "-I\0build\0/include"
    assert compilation.general("-ffile-prefix-map=/a/b=build") == "-ffile-prefix-map=\0build\0=build"
    assert compilation.general("-I/a/b2/include") == "-I\0\0/b2/include"
    assert compilation.general("-I/ab/include") == "-I/ab/include"
    for path in ("/a/b", "/a/b/c", "/a", "/a/b2", "/ab"):
        assert compilation.here(compilation.general(path)) == path


def test_other_arguments_are_another_compilation_and_both_are_kept(project: Project) -> None:
    for build, option in (("one", "-O0"), ("two", "-O2"), ("three", "-O0"), ("four", "-O2")):
        project.compile(build, option)
    assert project.calls == 2
    assert project.written("one")["a.o"] == project.written("three")["a.o"] != project.written("four")["a.o"]


def test_a_header_that_changes_back_is_not_compiled_again(project: Project) -> None:
    project.compile("one")
    project.write("first/own.h", "#define VALUE 7\n")
    project.compile("one")
    project.write("first/own.h", "#define VALUE 1\n")
    project.compile("one")
    assert project.calls == 2


def test_a_file_as_new_as_the_compilation_is_not_trusted(project: Project) -> None:
    os.utime(project.home / "first/own.h", (4e9, 4e9))
    project.compile("one")
    project.compile("two")
    assert project.calls == 2


def test_warnings_and_errors_are_said_each_time(project: Project) -> None:
    project.write("a b.cpp", "int Sum() { int unused; return 1; }\n")
    for build in ("one", "two"):
        assert "unused" in project.compile(build, "-Wall").stderr
    project.write("a b.cpp", "int Sum() { return nothing; }\n")
    for build in ("one", "two"):
        done = project.compile(build)
        assert done.returncode == 1 and "nothing" in done.stderr
    assert project.calls == 4


@pytest.mark.parametrize("damage", [b"", b"{}\nxx", b'{"sizes": {"object": 3}, "sha256": "0"}\nabc', b"\xff\xfe"])
@pytest.mark.parametrize("kind", ["objects", "variants"])
def test_a_damaged_entry_is_compiled_anew_and_replaced(project: Project, kind: str, damage: bytes) -> None:
    project.compile("one")
    (entry,) = (path for path in (project.cache / kind).rglob("*") if path.is_file())
    entry.write_bytes(damage)
    assert project.compile("two").returncode == 0
    assert project.calls == 2
    assert project.written("two")["a.o"] == project.written("one")["a.o"]
    project.compile("three")
    assert project.calls == 2


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(project: Project) -> None:
    project.cache.write_text("a file, not a folder", encoding="utf-8")
    for build in ("one", "two"):
        done = project.compile(build)
        assert (done.returncode, done.stderr) == (0, "")
    assert project.calls == 2


def test_a_launcher_that_the_user_chose_stays(tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(users LANGUAGES C CXX)\n"
        f"include({ROOT}/cmake/object_cache.cmake)\n"
        "add_library(of_c OBJECT a.c)\nadd_library(of_cpp OBJECT a.cpp)\n"
    )
    for name in ("a.c", "a.cpp"):
        (tmp_path / name).touch()
    options = ["-DCMAKE_CXX_COMPILER_LAUNCHER=/opt/users launcher", f"-DPILOTLIGHT_PYTHON={sys.executable}"]
    configure = ["cmake", "-G", "Ninja", "-S", str(tmp_path), "-B", str(tmp_path / "build"), *options]
    assert subprocess.run(configure, check=False, capture_output=True).returncode == 0
    told = ["ninja", "-C", str(tmp_path / "build"), "-t", "commands"]
    commands = subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines()
    (of_c,) = (command for command in commands if command.endswith("a.c"))
    (of_cpp,) = (command for command in commands if command.endswith("a.cpp"))
    assert "object_cache.py" in of_c
    assert "users launcher" in of_cpp and "object_cache.py" not in of_cpp


def test_what_was_not_used_for_longest_is_removed(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / str(number)
        path.write_bytes(bytes(100))
        os.utime(path, (1000 + number, 1000 + number))
    os.utime(tmp_path / "0", (2000, 2000))
    object_cache._keep_below(str(tmp_path), 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "4"]
