# SPDX-License-Identifier: Apache-2.0
#
# `cmake --install BUILD --prefix P` installs the package that find_package(Pilotlight) finds.
include(CMakePackageConfigHelpers)

set(destination share/pilotlight)
install(DIRECTORY firmware cmake boards DESTINATION ${destination})
install(DIRECTORY python DESTINATION ${destination}
  PATTERN "__pycache__" EXCLUDE PATTERN "*.egg-info" EXCLUDE PATTERN ".*_cache" EXCLUDE)
install(FILES LICENSE README.md DESTINATION ${destination})

write_basic_package_version_file(${CMAKE_BINARY_DIR}/PilotlightConfigVersion.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_BINARY_DIR}/PilotlightConfigVersion.cmake DESTINATION ${destination}/cmake)
