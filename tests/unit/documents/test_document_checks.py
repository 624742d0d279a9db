# SPDX-License-Identifier: Apache-2.0
"""Each check of documents finds its kind of problem, names the line, and accepts good documents."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import pytest
from document_checks import (
    SECTIONS_OF_A_DESIGN,
    Checkout,
    Finding,
    long_lines,
    options_of,
    wrong_commands,
    wrong_links,
    wrong_options,
    wrong_pages,
    wrong_paths,
    wrong_sections,
    wrong_symbols,
)
from document_pages import Page, parse_page

PROGRAMS = {"west": {"build": {"-b", "--board", "--json"}, "init": {"-l"}}, "pilotlight": {"inspect": {"--json"}}}
FILES = {
    "README.md": "# Top\n\n## Your own model\n",
    "firmware/model/model.cpp": "void Model::Open() { record_time(); }\n",
    "firmware/model/include/pilotlight/model.h": "class InferenceModel {};\n",
    "firmware/model/DESIGN.md": "# model\n",
    "scripts/demo.sh": 'west build --board host >"build_info.json"\n',
}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return Checkout(tmp_path, tuple(FILES))


def _page(text: str, name: str = "firmware/model/DESIGN.md") -> Page:
    return parse_page(name, text)


def _found(findings: Iterable[Finding]) -> list[tuple[int, str]]:
    return [(finding.line, finding.subject) for finding in findings]


def test_a_finding_names_file_line_fault_and_remedy() -> None:
    finding = Finding("a/DESIGN.md", 7, "x", "`x` does not exist", "name it")
    assert str(finding) == "a/DESIGN.md:7: `x` does not exist\n    to do: name it"


@pytest.mark.parametrize("target", ["model.cpp", "../model", "../../README.md#your-own-model", "https://arm.com/x#y"])
def test_a_good_link_is_left_alone(checkout: Checkout, target: str) -> None:
    assert _found(wrong_links(_page(f"See [it]({target})."), checkout)) == []


@pytest.mark.parametrize("target", ["gone.cpp", "README.md", "../../README.md#gone", "#gone"])
def test_a_link_that_leads_nowhere_is_found(checkout: Checkout, target: str) -> None:
    assert _found(wrong_links(_page(f"One\nline, [then\nit]({target})."), checkout)) == [(3, target)]


@pytest.mark.parametrize(
    "path",
    [
        "model.cpp",
        "model",
        "firmware/model/model.cpp",
        "scripts/",
        "model/model.cpp",
        "pilotlight/model.h",
        "build_info.json",
        "build/firmware.elf",
        "FOLDER/model.cpp",
        "<build>/state.json",
        "*_test.cpp",
        "python scripts/demo.sh --quick",
        "firmware/MODULE/DESIGN.md is",
    ],
)
def test_a_good_path_is_left_alone(checkout: Checkout, path: str) -> None:
    assert _found(wrong_paths(_page(f"See `{path}`."), checkout)) == []


@pytest.mark.parametrize("path", ["gone.cpp", "scripts/gone.sh", "model/gone", "python/model.h"])
def test_a_path_that_does_not_exist_is_found(checkout: Checkout, path: str) -> None:
    assert _found(wrong_paths(_page(f"# T\n\n| a |\n|---|\n| `{path}` |"), checkout)) == [(5, path)]


def test_a_path_may_start_at_a_folder_that_the_page_names(checkout: Checkout) -> None:
    assert _found(wrong_paths(_page("`include/pilotlight` has `model.h`.", "README.md"), checkout)) == [
        (1, "include/pilotlight")
    ]
    assert _found(wrong_paths(_page("In `firmware/model`: `include/pilotlight`.", "README.md"), checkout)) == []


@pytest.mark.parametrize(
    "text", ["`bash scripts/gone.sh -v`", "# T\n\n    scripts/gone.sh", "```sh\nscripts/gone.sh\n```"]
)
def test_a_path_inside_a_command_is_found(checkout: Checkout, text: str) -> None:
    assert [found[1] for found in _found(wrong_paths(_page(text), checkout))] == ["scripts/gone.sh"]


@pytest.mark.parametrize(
    "command",
    [
        "west build -b BOARD [--json]",
        "$ west build -b host && pilotlight inspect x.pte",
        "west build ... -- --gone",
        "west COMMAND --gone",
        "west build ── --gone",
        "west",
        "northwest gone",
    ],
)
def test_a_good_command_is_left_alone(command: str) -> None:
    assert _found(wrong_commands(_page(f"`{command}`"), PROGRAMS)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`west gone`", (1, "west gone")),
        ("`west build [--gone]`", (1, "--gone")),
        ("`west build --jso`", (1, "--jso")),
        ("`west build -x`", (1, "-x")),
        ("`west init -l a && west update`", (1, "west update")),
        ("# T\n\n    X=1 pilotlight inspect --board=b  # --gone", (3, "--board")),
        ("```sh\nwest build \\\n  --gone\n```", (2, "--gone")),
        ("| a |\n|---|\n| `west build [-b a\\|b] [--gone]` |", (3, "--gone")),
    ],
)
def test_a_command_or_option_that_does_not_exist_is_found(text: str, found: tuple[int, str]) -> None:
    assert _found(wrong_commands(_page(text), PROGRAMS)) == [found]


def test_options_are_those_of_a_parser_and_its_sub_parsers() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-s", "--samples")
    parser.add_subparsers().add_parser("install", add_help=False).add_argument("--force")
    assert options_of(parser) == {"-s", "--samples", "--force"}


def test_an_option_by_itself_is_found_when_nothing_knows_it(checkout: Checkout) -> None:
    page = _page("`--board`, `--board NAME`, `--gone`,\n`--gone=1`, `-g`")
    assert _found(wrong_options(page, checkout.dashed_words)) == [(1, "--gone"), (2, "--gone")]


@pytest.mark.parametrize(
    "symbol",
    ["Open()", "Model::Open()", "record_time", "InferenceModel", "two words", "word", "model_test.cpp", "Word"],
)
def test_a_good_symbol_is_left_alone(checkout: Checkout, symbol: str) -> None:
    assert _found(wrong_symbols(_page(f"`{symbol}`"), checkout.words)) == []


@pytest.mark.parametrize(
    ("symbol", "part"),
    [
        ("Close()", "Close"),
        ("Model::Close(int)", "Close"),
        ("Gone::Open", "Gone"),
        ("record_tim", "record_tim"),
        ("InferenceModels", "InferenceModels"),
        ("model.record_times", "record_times"),
        ("kGoneAlign", "kGoneAlign"),
    ],
)
def test_a_symbol_that_is_not_in_the_code_is_found(checkout: Checkout, symbol: str, part: str) -> None:
    assert (2, part) in _found(wrong_symbols(_page(f"A\n`{symbol}`"), checkout.words))


def test_a_call_of_ours_in_a_code_block_is_found(checkout: Checkout) -> None:
    page = _page("```cmake\npilotlight_gone(app)\nother_gone(app)\n```")
    assert _found(wrong_symbols(page, checkout.words)) == [(2, "pilotlight_gone")]


def test_documents_do_not_count_as_code(checkout: Checkout) -> None:
    (checkout.root / "README.md").write_text("`only_in_a_document`", encoding="utf-8")
    assert _found(wrong_symbols(_page("`only_in_a_document`"), checkout.words)) == [(1, "only_in_a_document")]


def test_sections_of_a_design_note() -> None:
    good = "# t\n" + "".join(f"## {title}\ntext\n" for title in SECTIONS_OF_A_DESIGN)
    assert _found(wrong_sections(_page(good))) == []
    assert _found(wrong_sections(_page(good.replace("## Rejected", "## Refused")))) == [(10, "sections")]
    assert _found(wrong_sections(_page(good.replace("## Rejected\ntext\n", "")))) == [(10, "sections")]
    assert _found(wrong_sections(_page(good + "## More\n"))) == [(14, "sections")]
    assert _found(wrong_sections(_page("# t\n"))) == [(1, "sections")]


def test_long_lines_of_prose() -> None:
    fits, over = "a " * 50, "a " * 50 + "a"
    link = f"{'a ' * 45}[a]({'b' * 30}/c.md)"
    exempt = f"| {over} |\n\n    {over}\n\n```text\n{over}\n```\n\n{link}"
    assert _found(long_lines(_page(f"{fits}\n{exempt}"))) == []
    assert _found(long_lines(_page(f"{exempt}\n\n{over}"))) == [(11, "columns")]
    assert _found(long_lines(_page(f"- {over}"))) == [(1, "columns")]


def test_pages_that_the_code_names(checkout: Checkout) -> None:
    titles = {"Your own model"}
    good = 'a = 1\nhint = "see README.md, \\"x\\""\n# README.md, "Your own model"; firmware/model/DESIGN.md; DIR/*/A.md'
    assert _found(wrong_pages("python/a.py", good, titles, checkout)) == []
    bad = 'a = 1\n# README.md, "Gone"\n# firmware/gone/DESIGN.md'
    assert _found(wrong_pages("python/a.py", bad, titles, checkout)) == [(2, "Gone"), (3, "firmware/gone/DESIGN.md")]
