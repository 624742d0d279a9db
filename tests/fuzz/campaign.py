# SPDX-License-Identifier: Apache-2.0
"""A long run of all targets on one core: libFuzzer, AFL++, and structured mutations.

    python tests/fuzz/campaign.py --minutes 60

Each target gets a share of the time and a share of the executions; the first limit reached ends
its turn. The structured mutations also run with the firmware's kernels. The corpus is kept in
build/fuzz/corpus, so the next campaign starts where this one ended. Needs Debian's clang and afl++
(scripts/setup.sh --fuzz).

Exit code 1: something was found, and the inputs are in build/fuzz/findings.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import building  # noqa: E402
import kernel_programs  # noqa: E402
import mutations  # noqa: E402
import seeds  # noqa: E402

WORK = building.ROOT / "build/fuzz"

# A list of this many mutations takes some 20 s.
_LIST_LENGTHS = {"loader": 400_000, "kernels": 100_000}
_MOST_FINDINGS = 5


@dataclass(frozen=True)
class Share:
    """A target's share of the time, and its share of the largest number of executions."""

    of_time: float
    of_executions: float


SHARES = {
    "loader": Share(0.35, 0.25),
    "delegate": Share(0.20, 0.40),
    "frames": Share(0.45, 0.35),
}


@dataclass
class Result:
    engine: str
    target: str
    executions: int = 0
    coverage: str = "-"
    findings: int = 0
    seconds: float = 0


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


