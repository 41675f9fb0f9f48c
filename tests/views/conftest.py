"""What tests of pages share: a provider of single sign-on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import oidcprovider
from tests.oidcprovider import Provider


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    with oidcprovider.running() as provider:
        yield provider


@pytest.fixture
def idp(running_provider: Provider) -> Provider:
    """A real one on loopback, that answers as it should or lies."""
    running_provider.__init__(running_provider.issuer)  # type: ignore[misc]  # as good as new for each test
    return running_provider
