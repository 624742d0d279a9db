# SPDX-License-Identifier: Apache-2.0
"""Runs ExecuTorch's own test suite for Arm, from the wheel, on our firmware and simulator.

    python tests/emulator/upstream/run_upstream.py                      every u55_INT operator case
    python tests/emulator/upstream/run_upstream.py --family u85         every u85_INT operator case
    python tests/emulator/upstream/run_upstream.py --sample 40 --seed 1 some of them
    python tests/emulator/upstream/run_upstream.py models/test_ds_cnn.py models/test_resnet8.py
    python tests/emulator/upstream/run_upstream.py models/test_mobilenet_v2_arm.py \
--without-torchvision
    python tests/emulator/upstream/run_upstream.py --resume             continue a stopped run

Each case exports a small model, starts "Arm's FVP" (python/pilotlight/fvp_shim) with the executor
runner's image, and compares the outputs. The cases choose the NPU: ethos-u55-128, ethos-u65-256 or
ethos-u85-128, for U85 with the memory mode Shared_Sram. Each result is appended to
<out>/results.jsonl with the commit of the checkout. At the end, and at any time with --table,
<out>/table.txt and table.json summarise them; XPASS are listed by themselves.

Exit code 1: a case failed, or did not run.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pilotlight.deadline import Deadline
from pilotlight.fvp_shim.command import install_executables
from pilotlight.paths import ROOT
from pilotlight.targets.child import start_child

OUTCOMES = ("passed", "failed", "xfailed", "xpassed", "skipped")
# The path at which upstream's harness searches below $EXECUTORCH_ROOT (runner_utils.py,
# _elf_path_candidates).
RUNNER_FOLDERS = tuple(
    f"arm_test/arm_semihosting_executor_runner_{operators}{board}"
    for board in ("corstone-300", "corstone-300-u65", "corstone-320")
    for operators in ("", "portable-ops_")
)
# Cases per process. PyTorch keeps some memory of each graph.
BATCH = 150


@dataclass
class Campaign:
    out: Path
    suite: Path
    environment: dict[str, str]
    case_limit_s: float
    commit: str
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def results(self) -> Path:
        return self.out / "results.jsonl"


def suite_folder() -> Path:
    spec = find_spec("executorch")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "backends" / "arm" / "test"


def build_runner(folder: Path) -> Path:
    """Build the executor runner and return its image."""
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja"]
    options = ["-DBOARD=qemu-corstone300", "-DAPP=executor_runner", "-DMODEL="]
    for command in ([*configure, *options], ["cmake", "--build", str(folder), "-j", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return folder / "firmware.elf"


def set_up(out: Path, image: Path, case_limit_s: float) -> Campaign:
    """Make the folders that upstream expects, and an environment that points to them."""
    install_executables(out / "bin")
    for folder in RUNNER_FOLDERS:
        link = out / "root" / folder / "arm_executor_runner"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(image)
    temporary = out / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # The user's own pytest options would change upstream's output, which is parsed here.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    environment = {
        **inherited,
        "PATH": f"{out / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "EXECUTORCH_ROOT": str(out / "root"),
        "PYTHONPATH": os.pathsep.join(map(str, (Path(__file__).parent, ROOT / "tests"))),
        "TMPDIR": str(temporary),
        # One thread per process: the cases are small, and several run at a time.
        "OMP_NUM_THREADS": "1",
    }
    return Campaign(out, suite_folder(), environment, case_limit_s, present_commit())


def present_commit() -> str:
    """Return the commit of the checkout, with a "+" if files differ from it; "" outside Git."""
    git = ["git", "-C", str(ROOT)]
    done = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False)
    return done.stdout.strip() + ("+" if changed.stdout.strip() else "")


def pytest_command(campaign: Campaign, *arguments: str) -> list[str]:
    # As upstream's own instructions say, its conftest.py applies and our pytest configuration does
    # not.
    fixed = ["-c", os.devnull, "--rootdir", str(campaign.suite), "-p", "no:cacheprovider", "-q"]
    return [sys.executable, "-m", "pytest", *fixed, *arguments]


def collect(campaign: Campaign, paths: Sequence[str], match: str) -> list[str]:
    """Return the node ids of the cases in `paths` that pytest's `-k` selects with `match`."""
    command = pytest_command(campaign, "--collect-only", "-k", match, *(str(campaign.suite / path) for path in paths))
    done = subprocess.run(
        command, env=campaign.environment, cwd=campaign.out, capture_output=True, text=True, check=False
    )
    cases = [line for line in done.stdout.splitlines() if "::" in line and not line.startswith(("ERROR", " "))]
    if done.returncode != 0 or not cases:
        sys.exit(f"upstream's suite does not collect:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return cases


def read_results(path: Path) -> dict[str, dict[str, object]]:
    """Return the last record of each case."""
    records: dict[str, dict[str, object]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue  # the incomplete last line of a killed run
            records[record["case"]] = record
    return records


def take_over(campaign: Campaign) -> dict[str, dict[str, object]]:
    """Add the unfinished batches of a killed campaign to its results. Return all results."""
    for own in sorted(campaign.out.glob("results-*.jsonl")):
        finish(campaign, read_results(own))
        own.unlink()
    return read_results(campaign.results)


def finish(campaign: Campaign, records: dict[str, dict[str, object]]) -> set[str]:
    """Append the records of the cases that ended to the results. Return these cases."""
    done = {case: record for case, record in records.items() if record["outcome"] != "started"}
    with campaign.results.open("a", encoding="utf-8") as results:
        results.writelines(json.dumps(record) + "\n" for record in done.values())
    return set(done)


def run_batch(campaign: Campaign, cases: list[str], name: str) -> None:
    """Run `cases`. A case that ends its process, or takes too long, has failed."""
    batch = campaign.out / f"batch-{name}.txt"
    own = campaign.out / f"results-{name}.jsonl"
    while cases and not campaign.stop.is_set():
        batch.write_text("\n".join(cases), encoding="utf-8")
        own.write_text("", encoding="utf-8")
        files = sorted({case.split("::")[0] for case in cases})
        environment = {
            **campaign.environment,
            "PILOTLIGHT_UPSTREAM_BATCH": str(batch),
            "PILOTLIGHT_UPSTREAM_RESULTS": str(own),
            "PILOTLIGHT_UPSTREAM_COMMIT": campaign.commit,
        }
        limit = f"--time-limit={campaign.case_limit_s:g}"
        plugins = ("-p", "recorder", "-p", "time_limit", limit)
        command = pytest_command(campaign, *plugins, *(str(campaign.suite / file) for file in files))
        # Runs in the campaign's folder, because some cases leave files behind.
        log = campaign.out / f"log-{name}.txt"
        process = start_child(["env", "-C", str(campaign.out), *command], log=log, environment=environment)
        how = wait_for(campaign, process, own)
        records = read_results(own)
        for case, record in records.items():
            if record["outcome"] == "started" and not campaign.stop.is_set():
                records[case] = {**record, "outcome": "failed", "seconds": 0, "reason": how}
        done = finish(campaign, records)
        if not done:
            if not campaign.stop.is_set():
                print(f"no case of a batch ran: see {campaign.out / f'log-{name}.txt'}", file=sys.stderr)
            return
        cases = [case for case in cases if case not in done]


def wait_for(campaign: Campaign, process: subprocess.Popen[bytes], results: Path) -> str:
    """Wait for the end of a batch. Return how it ended.

    If a case overruns so far that pytest cannot stop it, the batch is killed.
    """
    limit_s = 3 * campaign.case_limit_s + 120
    size, deadline = 0, Deadline(limit_s)
    while process.poll() is None:
        time.sleep(0.2)
        if (now := results.stat().st_size) != size:
            size, deadline = now, Deadline(limit_s)
        if deadline.passed or campaign.stop.is_set():
            # The process has its own session, so this also kills its children.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"took more than {limit_s:g} s"
    return f"ended the test process: exit code {process.returncode}"


def run_cases(campaign: Campaign, cases: list[str], workers: int) -> None:
    work: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    size = max(1, min(BATCH, -(-len(cases) // workers)))
    for start in range(0, len(cases), size):
        work.put(cases[start : start + size])

    def serve(name: str) -> None:
        while not campaign.stop.is_set():
            try:
                batch = work.get_nowait()
            except queue.Empty:
                return
            run_batch(campaign, batch, name)

    threads = [threading.Thread(target=serve, args=(str(number),)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def operator(case: str) -> str:
    """Return the name of the operator or model that a case tests.

    >>> operator("ops/test_add.py::test_add_tensor_u55_INT[5d_float]")
    'ops/add'
    """
    return case.split("::")[0].removesuffix(".py").replace("test_", "", 1)


def explain(reason: str) -> str:
    """Return the image's own message and the simulator's, or else the beginning of the exception.

    >>> said = "Stdout: E runner: No kernel for a\\nE runner: loading"
    >>> explain(f"RuntimeError: Failed running command x\\n{said}")
    'runner: No kernel for a; runner: loading'
    >>> explain("RuntimeError\\nStderr: NPU fault: no memory there\\nStdout: E runner: bus fault")
    'no memory there; runner: bus fault'
    """
    said = dict.fromkeys(re.findall(r"(?:^|^Std(?:out|err): )(?:[EF]|NPU fault:) (.*)", reason, re.MULTILINE))
    return "; ".join(said) if said else " ".join(reason.split())[:300]


def summarise(records: dict[str, dict[str, object]], expected: int) -> tuple[str, dict[str, object]]:
    """Return the table as text and as data."""
    by_operator: dict[str, Counter[str]] = {}
    seconds: Counter[str] = Counter()
    for case, record in sorted(records.items()):
        by_operator.setdefault(operator(case), Counter())[str(record["outcome"])] += 1
        seconds[operator(case)] += float(str(record.get("seconds", 0)))  # type: ignore[assignment]
    total: Counter[str] = sum(by_operator.values(), Counter())
    judged = total["passed"] + total["failed"]
    lines = [f"{'operator':32}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES) + f"{'s a case':>10}"]
    for name, counts in [*by_operator.items(), ("all", total)]:
        spent = seconds[name] if name in by_operator else seconds.total()
        cells = "".join(f"{counts[outcome] or '-':>9}" for outcome in OUTCOMES)
        lines.append(f"{name:32}{cells}{spent / max(1, counts.total()):>10.2f}")
    share = 100 * total["passed"] / judged if judged else 0.0
    lines.append(
        f"\n{len(records)} of {expected} cases ran; {total['passed']} of {judged} that upstream expects to pass"
    )
    lines[-1] += f" did: {share:.1f} %"
    commits = Counter(str(record.get("commit", "")) for record in records.values())
    lines.append(", ".join(f"{count} from commit {commit or 'unknown'}" for commit, count in commits.most_common()))
    for outcome in ("failed", "xpassed"):
        chosen = [record for _, record in sorted(records.items()) if record["outcome"] == outcome]
        if chosen:
            lines.append(f"\n{outcome}:")
        for record in chosen:
            lines.append(f"  {record['case']}\n      {explain(str(record.get('reason', '')))}")
    data = {
        "cases": expected,
        "ran": len(records),
        "total": dict(total),
        "commits": dict(commits),
        "passed_of_expected_percent": round(share, 2),
        "operators": {name: {**counts, "seconds": round(seconds[name], 1)} for name, counts in by_operator.items()},
        "results": list(records.values()),
    }
    return "\n".join(lines) + "\n", data


def run(campaign: Campaign, args: argparse.Namespace) -> tuple[list[str], dict[str, dict[str, object]]]:
    """Run what the options ask for. Return the cases, and all results so far."""
    records = take_over(campaign)
    if not args.resume:
        campaign.results.unlink(missing_ok=True)
        records = {}
    cases = collect(campaign, args.paths, args.match)
    # The cases are shuffled, so that an unfinished campaign is a sample of all cases.
    random.Random(args.seed).shuffle(cases)
    cases = cases[: args.sample]
    (campaign.out / "cases.txt").write_text("\n".join(cases), encoding="utf-8")
    kept = {case for case in records if not (args.rerun_failed and records[case]["outcome"] == "failed")}
    signal.signal(signal.SIGTERM, lambda *_: campaign.stop.set())
    signal.signal(signal.SIGINT, lambda *_: campaign.stop.set())
    run_cases(campaign, [case for case in cases if case not in kept], args.workers)
    shutil.rmtree(campaign.out / "tmp", ignore_errors=True)
    return cases, take_over(campaign)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=["ops"], help="files or folders of the suite (default: ops)")
    parser.add_argument("--family", default="u55", choices=["u55", "u65", "u85"], help="NPU (default: u55)")
    parser.add_argument("--match", help="pytest's -k (default: <family>_INT)")
    parser.add_argument("--sample", type=int, help="run so many cases, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-n", "--workers", type=int, default=2)
    parser.add_argument("--case-limit", type=float, default=120, metavar="SECONDS")
    parser.add_argument(
        "--without-torchvision",
        action="store_true",
        help="MobileNetV2 with random weights, for cases that want torchvision's",
    )
    parser.add_argument("--out", type=Path, help="default: build/upstream, or build/upstream-<family>")
    parser.add_argument("--resume", action="store_true", help="keep the results there are, run the rest")
    parser.add_argument("--rerun-failed", action="store_true", help="with --resume: the failed ones, too")
    parser.add_argument("--table", action="store_true", help="only sum up the results so far")
    args = parser.parse_args()

    args.match = args.match or f"{args.family}_INT"
    own = "upstream" if args.family == "u55" else f"upstream-{args.family}"
    out: Path = (args.out or ROOT / "build" / own).absolute()
    if args.table:
        cases = (out / "cases.txt").read_text(encoding="utf-8").splitlines()
        # Only read the files, because a campaign may be running.
        records = read_results(out / "results.jsonl")
        for file in sorted(out.glob("results-*.jsonl")):
            records |= {case: each for case, each in read_results(file).items() if each["outcome"] != "started"}
    else:
        campaign = set_up(out, build_runner(out / "runner"), args.case_limit)
        if args.without_torchvision:
            stand_in = Path(__file__).parent / "without_torchvision"
            campaign.environment["PYTHONPATH"] += f"{os.pathsep}{stand_in}"
        cases, records = run(campaign, args)
    records = {case: record for case, record in records.items() if case in set(cases)}
    text, data = summarise(records, len(cases))
    (out / "table.txt").write_text(text, encoding="utf-8")
    (out / "table.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(text, end="")
    return 1 if len(records) < len(cases) or data["total"].get("failed") else 0  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
