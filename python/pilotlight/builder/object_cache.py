# SPDX-License-Identifier: Apache-2.0
"""A compiler launcher that compiles each source once for all build folders.

    python -S object_cache.py COMPILER ARGUMENT...

Objects are found by content: the compiler, its arguments, and every file that it read. A folder
that `-ffile-prefix-map=FOLDER=NAME` keeps out of the object counts by its NAME, not by its path. If
anything unexpected happens, the source is compiled as without a cache.

CMake calls this for each source (cmake/object_cache.cmake). Imports take most of its time, so it
imports few modules: pathlib, dataclasses and tempfile alone would double the time. See SPEC.md.

    PILOTLIGHT_OBJECT_CACHE   folder of the cache, or "off" (default: pilotlight/objects in
                              XDG_CACHE_HOME, ~/.cache when that is unset)
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

# Part of every key, so that another version of this format finds no entry of this one.
_FORMAT = "4"
# Limit of the cache; least recently used entries are removed. The conformance image takes 26 MB.
MOST_BYTES = 2 * 2**30
# Number of folders, 256 per kind of entry. Each has an equal share of MOST_BYTES.
_FOLDERS = 512
# Most variants of a key: compilations with the same arguments that read different contents.
_MOST_VARIANTS = 16
# How long to wait for a process that compiles the same source, which takes some seconds.
_MOST_WAIT_S, _LOOK_INTERVAL_S = 120.0, 0.02
# Environment variables that the compiler reads (GCC manual, "Environment Variables").
_ENVIRONMENT = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "SOURCE_DATE_EPOCH", "GCC_EXEC_PREFIX")
_PREFIX_MAP = "-ffile-prefix-map="
# Files beside the object: stack use and callees, for python/pilotlight/stack. They contain whole
# paths.
_BESIDE = (".ci", ".su")

# CMake's folder for the files that join sources (UNITY_BUILD).
_JOINED = "Unity"

# Options that make the compiler read or write files that -MD does not list.
_OTHER_FILES = ("@", "--coverage", "-ftest-coverage", "-fprofile", "-fplugin", "-fdump", "-save-temps", "-gsplit-dwarf")

# Exceptions for files that are missing or damaged.
_UNEXPECTED = (OSError, ValueError, KeyError, TypeError, AttributeError)


def cache_folder() -> str | None:
    """Return the cache's folder, or None if the cache is off."""
    chosen = os.environ.get("PILOTLIGHT_OBJECT_CACHE", "")
    if chosen == "off":
        return None
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return chosen or os.path.join(home, "pilotlight", "objects")


class Compilation:
    """One call of the compiler. object, dependencies: paths of the files that it writes."""

    def __init__(self, command: Sequence[str], written: str, dependencies: str) -> None:
        self.folders = _left_open(command)
        self.command = command
        self.object = written
        self.dependencies = dependencies

    @classmethod
    def of(cls, command: Sequence[str]) -> Compilation | None:
        """Return the compilation, or None if it cannot be cached.

        It must have the form `COMPILER ... -MD -MF FILE -o FILE -c SOURCE`, without an option that
        uses other files.
        """

        def behind(option: str) -> str | None:
            places = [place for place, word in enumerate(command[:-1]) if word == option]
            return command[places[0] + 1] if len(places) == 1 else None

        written, dependencies, source = behind("-o"), behind("-MF"), behind("-c")
        if written is None or dependencies is None or source is None or "-MD" not in command:
            return None
        if any(word.startswith(_OTHER_FILES) for word in command):
            return None
        return cls(command, written, dependencies)

    def general(self, text: str) -> str:
        """Replace the mapped folders' paths in `text` by their names."""
        for folder, name in self.folders:
            text = re.sub(f"{re.escape(folder)}(?=[/=]|$)", name, text)
        return text

    def here(self, text: str) -> str:
        """Replace the names of mapped folders by this build's paths; the inverse of general()."""
        for folder, name in self.folders:
            text = text.replace(name, folder)
        return text

    def key(self) -> str:
        """Return a hash of everything that is known before a source is read."""
        compiler = os.stat(self.command[0])
        told = [_FORMAT, str(compiler.st_size), str(compiler.st_mtime_ns)]
        told += [f"{name}={os.environ.get(name)}" for name in _ENVIRONMENT]
        told += [self.general(os.getcwd()), *self._general_words()]
        return hashlib.sha256("\0".join(told).encode()).hexdigest()

    def _general_words(self) -> Iterable[str]:
        """Yield the arguments with mapped folders replaced, except in definitions.

        A definition's text may be in the object.
        """
        before = ""
        for word in self.command:
            yield word if word.startswith("-D") or before == "-D" else self.general(word)
            before = word

    def outputs(self) -> dict[str, str]:
        """Return the object's path, and those of the files beside it, by ending."""
        stem = os.path.splitext(self.object)[0]
        return {"object": self.object, **{ending: stem + ending for ending in _BESIDE}}

    def digest(self, file: str) -> str | None:
        """Return a hash of a file's contents, None if there is no such file.

        A file that CMake made to join sources only includes them. It counts with the names of the
        mapped folders, because the included files count anyway.
        """
        try:
            with open(file, "rb") as opened:
                content = opened.read()
        except OSError:
            return None
        if os.path.basename(os.path.dirname(file)) == _JOINED:
            content = self.general(content.decode()).encode()
        return hashlib.sha256(content).hexdigest()

    def earlier_places(self, file: str) -> list[str]:
        """Return the places where the compiler looked for an included file and found nothing."""
        found: list[str] = []
        for folder in _include_folders(self.command):
            if file.startswith(folder + os.sep):
                inside = file[len(folder) + 1 :]
                return [place for other in found if not os.path.exists(place := os.path.join(other, inside))]
            found.append(folder)
        return []


