# SPDX-License-Identifier: Apache-2.0
#
# Finds FlatBuffers' compiler and headers on this system, version 2.0 or newer. Sets
# PILOTLIGHT_FLATC, PILOTLIGHT_FLATBUFFERS_INCLUDE and flatbuffers_definitions.

find_program(PILOTLIGHT_FLATC flatc PATHS /usr/bin NO_DEFAULT_PATH
             DOC "FlatBuffers compiler of the same version as the flatbuffers headers")
find_program(PILOTLIGHT_FLATC flatc REQUIRED)
find_path(PILOTLIGHT_FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h
          PATHS /usr/include NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH REQUIRED
          DOC "Folder that holds flatbuffers/flatbuffers.h")

function(pilotlight_flatbuffers_definitions result)
  set(folder ${PILOTLIGHT_FLATBUFFERS_INCLUDE}/flatbuffers)

  # The generated reader compiles only with headers of the compiler's own version.
  execute_process(COMMAND ${PILOTLIGHT_FLATC} --version OUTPUT_VARIABLE said ERROR_VARIABLE said
                  RESULT_VARIABLE code)
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" compiler "${said}")
  file(STRINGS ${folder}/base.h lines REGEX "#define FLATBUFFERS_VERSION_")
  string(REGEX MATCHALL "[0-9]+" headers "${lines}")
  list(JOIN headers "." headers)
  if(NOT code EQUAL 0 OR NOT compiler STREQUAL headers)
    message(FATAL_ERROR
      "FlatBuffers: ${PILOTLIGHT_FLATC} is version \"${compiler}\", the headers in ${folder} are "
      "\"${headers}\". Install both from one place (Debian: flatbuffers-compiler, "
      "libflatbuffers-dev), or name them with -DPILOTLIGHT_FLATC=... and "
      "-DPILOTLIGHT_FLATBUFFERS_INCLUDE=...")
  endif()

  # The wheel's pte_data_map.h declares flatbuffers::Vector before anything includes FlatBuffers.
  # FlatBuffers 23.5 added a second template parameter. EXECUTORCH_INTERNAL_FLATBUFFERS=1 selects
  # the declaration with one parameter.
  file(READ ${folder}/vector.h text)
  if(text MATCHES "template *<typename T, typename SizeT[^>]*>[ \n]*class Vector ")
    set(${result} "" PARENT_SCOPE)
  elseif(text MATCHES "template *<typename T>[ \n]*class Vector ")
    set(${result} EXECUTORCH_INTERNAL_FLATBUFFERS=1 PARENT_SCOPE)
  else()
    message(FATAL_ERROR
      "FlatBuffers ${headers}: ${folder}/vector.h declares flatbuffers::Vector in a way that "
      "ExecuTorch's headers do not know. Name another version with -DPILOTLIGHT_FLATC=... and "
      "-DPILOTLIGHT_FLATBUFFERS_INCLUDE=...")
  endif()
endfunction()

pilotlight_flatbuffers_definitions(flatbuffers_definitions)
