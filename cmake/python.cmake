# SPDX-License-Identifier: Apache-2.0
#
# Finds the interpreter of the virtual environment and its ExecuTorch package.
# Sets PILOTLIGHT_PYTHON, PILOTLIGHT_EXECUTORCH_DIR and PILOTLIGHT_EXECUTORCH_VERSION.

find_program(PILOTLIGHT_PYTHON NAMES python python3
  HINTS "${CMAKE_CURRENT_LIST_DIR}/../.venv/bin" "$ENV{VIRTUAL_ENV}/bin" NO_CMAKE_FIND_ROOT_PATH)

if(NOT PILOTLIGHT_EXECUTORCH_DIR)
  # find_spec does not import the package; an import would load PyTorch.
  execute_process(
    COMMAND "${PILOTLIGHT_PYTHON}" -c
      "import importlib.util as u; s = u.find_spec('executorch'); print(list(s.submodule_search_locations)[0] if s else '', end='')"
    OUTPUT_VARIABLE found RESULT_VARIABLE result)
  if(result OR NOT found)
    message(FATAL_ERROR "${PILOTLIGHT_PYTHON} has no executorch package\n  try: ${CMAKE_CURRENT_LIST_DIR}/../scripts/setup.sh, then configure again in an empty folder")
  endif()
  set(PILOTLIGHT_EXECUTORCH_DIR "${found}" CACHE PATH "The executorch package of the virtual environment")
endif()

# The version of headers and schema, without the build's name ("1.5.1+cpu").
file(STRINGS ${PILOTLIGHT_EXECUTORCH_DIR}/version.py PILOTLIGHT_EXECUTORCH_VERSION REGEX "^__version__")
string(REGEX MATCH "[0-9][0-9.a-z]*" PILOTLIGHT_EXECUTORCH_VERSION "${PILOTLIGHT_EXECUTORCH_VERSION}")
