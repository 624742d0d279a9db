# SPDX-License-Identifier: Apache-2.0
"""A check passes only when everything was proved."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_bench import INPUT, SAMPLES, Bench, Rewrite

from pilotlight.bundle import Tie, Tolerance, load_model_info
from pilotlight.errors import ConfigError, PilotlightError, TargetError
from pilotlight.link.answers import TieDescription
from pilotlight.link.messages import Status
from pilotlight.stack import Chain, StackBound
from pilotlight.stack.bound import EXCEPTION_FRAME_BYTES


def test_every_sample_identical_is_a_pass(bench: Bench) -> None:
    report = bench.check()
    assert report.verdict == "pass"
    assert report.failure is None
    assert report.npu_is_simulated, "the bench says that it is qemu-corstone300"
    assert (report.models[0].samples, report.models[0].identical_samples, report.models[0].data_set_samples) == (
        SAMPLES,
        SAMPLES,
        SAMPLES,
    )
    assert bench.device is not None and bench.device.closed


def test_state_is_carried_between_samples_only_of_a_model_whose_samples_are_a_sequence(bench: Bench) -> None:
    bench.check()
    assert bench.device is not None and bench.device.continued == [False] * SAMPLES
    bench.describe(sequence=True)
    bench.check(samples=5)
    assert bench.device.continued == [False, True, True, True, True]


def test_accuracy_counts_what_each_got_right(bench: Bench) -> None:
    report = bench.check()
    assert report.models[0].accuracy is not None
    assert (report.models[0].accuracy.device, report.models[0].accuracy.golden, report.models[0].accuracy.fp32) == (
        SAMPLES - 1,
    ) * 3
    assert report.models[0].accuracy.samples == SAMPLES


def test_rounding_between_reference_and_quantised_pytorch_is_shown(bench: Bench) -> None:
    rounding = bench.check().models[0].rounding
    assert rounding is not None
    assert (rounding.differing, rounding.samples_touched, rounding.max_difference) == (1, 1, 1.0)


def test_costs_and_memory_come_from_the_device(bench: Bench) -> None:
    report = bench.check()
    assert report.models[0].latency is not None and report.models[0].memory is not None
    assert report.models[0].latency.device_us.median == 1500 and report.models[0].latency.npu_cycles.highest == 12_000
    assert (report.models[0].memory.method_pool_used, report.models[0].memory.stack_size) == (3000, 8192)


@pytest.mark.parametrize(
    ("computed", "said"),
    [
        ({"method_pool": 2999}, "fake used 3,000 bytes of its method pool; 2,999 were computed"),
        ({"method_pool": 3001}, "fake used 3,000 bytes of its method pool; 3,001 were computed"),
        ({"method_pool": 3001, "method_pool_is_exact": False}, ""),
        ({"method_pool": 2999, "method_pool_is_exact": False}, "fake used 3,000 bytes of its method pool"),
        ({"temp_pool": 511}, "fake used 512 bytes of its scratch; 511 were computed"),
        ({"temp_pool": 513, "temp_pool_is_exact": False}, ""),
        ({"planned": [2000]}, "fake used 2,048 bytes of its planned buffers; 2,000 were computed"),
    ],
)
def test_memory_that_was_not_computed_is_an_objection(bench: Bench, computed: dict[str, Any], said: str) -> None:
    path = bench.build_dir / "build_info.json"
    info = json.loads(path.read_text())
    info["models"][0]["memory"].update(computed)
    path.write_text(json.dumps(info))
    report = bench.check()
    assert report.verdict == ("error" if said else "pass")
    assert said in str(report.failure) if said else report.failure is None


@pytest.mark.parametrize("run", [1, 7, SAMPLES])
def test_one_wrong_bit_is_a_mismatch_that_says_where(bench: Bench, run: int) -> None:
    report = bench.check(wrong_output_at_run=run)
    assert report.verdict == "mismatch"
    assert report.failure is not None and report.failure.exit_code == 60
    (found,) = report.models[0].mismatches
    assert (found.sample, found.output, found.differing, found.elements) == (run - 1, 0, 1, 10)
    assert found.first_index == (5,)
    assert abs(found.expected - found.got) == found.max_difference == 16
    assert f"sample {run - 1}, output 0: 1 of 10 elements differ; the first is at [5]" in str(report.failure)


# Each way in which a session can lack evidence, with the expected exit code and message.
NEVER_A_PASS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "another build": (
        43,
        "the target runs build fedcba9876543210, this folder holds 0123456789abcdef",
        {"build_id": "fedcba9876543210"},
    ),
    "an image for another board": (
        43,
        "the target runs an image for mps3, this folder holds one for qemu-corstone300",
        {"board": "mps3"},
    ),
    "no board": (43, "the target runs an image for (no board)", {"board": ""}),
    "no build id": (43, "the target runs build (none)", {"build_id": ""}),
    "another program": (
        40,
        "the program in the device's memory is not the exported one: SHA-256 5203fea700d97190…, "
        "exported 50fda23bf0a5115d…",
        {"pte": b"the progran"},
    ),
    "another model": (43, "the image holds other, not fake", {"model_name": "other"}),
    "another NPU": (
        21,
        "image built for another NPU configuration: image ethos-u55-128, device ethos-u55-256",
        {"model_status": Status.WRONG_NPU, "npu_config": "ethos-u55-256"},
    ),
    "another NPU that nobody noticed": (
        21,
        "image built for another NPU configuration: image ethos-u55-128, device ethos-u55-256",
        {"npu_config": "ethos-u55-256"},
    ),
    "NPU does not open": (
        40,
        "the NPU could not be opened: no answer",
        {"npu_status": Status.TIMEOUT, "npu_config": "", "npu_text": "no answer"},
    ),
    "model does not load": (
        40,
        "the device could not load fake: pool too small",
        {"model_status": Status.NO_MEMORY, "model_text": "pool too small"},
    ),
    "stale nonce": (51, "the answer carries the nonce of another session", {"stale_nonce": True}),
    "stale completion": (51, "the completion record belongs to another session", {"stale_completion_nonce": True}),
    "no completion": (50, "no answer to END", {"no_completion": True}),
    "uncounted runs": (
        40,
        "the host counted 12 inferences, the device 11 and 0 failed ones",
        {"completion_off_by": {"runs_ok": -1}},
    ),
    "corrupted answer": (51, "a frame of 21 bytes arrived damaged", {"corrupt_answer": 20}),
    "corrupted request": (51, "the device received a damaged frame", {"corrupt_request": 20}),
    "lost answer": (50, "no answer to SET_INPUT", {"drop_answer": 20}),
    "restart": (41, "the device restarted in mid-session", {"restart_before_run": 5}),
    "restart nobody announced": (50, "no answer to RUN", {"restart_before_run": 5, "announce_restart": False}),
    "silence": (50, "no answer to READ_OUTPUT", {"silent_after_answers": 30}),
    "hang-up": (41, "the target is gone", {"closed_after_answers": 30}),
    "NPU fault": (42, "run 4: it was made to fail", {"failing_run": 4}),
    "NPU timeout": (40, "run 4: it was made to fail (timeout)", {"failing_run": 4, "failure": Status.TIMEOUT}),
    "wrong CRC of the output": (
        51,
        "run 3: the output that was read differs from the output that was computed",
        {"wrong_output_crc_at_run": 3},
    ),
    "wrong CRC of the input": (
        51,
        "run 3: the device's input differs from the input that was sent",
        {"wrong_input_crc_at_run": 3},
    ),
    "error in the log": (40, "the device logged 1 errors; the first: the sky is falling", {"error_log_at_run": 3}),
    "lost log line": (51, "1 log lines never arrived", {"lost_log_at_run": 3}),
    "lost console bytes": (51, "the device lost 4 console bytes", {"console_lost_bytes": 4}),
    "another NPU without a name": (
        21,
        "another NPU configuration",
        {"model_status": Status.WRONG_NPU, "npu_config": ""},
    ),
    "failed run that nobody saw": (40, "the device 12 and 1 failed ones", {"completion_off_by": {"runs_failed": 1}}),
    "restart between the last run and the end": (
        41,
        "the device restarted during the check",
        {"completion_off_by": {"boot_id": 1}},
    ),
    "damaged frame that nobody told": (
        51,
        "the device received 1 damaged frames",
        {"completion_off_by": {"damaged_frames": 1}},
    ),
    "error whose line did not arrive": (
        40,
        "the device logged 1 errors; the first: (not seen)",
        {"completion_off_by": {"errors_logged": 1}},
    ),
    "error that the device did not count": (
        40,
        "the device logged 1 errors; the first: the sky is falling",
        {"error_log_at_run": 3, "completion_off_by": {"errors_logged": -1}},
    ),
}


@pytest.mark.parametrize("case", NEVER_A_PASS)
def test_missing_evidence_is_never_a_pass(bench: Bench, case: str) -> None:
    code, said, settings = NEVER_A_PASS[case]
    try:
        report = bench.check(**settings)
    except PilotlightError as error:
        failure: PilotlightError | None = error
    else:
        failure = report.failure
        assert report.verdict == "error"
    assert failure is not None and failure.exit_code == code, failure
    assert said in str(failure)
    assert failure.hint
    latest = bench.latest()
    assert (latest["verdict"], latest["exit_code"]) == ("error", code)


TIE = TieDescription(0, 0, None, 1, 64, 1)


@pytest.mark.parametrize(
    "ties",
    [
        [],
        [TIE, TIE],
        *([replace(TIE, **change)] for change in ({"axis": 0}, {"slots": 2}, {"block_bytes": 32}, {"block_count": 2})),
    ],
)
def test_ties_described_otherwise_than_exported_are_refused(
    bench: Bench, rewrite: Rewrite, ties: list[TieDescription]
) -> None:
    images = np.zeros((SAMPLES, 1, 8, 8), np.int8)
    rewrite(golden_0=images, quantised_0=images, fp32_0=images.astype(np.float32), labels=None)
    bench.describe(outputs=(INPUT,), labels=(), ties=(Tie(0, 0, None),))
    output = bench.described("input")
    with pytest.raises(TargetError, match=r"tie . of the image differs from the bundle's: .*, exported"):
        bench.check(outputs=output, ties=ties)


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize(
    "difference",
    [{"shape": (1, 1)}, {"dtype": "uint8"}, {"scale": 0.5001}, {"zero_point": -4}, {}],
    ids=["shape", "dtype", "scale", "zero point", "number"],
)
def test_tensors_described_otherwise_than_exported_are_refused(
    bench: Bench, side: str, difference: dict[str, Any]
) -> None:
    (as_exported,) = bench.described(side)
    others = [replace(as_exported, **difference)] if difference else [as_exported, as_exported]
    changed: dict[str, Any] = {f"{side}s": others}
    with pytest.raises(TargetError, match=f"the image's {side}s differ from the bundle's"):
        bench.check(**changed)


def bound_of(size_bytes: int, **gaps: Any) -> StackBound:
    """Return a bound whose chain is one call, without interrupts and faults."""
    nothing: dict[str, Any] = {"unresolved": (), "recursive": (), "unsized": ()}
    main = Chain((("StartInCpp", size_bytes - EXCEPTION_FRAME_BYTES),))
    return StackBound(main, (), Chain(()), reserved_bytes=8192, fault_reserved_bytes=512, **{**nothing, **gaps})


def test_more_stack_than_was_computed_is_an_objection(bench: Bench) -> None:
    bound_of(1799).save(bench.build_dir / "stack.json")
    report = bench.check()
    assert report.verdict == "error"
    assert "the device used 1,800 bytes of stack, more than the 1,799 computed for its build" in str(report.failure)
    assert bench.latest()["exit_code"] == 40


def test_as_much_stack_as_was_computed_is_none(bench: Bench) -> None:
    bound_of(1800).save(bench.build_dir / "stack.json")
    assert bench.check().verdict == "pass"


def test_a_bound_that_says_what_it_does_not_cover_is_not_held_against_the_device(bench: Bench) -> None:
    bound_of(1799, unresolved=("StartInCpp",)).save(bench.build_dir / "stack.json")
    assert bench.check().verdict == "pass"


def test_wrong_npu_names_both(bench: Bench) -> None:
    with pytest.raises(
        PilotlightError,
        match="image built for another NPU configuration: image ethos-u55-128, device ethos-u55-256",
    ) as caught:
        bench.check(model_status=Status.WRONG_NPU, npu_config="ethos-u55-256")
    assert caught.value.hint == "build with `--npu ethos-u55-256`, or flash with `--npu ethos-u55-128`"


@pytest.mark.parametrize("fault", ["silent_after_answers", "closed_after_answers"])
def test_a_dead_target_is_named_with_its_cause(bench: Bench, fault: str) -> None:
    bench.obituary = "qemu-system-arm was killed by signal 9"
    with pytest.raises(PilotlightError, match="the target died during the check: qemu-system-arm was killed") as caught:
        bench.check(**{fault: 30})
    assert caught.value.exit_code == 41


def test_a_dead_simulator_explains_the_npus_timeout(bench: Bench) -> None:
    bench.obituary = "the NPU simulator ended: signal 9"
    with pytest.raises(PilotlightError, match="the NPU simulator ended") as caught:
        bench.check(failing_run=3, failure=Status.TIMEOUT)
    assert caught.value.exit_code == 41


def test_a_damaged_frame_within_the_budget_is_reported_in_a_pass(bench: Bench) -> None:
    report = bench.check(corrupt_request=20, retries=2)
    assert (report.verdict, report.retries_used) == ("pass", 1)
    assert bench.latest()["retries_used"] == 1


def test_fewer_samples_are_never_called_a_pass(bench: Bench) -> None:
    report = bench.check(samples=5)
    assert (report.verdict, report.models[0].samples, report.models[0].data_set_samples) == ("partial", 5, SAMPLES)
    assert report.failure is None


@pytest.mark.parametrize("samples", [0, -1])
def test_no_samples_are_refused(bench: Bench, samples: int) -> None:
    with pytest.raises(PilotlightError, match="nothing would be proved") as caught:
        bench.check(samples=samples)
    assert caught.value.exit_code == 20


def test_an_empty_data_set_is_refused(bench: Bench, rewrite: Rewrite) -> None:
    rewrite(
        **{f"{kind}_0": np.zeros((0, 10), np.int8) for kind in ("golden", "quantised")},
        fp32_0=np.zeros((0, 10), np.float32),
        input_0=np.zeros((0, 1, 8, 8), np.int8),
        labels=None,
    )
    with pytest.raises(PilotlightError, match="there are no samples"):
        bench.check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"golden_0": None}, "golden_0 is missing"),
        ({"golden_0": np.zeros((SAMPLES, 10), np.uint8)}, "golden_0 is uint8"),
        ({"golden_0": np.zeros((SAMPLES, 9), np.int8)}, r"golden_0 is \(12, 9\)"),
        ({"labels": np.zeros(3, np.int64)}, "different numbers of samples"),
        ({"input_0": np.zeros((SAMPLES - 1, 1, 8, 8), np.int8)}, "different numbers of samples"),
    ],
)
def test_a_data_set_that_is_not_the_models_is_refused(
    bench: Bench, rewrite: Rewrite, changes: dict[str, Any], message: str
) -> None:
    rewrite(**changes)
    with pytest.raises(PilotlightError, match=message) as caught:
        bench.check()
    assert caught.value.exit_code == 20


def test_without_labels_outputs_are_compared_and_accuracy_is_not_claimed(bench: Bench, rewrite: Rewrite) -> None:
    rewrite(labels=None)
    report = bench.check()
    assert report.verdict == "pass"
    assert report.models[0].accuracy is None


def test_every_check_stays_in_the_history(bench: Bench) -> None:
    bench.check()
    bench.check(wrong_output_at_run=2)
    records = [json.loads(p.read_text()) for p in sorted((bench.build_dir / "check").glob("2*.json"))]
    assert [r["verdict"] for r in records] == ["pass", "mismatch"]
    assert bench.latest() == records[-1]
    assert records[-1]["exit_code"] == 60
    assert records[-1]["models"][0]["mismatches"][0]["sample"] == 1


def test_a_check_that_cannot_begin_leaves_no_earlier_verdict(bench: Bench) -> None:
    bench.check()
    (bench.build_dir / "build_info.json").unlink()
    with pytest.raises(PilotlightError, match="no finished build"):
        bench.check()
    assert not (bench.build_dir / "check" / "latest.json").exists()


def test_tolerances_that_the_build_did_not_have_prove_nothing(bench: Bench) -> None:
    """With these tolerances, any output would pass."""
    generous = (Tolerance(1e9, 1.0),)
    replace(load_model_info(bench.bundle), tolerances=generous).save(bench.bundle)
    with pytest.raises(ConfigError, match="have changed since the build"):
        bench.check()
    assert bench.latest()["verdict"] == "error"


def test_golden_outputs_that_the_build_did_not_have_prove_nothing(bench: Bench, rewrite: Rewrite) -> None:
    info = (bench.build_dir / "build_info.json").read_text()
    rewrite(golden_0=np.zeros((SAMPLES, 10), np.int8))
    (bench.build_dir / "build_info.json").write_text(info)
    with pytest.raises(ConfigError, match="have changed since the build"):
        bench.check()


def test_an_app_without_the_protocol_is_not_even_asked(bench: Bench) -> None:
    path = bench.build_dir / "build_info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tells_build_id": False}))
    with pytest.raises(ConfigError, match="does not speak the check protocol"):
        bench.check()
    assert bench.device is not None and not bench.device.closed, "nobody connected to it"


@pytest.mark.parametrize("samples", [None, 5])
def test_what_could_not_fail_is_weak_with_the_exports_reasons(bench: Bench, samples: int | None) -> None:
    reasons = ("y is the same in all 12 golden outputs",)
    bench.describe(weak=reasons, warnings=("y: SQNR 3.0 dB",))
    report = bench.check(samples=samples)
    latest = bench.latest()
    assert (report.verdict, latest["verdict"], latest["exit_code"]) == ("weak", "weak", 61)
    assert latest["models"][0]["weak"] == [*reasons] and latest["models"][0]["warnings"] == ["y: SQNR 3.0 dB"]
    assert report.failure is not None and reasons[0] in str(report.failure)


def test_a_wrong_bit_outweighs_weakness(bench: Bench) -> None:
    bench.describe(weak=("y is the same",))
    assert bench.check(wrong_output_at_run=1).verdict == "mismatch"
