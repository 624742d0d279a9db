# SPDX-License-Identifier: Apache-2.0
#
# Lets all build folders share compiled objects, see python/pilotlight/builder/object_cache.py.
# Include it before the targets are added. A launcher that the user set stays.
#
#   PILOTLIGHT_OBJECT_CACHE=off in the environment turns the cache off
if(NOT PILOTLIGHT_PYTHON)
  return()
endif()
set(pilotlight_launcher "${PILOTLIGHT_PYTHON}" -S "${CMAKE_CURRENT_LIST_DIR}/../python/pilotlight/builder/object_cache.py")
foreach(language C CXX)
  if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
    set(CMAKE_${language}_COMPILER_LAUNCHER ${pilotlight_launcher})
  endif()
endforeach()
