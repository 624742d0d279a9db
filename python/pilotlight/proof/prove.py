# SPDX-License-Identifier: Apache-2.0
"""Compares an image with the bundle that it was built from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pilotlight.boards import Board
from pilotlight.bundle import ModelInfo, load_model_info
from pilotlight.elf import Image
from pilotlight.errors import NotProved
from pilotlight.npu.stream.configurations import CONFIGURATIONS
from pilotlight.proof.image_facts import embedded_model, has_backend, npu_memory, registered_operators
from pilotlight.pte import Method, read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import BACKEND, parse_blob

METHOD = "forward"


@dataclass(frozen=True)
class Proof:
    """The facts that were proved."""

    model: str
    operators: tuple[str, ...]
    backends: tuple[str, ...]
    npu: str
    pte_sha256: str


def prove(image: Image, bundle: Path, board: Board, executorch: str) -> Proof:
    """Prove that `image` can run the program in `bundle` on `board`.

    executorch: version of the runtime in the image.

    Raises NotProved with all problems; ConfigError or BadProgram if the image or bundle is damaged.
    """
    info = load_model_info(bundle)
    if not image.symbols:
        raise NotProved(f"{image.path} has no symbols, so nothing can be proved of it", hint="strip a copy instead")
    method = read_program((bundle / "model.pte").read_bytes()).methods[METHOD]
    problems = [
        *_wrong_program(image, info),
        *_missing_operators(image, method),
        *_missing_backends(image, method),
        *_wrong_npu(method, info, board),
        *_wrong_version(info, executorch),
        *_out_of_reach(image, method, info, board),
    ]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise NotProved(
            f"{image.path.name} cannot run {info.name}:\n{lines}",
            hint="build again in an empty folder (west build -p always); "
            "what the model needs is in its export report: pilotlight inspect",
        )
    return Proof(
        model=info.name,
        operators=tuple(method.kernel_dtypes),
        backends=tuple(sorted({delegate.backend for delegate in method.delegates})),
        npu=info.npu if method.delegates else "",
        pte_sha256=info.pte_sha256,
    )


def _wrong_program(image: Image, info: ModelInfo) -> list[str]:
    embedded = embedded_model(image, info.name)
    problems = []
    if embedded.sha256 != info.pte_sha256:
        problems.append(
            f"program: the embedded .pte has SHA-256 {embedded.sha256[:16]}…, the exported .pte {info.pte_sha256[:16]}…"
        )
    if embedded.described_sha256 != info.pte_sha256:
        problems.append(f"program: its descriptor is of another export ({embedded.described_sha256[:16]}…)")
    return problems


def _missing_operators(image: Image, method: Method) -> list[str]:
    registered = registered_operators(image)
    problems = []
    for name, dtypes in method.kernel_dtypes.items():
        if name not in registered:
            problems.append(f"operator {name}: not registered")
        elif registered[name] and (lacking := set(dtypes) - registered[name]):
            missing = ", ".join(sorted(lacking))
            problems.append(f"operator {name}: not compiled for {missing}, only for {', '.join(registered[name])}")
    return problems


def _missing_backends(image: Image, method: Method) -> list[str]:
    backends = sorted({delegate.backend for delegate in method.delegates})
    return [f"backend {name}: not in the image" for name in backends if not has_backend(image, name)]


def _wrong_npu(method: Method, info: ModelInfo, board: Board) -> list[str]:
    problems = []
    for index, delegate in enumerate(method.delegates):
        if delegate.backend != BACKEND:
            continue
        built_for = parse_payload(parse_blob(delegate.blob).commands).config
        if CONFIGURATIONS[info.npu].config_word != built_for:
            problems.append(f"NPU: delegate {index} is compiled for CONFIG {built_for:#x}, not for {info.npu}")
    possible = board.npu.configurable or (board.npu.config,)
    if method.delegates and info.npu not in possible:
        problems.append(f"NPU: compiled for {info.npu}, and {board.name} has {' or '.join(possible)}")
    return problems


def _out_of_reach(image: Image, method: Method, info: ModelInfo, board: Board) -> list[str]:
    """Return the parts that the linker script placed where the NPU cannot reach them."""
    if not method.delegates or board.cpu.core == "host":
        return []
    visible = [board.memory[name] for name in board.npu.visible]
    problems: dict[tuple[str, str], str] = {}
    for place in npu_memory(image, embedded_model(image, info.name)):
        if any(region.origin <= place.begin and place.end <= region.end for region in visible):
            continue
        region = next((name for name, at in board.memory.items() if at.origin <= place.begin < at.end), "")
        where = f"in {region}" if region else "in no memory of the board"
        problems[place.what, place.section] = (
            f"memory: the {place.what} (section {place.section}, {place.begin:#_x} to {place.end:#_x}) lies {where}; "
            f"the NPU reaches only {' and '.join(board.npu.visible)}"
        )
    return list(problems.values())


def _wrong_version(info: ModelInfo, executorch: str) -> list[str]:
    if info.executorch and info.executorch != executorch:
        return [f"version: exported by ExecuTorch {info.executorch}, the runtime is {executorch}"]
    return []
