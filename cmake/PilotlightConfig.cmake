# SPDX-License-Identifier: Apache-2.0
#
# find_package(Pilotlight): defines pilotlight_add_model(), see model.cmake. The
# package is sources: an image's libraries depend on its board and its model, so
# they are compiled in the build folder of whoever uses them. The same file serves
# a checkout and an installed tree.
include("${CMAKE_CURRENT_LIST_DIR}/model.cmake")
