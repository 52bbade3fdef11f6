"""Real Nautobots, one of each version for the whole run; every test here is slow and so is marked `conformance`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from real_nautobot import VERSIONS, Nautobot, serve
from templates_world import Templates


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A conftest sees the items of the whole run: mark those of this folder."""
    for item in items:
        if "nautobot" in item.path.parent.name:
            item.add_marker(pytest.mark.conformance)
            item.add_marker(pytest.mark.timeout(1500))  # the first one installs it


@pytest.fixture(scope="session", params=VERSIONS)
def nautobot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nautobot]:
    """Serving."""
    with serve(request.param, tmp_path_factory.mktemp("nautobot")) as serving:
        yield serving


@pytest.fixture(scope="session")
def installed(cluster: Any) -> Iterator[Templates]:
    """The templates."""
    found = Templates(cluster.kubeconfig)
    yield found
    found.client.close()


@pytest.fixture
def templates(installed: Templates, nautobot: Nautobot) -> Templates:
    """The templates, told of this Nautobot, with the token of a user who may see what they ask for and no more."""
    installed.nautobot(nautobot.url, nautobot.tokens["viewer"])
    return installed
