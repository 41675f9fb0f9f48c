"""Real servers hold users to their roles, and take over what is done to signing keys and users."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import natsclient, natsserver
from tests.interop.tutorial import Tutorial
from tests.pages import Page

pytestmark = pytest.mark.django_db


@dataclass(slots=True)
class Scene:
    """An account with roles, clicked together; files they download go to the tutorial's folder."""

    tutorial: Tutorial

    def keys(self) -> Page:
        """The tab of signing keys."""
        return self.tutorial.visitor.open(self.tutorial.account.link("/signing-keys/"))

    def add_role(self, name: str, **values: Any) -> str:
        """Add a role; its public key."""
        page = self.tutorial.visitor.open(self.keys().link("/new-role"))
        made = self.tutorial.visitor.send(page, role=name, **values)
        assert f"Added the role “{name}”." in made.text, made.text
        return urlsplit(made.url).path.rstrip("/").rpartition("/")[2]

    def edit_role(self, name: str, **values: Any) -> None:
        """Change a role, accepting what that means for its users."""
        page = self.tutorial.visitor.open(self.keys().link(name))
        page = self.tutorial.visitor.open(page.link("/edit"))
        self.accepted(page, "Saved the role.", **values)

    def accepted(self, page: Page, done: str, action: str = "", **values: Any) -> Page:
        """Send a form, read what has to be accepted, and send it again with that ticked."""
        read = self.tutorial.visitor.send(page, action=action, **values)
        preview = read.response.context["form"].preview
        assert preview is not None and preview.to_accept, read.text
        made = self.tutorial.visitor.send(read, action=action, accept=preview.code)
        assert done in made.text, made.text
        return made

    def user(self, name: str) -> Page:
        """The page of a user, as it is now."""
        return self.tutorial.visitor.open(self.tutorial.users[name].url)

    def creds(self, name: str) -> Path:
        """Its creds, kept apart from those that were downloaded before."""
        path = self.tutorial.creds(self.user(name))
        return path.rename(path.with_name(f"{len(list(path.parent.iterdir()))}-{path.name}"))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return Scene(Tutorial.begin(folder))


def hears(url: str, creds: Path, subject: str) -> bool:
    """Whether a user may publish and subscribe there: its own message comes back."""
    try:
        return natsclient.hear_yourself(url, creds, subject) == b"hello, world"
    except (natsclient.Error, TimeoutError):
        return False


def dropped_by(url: str, creds: Path, push: Callable[[], Any]) -> bool:
    """Whether a client that is connected is dropped by `push`, within a few seconds."""

    async def work() -> bool:
        async with natsclient.connected(url, creds) as held:
            await held.client.flush()
            await asyncio.to_thread(push)
            try:
                await asyncio.wait_for(held.closed.wait(), 3)
            except TimeoutError:
                return False
            return True

    return bool(natsclient._apart(work()))


def pusher(server: natsserver.NatsServer, scene: Scene) -> Callable[[], None]:
    """Pushes the account as it is now; everything is looked up before, so that a thread may call it."""
    system, jwt = scene.tutorial.system_creds(), scene.tutorial.account_jwt()

    def push() -> None:
        answer = natsclient.request(server.url, system, "$SYS.REQ.CLAIMS.UPDATE", jwt)
        assert '"code":200' in answer, answer

    return push


def test_a_user_of_a_role_is_held_to_its_template_with_its_variables_filled_in(
    scene: Scene, nats: natsserver.Stable
) -> None:
    subjects = "orders.{{name()}}.>\n{{tag(team)}}.reports"
    role = scene.add_role("worker", pub_allow=subjects, sub_allow=subjects, pub_deny="orders.*.secret")
    alice = scene.tutorial.add_user("alice", signer=role, tags="team:blue, team:red")
    bob = scene.tutorial.add_user("bob", signer=role)
    assert alice is not None and bob is not None
    server = nats.start(scene.tutorial.config(resolver="memory"))
    assert hears(server.url, alice, "orders.alice.new")
    assert hears(server.url, alice, "blue.reports")
    assert hears(server.url, alice, "red.reports")
    assert hears(server.url, bob, "orders.bob.new")
    for creds, subject in ((alice, "orders.bob.new"), (alice, "orders.alice.secret"), (bob, "blue.reports")):
        said = natsclient.refusals_of_publishing(server.url, creds, subject)
        assert any("permissions violation for publish" in text.lower() for text in said), subject


def test_what_the_page_says_a_template_becomes_is_what_the_server_does(
    scene: Scene, nats: natsserver.Stable
) -> None:
    role = scene.add_role("strict", pub_deny="secret.{{tag(team)}}.>")
    tagged = scene.tutorial.add_user("tagged", signer=role, tags="team:blue")
    bare = scene.tutorial.add_user("bare", signer=role)
    assert tagged is not None and bare is not None
    assert "Let in" in scene.user("tagged").text
    assert "Login refused" in scene.user("bare").text
    server = nats.start(scene.tutorial.config(resolver="memory"))
    assert natsclient.lets_in(server.url, tagged)
    assert not natsclient.lets_in(server.url, bare)
    assert natsclient.refusals_of_publishing(server.url, tagged, "secret.blue.x")


