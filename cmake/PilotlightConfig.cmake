# SPDX-License-Identifier: Apache-2.0
#
# find_package(Pilotlight) defines pilotlight_add_model(), see model.cmake. The package consists of
# sources. An image's libraries depend on its board and its model, so they are compiled in the build
# folder of the project that uses them. This file serves a checkout and an installed tree.
include("${CMAKE_CURRENT_LIST_DIR}/model.cmake")
