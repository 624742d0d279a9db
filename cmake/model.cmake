# SPDX-License-Identifier: Apache-2.0
#
# From a model file to what an image links: `pilotlight::linked_models` (the
# embedded .pte, descriptor and arenas, and exactly the CPU operators that the
# program calls, on the dtypes it calls them with) and the generated header pilotlight/build_id.h.

set(SYSTEM_CONFIG "" CACHE STRING "Vela system configuration; empty: Arm's default for the target")
set(MEMORY_MODE "" CACHE STRING "Vela memory mode; empty: Arm's default for the target")
option(FLOAT_IO "float32 inputs and outputs on the device" OFF)
option(REQUIRE_FULL_DELEGATION "Fail when an operator stays on the CPU" OFF)

function(pilotlight_link_model)
  cmake_parse_arguments(arg "" "MODEL;TARGET" "" ${ARGN})
  set(bundle ${CMAKE_BINARY_DIR}/bundle)
  set(generated ${CMAKE_BINARY_DIR}/generated)
  file(GLOB exporter CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/python/pilotlight/export/*.py)
  file(GLOB generator CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/python/pilotlight/codegen/*)

  # Does nothing when the bundle is up to date, which the step itself decides by
  # content (python/pilotlight/build/DESIGN.md).
  add_custom_command(
    OUTPUT ${bundle}/model.json
    BYPRODUCTS ${bundle}/model.pte
    COMMAND ${PILOTLIGHT_PYTHON} -m pilotlight.build.export_step
            --board ${BOARD} --model ${arg_MODEL} "--target=${arg_TARGET}"
            "--system-config=${SYSTEM_CONFIG}" "--memory-mode=${MEMORY_MODE}"
            $<$<BOOL:${FLOAT_IO}>:--float-io>
            $<$<BOOL:${REQUIRE_FULL_DELEGATION}>:--require-full-delegation>
            --bundle ${bundle} --depfile ${CMAKE_BINARY_DIR}/export.d
    DEPENDS ${exporter}
    DEPFILE ${CMAKE_BINARY_DIR}/export.d
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Exporting ${arg_MODEL}")

  pilotlight_kernel_registration(kernels ${generated})
  get_property(kernel_generator GLOBAL PROPERTY PILOTLIGHT_KERNEL_GENERATOR)
  add_custom_command(
    OUTPUT ${generated}/linked_models.c ${generated}/linked_models.S ${kernels}
    COMMAND ${PILOTLIGHT_PYTHON} -m pilotlight.build.link_step
            --bundle ${bundle} --board ${BOARD} --runtime ${PILOTLIGHT_RUNTIME} --out ${generated}
    DEPENDS ${bundle}/model.json ${bundle}/model.pte ${generator} ${kernel_generator}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    VERBATIM
    COMMENT "Generating code for ${arg_MODEL}")

  set_source_files_properties(${generated}/linked_models.S PROPERTIES OBJECT_DEPENDS ${bundle}/model.pte)
  add_library(pilotlight_linked_models OBJECT
    ${generated}/linked_models.c ${generated}/linked_models.S ${kernels})
  pilotlight_select_kernels(pilotlight_linked_models ${generated})
  target_include_directories(pilotlight_linked_models PUBLIC ${generated} ${generated}/include)
  target_link_libraries(pilotlight_linked_models
    PUBLIC pilotlight::model pilotlight::runtime
    PRIVATE pilotlight::build_flags)
  add_library(pilotlight::linked_models ALIAS pilotlight_linked_models)
  pilotlight_generate_build_id(${generated} ${bundle}/model.pte)
endfunction()

# The build id is a hash of everything that goes into the image: program, our
# sources, the board's facts, compiler and options. A target that answers with
# another one runs another image.
function(pilotlight_generate_build_id generated pte)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/firmware/*.cpp ${CMAKE_SOURCE_DIR}/firmware/*.c ${CMAKE_SOURCE_DIR}/firmware/*.h
    ${CMAKE_SOURCE_DIR}/firmware/*.S ${CMAKE_SOURCE_DIR}/firmware/*.ld)
  set(inputs ${pte} ${sources} ${PILOTLIGHT_BOARD_FOLDER}/board.toml)
  string(JOIN "\n" list ${inputs})
  file(GENERATE OUTPUT ${generated}/build_id_inputs.txt CONTENT "${list}\n")
  add_custom_command(
    OUTPUT ${generated}/include/pilotlight/build_id.h
    BYPRODUCTS ${generated}/build_id.txt
    COMMAND ${PILOTLIGHT_PYTHON} -m pilotlight.build.build_id
            --inputs ${generated}/build_id_inputs.txt --root ${CMAKE_SOURCE_DIR}
            "--toolchain=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${CMAKE_BUILD_TYPE} ${PILOTLIGHT_RUNTIME}"
            --out ${generated}
    DEPENDS ${inputs} ${generated}/build_id_inputs.txt ${generated}/linked_models.c
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    VERBATIM
    COMMENT "Hashing what goes into the image")
  add_custom_target(pilotlight_build_id DEPENDS ${generated}/include/pilotlight/build_id.h)
  add_dependencies(pilotlight_linked_models pilotlight_build_id)
endfunction()
