# SPDX-License-Identifier: Apache-2.0
"""Changes the code in seeded places, one at a time, and lists the changes that no test notices.

    python tests/mutation/run.py                        200 places, half firmware, half Python
    python tests/mutation/run.py --count 20 --seed 7    other places, and fewer
    python tests/mutation/run.py --only link/frames.py  all places in files whose path has this text

Needs python -m pip install -r tests/mutation/requirements.txt. Two places are judged at a time. The
results are in results.json beside this file, which is committed. A run continues with them, on any
machine, and judges the survivors again. A result belongs to the text of its line.

Exit code 1 when more than 5 % survive, or when explained.toml does not explain a survivor.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import coverage_map  # noqa: E402
from closest import CONFIGURE, FIRMWARE, stages  # noqa: E402
from explained import explanations  # noqa: E402
from places import Place, places_in  # noqa: E402
from tree import ROOT, WORK, Tree  # noqa: E402

RESULTS = HERE / "results.json"
JOBS = 2
MOST_SURVIVORS = 0.05
SURVIVED, NO_PROGRAM = "SURVIVED", "no program"


def all_places(kind: str, wanted: str = "") -> list[Place]:
    """Return the places in all files whose path contains `wanted`. Equal lines count once.

    kind: "firmware" or "python".
    """
    folders = [*FIRMWARE] if kind == "firmware" else ["python/pilotlight"]
    suffixes = {".cpp", ".h"} if kind == "firmware" else {".py"}
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
    names = [path.relative_to(ROOT) for path in files]
    sources = {name: (ROOT / name).read_text(encoding="utf-8") for name in names if wanted in str(name)}
    places = {place.key: place for name, source in sources.items() for place in places_in(name, source)}
    return list(places.values())


def choose(count: int, seed: int) -> Iterator[list[Place]]:
    """Yield the drawn places of Python, then those of the firmware; twice as many as needed.

    The order follows from hashes of the places, so a changed line does not move other places.
    """

    def drawn(place: Place) -> bytes:
        return hashlib.sha256(f"{seed} {place.key}".encode()).digest()

    for kind in ("python", "firmware"):
        yield sorted(all_places(kind), key=drawn)[: 2 * count]


class Judge:
    """Two copies of the checkout, the map of tests, and the results so far."""

    def __init__(self) -> None:
        self._trees: SimpleQueue[Tree] = SimpleQueue()
        for number in range(JOBS):
            tree = Tree(WORK / f"tree-{number}")
            if tree.run(CONFIGURE.command, CONFIGURE.limit_s).end != 0:
                raise SystemExit(f"{tree.folder} cannot be configured")
            self._trees.put(tree)
            # A place in a module that the map does not know would survive without a test.
            if number == 0 and (new := coverage_map.new_modules()):
                print(f"measuring which tests run {new[0]} and others: some 15 minutes", flush=True)
                coverage_map.measure(tree)
        self._coverage = coverage_map.CoverageMap.load()
        results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        # A survivor takes many minutes, because all its tests run. One with a reason is not judged,
        # and one without is judged again: a test may have been written since.
        self._explained = explanations()
        self._results = {key: said for key, said in results.items() if said != SURVIVED}

    def verdict(self, place: Place) -> str:
        """Return the name of the stage that noticed the change, or SURVIVED, or NO_PROGRAM."""
        if place.key in self._results:
            return self._results[place.key]
        if place.key in self._explained:
            return SURVIVED
        tree, began = self._trees.get(), time.monotonic()
        try:
            with tree.changed(place):
                verdict = self._noticed(tree, place)
        finally:
            self._trees.put(tree)
        print(f"{time.monotonic() - began:5.0f} s  {verdict:10}  {place.file}:{place.line}  {place.after}", flush=True)
        self._results[place.key] = verdict
        RESULTS.write_text(json.dumps(self._results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return verdict

    def _noticed(self, tree: Tree, place: Place) -> str:
        for stage in stages(place, self._coverage):
            outcome = tree.run(stage.command, stage.limit_s)
            if outcome.end == 0 or outcome.end in stage.says_nothing:
                continue
            if stage.builds:
                return NO_PROGRAM
            return stage.name if outcome.end is not None else f"{stage.name} (did not end)"
        return SURVIVED


def judge_some(judge: Judge, drawn: Sequence[Place], count: int) -> dict[Place, str]:
    """Judge `count` of `drawn`, in order; changes that do not compile do not count."""
    verdicts: dict[Place, str] = {}
    rest = iter(drawn)
    with ThreadPoolExecutor(JOBS) as pool:
        while len(verdicts) < count:
            batch = [place for place, _ in zip(rest, range(count - len(verdicts)), strict=False)]
            if not batch:
                break
            judged = zip(batch, pool.map(judge.verdict, batch), strict=True)
            verdicts |= {place: verdict for place, verdict in judged if verdict != NO_PROGRAM}
    return verdicts


def report(verdicts: dict[Place, str]) -> int:
    """Print the survivors and the totals. Return the exit code."""
    reasons = explanations()
    survivors = sorted((place for place in verdicts if verdicts[place] == SURVIVED), key=lambda place: place.key)
    unexplained = 0
    print()
    for place in survivors:
        reason = reasons.get(place.key, "")
        unexplained += not reason
        print(f"{SURVIVED} {place.file}:{place.line}\n  - {place.before}\n  + {place.after}")
        print(f"  {reason or 'NO EXPLANATION: write a test, or the reason into explained.toml'}")
    share = len(survivors) / max(1, len(verdicts))
    print(f"{len(verdicts)} changes, {len(survivors)} survived ({share:.1%}), {unexplained} of them unexplained")
    return 1 if unexplained or share > MOST_SURVIVORS else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="PATH", help="all places of files with this in their path")
    arguments = parser.parse_args()
    judge = Judge()
    verdicts: dict[Place, str] = {}
    if arguments.only:
        for kind in ("firmware", "python"):
            drawn = all_places(kind, arguments.only)
            verdicts |= judge_some(judge, drawn, len(drawn))
    else:
        for drawn in choose(arguments.count, arguments.seed):
            verdicts |= judge_some(judge, drawn, arguments.count // 2)
    return report(verdicts)


if __name__ == "__main__":
    sys.exit(main())