def _left_open(command: Sequence[str]) -> list[tuple[str, str]]:
    """Return the folders of the prefix maps and their names, innermost first.

    Each name is between two null characters, which no path and no argument contains.
    """
    maps = [word[len(_PREFIX_MAP) :].rpartition("=") for word in command if word.startswith(_PREFIX_MAP)]
    folders = {folder.rstrip("/"): f"\0{name}\0" for folder, _, name in maps}
    return sorted(((folder, name) for folder, name in folders.items() if folder), key=lambda item: -len(item[0]))


def _include_folders(command: Sequence[str]) -> list[str]:
    """Return the include folders in search order: -I before -isystem."""
    first = [word[2:] for word in command if word.startswith("-I") and len(word) > 2]
    return first + [word for place, word in enumerate(command) if place and command[place - 1] == "-isystem"]


class Cache:
    """The cache's folder: `variants/KEY`, `objects/RESULT` and `locks`.

    Variants and objects lie below a folder named after the first two digits. A file of variants
    lists the files that compilations of one key read, and the names of the results.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def fetch(self, compilation: Compilation, key: str) -> bool:
        """Write the compilation's files if the cache has them. Returns whether it did."""
        for variant in self._variants(key):
            files = {compilation.here(file): digest for file, digest in variant["files"].items()}
            shadowed = any(os.path.exists(compilation.here(place)) for place in variant["absent"])
            if not shadowed and all(compilation.digest(file) == digest for file, digest in files.items()):
                return self._unpack(variant["result"], compilation, list(files))
        return False

    def store(self, compilation: Compilation, key: str, began_ns: int) -> None:
        """Store the files that a compilation wrote. began_ns: when it began."""
        files = _dependencies(compilation.dependencies)
        if any(os.stat(file).st_mtime_ns >= began_ns for file in files):
            return  # The file may have changed after the compiler read it.
        digests = {compilation.general(os.path.join(os.getcwd(), file)): compilation.digest(file) for file in files}
        absent = sorted({compilation.general(place) for file in files for place in compilation.earlier_places(file)})
        result = hashlib.sha256(json.dumps([key, digests]).encode()).hexdigest()
        self._pack(result, compilation)
        others = [variant for variant in self._variants(key) if variant["result"] != result]
        variants = [{"files": digests, "absent": absent, "result": result}, *others][:_MOST_VARIANTS]
        _write(self._path("variants", key), json.dumps(variants).encode())
        for kind, name in (("objects", result), ("variants", key)):
            _keep_below(os.path.dirname(self._path(kind, name)), MOST_BYTES // _FOLDERS)

    def alone(self, key: str) -> tuple[int, bool]:
        """Wait for other processes that compile the same source, and take the lock.

        Returns the lock's descriptor, which the caller closes, and whether it had to wait. Without
        the lock, builds that start together would each compile each source. The kernel releases the
        lock when a process ends.
        """
        path = os.path.join(self._folder, "locks", key[:3])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        lock = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        waited, until = False, time.monotonic() + _MOST_WAIT_S
        while time.monotonic() < until:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = True
                time.sleep(_LOOK_INTERVAL_S)
        return lock, waited

    def _path(self, kind: str, name: str) -> str:
        return os.path.join(self._folder, kind, name[:2], name)

    def _variants(self, key: str) -> list[dict[str, Any]]:
        try:
            with open(self._path("variants", key), encoding="utf-8") as file:
                variants = json.load(file)
        except (OSError, ValueError):
            return []
        return variants if isinstance(variants, list) else []

    def _pack(self, name: str, compilation: Compilation) -> None:
        contents: dict[str, bytes] = {}
        for kind, path in compilation.outputs().items():
            if os.path.exists(path):
                with open(path, "rb") as file:
                    content = file.read()
                contents[kind] = compilation.general(content.decode()).encode() if kind in _BESIDE else content
        body = b"".join(contents.values())
        sizes = {kind: len(content) for kind, content in contents.items()}
        head = {"sizes": sizes, "sha256": hashlib.sha256(body).hexdigest()}
        _write(self._path("objects", name), json.dumps(head).encode() + b"\n" + body)

    def _unpack(self, name: str, compilation: Compilation, files: Iterable[str]) -> bool:
        path = self._path("objects", name)
        with open(path, "rb") as packed:
            head, body = json.loads(packed.readline()), packed.read()
        if hashlib.sha256(body).hexdigest() != head["sha256"]:
            os.unlink(path)
            return False
        os.utime(path)
        outputs = compilation.outputs()
        at = 0
        for kind, size in head["sizes"].items():
            content = body[at : at + size]
            _write(outputs[kind], compilation.here(content.decode()).encode() if kind in _BESIDE else content)
            at += size
        _write(compilation.dependencies, as_make_rule(compilation.object, files))
        return True


def _dependencies(path: str) -> list[str]:
    """Return the prerequisites in the make rule that the compiler wrote, each once."""
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    _, _, prerequisites = text.partition(": ")
    words = prerequisites.replace("\\ ", "\0").replace("\\#", "#").replace("$$", "$").split()
    return list(dict.fromkeys(word.replace("\0", " ") for word in words))


def as_make_rule(target: str, files: Iterable[str]) -> bytes:
    """Return a depfile that says that `target` depends on `files`."""

    def quoted(path: str) -> str:
        return path.replace("$", "$$").replace("#", "\\#").replace(" ", "\\ ")

    return f"{quoted(target)}: {' '.join(map(quoted, files))}\n".encode()


def _write(path: str, content: bytes) -> None:
    """Write the file as a whole or not at all."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _keep_below(folder: str, most_bytes: int) -> None:
    """Remove the least recently used files until the folder is within `most_bytes`."""
    found = sorted((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
    too_many = sum(size for _, size, _ in found) - most_bytes
    for _, size, path in found:
        if too_many <= 0:
            break
        os.unlink(path)
        too_many -= size


def _compile(command: Sequence[str]) -> tuple[int, bool]:
    """Run the compiler and pass its messages on. Return its exit code and whether it had any."""
    import subprocess  # not needed for a hit

    done = subprocess.run(command, check=False, stderr=subprocess.PIPE)
    sys.stderr.buffer.write(done.stderr)
    sys.stderr.flush()
    return done.returncode if done.returncode >= 0 else 128 - done.returncode, bool(done.stderr)


def main(arguments: Sequence[str]) -> int:
    command = list(arguments)
    folder = cache_folder()
    compilation = Compilation.of(command) if folder is not None else None
    if folder is None or compilation is None:
        return _compile(command)[0]
    cache, key, lock = Cache(folder), None, None
    try:
        key = compilation.key()
        if cache.fetch(compilation, key):
            return 0
        lock, waited = cache.alone(key)
        if waited and cache.fetch(compilation, key):
            return 0
    except _UNEXPECTED:
        pass  # An entry is damaged: compile, and write it again.
    code = _compile_and_keep(compilation, cache, key)
    if lock is not None:
        os.close(lock)
    return code


def _compile_and_keep(compilation: Compilation, cache: Cache, key: str | None) -> int:
    began_ns = _now_ns(compilation)
    code, said = _compile(compilation.command)
    # A compilation with warnings is not stored: the next build would not show them.
    if code == 0 and not said and key is not None and began_ns is not None:
        try:
            cache.store(compilation, key, began_ns)
        except _UNEXPECTED:
            return code  # Full disk or another user's folder; the object exists anyway.
    return code


def _now_ns(compilation: Compilation) -> int | None:
    """Return the time by the build folder's file system, or None if it cannot be written."""
    try:
        _write(compilation.dependencies, b"")
        return os.stat(compilation.dependencies).st_mtime_ns
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
