# SPDX-License-Identifier: Apache-2.0
#
# pilotlight_bound_stack(TARGET): after linking, computes the largest stack use and writes
# stack.json to the build folder. The build fails if it exceeds [budget] stack_bytes of the board.
# See python/pilotlight/stack.
function(pilotlight_bound_stack target)
  if(NOT CMAKE_CROSSCOMPILING)
    return()
  endif()
  set(root ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/..)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E env PYTHONPATH=${root}/python
            ${PILOTLIGHT_PYTHON} -m pilotlight.stack --build ${CMAKE_BINARY_DIR} --elf $<TARGET_FILE:${target}>
    VERBATIM COMMENT "Bounding the stack")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${root}/firmware/indirect_calls.toml)
endfunction()