class Campaign:
    def __init__(self, seconds: float, executions: int) -> None:
        self._seconds = seconds
        self._executions = executions
        self._corpus = WORK / "corpus"
        self._findings = WORK / "findings"
        self._findings.mkdir(parents=True, exist_ok=True)
        self.results: list[Result] = []

    def run(self) -> int:
        seeds.write(self._corpus / "seeds")
        for target in SHARES:
            self._libfuzzer(target)
        for target in SHARES:
            self._afl(target)
        self._structure()
        self._report()
        return 1 if any(result.findings for result in self.results) else 0

    def _note(self, result: Result, began: float) -> None:
        result.seconds = time.monotonic() - began
        self.results.append(result)
        say(f"{result.engine} {result.target}: {result.executions} executions, {result.findings} findings")

    def _libfuzzer(self, target: str) -> None:
        folder = building.build(WORK / "libfuzzer", "-DENGINE=libfuzzer", compilers=("clang", "clang++"))
        share = SHARES[target]
        # AFL++ and the structured mutations get a tenth each.
        end = time.monotonic() + self._seconds * share.of_time * 0.8
        corpus = self._corpus / target
        corpus.mkdir(parents=True, exist_ok=True)
        result, began = Result("libFuzzer", target), time.monotonic()
        # libFuzzer ends at the first finding, so it is started again.
        while result.findings < _MOST_FINDINGS:
            left = int(self._executions * share.of_executions) - result.executions
            seconds = int(end - time.monotonic())
            if left <= 0 or seconds <= 0:
                break
            command = [
                *(str(folder / building.fuzzer_name(target)), f"-runs={left}", f"-max_total_time={seconds}"),
                *(f"-max_len={building.MAX_LENGTH[target]}", "-timeout=20"),
                f"-dict={self._corpus / 'seeds' / target}.dict",
                *(f"-artifact_prefix={self._findings}/{target}-", "-print_final_stats=1", "-close_fd_mask=1"),
                *(str(corpus), str(self._corpus / "seeds" / target)),
            ]
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, errors="replace", timeout=seconds + 600
            )
            ran = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
            result.executions += int(ran.group(1)) if ran else 0
            coverage = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr)
            if coverage:
                result.coverage = f"{coverage[-1][0]} edges, {coverage[-1][1]} features"
            if done.returncode != 0:
                result.findings += 1
                self._tell(done.stderr)
            if not ran:
                break
        self._note(result, began)

    def _afl(self, target: str) -> None:
        if shutil.which("afl-fuzz") is None:
            say("AFL++ is not installed: its share is left out")
            return
        compilers = ("afl-clang-fast", "afl-clang-fast++")
        folder = building.build(WORK / "afl", "-DENGINE=afl", compilers=compilers)
        share = SHARES[target]
        seconds = max(10, int(self._seconds * share.of_time * 0.1))
        out = self._corpus / f"afl-{target}"
        shutil.rmtree(out, ignore_errors=True)
        environment = {
            **os.environ,
            "AFL_NO_UI": "1",
            "AFL_NO_AFFINITY": "1",
            "AFL_SKIP_CPUFREQ": "1",
            "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1",
        }
        command = [
            *("afl-fuzz", "-V", str(seconds), "-i", str(self._corpus / "seeds" / target), "-o", str(out)),
            *("-x", f"{self._corpus / 'seeds' / target}.dict", "-t", "5000"),
            *("-G", str(building.MAX_LENGTH[target])),
            *("--", str(folder / building.fuzzer_name(target))),
        ]
        result, began = Result("AFL++", target), time.monotonic()
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds + 600,
            env=environment,
        )
        statistics = out / "default/fuzzer_stats"
        if statistics.exists():
            text = statistics.read_text(encoding="utf-8")
            numbers = dict(re.findall(r"^(\w+) +: ([\d.]+)", text, re.MULTILINE))
            result.executions = int(numbers["execs_done"])
            result.coverage = f"{numbers['edges_found']} edges"
            result.findings = int(numbers["saved_crashes"]) + int(numbers["saved_hangs"])
        else:
            result.findings = 1
            self._tell(done.stdout)
        for kind in ("crashes", "hangs"):
            for file in (out / "default" / kind).glob("id*"):
                shutil.copy(file, self._findings / f"{target}-afl-{kind}-{file.name[:9].replace(':', '-')}")
        self._note(result, began)

    def _structure(self) -> None:
        """Run mutation lists with new seeds, without and with the kernels, at 64 and 32 bits."""
        end = time.monotonic() + self._seconds * 0.1
        builds: dict[tuple[str, str], tuple[Path, list[Path], Result]] = {}
        for bits in ("64", "32"):
            loader = building.build(WORK / f"replay-{bits}", f"-DWORD_BITS={bits}")
            seed_files = sorted((self._corpus / "seeds/loader").glob("*.pte"))
            kernels = kernel_programs.build(bits)
            for target, folder, files in (
                ("loader", loader, seed_files),
                ("kernels", kernels, kernel_programs.loadable(kernels)),
            ):
                builds[target, bits] = (folder, files, Result(f"structured, {bits} bits", target))
        seed = int(time.time())
        while time.monotonic() < end:
            for (target, bits), (folder, files, result) in builds.items():
                seed += 1
                self._run_list(target, bits, folder, files, seed, result)
        for _, _, result in builds.values():
            self._note(result, time.monotonic() - result.seconds)

    def _run_list(self, target: str, bits: str, folder: Path, files: list[Path], seed: int, result: Result) -> None:
        began = time.monotonic()
        cases = WORK / "cases.bin"
        mutations.write(files, _LIST_LENGTHS[target], seed, cases)
        done = building.replay(folder, target, "--cases", cases, limit_s=1800)
        ran = re.search(r"^ *(\d+)  executions$", done.stderr, re.MULTILINE)
        result.executions += int(ran.group(1)) if ran else 0
        if done.returncode != 0:
            result.findings += 1
            self._tell(f"seed {seed}\n{done.stderr}")
            for file in folder.glob("finding-*.bin"):
                file.rename(self._findings / f"{target}-{bits}-{seed}.pte")
        result.seconds += time.monotonic() - began

    def _tell(self, said: str) -> None:
        lines = said.splitlines()
        found = [at for at, line in enumerate(lines) if re.search(r"VIOLATION|runtime error|ERROR:|FINDING", line)]
        first = found[0] if found else max(0, len(lines) - 12)
        say("FINDING\n  " + "\n  ".join(line[:240] for line in lines[first : first + 24]))

    def _report(self) -> None:
        print(f"\n{'engine':22} {'target':9} {'executions':>11} {'seconds':>8} {'findings':>8}  coverage")
        for result in self.results:
            print(
                f"{result.engine:22} {result.target:9} {result.executions:>11,} {result.seconds:>8.0f} "
                f"{result.findings:>8}  {result.coverage}"
            )
        total = sum(result.executions for result in self.results)
        findings = sum(result.findings for result in self.results)
        print(f"total: {total:,} executions, {findings} findings")
        if findings:
            print(f"the inputs are in {self._findings}; README.md tells how to run one again")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="for all targets together")
    parser.add_argument("--executions", type=int, default=22_000_000, help="for all targets together, by libFuzzer")
    arguments = parser.parse_args()
    if shutil.which("clang") is None:
        print("clang is not installed; try: scripts/setup.sh --fuzz", file=sys.stderr)
        return 30
    os.nice(19)
    return Campaign(arguments.minutes * 60, arguments.executions).run()


if __name__ == "__main__":
    sys.exit(main())
