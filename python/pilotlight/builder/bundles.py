# SPDX-License-Identifier: Apache-2.0
"""Names each model's bundle: <build>/bundles/<name>. CMake runs `python -m
pilotlight.builder.bundles`.

A model has the name of its file without the ending. A `model.py` has the name of its folder,
because many models have a file of that name. If two names are still equal, the names of outer
folders are put in front.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pilotlight.cli import run_command
from pilotlight.errors import ConfigError
from pilotlight.paths import named_model

MODEL_FILE_ENDINGS = (".py", ".pt2")


def bundle_folders(folder: Path, models: Sequence[str]) -> list[Path]:
    """Return the bundle of each model in `folder`. Raises ConfigError if a model is named twice."""
    return [folder / name for name in bundle_names(models)]


def bundle_names(models: Sequence[str]) -> list[str]:
    """Return a unique name for each model.

    >>> bundle_names(["digits", "/nets/kws.py", "/nets/door/model.py"])
    ['digits', 'kws', 'door']
    >>> bundle_names(["/nets/a/net.py", "/nets/b/net.py"])
    ['a-net', 'b-net']

    Raises ConfigError if a model is named twice.
    """
    places = [_place(model) for model in models]
    for index, place in enumerate(places):
        if place in places[:index]:
            raise ConfigError(
                f"{models[places.index(place)]} and {models[index]} are the same model", hint="name each model once"
            )
    parts = [_parts(model, place) for model, place in zip(models, places, strict=True)]
    depths = [1] * len(models)
    while True:
        names = ["-".join(part[-depth:]) for part, depth in zip(parts, depths, strict=True)]
        uses = Counter(names)
        alike = [index for index, name in enumerate(names) if uses[name] > 1]
        longer = [index for index in alike if depths[index] < len(parts[index])]
        for index in longer:
            depths[index] += 1
        if not longer:
            break
    for index in alike:
        # If net.py and net.pt2 are in one folder, add the ending.
        names[index] += Path(models[index]).suffix.replace(".", "-")
    return names


def _place(model: str) -> Path:
    """Return the model's file, or the folder of a model.py."""
    named = named_model(model)
    path = named or Path(os.path.abspath(Path(model).expanduser()))  # noqa: PTH100 - as CMake writes it
    return path.parent if path.name == "model.py" else path


def _parts(model: str, place: Path) -> tuple[str, ...]:
    """Return the parts that a name may consist of, the model's own name last."""
    if named_model(model) is not None:
        return (model,)
    *folders, last = place.parts[1:] or ("model",)
    return (*folders, Path(last).stem if place.suffix in MODEL_FILE_ENDINGS else last)


def _run(args: argparse.Namespace) -> int:
    print(";".join(bundle_names(args.model)))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Print the names of the models' bundles as a CMake list.")
    parser.add_argument("model", nargs="+")
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
