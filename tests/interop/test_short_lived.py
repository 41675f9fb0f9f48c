"""Real servers let short-lived creds in, hold them to their role, end them in time, and refuse them once revoked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from identities.formats import creds as creds_format
from identities.models import Handover
from identities.nkeys import KeyKind, KeyPair
from identities.services import clock
from tests import natsclient, natsserver
from tests.interop.test_roles import Scene, dropped_by, hears, pusher
from tests.interop.tutorial import Tutorial

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return Scene(Tutorial.begin(folder))


def issued(scene: Scene, role: str, name: str, **values: Any) -> Path:
    """Creds of a role, downloaded from its page."""
    visitor = scene.tutorial.visitor
    page = visitor.open(visitor.open(scene.keys().link(role)).link("/creds"))
    form = page.form("name", "lifetime")
    answer = visitor.client.post(form.action, {**form.values, "name": name, **values})
    assert answer.status_code == 200, answer.content.decode()
    path = scene.tutorial.folder / f"{name}.issued"
    path.write_bytes(answer.content)
    return path


def kept_out(url: str, creds: Path) -> bool:
    """Whether a server refuses these creds; in the very second of their end it lets them in, and drops them."""
    try:
        return not natsclient.lets_in(url, creds)
    except (natsclient.Error, natsclient.LoginRefused):
        return False


def test_they_connect_are_held_to_the_role_and_end_by_themselves(
    scene: Scene, nats: natsserver.Stable, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.add_role("worker", pub_allow="jobs.{{name()}}.>", sub_allow="jobs.{{name()}}.>")
    server = nats.start(scene.tutorial.config(resolver="memory"))
    path = issued(scene, "worker", "one", lifetime="15m")
    assert hears(server.url, path, "jobs.one.x")
    assert natsclient.refusals_of_publishing(server.url, path, "jobs.two.x")
    at = clock.unix() - 50  # ten seconds are left of it
    with monkeypatch.context() as before:
        before.setattr(clock, "unix", lambda: at)
        short = issued(scene, "worker", "two", lifetime="1m")

    async def until_dropped() -> bool:
        async with natsclient.connected(server.url, short) as held:
            await held.client.flush()
            await asyncio.wait_for(held.closed.wait(), 30)
            return True

    assert natsclient._apart(until_dropped())
    natsserver.eventually(lambda: kept_out(server.url, short), "expired creds are refused")
    assert natsclient.lets_in(server.url, path)


def test_a_key_that_never_left_its_owner_connects(scene: Scene, nats: natsserver.Stable) -> None:
    scene.add_role("worker", pub_allow="mine.>", sub_allow="mine.>")
    server = nats.start(scene.tutorial.config(resolver="memory"))
    own = KeyPair.create(KeyKind.USER)
    jwt = issued(scene, "worker", "own", public_key=own.public.text)
    assert own.seed().reveal() not in jwt.read_bytes()
    creds = jwt.with_suffix(".creds")
    creds.write_text(creds_format.format_creds(jwt.read_text(), own))
    assert hears(server.url, creds, "mine.x")
    stranger = jwt.with_suffix(".stranger")
    seed, other = (pair.seed().reveal().decode() for pair in (own, KeyPair.create(KeyKind.USER)))
    stranger.write_text(creds.read_text().replace(seed, other))
    assert not natsclient.lets_in(server.url, stranger)


def test_what_somebody_received_is_dropped_and_refused_once_it_is_all_taken_back(
    scene: Scene, nats: natsserver.Stable
) -> None:
    scene.add_role("worker", pub_allow="a.>", sub_allow="a.>")
    server = nats.start(scene.tutorial.config(resolver="full", preload="all"))
    path = issued(scene, "worker", "one")
    kept = scene.tutorial.add_user("alice")
    assert kept is not None
    assert hears(server.url, path, "a.x")
    visitor = scene.tutorial.visitor
    row = Handover.objects.get(way="short-lived")
    page = visitor.open("/activity/creds/revoke", {"to": row.recipient})
    page = visitor.send(page, confirm=row.recipient_name)
    assert "Revoked all that" in page.text
    assert dropped_by(server.url, path, pusher(server, scene))
    assert not natsclient.lets_in(server.url, path)
    assert not natsclient.lets_in(server.url, kept)
