# SPDX-License-Identifier: Apache-2.0
#
# pilotlight_add_cmsis_dsp(TARGET file...): adds a static library of these files of CMSIS-DSP. The
# paths are relative to its Source folder. It uses Helium if the compiler has it. scripts/setup.sh
# puts the sources into the virtual environment.
function(pilotlight_add_cmsis_dsp target)
  if(NOT PILOTLIGHT_CMSIS_DSP_DIR)
    execute_process(COMMAND "${PILOTLIGHT_PYTHON}" -c "import sys; print(sys.prefix, end='')" OUTPUT_VARIABLE prefix)
    file(GLOB found LIST_DIRECTORIES true "${prefix}/src/cmsisdsp-*")
    if(NOT found)
      message(FATAL_ERROR "the sources of CMSIS-DSP are not in ${prefix}/src\n"
        "  try: ${PILOTLIGHT_ROOT}/scripts/setup.sh, or -DPILOTLIGHT_CMSIS_DSP_DIR=FOLDER")
    endif()
    list(GET found -1 found)
    set(PILOTLIGHT_CMSIS_DSP_DIR "${found}" CACHE PATH "CMSIS-DSP: the folder that holds Include and Source")
  endif()
  list(TRANSFORM ARGN PREPEND "${PILOTLIGHT_CMSIS_DSP_DIR}/Source/" OUTPUT_VARIABLE sources)
  add_library(${target} STATIC ${sources})
  # This is upstream's code, so there are no warnings, here and where its headers are included.
  target_include_directories(${target} SYSTEM PUBLIC "${PILOTLIGHT_CMSIS_DSP_DIR}/Include")
  target_include_directories(${target} PRIVATE "${PILOTLIGHT_CMSIS_DSP_DIR}/PrivateInclude")
  # With __GNUC_PYTHON__, CMSIS-DSP needs no headers of CMSIS-Core (arm_math_types.h). It then uses
  # no instructions of the DSP extension, but it does use Helium.
  target_compile_definitions(${target} PUBLIC __GNUC_PYTHON__)
  # Optimise for speed; the rest of an image is optimised for size.
  target_compile_options(${target} PRIVATE -O2 -w -ffunction-sections -fdata-sections
    "-ffile-prefix-map=${CMAKE_BINARY_DIR}=build"
    $<$<BOOL:${CMAKE_CROSSCOMPILING}>:-g;-fcallgraph-info=su>)
  if(NOT CMAKE_CROSSCOMPILING)
    target_link_libraries(${target} PUBLIC m)
  endif()
endfunction()