def test_an_edited_role_drops_its_users_who_come_back_with_the_new_rights(
    scene: Scene, nats: natsserver.Stable
) -> None:
    role = scene.add_role("worker", pub_allow="old.>", sub_allow="old.>\nnew.>")
    alice, other = scene.tutorial.add_user("alice", signer=role), scene.tutorial.add_user("other")
    assert alice is not None and other is not None
    server = nats.start(scene.tutorial.config(resolver="full", preload="all"))
    assert hears(server.url, alice, "old.a") and not hears(server.url, alice, "new.a")

    scene.edit_role("worker", pub_allow="new.>")
    push = pusher(server, scene)
    assert dropped_by(server.url, alice, push)
    assert hears(server.url, alice, "new.a") and not hears(server.url, alice, "old.a")

    scene.edit_role("worker", description="Even a description drops them.")
    assert dropped_by(server.url, alice, pusher(server, scene))
    scene.edit_role("worker", pub_allow="old.>")
    assert not dropped_by(server.url, other, pusher(server, scene))


def test_a_removed_role_locks_its_users_out_until_they_are_moved(
    scene: Scene, nats: natsserver.Stable
) -> None:
    role = scene.add_role("worker", pub_allow="a.>", sub_allow="a.>")
    alice = scene.tutorial.add_user("alice", signer=role)
    assert alice is not None
    alice = alice.rename(alice.with_name("before.creds"))
    server = nats.start(scene.tutorial.config(resolver="full", preload="all"))
    visitor = scene.tutorial.visitor
    page = visitor.open(visitor.open(scene.keys().link("worker")).link("/remove"))
    assert "1 user (“alice”)" in page.text
    visitor.send(page, confirm="worker")
    assert dropped_by(server.url, alice, pusher(server, scene))
    assert not natsclient.lets_in(server.url, alice)

    page = visitor.open(scene.user("alice").link("/move"))
    scene.accepted(page, "Moved user “alice”.", signer=scene.tutorial.account_key, start="unlimited")
    assert hears(server.url, scene.creds("alice"), "anything")


def test_a_user_moved_out_of_a_role_with_a_copy_may_do_what_it_could(
    scene: Scene, nats: natsserver.Stable
) -> None:
    role = scene.add_role("worker", pub_allow="o.{{name()}}", sub_allow="o.{{name()}}")
    before = scene.tutorial.add_user("alice", signer=role)
    assert before is not None
    before = before.rename(before.with_name("before.creds"))
    page = scene.tutorial.visitor.open(scene.user("alice").link("/move"))
    values = {"signer": scene.tutorial.account_key, "start": "template", "revoke": True}
    scene.accepted(page, "Moved user “alice”.", **values)
    server = nats.start(scene.tutorial.config(resolver="memory"))
    now = scene.creds("alice")
    assert hears(server.url, now, "o.alice") and not hears(server.url, now, "o.bob")
    assert not natsclient.lets_in(server.url, before)


def test_a_user_moved_into_a_role_is_held_to_it(scene: Scene, nats: natsserver.Stable) -> None:
    scene.tutorial.add_user("alice", pub_allow="mine", subs="3", tags="team:blue")
    role = scene.add_role("worker", pub_allow="{{tag(team)}}.>", sub_allow="{{tag(team)}}.>")
    page = scene.tutorial.visitor.open(scene.user("alice").link("/move"))
    scene.accepted(page, "Moved user “alice”.", signer=role)
    server = nats.start(scene.tutorial.config(resolver="memory"))
    now = scene.creds("alice")
    assert hears(server.url, now, "blue.x")
    assert natsclient.refusals_of_publishing(server.url, now, "mine")


def test_a_suspended_user_is_dropped_and_comes_back_with_the_same_creds(
    scene: Scene, nats: natsserver.Stable
) -> None:
    alice, bob = scene.tutorial.add_user("alice"), scene.tutorial.add_user("bob")
    assert alice is not None and bob is not None
    server = nats.start(scene.tutorial.config(resolver="full", preload="all"))
    visitor = scene.tutorial.visitor
    visitor.send(visitor.open(scene.user("alice").link("/suspend")), action="/suspend")
    assert dropped_by(server.url, alice, pusher(server, scene))
    assert not natsclient.lets_in(server.url, alice)
    assert natsclient.lets_in(server.url, bob)

    page = visitor.open(scene.user("alice").link("/lift-suspension"))
    visitor.send(page, action="/lift-suspension")
    pusher(server, scene)()
    assert natsclient.lets_in(server.url, alice)


def test_a_rotated_key_locks_the_old_creds_out_and_lets_the_new_ones_in(
    scene: Scene, nats: natsserver.Stable
) -> None:
    old = scene.tutorial.add_user("alice", pub_allow="a", sub_allow="a")
    assert old is not None
    old = old.rename(old.with_name("old.creds"))
    server = nats.start(scene.tutorial.config(resolver="memory"))
    page = scene.tutorial.visitor.open(scene.user("alice").link("/rotate-key"))
    scene.accepted(page, "“alice” has a new key", action="/rotate-key")
    new = scene.creds("alice")
    assert natsclient.lets_in(server.url, new)  # servers are never told of a user
    assert natsclient.lets_in(server.url, old)  # they are told of its revocation
    server.reload(scene.tutorial.config(resolver="memory"))
    assert not natsclient.lets_in(server.url, old)
    assert hears(server.url, new, "a") and not hears(server.url, new, "b")
