"""What tests beside other people's programs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import natsserver, nsc
from tests.conftest import NO_SKIPS
from tests.interop import settings_page


@pytest.fixture(scope="session")
def nsc_binary() -> Path:
    """The real nsc. Without Go its tests are left out (`pytest_collection_modifyitems`); with Go it must be built
    where skips are forbidden.
    """
    try:
        return nsc.built()
    except nsc.NotHere as missing:
        if NO_SKIPS:
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture
def nsc_on(nsc_binary: Path, tmp_path: Path) -> Callable[..., nsc.Nsc]:
    """nsc on the stores and keys below a folder."""

    def on(root: Path, keystore: Path | None = None) -> nsc.Nsc:
        return nsc.Nsc(nsc_binary, root / "stores", keystore or root / "keys", tmp_path / f"nsc-{root.name}")

    return on


@pytest.fixture
def old_nats(tmp_path: Path) -> Iterator[natsserver.Stable]:
    """Starts nats-servers of before 2.10; without such a one, tests with it are left out."""
    stable = natsserver.Stable(tmp_path, natsserver.old_binary())
    try:
        yield stable
    finally:
        stable.stop()


@pytest.fixture
def setting(tmp_path: Path, nats: natsserver.Stable) -> settings_page.Setting:
    """Somebody at the pages of the tutorial's account, and a server that is told of each change."""
    return settings_page.begun(tmp_path, nats)
