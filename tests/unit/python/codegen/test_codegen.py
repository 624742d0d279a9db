# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from pilotlight.boards import Board, load_board
from pilotlight.bundle import ModelInfo, TensorInfo, Tie
from pilotlight.codegen import GeneratedModel, generate_models
from pilotlight.codegen.arenas import plan_arenas
from pilotlight.codegen.fit import LinkedModel, arena_bytes, largest_parts
from pilotlight.codegen.state import carries_over
from pilotlight.errors import BadProgram, ConfigError, DoesNotFit
from pilotlight.paths import ROOT
from pilotlight.pte import read_program
from pilotlight.pte.ethos_u import parse_blob

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
INCLUDE = ROOT / "firmware/model/include"
CORTEX_M55 = ("arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard")


@pytest.fixture(scope="module")
def host() -> Board:
    return load_board("host")


def generate_model(bundle: Path, board: Board, runtime: str, out: Path) -> GeneratedModel:
    (generated,) = generate_models([bundle], board, runtime, out)
    return generated


def compile_sources(compiler: tuple[str, ...], folder: Path, *arguments: str) -> None:
    command = [*compiler, *WARNINGS, "-I", str(folder), "-I", str(INCLUDE), *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_sources_compile_as_c11_for_host_and_cortex_m(make_bundle, host, tmp_path):
    generate_model(make_bundle(labels=("zero", "one")), host, "package", tmp_path)
    for compiler in (("gcc",), CORTEX_M55):
        compile_sources((*compiler, "-std=c11"), tmp_path, "-c", "model_cnn.c", "model_cnn.S")


def test_header_compiles_as_cpp(make_bundle, host, tmp_path):
    generate_model(make_bundle(), host, "package", tmp_path)
    (tmp_path / "use.cpp").write_text(
        '#include "model_cnn.h"\nint main() { return pilotlight_model_cnn.input_count != 1; }\n'
    )
    compile_sources(("g++", "-std=c++17"), tmp_path, "-fsyntax-only", "use.cpp")


def test_an_app_reads_shapes_scales_labels_and_program_from_it(make_bundle, host, tmp_path):
    generated = generate_model(make_bundle(labels=("zero", 'say "é"??=')), host, "package", tmp_path)
    (tmp_path / "main.c").write_text(
        """
#include <stdio.h>
#include "model_cnn.h"
int main(void) {
  const pilotlight_model_descriptor_t* m = &pilotlight_model_cnn;
  printf("%s %s %.9g %d %u %u\\n", m->name, m->npu_config, (double)m->inputs[0].scale, m->inputs[0].zero_point,
         m->inputs[0].size_bytes, m->outputs[0].size_bytes);
  printf("%d %d %d\\n", PILOTLIGHT_CNN_INPUT_0_DIM_3, PILOTLIGHT_CNN_OUTPUT_0_ELEMENTS, PILOTLIGHT_CNN_LABEL_COUNT);
  printf("%s|%s\\n", m->labels[0], m->labels[1]);
  printf("%u %u %u\\n", m->planned_buffers[0].size_bytes, m->temp_pool.size_bytes, m->method_pool.size_bytes);
  printf("%.4s %02x %d\\n", (const char*)m->pte + 4, m->pte_sha256[31], (int)((uintptr_t)m->pte % 16));
  printf("%d\\n", (int)(((uintptr_t)m->temp_pool.data | (uintptr_t)m->planned_buffers[0].data) % 32));
  return 0;
}
"""
    )
    compile_sources(("gcc", "-std=c11"), tmp_path, "main.c", "model_cnn.c", "model_cnn.S", "-o", "app")
    out = subprocess.run([tmp_path / "app"], capture_output=True, text=True, check=True).stdout.splitlines()
    sha256 = json.loads((tmp_path / "bundle_cnn/model.json").read_text())["pte_sha256"]
    assert out == [
        "cnn ethos-u55-128 0.0182686578 -13 64 10",
        "8 10 2",
        'zero|say "é"??=',
        f"80 1280 {generated.arenas.method_pool}",
        f"ET12 {sha256[-2:]} 0",
        "0",
    ]


def test_memory_lies_in_its_sections_and_not_in_the_image(make_bundle, host, tmp_path):
    generate_model(make_bundle(), host, "package", tmp_path)
    compile_sources(CORTEX_M55, tmp_path, "-c", "model_cnn.S", "-o", "model.o")
    with (tmp_path / "model.o").open("rb") as file:
        sections = {section.name: section for section in ELFFile(file).iter_sections()}
        program = sections[".model.pilotlight_model_cnn"]
        arena = sections[".tensor_arena.pilotlight_model_cnn"]
        assert program["sh_type"] == "SHT_PROGBITS" and program["sh_addralign"] == 16
        assert program.data() == (tmp_path / "bundle_cnn/model.pte").read_bytes()
        assert arena["sh_type"] == "SHT_NOBITS" and arena["sh_addralign"] == 32
        # 80 bytes of activations, rounded up to a multiple of 32, then the scratch.
        assert arena["sh_size"] == 96 + 1280
        assert sections[".method_pool.pilotlight_model_cnn"]["sh_type"] == "SHT_NOBITS"


def test_method_pool_of_our_runtime_is_exact_and_of_a_package_a_bound(make_bundle, host, tmp_path):
    bundle = make_bundle()
    # 64 bit: bytes that load_method of each runtime took on the host, measured with model_test's
    # MarkedAllocator.
    ours, package = 520, 536
    assert generate_model(bundle, host, "ours", tmp_path).arenas.method_pool == ours
    assert generate_model(bundle, host, "package", tmp_path).arenas.method_pool > 2 * package
    on_target = generate_model(bundle, load_board("qemu-corstone300"), "ours", tmp_path).arenas.method_pool
    assert on_target < ours


def test_two_models_link_together(make_bundle, host, tmp_path):
    generate_models([make_bundle("one"), make_bundle("two", "cnn_float_io_u55_128.pte")], host, "package", tmp_path)
    (tmp_path / "main.c").write_text(
        '#include "model_one.h"\n#include "model_two.h"\n'
        "int main(void) { return pilotlight_model_one.temp_pool.data == pilotlight_model_two.temp_pool.data; }\n"
    )
    sources = ("main.c", "model_one.c", "model_two.c", "model_one.S", "model_two.S")
    compile_sources(("gcc", "-std=c11"), tmp_path, *sources, "-o", "app")
    assert subprocess.run([tmp_path / "app"]).returncode == 0


def test_operators_and_dtypes_are_those_that_the_program_calls(make_bundle, host, tmp_path):
    assert generate_model(make_bundle(), host, "package", tmp_path).operators == {}
    generated = generate_model(make_bundle("two", "cnn_float_io_u55_128.pte"), host, "package", tmp_path)
    assert generated.operators == {
        "quantized_decomposed::dequantize_per_tensor.out": ("float32", "int8"),
        "quantized_decomposed::quantize_per_tensor.out": ("float32", "int8"),
    }


def test_second_run_touches_no_file(make_bundle, host, tmp_path):
    bundle, out = make_bundle(), tmp_path / "out"
    generate_model(bundle, host, "package", out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    generate_model(bundle, host, "package", out)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


def test_description_of_another_program_is_refused(make_bundle, host, tmp_path):
    bundle = make_bundle()
    description = json.loads((bundle / "model.json").read_text())
    description["inputs"][0]["shape"] = [1, 1, 8, 9]
    (bundle / "model.json").write_text(json.dumps(description))
    with pytest.raises(BadProgram, match=r"input 0 is int8\[1, 1, 8, 8\], but model.json says int8\[1, 1, 8, 9\]"):
        generate_model(bundle, host, "package", tmp_path)


def test_description_of_another_order_in_memory_is_refused(make_bundle, host, tmp_path):
    bundle = make_bundle()
    description = json.loads((bundle / "model.json").read_text())
    description["inputs"][0]["dim_order"] = [0, 2, 3, 1]
    (bundle / "model.json").write_text(json.dumps(description))
    with pytest.raises(BadProgram, match=r"in the order \[0, 1, 2, 3\], but model.json says \[0, 2, 3, 1\]"):
        generate_model(bundle, host, "package", tmp_path)


def test_name_that_is_no_identifier_is_refused(make_bundle, host, tmp_path):
    with pytest.raises(ConfigError, match="'my-model' is not a C identifier"):
        generate_model(make_bundle("my-model"), host, "package", tmp_path)


def test_too_small_a_region_is_named_with_the_bytes_over(make_bundle, host, tmp_path):
    name, region = host.region_of("tensor_arena")
    small = replace(host, memory={**host.memory, name: replace(region, size=8000)})
    # One region holds 8368 bytes of program, 96 of activations and 1280 of scratch.
    with pytest.raises(DoesNotFit, match=rf"memory\.{name} of host is 1,744 bytes too small") as caught:
        generate_model(make_bundle(), small, "package", tmp_path)
    listed = [line.split()[0] for line in str(caught.value).splitlines()[1:]]
    assert listed == ["4,372", "2,640", "1,356", "1,280", "64", "10"]
    assert "cnn: weights of delegate 0" in str(caught.value)


def test_models_that_do_not_fit_side_by_side_are_told_to_share(make_bundle, host, tmp_path):
    bundles = [make_bundle("one"), make_bundle("two")]
    name, region = host.region_of("tensor_arena")
    small = replace(host, memory={**host.memory, name: replace(region, size=2 * 8368 + 1500)})
    with pytest.raises(DoesNotFit) as caught:
        generate_models(bundles, small, "package", tmp_path)
    assert "--shared-arena" in caught.value.hint
    assert [model.shares_arena for model in generate_models(bundles, small, "package", tmp_path, shared_arena=True)]


def test_models_share_an_arena_but_for_one_that_may_carry_something_over(make_bundle, host, tmp_path):
    bundles = [make_bundle("one"), make_bundle("two")]
    both = [generate_models(bundles, host, "package", tmp_path, shared_arena=share) for share in (0, 1)]
    assert [[model.shares_arena for model in models] for models in both] == [[False, False], [True, True]]
    method = read_program((bundles[0] / "model.pte").read_bytes()).methods["forward"]
    assert not carries_over(method, None)
    # The program now reads planned memory that no input sets, as it does for a buffer that the
    # model changes.
    assert carries_over(replace(method, input_values=()), None)


def test_state_is_counted_but_never_shared(host):
    method = read_program((ROOT / "tests/unit/firmware/model/data/sums.pte").read_bytes()).methods["forward"]
    arenas = plan_arenas(method, "ours", 4)
    assert (arenas.planned, arenas.state_buffer, arenas.carries_over) == ((64, 32), 2, False)
    assert (arenas.npu_visible, arenas.kept_bytes, arenas.planned_offsets) == (64, 32, (0, 0))
    two = [LinkedModel(name, method, arenas, pte_bytes=1696, shares_arena=True) for name in ("one", "two")]
    assert arena_bytes(two) == 64 + 2 * 32
    assert arena_bytes([replace(model, shares_arena=False) for model in two]) == 2 * (64 + 32)
    parts = [part.what for part in largest_parts(two, ["tensor_arena"], host)]
    assert "one: state 0, float32[4]" in parts and "one: tensor 2 (input 0) (shared), float32[4]" in parts


MEMORY = ROOT / "tests/unit/firmware/model/data/memory.pte"
TIES = (Tie(1, 1, 1), Tie(2, 2, None))


def memory_bundle(folder: Path) -> Path:
    """Return a bundle of the program with tied inputs."""

    def tensor(name: str, rows: int) -> TensorInfo:
        return TensorInfo(name, "float32", (2, rows, 2), 0.0, 0)

    folder.mkdir()
    pte = MEMORY.read_bytes()
    (folder / "model.pte").write_bytes(pte)
    inputs = (tensor("x", 1), tensor("cache", 3), tensor("carry", 1))
    outputs = (tensor("output_0", 3), tensor("output_1", 1), tensor("output_2", 1))
    digest = hashlib.sha256(pte).hexdigest()
    ModelInfo("memory", "model.py", "", "", "", inputs, outputs, (), digest, ties=TIES).save(folder)
    return folder


def test_tied_inputs_have_memory_that_no_model_shares():
    method = read_program(MEMORY.read_bytes()).methods["forward"]
    arenas = plan_arenas(method, "ours", 4, TIES)
    assert (arenas.planned, arenas.tied_buffer, arenas.kept_bytes) == ((80, 64), 2, 64)
    assert (arenas.npu_visible, arenas.planned_offsets) == (96, (0, 0))
    two = [LinkedModel(name, method, arenas, pte_bytes=1696, shares_arena=True) for name in ("one", "two")]
    assert arena_bytes(two) == 96 + 2 * 64
    assert plan_arenas(method, "ours", 4).kept_bytes == 0


@pytest.mark.parametrize(
    ("index", "memory"),
    [(1, (1, 0)), (1, (2, 4)), (3, (2, 48)), (1, None)],
    ids=["beside others", "over another", "another beside it", "nowhere"],
)
def test_tied_inputs_that_an_inference_overwrites_are_refused(index, memory):
    method = read_program(MEMORY.read_bytes()).methods["forward"]
    values = list(method.values)
    values[index] = replace(values[index], memory=memory)
    with pytest.raises(BadProgram, match="tied input"):
        plan_arenas(replace(method, values=tuple(values)), "ours", 4, TIES)


def test_an_app_reads_the_ties_from_it(host, tmp_path):
    generate_model(memory_bundle(tmp_path / "bundle"), host, "ours", tmp_path)
    (tmp_path / "main.c").write_text(
        """
#include <stdio.h>
#include "model_memory.h"
int main(void) {
  const pilotlight_model_descriptor_t* m = &pilotlight_model_memory;
  for (uint32_t i = 0; i < m->tie_count; ++i) {
    const pilotlight_tie_t* t = &m->ties[i];
    printf("%u %u %d %u %u %u\\n", t->output, t->input, t->axis, t->slots, t->block_bytes, t->block_count);
  }
  printf("%d %d %d %d %d %d %d\\n", PILOTLIGHT_MEMORY_TIE_0_OUTPUT, PILOTLIGHT_MEMORY_TIE_0_INPUT,
         PILOTLIGHT_MEMORY_TIE_0_AXIS, PILOTLIGHT_MEMORY_TIE_0_SLOTS, PILOTLIGHT_MEMORY_TIE_0_BLOCK_BYTES,
         PILOTLIGHT_MEMORY_TIE_0_BLOCK_COUNT, PILOTLIGHT_MEMORY_TIE_0_STRIDE_BYTES);
  const pilotlight_arena_t tied = m->planned_buffers[m->tied_buffer - 1];
  const pilotlight_arena_t other = m->planned_buffers[0];
  printf("%d %d %u\\n", PILOTLIGHT_MEMORY_TIE_COUNT, PILOTLIGHT_MEMORY_TIED_BYTES, tied.size_bytes);
  return tied.data < other.data + other.size_bytes && other.data < tied.data + tied.size_bytes;
}
"""
    )
    compile_sources(("gcc", "-std=c11"), tmp_path, "main.c", "model_memory.c", "model_memory.S", "-o", "app")
    out = subprocess.run([tmp_path / "app"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert out == ["1 1 1 3 8 2", "2 2 -1 1 16 1", "1 1 1 3 8 2 24", "2 64 64"]


def test_inputs_and_outputs_in_place_cost_no_memory_of_their_own(make_bundle):
    method = read_program((make_bundle() / "model.pte").read_bytes()).methods["forward"]
    apart = plan_arenas(method, "ours", 4)
    assert (apart.in_place, apart.npu_visible) == (False, 96 + 1280)
    blob = parse_blob(method.delegates[0].blob)
    places = (*blob.inputs, *blob.outputs)
    values = tuple(replace(value, memory=(1, place.offset)) for value, place in zip(method.values, places, strict=True))
    planned = replace(method, values=values, planned_buffer_sizes=(blob.scratch_size_bytes,))
    together = plan_arenas(planned, "ours", 4)
    assert (together.in_place, together.npu_visible, together.temp_pool_offset) == (True, 1280, 0)
    moved = replace(planned, values=(replace(values[0], memory=(1, places[0].offset + 16)), *values[1:]))
    assert not plan_arenas(moved, "ours", 4).in_place


def test_no_kernel_takes_memory_that_nobody_counted() -> None:
    # arenas.py counts only delegates. If a kernel allocates, arenas.py must count it too.
    sources = (ROOT / "firmware" / "kernels").rglob("*.cpp")
    assert not [path.name for path in sources if re.search(r"allocate(_temp)?\(", path.read_text(encoding="utf-8"))]


def test_two_models_of_one_name_are_refused(make_bundle, host, tmp_path):
    bundle = make_bundle()
    with pytest.raises(ConfigError, match="two models of the image are named cnn"):
        generate_models([bundle, bundle], host, "package", tmp_path)
