# SPDX-License-Identifier: Apache-2.0
"""Makes modules beside a model file importable during an export, and removes them afterwards.

A model may import such a module when it is loaded, when `forward` runs, and when PyTorch traces it:
TorchDynamo imports the module of every function that it follows, by name. Two models may have
modules of the same name. So one block covers a whole export, and nothing of the model remains after
it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from pilotlight.export.graph.source_lines import is_installed

_open: list[Path] = []


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Put `folder` on the module path, as `python folder/model.py` does. Blocks may be nested.

    A module of the caller with the name of a file in `folder` is removed until the block ends.
    """
    folder = folder.resolve()
    if folder in _open:
        yield
        return
    path = list(sys.path)
    aside = _set_aside(folder)
    known = set(sys.modules)
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    _open.append(folder)
    try:
        yield
    finally:
        _open.remove(folder)
        # The model file may have added other folders to the path.
        added = [folder, *(Path(entry).resolve() for entry in sys.path if entry not in path)]
        sys.path[:] = path
        own = {name.partition(".")[0] for name in set(sys.modules) - known} - known
        own = {name for name in own if any(_lies_in(sys.modules.get(name), place) for place in added)}
        _forget(own)
        sys.modules.update(aside)


def _set_aside(folder: Path) -> dict[str, ModuleType]:
    """Remove and return the caller's modules with names in `folder`; never an installed module."""
    names = {file.stem for file in folder.glob("*.py")} | {file.parent.name for file in folder.glob("*/__init__.py")}
    others = {name for name in names if _is_of_caller(sys.modules.get(name), folder)}
    taken = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in others}
    for name in taken:
        del sys.modules[name]
    return taken


def _is_of_caller(module: ModuleType | None, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and not is_installed(str(file)) and not _lies_in(module, folder)


def _lies_in(module: ModuleType | None, folder: Path) -> bool:
    """Whether a top-level module is a file in `folder`, or a package whose folder is in it."""
    places = list(getattr(module, "__path__", ()))
    file = getattr(module, "__file__", None)
    if not places and file:
        places = [file]
    return any(Path(place).resolve().parent == folder for place in places)


def _forget(own: Collection[str]) -> None:
    """Remove modules and TorchDynamo's references to them. own: names of top-level modules."""
    names = [name for name in sys.modules if name.partition(".")[0] in own]
    for name in names:
        del sys.modules[name]
    symbolic_convert = sys.modules.get("torch._dynamo.symbolic_convert")
    if not names or symbolic_convert is None:
        return
    sys.modules["torch._dynamo"].reset()
    # TorchDynamo caches modules by name and adds them as globals to the module where tracing began.
    symbolic_convert._import_module.cache_clear()
    aliases = [f"__import_{name.replace('.', '_dot_')}" for name in names]
    for module in list(sys.modules.values()):
        # A library may put other objects into sys.modules.
        if isinstance(module, ModuleType):
            for alias in aliases:
                vars(module).pop(alias, None)
