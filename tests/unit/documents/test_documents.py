# SPDX-License-Identifier: Apache-2.0
"""Everything that the documents name exists: files, commands, options, symbols. Headings and lines
have the agreed form.

A failure names file, line, what is wrong and what to do. `test_document_checks.py` shows that each
check can fail.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import executorch
import pytest
import yaml
from document_checks import (
    Checkout,
    Finding,
    Options,
    link_targets,
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
from west.app.main import BUILTIN_COMMAND_GROUPS

from pilotlight.cli import COMMANDS
from pilotlight.errors import error_classes
from pilotlight.paths import BOARDS, ROOT

HERE = "tests/unit/documents/test_documents.py"
WEST_COMMANDS = ROOT / "python" / "pilotlight" / "west_commands" / "west-commands.yml"

MOST_WORDS_OF_THE_README = 750  # A newcomer reads it in three minutes.

# Names that documents take from elsewhere, and from where.
FOREIGN = {
    "FuseQuantizedActivationPass": "a pass of ExecuTorch",
    "generate_test_models.py": "a file of ExecuTorch's test of all operators",
    "SSE315_large.ld": "a file of ExecuTorch's test of all operators",
    "Corstone-320.ld": "a linker script of ExecuTorch",
    "file_data_loader.h": "a header of ExecuTorch that we leave out",
    "mmap_data_loader.h": "a header of ExecuTorch that we leave out",
    "profiler.h": "a header of ExecuTorch that we leave out",
    "module.h": "a header of ExecuTorch that we leave out",
    "tensor_ptr.h": "a header of ExecuTorch that we leave out",
    "tensor_ptr_maker.h": "a header of ExecuTorch that we leave out",
    "flat_tensor_data_map.h": "a header of ExecuTorch that we leave out",
    "flat_tensor_header.h": "a header of ExecuTorch that we leave out",
    "PROFILING_ENABLED": "a macro of ExecuTorch that we leave out",
    "resolve_operator": "a private function of ExecuTorch's Method that ours does not need",
    "ET_SWITCH": "macros of ExecuTorch that the kernels do not use",
    "EXECUTORCH_SELECTIVE_BUILD_DTYPE": "a macro of ExecuTorch that the kernels do not use",
    "embedding_byte": "an operator without a kernel",
    "choose_qparams": "an operator without a kernel",
    "native_dropout": "an operator without a kernel",
    "grid_sampler_2d": "an operator without a kernel",
    "convolution_backward": "an operator without a kernel",
    "masked_select": "an operator without a kernel",
    "masked_scatter": "an operator without a kernel",
    "repeat_interleave": "an operator without a kernel",
    "view_as_real_copy": "an operator without a kernel",
    "get_output_from_file": "a function of ExecuTorch's Arm test suite",
    "process_vm_readv": "a system call of Linux that we rejected",
    "PR_SET_PDEATHSIG": "a constant of Linux, which our code has as a number",
    "__ARM_FEATURE_MVE": "a macro of the compiler",
    "--list-params": "an option of Arm's FVP that the stand-in does not have",
    "ethosu_device_u55_u65.c": "a file of Arm's driver",
    "ethosu_pmu.c": "a file of Arm's driver",
    "ethos_u55_regs.py": "a file of Vela",
    "architecture_features.py": "a file of Vela",
    "npu_performance.py": "a file of Vela",
    "sum_of_sums": "a buffer of the model whose program lies beside the page",
}

# Findings that are accepted for now: (page, subject of the finding), and why.
KNOWN: dict[tuple[str, str], str] = {}

# Packages of Python and folders of the firmware that have no DESIGN.md of their own, and why.
WITHOUT_A_DESIGN = {
    "python/pilotlight/west_commands": "one class for all commands of cli.py; builder/DESIGN.md has the reasons",
    "firmware/base": "small headers without design decisions; each header describes itself",
    "firmware/examples": "pages for users: README.md and WEST.md",
    "firmware/apps": "it only contains apps",
}

# Pages that the README need not lead to: notes beside the code, which are found there.
_BESIDE_THE_CODE = re.compile(r"(?:^|/)(?:DESIGN|SPEC|MAILBOX)\.md$|^tests/")


@pytest.fixture(scope="module")
def checkout() -> Checkout:
    wheel = Path(executorch.__path__[0])
    return Checkout.of(ROOT, (wheel.parent, wheel, wheel / "include" / "executorch"))


@pytest.fixture(scope="module")
def programs() -> Mapping[str, Options]:
    """The commands of `pilotlight` and of `west`, with their options."""
    subparsers = argparse.ArgumentParser().add_subparsers()
    ours = {name: options_of(command.load().add_parser(subparsers)) for name, command in COMMANDS.items()}
    subparsers = argparse.ArgumentParser().add_subparsers()
    builtin = [command() for group in BUILTIN_COMMAND_GROUPS.values() for command in group]
    west = {command.name: options_of(command.add_parser(subparsers)) for command in builtin}
    return {"pilotlight": ours, "west": {**west, **{name: ours[name] for name in _west_commands() if name in ours}}}


def _west_commands() -> dict[str, str]:
    """Return the commands that west-commands.yml names, with their help."""
    files = yaml.safe_load(WEST_COMMANDS.read_text(encoding="utf-8"))["west-commands"]
    return {command["name"]: command["help"] for file in files for command in file["commands"]}


def _demand_nothing(findings: Iterable[Finding]) -> None:
    wrong = [found for found in findings if found.subject not in FOREIGN and (found.page, found.subject) not in KNOWN]
    if wrong:
        _fail(*map(str, wrong))


def _fail(*lines: str) -> None:
    pytest.fail("\n".join(("", *lines)), pytrace=False)


def _in_all_pages(checkout: Checkout, check: Callable[..., Iterable[Finding]], *facts: object) -> None:
    assert len(checkout.pages) > 40
    _demand_nothing(found for page in checkout.pages.values() for found in check(page, *facts))


def test_every_link_leads_to_a_file_and_to_a_heading_in_it(checkout: Checkout) -> None:
    _in_all_pages(checkout, wrong_links, checkout)


def test_every_path_exists(checkout: Checkout) -> None:
    _in_all_pages(checkout, wrong_paths, checkout)


def test_every_command_exists_with_its_options(checkout: Checkout, programs: Mapping[str, Options]) -> None:
    _in_all_pages(checkout, wrong_commands, programs)


def test_every_option_that_stands_alone_is_one_of_ours_or_used_by_us(
    checkout: Checkout, programs: Mapping[str, Options]
) -> None:
    known = {option for commands in programs.values() for options in commands.values() for option in options}
    _in_all_pages(checkout, wrong_options, known | checkout.dashed_words)


def test_every_symbol_is_in_the_code(checkout: Checkout) -> None:
    _in_all_pages(checkout, wrong_symbols, checkout.words)


def test_lines_of_prose_fit(checkout: Checkout) -> None:
    _in_all_pages(checkout, long_lines)


def test_every_design_note_has_the_same_sections(checkout: Checkout) -> None:
    notes = [page for name, page in checkout.pages.items() if name.endswith("DESIGN.md")]
    assert len(notes) > 20
    _demand_nothing(found for page in notes for found in wrong_sections(page))


def test_every_package_and_every_part_of_the_firmware_has_a_design_note(checkout: Checkout) -> None:
    depth = {"python/pilotlight": 2, "firmware": 1, "firmware/apps": 2}
    folders = {
        "/".join(name.split("/")[: parts + 1])
        for above, parts in depth.items()
        for name in checkout.files
        if name.startswith(f"{above}/") and name.count("/") > parts
    }
    assert {"python/pilotlight/check", "firmware/model", "firmware/apps/check"} <= folders
    without = {folder for folder in folders if f"{folder}/DESIGN.md" not in checkout.paths}
    if missing := sorted(without - WITHOUT_A_DESIGN.keys()):
        _fail(
            f"{', '.join(missing)}: no DESIGN.md", f"    to do: write one, or say why not in WITHOUT_A_DESIGN, {HERE}"
        )
    if needless := sorted(WITHOUT_A_DESIGN.keys() - without):
        _fail(
            f"{', '.join(needless)}: has a DESIGN.md, or is gone", f"    to do: remove it from WITHOUT_A_DESIGN, {HERE}"
        )


def test_west_has_exactly_the_commands_that_work_on_a_build_folder(programs: Mapping[str, Options]) -> None:
    wanted = {name for name, options in programs["pilotlight"].items() if "--build-dir" in options}
    named = _west_commands()
    file = WEST_COMMANDS.relative_to(ROOT)
    if set(named) != wanted:
        _fail(
            f"{file}: it names {sorted(named)}; the commands of pilotlight.cli with --build-dir are {sorted(wanted)}",
            "    to do: add or remove the difference",
        )
    subparsers = argparse.ArgumentParser().add_subparsers()
    for name in named:
        COMMANDS[name].load().add_parser(subparsers)
    helps = {action.dest: action.help for action in subparsers._choices_actions}
    if named != helps:
        _fail(f"{file}: its help is {named}", f"    to do: make it that of the commands: {helps}")


def test_each_command_of_west_is_the_command_of_pilotlight_with_the_same_name() -> None:
    spec = importlib.util.spec_from_file_location("west_commands", WEST_COMMANDS.with_name("commands.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in _west_commands():
        command = getattr(module, name)()
        parser = command.add_parser(argparse.ArgumentParser().add_subparsers())
        assert (command.name, parser.get_default("handler").__module__) == (name, COMMANDS[name].load().__name__)
    with pytest.raises(AttributeError, match="tidy"):
        getattr(module, "tidy")  # noqa: B009 - not an attribute that mypy may look for


def test_the_page_of_exit_codes_has_each_code_once() -> None:
    page = "docs/EXIT_CODES.md"
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    codes = [(str(error.exit_code), error.__name__) for error in error_classes()]
    if sorted(rows) != sorted(codes):
        only_there, only_here = sorted(set(rows) - set(codes)), sorted(set(codes) - set(rows))
        _fail(
            f"{page}: rows that are no error of pilotlight.errors: {only_there}; errors without a row: {only_here}",
            "    to do: one row for each error",
        )


def test_the_page_of_commands_has_every_command(checkout: Checkout, programs: Mapping[str, Options]) -> None:
    page = "docs/COMMANDS.md"
    shown = {words[1] for span in checkout.pages[page].spans if len(words := span.text.split()) > 1}
    if missing := sorted(programs["pilotlight"].keys() - shown):
        _fail(f"{page}: no row for {', '.join(missing)}", "    to do: add one")


def test_the_table_of_boards_has_each_board() -> None:
    name = "boards/README.md"
    text = (ROOT / name).read_text(encoding="utf-8")
    table = re.search(r"^\| Board \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    shown = sorted(re.findall(r"^\| `([\w-]+)` \|", table[1], re.MULTILINE)) if table else []
    boards = sorted(file.parent.name for file in BOARDS.glob("*/board.toml"))
    if shown != boards:
        _fail(f"{name}: the table of boards has {shown}", f"    to do: list the folders of boards/: {boards}")


def test_the_readme_is_short() -> None:
    words = len((ROOT / "README.md").read_text(encoding="utf-8").split())
    if words > MOST_WORDS_OF_THE_README:
        _fail(
            f"README.md: {words} words, more than {MOST_WORDS_OF_THE_README}",
            "    to do: move details to a page in docs/ and link to it",
        )


def test_links_lead_from_the_readme_to_every_page(checkout: Checkout) -> None:
    reached, pending = set(), ["README.md"]
    while pending:
        name = pending.pop()
        if name in checkout.pages and name not in reached:
            reached.add(name)
            pending += link_targets(checkout.pages[name])
    lost = [name for name in checkout.pages if name not in reached and not _BESIDE_THE_CODE.search(name)]
    if lost:
        _fail(f"no link leads from README.md to {', '.join(lost)}", "    to do: link to it, there or from another page")


def test_pages_and_headings_that_the_code_names_exist(checkout: Checkout) -> None:
    titles = {title.text for title in checkout.pages["README.md"].headings}
    _demand_nothing(
        finding for name, text in checkout.code.items() for finding in wrong_pages(name, text, titles, checkout)
    )
