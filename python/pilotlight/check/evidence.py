# SPDX-License-Identifier: Apache-2.0
"""The conditions of a PASS besides equal outputs. Missing evidence is a failure."""

from __future__ import annotations

import math
from itertools import zip_longest
from pathlib import Path

from pilotlight.bundle import ModelInfo, TensorInfo, expectations_sha256
from pilotlight.codegen import Arenas
from pilotlight.codegen.ties import described_ties
from pilotlight.errors import (
    ConfigError,
    LinkCorrupted,
    PilotlightError,
    TargetDied,
    TargetError,
    TargetNotRunning,
    WrongNpu,
)
from pilotlight.link import Session
from pilotlight.link.answers import (
    Completion,
    Identity,
    ModelDescription,
    Statistics,
    TensorDescription,
    TieDescription,
)
from pilotlight.link.messages import Status
from pilotlight.stack import StackBound


def demand_these_expectations(bundle: Path, recorded: str) -> None:
    """Raise ConfigError unless samples, golden outputs and tolerances are those of the build."""
    if expectations_sha256(bundle) != recorded:
        raise ConfigError(
            f"{bundle}: golden outputs or tolerances have changed since the build; a check would prove nothing",
            hint="west build (it exports the model again)",
        )


def demand_this_build(identity: Identity, build_id: str, board: str) -> None:
    """Raise TargetNotRunning unless the device runs this build folder's image on its board."""
    if identity.board != board:
        raise TargetNotRunning(
            f"the target runs an image for {identity.board or '(no board)'}, this folder holds one for {board}",
            hint="west flash",
        )
    if identity.build_id != build_id:
        raise TargetNotRunning(
            f"the target runs build {identity.build_id or '(none)'}, this folder holds {build_id}", hint="west flash"
        )


def demand_this_model(model: ModelDescription, identity: Identity, info: ModelInfo) -> None:
    """Raise unless the device has loaded the bundle's program and has the NPU that it needs.

    Raises WrongNpu or TargetError.
    """
    header = model.header
    other_npu = header.npu_config and identity.npu_config and header.npu_config != identity.npu_config
    if header.status is Status.WRONG_NPU or other_npu:
        raise WrongNpu(
            f"image built for another NPU configuration: image {header.npu_config}, device {identity.npu_config}",
            hint=f"build with `--npu {identity.npu_config}`, or flash with `--npu {header.npu_config}`",
        )
    if header.npu_config and identity.npu_status is not Status.OK:
        raise TargetError(
            f"the NPU could not be opened: {identity.npu_text}", hint="power the target off and on: `west flash`"
        )
    if header.pte_sha256 != info.pte_sha256:
        raise TargetError(
            f"the program in the device's memory is not the exported one: SHA-256 {header.pte_sha256[:16]}…, "
            f"exported {info.pte_sha256[:16]}…",
            hint="the image is damaged: build and flash again",
        )
    if header.status is not Status.OK:
        reason = header.text or header.status.name.lower()
        raise TargetError(f"the device could not load {header.name}: {reason}", hint="build and flash again")
    for side, described, expected in (("input", model.inputs, info.inputs), ("output", model.outputs, info.outputs)):
        if len(described) != len(expected) or any(map(_differs, described, expected)):
            raise TargetError(f"the image's {side}s differ from the bundle's", hint="build and flash again")
    for index, (tie, expected_tie) in enumerate(zip_longest(model.ties, _ties(info))):
        if tie != expected_tie:
            raise TargetError(
                f"tie {index} of the image differs from the bundle's: {_tie(tie)}, exported {_tie(expected_tie)}",
                hint="build and flash again",
            )


def _ties(info: ModelInfo) -> list[TieDescription]:
    return [
        TieDescription(tie.output, tie.input, tie.axis, blocks.slots, blocks.bytes, blocks.count)
        for tie, blocks in described_ties(info)
    ]


def _tie(tie: TieDescription | None) -> str:
    if tie is None:
        return "none"
    where = f"axis {tie.axis}, {tie.slots} slots" if tie.axis is not None else "the whole input"
    return f"output {tie.output} to input {tie.input}, {where}, {tie.block_count} x {tie.block_bytes} bytes"


def _differs(described: TensorDescription, expected: TensorInfo) -> bool:
    # The device sends the scale as float32.
    same_scale = math.isclose(described.scale, expected.scale, rel_tol=1e-6)
    shape, dtype, zero_point = described.shape, described.dtype, described.zero_point
    return not same_scale or (shape, dtype, zero_point) != (expected.shape, expected.dtype, expected.zero_point)


def objections(session: Session, completion: Completion, nonce: bytes, runs: int) -> list[PilotlightError]:
    """Return the objections that follow from the completion record and the session."""
    found: list[PilotlightError] = []
    if completion.nonce != nonce:
        found.append(LinkCorrupted("the completion record belongs to another session", hint="run the check again"))
    if completion.boot_id != session.identity.boot_id:
        found.append(TargetDied("the device restarted during the check", hint="see the device's log"))
    if completion.runs_ok != runs or completion.runs_failed:
        found.append(
            TargetError(
                f"the host counted {runs} inferences, the device {completion.runs_ok} and "
                f"{completion.runs_failed} failed ones",
                hint="is another program using the console?",
            )
        )
    if completion.damaged_frames > session.damage_seen:
        found.append(LinkCorrupted(f"the device received {completion.damaged_frames} damaged frames", hint=_CABLE))
    if completion.console_lost_bytes:
        found.append(LinkCorrupted(f"the device lost {completion.console_lost_bytes} console bytes", hint=_CABLE))
    if session.lost_log_lines:
        found.append(LinkCorrupted(f"{session.lost_log_lines} log lines never arrived", hint=_CABLE))
    errors = [line.text for line in session.errors]
    if errors or completion.errors_logged:
        count = max(len(errors), completion.errors_logged)
        found.append(
            TargetError(
                f"the device logged {count} errors; the first: {(errors or ['(not seen)'])[0]}", hint="see the log"
            )
        )
    return found


def memory_objections(model: str, statistics: Statistics, computed: Arenas) -> list[PilotlightError]:
    """Return an objection for each pool whose use differs from the computed size."""
    pools = (
        ("method pool", statistics.method_pool_used, computed.method_pool, computed.method_pool_is_exact),
        ("scratch", statistics.temp_pool_used, computed.temp_pool, computed.temp_pool_is_exact),
        ("planned buffers", statistics.planned_size, sum(computed.planned), True),
    )
    return [
        TargetError(
            f"{model} used {used:,} bytes of its {pool}; {size:,} were computed",
            hint="the computed sizes come from arenas.py and method_pool.py in python/pilotlight/codegen; correct "
            "them for this runtime",
        )
        for pool, used, size, exact in pools
        if used > size or (exact and used != size)
    ]


def stack_objections(statistics: Statistics, bound: StackBound | None) -> list[PilotlightError]:
    """Return an objection if the device used more stack than a complete bound allows."""
    if bound is None or not bound.is_complete or statistics.stack_used <= bound.bytes:
        return []
    return [
        TargetError(
            f"the device used {statistics.stack_used:,} bytes of stack, more than the {bound.bytes:,} computed for its "
            "build",
            hint="add the missing call to firmware/indirect_calls.toml",
        )
    ]


_CABLE = "check the cable and the baud rate, then run the check again"
