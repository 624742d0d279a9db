# SPDX-License-Identifier: Apache-2.0
#
# pilotlight_add_text_generator(TARGET MODEL model BOARD board [options of pilotlight_add_model]):
# the app of this folder with another model, whose file has text.py beside it (docs/MODELS.md).
# Call it after find_package(Pilotlight).
set(PILOTLIGHT_GENERATE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(pilotlight_add_text_generator target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODEL" "")
  set(app ${PILOTLIGHT_GENERATE_DIR})
  add_executable(${target} ${app}/main.cpp ${app}/console_text.cpp ${app}/generator.cpp)
  pilotlight_add_model(${target} MODEL ${arg_MODEL} ${arg_UNPARSED_ARGUMENTS})

  # The tables hold stored values, so they depend on the scales of the exported model. The export
  # says in its depfile which files of the model's folder it has read.
  cmake_path(GET Pilotlight_DIR PARENT_PATH root)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "PYTHONPATH=${root}/python" ${PILOTLIGHT_PYTHON}
            -m pilotlight.builder.bundles -- ${arg_MODEL}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    OUTPUT_VARIABLE name OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(bundle ${CMAKE_BINARY_DIR}/bundles/${name})
  set(description ${CMAKE_CURRENT_BINARY_DIR}/description)
  file(GLOB python CONFIGURE_DEPENDS ${root}/python/pilotlight/generate/*.py)
  add_custom_command(
    OUTPUT ${description}/description.h ${description}/description.cpp
    COMMAND ${CMAKE_COMMAND} -E env "PYTHONPATH=${root}/python" ${PILOTLIGHT_PYTHON}
            ${app}/generate_description.py --bundle ${bundle} --out ${description}
    DEPENDS ${app}/generate_description.py ${python} ${bundle}/model.json
    VERBATIM COMMENT "Tables of the text model")
  target_sources(${target} PRIVATE ${description}/description.h ${description}/description.cpp)

  add_subdirectory(${app}/sampling ${CMAKE_CURRENT_BINARY_DIR}/sampling)
  target_include_directories(${target} PRIVATE ${app} ${description})
  target_link_libraries(${target} PRIVATE
    generate_sampling
    pilotlight::platform
    pilotlight::protocol
    pilotlight::console_session
    pilotlight::build_flags)
  pilotlight_bound_stack(${target})
endfunction()
