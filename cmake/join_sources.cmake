# SPDX-License-Identifier: Apache-2.0
#
# Compiles several sources of a target as one. firmware/executorch, kernels and model need it.
# With OFF, compile_commands.json has a command for each source, for editors and clang-tidy.
option(PILOTLIGHT_JOIN_SOURCES "Compile several sources as one" ON)

# pilotlight_join_sources(TARGET [AT_ONCE n])
# Compiles n C++ sources of the target as one; without n, those with the same UNITY_GROUP. Reading
# ExecuTorch's headers takes most of the time of a source, and sources that are joined read them once.
# Names in unnamed namespaces must therefore differ within a target. Lint compiles each source alone
# (scripts/test.sh), so that no source relies on the includes of another.
function(pilotlight_join_sources target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" AT_ONCE "")
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${PILOTLIGHT_JOIN_SOURCES})
  if(arg_AT_ONCE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD_BATCH_SIZE ${arg_AT_ONCE})
  else()
    set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
  endif()
  # GCC treats files that are included as headers, and warns about their unnamed namespaces.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
endfunction()
