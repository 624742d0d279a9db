# SPDX-License-Identifier: Apache-2.0
"""Text that the device writes is the text of the same loop over the TOSA reference model.

The loop on the host reads model.json and golden graphs. It has no code in common with the firmware.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from workflow import ROOT, build, run

from pilotlight.build_folder import BuildFolder
from pilotlight.bundle import ModelInfo, Tie
from pilotlight.deadline import Deadline
from pilotlight.errors import TargetError
from pilotlight.export.golden_engine import Engine, golden_engine
from pilotlight.generate.reference import generate
from pilotlight.generate.run import Request, TextBuild
from pilotlight.generate.sampler import Sampler
from pilotlight.generate.stream import TextSession
from pilotlight.generate.tables import Tables
from pilotlight.link import open_link
from pilotlight.targets import connect

TINY = Path(__file__).with_name("tiny_text")
PROMPT = "bad"
# As many tokens as the context of 16 allows.
COUNT = 14
GREEDY = Request(PROMPT, COUNT)
SEEDED = Request(PROMPT, COUNT, temperature=6.0, top_k=9, seed=5)


@pytest.fixture(scope="module")
def built() -> Path:
    return build("tiny-text", "-b", "qemu-corstone300", "-s", TINY)


@pytest.fixture(scope="module")
def model(built: Path) -> TextBuild:
    return TextBuild.load(built)


@pytest.fixture(scope="module")
def engine(model: TextBuild) -> Iterator[Engine]:
    with golden_engine(model.bundle) as golden:
        yield golden


@pytest.fixture(scope="module")
def powered(built: Path) -> Iterator[Path]:
    outcome = run("flash", "-d", built)
    assert outcome.code == 0, outcome.err
    yield built
    run("poweroff", "-d", built)


@contextmanager
def session_with(build_dir: Path, tables: Tables) -> Iterator[TextSession]:
    info = BuildFolder(build_dir).info()
    link = open_link(connect(build_dir), Deadline(20))
    try:
        yield TextSession(link, info.build_id, info.board_name, tables, Deadline(120))
    finally:
        link.close()


def expected(engine: Engine, model: TextBuild, request: Request, **wrong: object) -> list[int]:
    """Return the tokens of the loop on the host. wrong: info or tables with a fault."""
    info, tables = wrong.get("info", model.info), wrong.get("tables", model.tables)
    assert isinstance(info, ModelInfo) and isinstance(tables, Tables)
    prompt = model.tokens(request.prompt)
    return list(generate(engine, info, tables, model.sampler(request), prompt, request.count))


def on_device(build_dir: Path, model: TextBuild, request: Request) -> list[int]:
    with session_with(build_dir, model.tables) as session:
        session.use(model.sampler(request))
        return session.generate(model.tokens(request.prompt), request.count)[0]


@pytest.mark.parametrize("request_", [GREEDY, SEEDED], ids=["greedy", "seeded"])
def test_tokens_are_those_of_the_loop_over_the_reference_model(
    powered: Path, model: TextBuild, engine: Engine, request_: Request
) -> None:
    tokens = on_device(powered, model, request_)
    assert tokens == expected(engine, model, request_)
    assert len(tokens) == COUNT and len(set(tokens)) > 1


def test_the_loop_would_notice_a_wrong_slot_mask_or_tie(model: TextBuild, engine: Engine) -> None:
    """If not, equal tokens would prove little."""
    right = expected(engine, model, SEEDED)
    keys, values = model.info.ties
    crossed = replace(model.info, ties=(Tie(keys.output, values.input, 2), Tie(values.output, keys.input, 2)))
    assert expected(engine, model, SEEDED, info=crossed) != right
    mask = _mask(model)
    late = np.concatenate([model.tables.inputs[mask].rows[:1], model.tables.inputs[mask].rows[:-1]])
    inputs = list(model.tables.inputs)
    inputs[mask] = replace(inputs[mask], rows=late)
    assert expected(engine, model, SEEDED, tables=replace(model.tables, inputs=tuple(inputs))) != right


def _mask(model: TextBuild) -> int:
    """Return the place of the mask among the tables."""
    names = [model.info.inputs[table.input].name for table in model.tables.inputs]
    return names.index("mask")


def _with_bytes(built: Path, folder: Path, old: bytes, new: bytes) -> Path:
    """Return a copy of the build whose image has `new` in place of `old`."""
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("target", "check", "*.o", "*.a", "*.obj"))
    image = folder / BuildFolder(folder).info().elf
    content = image.read_bytes()
    assert old in content and len(new) == len(old)
    image.write_bytes(content.replace(old, new))
    return folder


def _tokens_of_image(folder: Path, model: TextBuild) -> list[int]:
    try:
        outcome = run("flash", "-d", folder)
        assert outcome.code == 0, outcome.err
        return on_device(folder, model, SEEDED)
    finally:
        run("poweroff", "-d", folder)


def test_an_image_with_a_wrong_mask_writes_another_text(
    built: Path, model: TextBuild, engine: Engine, tmp_path: Path
) -> None:
    rows = model.tables.inputs[_mask(model)].rows
    folder = _with_bytes(built, tmp_path / "mask", rows[1:].tobytes(), rows[:-1].tobytes())
    assert _tokens_of_image(folder, model) != expected(engine, model, SEEDED)


def test_an_image_with_crossed_ties_writes_another_text(
    built: Path, model: TextBuild, engine: Engine, tmp_path: Path
) -> None:
    tie = struct.Struct("<IIiIII")
    keys, values = (1, 3), (2, 4)
    blocks = (2, 15, 8, 2)
    right = tie.pack(*keys, *blocks) + tie.pack(*values, *blocks)
    crossed = tie.pack(keys[0], values[1], *blocks) + tie.pack(values[0], keys[1], *blocks)
    folder = _with_bytes(built, tmp_path / "ties", right, crossed)
    assert _tokens_of_image(folder, model) != expected(engine, model, SEEDED)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        ("generator.cpp", "pilotlight_commit_ties(&model_, position_)", "pilotlight_commit_ties(&model_, 0)"),
        ("generator.cpp", "table.by_token ? token : position_", "table.by_token ? token : 0"),
        ("generator.cpp", "  pilotlight_reset_ties(&model_);", ""),
    ],
)
def test_an_app_with_a_fault_writes_another_text(
    model: TextBuild, engine: Engine, tmp_path: Path, source: str, right: str, wrong: str
) -> None:
    app = tmp_path / "generate"
    shutil.copytree(ROOT / "firmware/apps/generate", app)
    text = (app / source).read_text(encoding="utf-8")
    assert text.count(right) == 1
    (app / source).write_text(text.replace(right, wrong), encoding="utf-8")
    project = tmp_path / "tiny_text"
    shutil.copytree(TINY, project, ignore=shutil.ignore_patterns("__pycache__"))
    cmake = (project / "CMakeLists.txt").read_text(encoding="utf-8")
    original = "${Pilotlight_DIR}/../firmware/apps/generate/generate.cmake"
    assert original in cmake
    (project / "CMakeLists.txt").write_text(cmake.replace(original, str(app / "generate.cmake")), encoding="utf-8")
    folder = tmp_path / "build"
    outcome = run("build", "-d", folder, "-b", "qemu-corstone300", "-s", project)
    assert outcome.code == 0, outcome.out + outcome.err
    try:
        assert run("flash", "-d", folder).code == 0
        # The first text fills the cache: a fault in its reset shows in the second.
        texts = [on_device(folder, model, request) for request in (SEEDED, GREEDY, SEEDED)]
    except TargetError:
        return
    finally:
        run("poweroff", "-d", folder)
    assert texts != [expected(engine, model, request) for request in (SEEDED, GREEDY, SEEDED)]


def test_a_text_goes_on_where_it_ended(powered: Path, model: TextBuild, engine: Engine) -> None:
    prompt = model.tokens(PROMPT)
    with session_with(powered, model.tables) as session:
        first, _ = session.generate(prompt, 4)
        second, _ = session.generate([3], 3, continues=True)
        again, _ = session.generate(prompt, 4)
    assert first == again == list(generate(engine, model.info, model.tables, Sampler(), prompt, 4))
    whole = [*prompt, *first, 3]
    assert second == list(generate(engine, model.info, model.tables, Sampler(), whole, 3))


def test_a_stale_cache_is_refused(powered: Path, model: TextBuild) -> None:
    prompt = model.tokens(PROMPT)
    with session_with(powered, model.tables) as session:
        session.generate(prompt, 2)
        session.text[0] ^= 1
        with pytest.raises(TargetError, match="stale cache: the host continues a text of 4 tokens, the device holds 4"):
            session.generate([1], 1, continues=True)
        old = session.text
    with session_with(powered, model.tables) as session:
        session.text = old
        with pytest.raises(TargetError, match="the device holds 0 tokens of another one; start a new text"):
            session.generate([1], 1, continues=True)


def test_the_device_refuses_a_prompt_longer_than_its_context(
    powered: Path, model: TextBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = run("generate", "-d", powered, "--prompt", "a" * 17)
    assert outcome.code == 20
    assert "the prompt is too long: 17 tokens, and the context has 16" in outcome.err
    monkeypatch.setattr("pilotlight.generate.stream.demand_short", lambda tokens, context: None)
    with session_with(powered, model.tables) as session:
        with pytest.raises(TargetError, match="the prompt is too long: 17 tokens, and the context has 16"):
            session.generate([0] * 17, 1)
        # The refused request changed nothing.
        assert len(session.generate([0] * 16, 1)[0]) == 1
        with pytest.raises(TargetError, match="not in the vocabulary"):
            session.generate([16], 1)


def test_the_command_shows_text_and_cost(powered: Path, model: TextBuild, engine: Engine) -> None:
    arguments = ("--prompt", PROMPT, "-n", "14", "--temperature", "6", "--top-k", "9", "--seed", "5")
    shown = run("generate", "-d", powered, *arguments)
    assert shown.code == 0, shown.err
    text = "".join(model.text.vocabulary[token].decode() for token in expected(engine, model, SEEDED))
    assert shown.out.splitlines()[0] == PROMPT + text
    for words in ("tokens/s by NPU cycles at 500 MHz", "MACs", "CPU instructions", "SRAM", "480 bytes copied by the"):
        assert words in shown.out, shown.out
    report = run("generate", "-d", powered, *arguments, "--json").json
    assert report["text"] == text and report["prompt_tokens"] == 3
    cost = report["cost"]
    assert cost["tokens_per_second"] == pytest.approx(500e6 / cost["npu_cycles"])
    assert cost["copied_bytes"] == 2 * 2 * 15 * 8
    assert report["is_emulated"] and cost["cpu_cycles"] > 1000 and cost["macs"] > 0 and cost["traffic"]
    stopped = run("generate", "-d", powered, *arguments, "--stop", text[3], "--json").json
    assert (stopped["text"], stopped["end"]) == (text[: text.index(text[3]) + 1], "stop token")


@pytest.mark.campaign
def test_verify_compares_all_tokens_with_the_reference(powered: Path) -> None:
    report = run("generate", "-d", powered, "--prompt", PROMPT, "-n", "9", "--temperature", "6", "--verify", "--json")
    assert report.code == 0 and report.json["verified"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--prompt", ""), "the prompt is empty"),
        (("--prompt", "x"), "no token for 'x'"),
        (("--prompt", "a", "-n", "0"), "-n 0: not a number of tokens"),
        (("--prompt", "a", "--temperature", "-1"), "--temperature -1"),
        (("--prompt", "a", "--top-k", "-1"), "--top-k -1"),
        (("--prompt", "a", "--seed", "-1"), "--seed -1"),
        (("--prompt", "a", "--stop", "ab"), "--stop 'ab': not one token"),
    ],
)
def test_a_wrong_option_is_named(built: Path, arguments: tuple[str, ...], said: str) -> None:
    outcome = run("generate", "-d", built, *arguments)
    assert outcome.code == 20 and said in outcome.err and "try:" in outcome.err
