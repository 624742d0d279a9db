# SPDX-License-Identifier: Apache-2.0
"""Writes the files that ClusterFuzz expects beside each fuzzer: seed corpus, dictionary, options.

    python tests/fuzz/oss_fuzz/archives.py FOLDER TARGET...

For the target "loader": loader_fuzzer_seed_corpus.zip, loader_fuzzer.dict, loader_fuzzer.options.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

FUZZ = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(FUZZ))

import building  # noqa: E402
import regressions  # noqa: E402
import seeds  # noqa: E402

# The date of every entry, so that equal seeds give equal archives.
_DATE = (2000, 1, 1, 0, 0, 0)


def _corpus(target: str, folder: Path) -> set[bytes]:
    """Return the seeds of `target` and all inputs that fuzzing and reviews found.

    `folder` is scratch space.
    """
    seeds.write(folder / "seeds")
    files = list((folder / "seeds" / ("loader" if target == "kernels" else target)).iterdir())
    if target in ("loader", "kernels"):
        regressions.write(folder / "regressions")
        files += (folder / "regressions").glob("*.pte")
    if target == "kernels":
        import kernel_programs  # Imported here, because this loads PyTorch.

        (folder / "kernels").mkdir()
        files += kernel_programs.all_programs(folder / "kernels")
    files += building.findings("loader" if target == "kernels" else target)
    return {file.read_bytes() for file in files}


def write(folder: Path, target: str) -> None:
    """Write the three files of `target` into `folder`."""
    fuzzer = building.fuzzer_name(target)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = _corpus(target, Path(scratch))
    # libFuzzer names its inputs in this way.
    named = sorted((hashlib.sha1(content, usedforsecurity=False).hexdigest(), content) for content in corpus)
    with zipfile.ZipFile(folder / f"{fuzzer}_seed_corpus.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in named:
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    (folder / f"{fuzzer}.dict").write_text(seeds.dictionary(target), encoding="utf-8")
    limit = f"max_len = {building.MAX_LENGTH[target]}"
    (folder / f"{fuzzer}.options").write_text(f"[libfuzzer]\n{limit}\ntimeout = 20\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("targets", nargs="+", choices=building.MAX_LENGTH)
    arguments = parser.parse_args()
    for target in arguments.targets:
        write(arguments.folder, target)


if __name__ == "__main__":
    main()
