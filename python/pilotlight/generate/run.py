# SPDX-License-Identifier: Apache-2.0
"""Generates text on the target of a build folder and makes the report."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pilotlight import targets
from pilotlight.boards import load_board
from pilotlight.build_folder import BuildFolder
from pilotlight.bundle import ELEMENT_BYTES, ModelInfo, load_model_info
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, Mismatch
from pilotlight.generate.messages import Step
from pilotlight.generate.reference import generate
from pilotlight.generate.report import GenerateReport, end_text, load_estimate, token_cost
from pilotlight.generate.sampler import Sampler, weights_for
from pilotlight.generate.stream import TextSession, demand_short
from pilotlight.generate.tables import Tables, make_tables
from pilotlight.generate.text_model import TextModel, load_text_model
from pilotlight.link import open_link


@dataclass(frozen=True)
class Request:
    """What to generate. temperature 0: greedy. top_k 0: all tokens. stop: text of a token."""

    prompt: str
    count: int
    temperature: float = 0.0
    top_k: int = 0
    seed: int = 0
    stop: str | None = None

    def check(self) -> None:
        """Raise ConfigError if a value is out of range."""
        if not 1 <= self.count < 0xFFFF:
            raise ConfigError(f"-n {self.count}: not a number of tokens", hint="1 to 65534")
        if not 0.0 <= self.temperature <= 100.0:
            raise ConfigError(f"--temperature {self.temperature:g}: out of range", hint="0 (greedy) to 100")
        if not 0 <= self.top_k < 0xFFFF:
            raise ConfigError(f"--top-k {self.top_k}: out of range", hint="1 to 65534; 0 keeps all tokens")
        if not 0 <= self.seed < 1 << 64:
            raise ConfigError(f"--seed {self.seed}: out of range", hint="0 to 2^64 - 1")


@dataclass(frozen=True)
class TextBuild:
    """The text model of a build folder, with its bundle."""

    bundle: Path
    info: ModelInfo
    text: TextModel
    tables: Tables

    @classmethod
    def load(cls, build_dir: Path) -> TextBuild:
        """Raises ConfigError or ModelError if the build folder has no model for text."""
        models = BuildFolder(build_dir).info().models
        if len(models) != 1:
            raise ConfigError(f"{build_dir}: an image for text has 1 model, this one {len(models)}")
        bundle = build_dir / models[0].bundle
        info = load_model_info(bundle)
        text = load_text_model(Path(info.source))
        return cls(bundle, info, text, make_tables(text, info))

    def sampler(self, request: Request) -> Sampler:
        """Return a new sampler for `request`."""
        if request.temperature == 0.0:
            return Sampler()
        scale = self.info.outputs[self.tables.logits].scale
        return Sampler(weights_for(scale, request.temperature), request.top_k, request.seed)

    def tokens(self, prompt: str) -> list[int]:
        """Return the tokens of a prompt. Raises ConfigError if it is empty or too long."""
        tokens = list(self.text.encode(prompt))
        if any(not 0 <= token < len(self.text.vocabulary) for token in tokens):
            raise ConfigError("text.py encodes the prompt into tokens that are not in its vocabulary")
        demand_short(len(tokens), self.tables.context)
        return tokens

    def stop_token(self, request: Request) -> int | None:
        """Return the number of the stop token. Raises ConfigError if it is no token."""
        if request.stop is None:
            return None
        stop = request.stop.encode()
        if stop not in self.text.vocabulary:
            raise ConfigError(f"--stop {request.stop!r}: not one token of the vocabulary", hint="a single token's text")
        return self.text.vocabulary.index(stop)

    @property
    def copied_bytes(self) -> int:
        """Bytes of tied inputs, which each step copies."""
        tensors = [self.info.inputs[tie.input] for tie in self.info.ties]
        return sum(int(np.prod(tensor.shape)) * ELEMENT_BYTES[tensor.dtype] for tensor in tensors)


def generate_text(
    build_dir: Path,
    request: Request,
    timeout_s: float,
    *,
    verify: bool = False,
    show: Callable[[str], None] = lambda text: None,
    progress: Callable[[str], None] = lambda line: None,
) -> GenerateReport:
    """Generate on the powered target of `build_dir`.

    verify: compare all tokens with the same loop over the TOSA reference model. This compiles the
        model again.
    show: gets text as it arrives. progress: gets a line for each step of the comparison.

    Raises ConfigError (options, prompt, tables), TargetNotRunning, TargetError, LinkTimeout,
    LinkCorrupted, Mismatch.
    """
    request.check()
    deadline = Deadline(timeout_s)
    build = BuildFolder(build_dir).info()
    model = TextBuild.load(build_dir)
    prompt, stop = model.tokens(request.prompt), model.stop_token(request)
    # A token may hold a part of a character.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    steps: list[Step] = []

    def on_step(step: Step) -> None:
        steps.append(step)
        if step.sampled is not None:
            show(decoder.decode(step.text))

    link = open_link(targets.connect(build_dir), deadline.within(20.0))
    try:
        session = TextSession(link, build.build_id, build.board_name, model.tables, deadline)
        session.use(model.sampler(request))
        show(request.prompt)
        try:
            sampled, done = session.generate(prompt, request.count, stop=stop, on_step=on_step)
        finally:
            show(decoder.decode(b"", final=True) + "\n")
    finally:
        link.close()
    if verify:
        _verify(model, request, prompt, sampled, progress)
    return GenerateReport(
        board=build.board_name,
        npu=session.identity.npu_config,
        is_emulated=load_board(build.board).emulator is not None,
        prompt=request.prompt,
        prompt_tokens=len(prompt),
        tokens=tuple(sampled),
        text=b"".join(model.text.vocabulary[token] for token in sampled).decode("utf-8", errors="replace"),
        end=end_text(done),
        context_used=done.position,
        context=model.tables.context,
        cost=token_cost(steps, load_estimate(model.bundle), model.copied_bytes),
        stack_used_bytes=done.stack_used_bytes,
        stack_size_bytes=done.stack_size_bytes,
        verified=True if verify else None,
    )


def _verify(
    model: TextBuild, request: Request, prompt: list[int], sampled: list[int], progress: Callable[[str], None]
) -> None:
    # Imported here, because it imports PyTorch.
    from pilotlight.export.golden_engine import golden_engine

    with golden_engine(model.bundle, progress) as engine:
        expected = list(generate(engine, model.info, model.tables, model.sampler(request), prompt, len(sampled)))
    for number, (token, right) in enumerate(zip(sampled, expected, strict=True), start=1):
        if token != right:
            on_device, expected_text = (model.text.vocabulary[one] for one in (token, right))
            raise Mismatch(
                f"token {number} is {on_device!r} on the device, {expected_text!r} in the reference loop",
                hint="`west check` compares single inferences; if it passes, the loop differs",
            )
