# SPDX-License-Identifier: Apache-2.0
#
# pilotlight_add_model(): links models into an image.
cmake_policy(VERSION 3.28) # independent of the calling project
if(POLICY CMP0174)
  cmake_policy(SET CMP0174 NEW) # an empty string is a value
endif()

# pilotlight_add_model(TARGET
#   MODEL model...    each a name under python/models, or the path of a model file
#   BOARD board       name under boards/, or path of a board's folder
#   [NPU npu]         NPU to compile for, by Arm's name (default: the board's)
#   [SYSTEM_CONFIG s] [MEMORY_MODE m]   for Vela (default: the board's)
#   [QUANTISE recipe] how to quantise: a16w8:matmul=int8 (default: as the model file says)
#   [FLOAT_IO]        float32 inputs and outputs on the device
#   [REQUIRE_FULL_DELEGATION]           fail if an operator stays on the CPU
#   [SHARED_ARENA]    the models' planned buffers and scratch overlap
#   [NO_HEAP]         the app has no malloc() and needs none (platform/no_heap.cpp)
# )
# The options of `west build` (PILOTLIGHT_OPTIONS, a JSON file) replace those of the call.
# Links into TARGET: each embedded .pte with its descriptor and arenas, exactly the CPU operators
# that the models call, the runtime, the delegate, the driver, and the C API
# (pilotlight/pilotlight.h). TARGET can include model_<name>.h and pilotlight/build_id.h. Call it in
# the folder that added TARGET. A build folder can have one such image.
function(pilotlight_add_model target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "FLOAT_IO;REQUIRE_FULL_DELEGATION;SHARED_ARENA;NO_HEAP"
    "BOARD;NPU;SYSTEM_CONFIG;MEMORY_MODE;QUANTISE" "MODEL")
  foreach(required MODEL BOARD)
    if(NOT arg_${required})
      message(FATAL_ERROR "pilotlight_add_model(${target}): ${required} is missing\n"
        "  try: pilotlight_add_model(${target} MODEL digits BOARD qemu-corstone300)")
    endif()
  endforeach()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pilotlight_add_model(${target}): unknown: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  pilotlight_load_firmware("${arg_BOARD}")

  cmake_path(GET CMAKE_CURRENT_FUNCTION_LIST_DIR PARENT_PATH root)
  set(run ${CMAKE_COMMAND} -E env "PYTHONPATH=${root}/python" ${PILOTLIGHT_PYTHON})
  set(generated ${CMAKE_BINARY_DIR}/generated)
  # As EXPORTER_MODULES in python/pilotlight/builder/exports.py.
  set(package ${root}/python/pilotlight)
  file(GLOB_RECURSE exporter CONFIGURE_DEPENDS ${package}/export/*.py ${package}/npu/*.py ${package}/pte/*.py)
  file(GLOB shared CONFIGURE_DEPENDS ${package}/*.py ${package}/kernels/kernel_list.py
       ${package}/metrics/*.py)
  list(APPEND exporter ${shared})
  file(GLOB generator CONFIGURE_DEPENDS ${root}/python/pilotlight/codegen/*)

  # The steps read the options of the call and of `west build` from files
  # (python/pilotlight/builder/model_options.py).
  foreach(flag FLOAT_IO REQUIRE_FULL_DELEGATION SHARED_ARENA)
    set(arg_${flag} $<IF:$<BOOL:${arg_${flag}}>,true,false>)
  endforeach()
  set(option_files ${generated}/options.json)
  file(GENERATE OUTPUT ${option_files} CONTENT
"{
  \"npu\": \"${arg_NPU}\",
  \"system_config\": \"${arg_SYSTEM_CONFIG}\",
  \"memory_mode\": \"${arg_MEMORY_MODE}\",
  \"quantise\": \"${arg_QUANTISE}\",
  \"float_io\": ${arg_FLOAT_IO},
  \"require_full_delegation\": ${arg_REQUIRE_FULL_DELEGATION},
  \"shared_arena\": ${arg_SHARED_ARENA}
}
")
  list(APPEND option_files ${PILOTLIGHT_OPTIONS})
  list(TRANSFORM option_files PREPEND --options= OUTPUT_VARIABLE options)

  # The export step compares contents and does nothing if the bundle is up to date
  # (python/pilotlight/builder/DESIGN.md).
  set(bundles)
  execute_process(
    COMMAND ${run} -m pilotlight.builder.bundles -- ${arg_MODEL}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    OUTPUT_VARIABLE names OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_VARIABLE complaint RESULT_VARIABLE result)
  if(result)
    message(FATAL_ERROR "pilotlight_add_model(${target}): ${complaint}")
  endif()
  foreach(model name IN ZIP_LISTS arg_MODEL names)
    set(bundle ${CMAKE_BINARY_DIR}/bundles/${name})
    add_custom_command(
      OUTPUT ${bundle}/model.json
      BYPRODUCTS ${bundle}/model.pte
      COMMAND ${run} -m pilotlight.builder.export_step
              --board ${arg_BOARD} --model ${model} ${options}
              --bundle ${bundle} --depfile ${CMAKE_BINARY_DIR}/export_${name}.d
      DEPENDS ${exporter} ${option_files}
      DEPFILE ${CMAKE_BINARY_DIR}/export_${name}.d
      WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
      COMMAND_EXPAND_LISTS VERBATIM
      COMMENT "Exporting ${model}")
    list(APPEND bundles ${bundle})
  endforeach()
  list(TRANSFORM bundles APPEND /model.pte OUTPUT_VARIABLE programs)
  list(TRANSFORM bundles APPEND /model.json OUTPUT_VARIABLE descriptions)
  list(JOIN arg_MODEL " and " named)

  pilotlight_kernel_registration(kernels ${generated})
  get_property(kernel_generator GLOBAL PROPERTY PILOTLIGHT_KERNEL_GENERATOR)
  add_custom_command(
    OUTPUT ${generated}/linked_models.c ${generated}/linked_models.S ${kernels}
    COMMAND ${run} -m pilotlight.builder.link_step
            --bundle "$<JOIN:${bundles},;--bundle;>" --board ${arg_BOARD} --runtime ${PILOTLIGHT_RUNTIME}
            ${options} --out ${generated}
    DEPENDS ${option_files} ${descriptions} ${programs} ${generator} ${kernel_generator}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Generating code for ${named}")

  set_source_files_properties(${generated}/linked_models.S PROPERTIES OBJECT_DEPENDS "${programs}")
  # Only for these sources: outside this function, another project keeps its own compiler launcher.
  include("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/object_cache.cmake")
  set(models ${target}_models)
  add_library(${models} OBJECT ${generated}/linked_models.c ${generated}/linked_models.S ${kernels})
  set_source_files_properties(${generated}/linked_models.c PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  pilotlight_select_kernels(${models} ${generated})
  target_include_directories(${models} SYSTEM PUBLIC ${generated} ${generated}/include)
  target_link_libraries(${models}
    PUBLIC pilotlight::model pilotlight::runtime
    PRIVATE pilotlight::build_flags)
  list(LENGTH bundles count)
  target_compile_definitions(${models} PUBLIC PILOTLIGHT_MODEL_COUNT=${count})
  target_link_libraries(${target} PRIVATE ${models})
  if(arg_NO_HEAP)
    target_link_libraries(${target} PRIVATE pilotlight::no_heap)
  endif()

  # The build id comes first, before any other step reads the image.
  file(GLOB reader CONFIGURE_DEPENDS ${root}/python/pilotlight/elf/*.py)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS
    ${reader} ${root}/python/pilotlight/builder/build_id.py)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${run} -m pilotlight.builder.build_id --elf $<TARGET_FILE:${target}> --out ${generated}
    BYPRODUCTS ${generated}/build_id.txt
    VERBATIM)

  # Proves that the linked image can run the program.
  file(GLOB proof CONFIGURE_DEPENDS ${root}/python/pilotlight/proof/*.py)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${proof} ${descriptions})
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${run} -m pilotlight.proof.step --elf $<TARGET_FILE:${target}>
            --bundle "$<JOIN:${bundles},;--bundle;>"
            --board ${arg_BOARD} --executorch ${PILOTLIGHT_EXECUTORCH_VERSION}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Proving that the image can run ${named}")

  # `west size` reads the linker's map beside the image. A target may already request a map.
  get_target_property(link_options ${target} LINK_OPTIONS)
  if(NOT link_options MATCHES "-Map")
    target_link_options(${target} PRIVATE "LINKER:-Map=$<TARGET_FILE:${target}>.map")
  endif()

  # Tells `west build` the image and its bundles.
  list(JOIN bundles "\n" bundle_lines)
  file(GENERATE OUTPUT ${CMAKE_BINARY_DIR}/image.txt CONTENT "$<TARGET_FILE:${target}>\n${bundle_lines}\n")
endfunction()

# Adds the firmware's libraries for `board`, once per build folder.
macro(pilotlight_load_firmware board)
  if(NOT TARGET pilotlight_base)
    set(BOARD "${board}")
    include("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/python.cmake")
    include("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/board.cmake")
    if(NOT PILOTLIGHT_BOARD_CORE STREQUAL "host" AND NOT CMAKE_CROSSCOMPILING)
      message(FATAL_ERROR "${PILOTLIGHT_BOARD_NAME} is a ${PILOTLIGHT_BOARD_CORE}, and this project was set up for this "
        "machine's own compiler\n  try: -DCMAKE_TOOLCHAIN_FILE=${PILOTLIGHT_ROOT}/cmake/toolchain/arm-none-eabi.cmake, "
        "in an empty build folder")
    endif()
    set(PILOTLIGHT_IS_GUEST ON) # See flags.cmake. SYSTEM: no warnings from our headers.
    add_subdirectory("${PILOTLIGHT_ROOT}/firmware" "${CMAKE_BINARY_DIR}/pilotlight-firmware" EXCLUDE_FROM_ALL SYSTEM)
  else()
    get_property(loaded GLOBAL PROPERTY PILOTLIGHT_LOADED_BOARD)
    if(NOT "${board}" STREQUAL loaded)
      message(FATAL_ERROR "pilotlight_add_model: ${board}, but this build folder is for ${loaded}\n"
        "  try: a build folder for each board")
    endif()
    include("${PILOTLIGHT_BOARD_GENERATED_DIR}/board.cmake")
  endif()
endmacro()
