# SPDX-License-Identifier: Apache-2.0
import pytest
from small_image import Linked, link


@pytest.fixture(scope="session")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Linked:
    return link(tmp_path_factory.mktemp("linked"))
