"""What people set on an account's and an operator's pages is what a real nats-server then does."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from identities.claims import codec
from identities.claims.authorization import AuthorizationResponseBody
from identities.claims.common import Claims
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.user import UserBody
from identities.models import Key, Operator, User
from identities.nkeys import KeyKind, KeyPair, PublicKey
from identities.services import changes, clock, signing
from tests import natsclient
from tests.interop.settings_page import Setting, until
from tests.natsclient import Connected


@pytest.mark.django_db
def test_default_permissions_hold_and_apply_to_those_who_are_connected(setting: Setting) -> None:
    own = setting.tutorial.add_user("own", pub_allow="elsewhere")
    assert own is not None

    async def work(held: Connected) -> list[str]:
        await held.client.publish("elsewhere", b"x")
        await held.client.flush()
        assert not held.errors
        await asyncio.get_running_loop().run_in_executor(None, ready.set)
        await asyncio.get_running_loop().run_in_executor(None, changed.wait)
        await held.client.publish("orders.new", b"x")
        await held.client.publish("elsewhere", b"x")
        await held.client.flush()
        await until(lambda: bool(held.errors))
        return [*held.errors, "closed"] if held.closed.is_set() else held.errors

    ready, changed, said = threading.Event(), threading.Event(), list[str]()
    client = threading.Thread(
        target=lambda: said.extend(natsclient.alone(work, setting.server.url, setting.creds))
    )
    client.start()
    assert ready.wait(natsclient.PATIENCE)
    setting.save("default-permissions", pub_allow="orders.>", sub_deny="secret.>")
    changed.set()
    client.join()
    assert [text for text in said if 'to "elsewhere"' in text.lower()], said
    assert len(said) == 1, said
    assert natsclient.refusals_of_publishing(setting.server.url, setting.creds, "elsewhere")
    assert not natsclient.refusals_of_publishing(setting.server.url, own, "elsewhere")
    setting.save("default-permissions", pub_allow="", sub_deny="")
    assert not natsclient.refusals_of_publishing(setting.server.url, setting.creds, "elsewhere")


@pytest.mark.django_db
def test_messages_with_a_trace_context_are_reported_to_the_destination(setting: Setting) -> None:
    setting.save("tracing", dest="traces", sampling="100")

    async def work(held: Connected) -> dict[str, Any]:
        listening = await held.client.subscribe("traces")
        await held.client.subscribe("orders")
        context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await held.client.publish("orders", b"x", headers={"traceparent": context})
        message = await listening.next_msg(natsclient.PATIENCE)
        report: dict[str, Any] = json.loads(message.data)
        return report

    report = natsclient.alone(work, setting.server.url, setting.creds)
    assert report["events"][0]["subj"] == "orders"
    setting.save("cluster-traffic", traffic="owner")
    told = setting.info()
    assert told["jwt"] == setting.tutorial.account_jwt().decode()
    assert told["decoded_jwt"]["nats"]["cluster_traffic"] == "owner"
    assert "invalid value" not in setting.server.log


@pytest.mark.django_db
def test_revoking_all_users_drops_everybody_and_clearing_lets_them_in_again(setting: Setting) -> None:
    other = setting.tutorial.add_user("other")
    assert other is not None
    dropped = _dropped_by(setting, lambda: setting.save("revocations/new", who="all"))
    assert dropped
    assert not natsclient.lets_in(setting.server.url, setting.creds)
    assert not natsclient.lets_in(setting.server.url, other)
    page = setting.page("revocations/")
    assert "All users" in page.text
    clear = next(address for _, address in page.links if address.endswith("/clear"))
    page = setting.tutorial.visitor.send(setting.tutorial.visitor.open(clear), action=clear)
    assert "Cleared." in page.text
    setting.push()
    assert natsclient.lets_in(setting.server.url, setting.creds)


@pytest.mark.django_db
def test_revoking_one_user_by_name_drops_it_alone(setting: Setting) -> None:
    other = setting.tutorial.add_user("other")
    assert other is not None
    dropped = _dropped_by(setting, lambda: setting.save("revocations/new", user="TestUser"))
    assert dropped
    assert natsclient.lets_in(setting.server.url, other)


def _dropped_by(setting: Setting, doing: Any) -> bool:
    """Whether a client that is connected is dropped by what is done."""
    ready, found = threading.Event(), list[bool]()

    async def work(held: Connected) -> None:
        await held.client.flush()
        ready.set()
        await until(held.closed.is_set)
        found.append(held.closed.is_set())

    client = threading.Thread(target=lambda: natsclient.alone(work, setting.server.url, setting.creds))
    client.start()
    assert ready.wait(natsclient.PATIENCE)
    doing()
    client.join()
    return found == [True]


@dataclass(slots=True)
class Callout:
    """A service behind auth callout: what it was asked; it lets everybody in who publishes below `placed`."""

    signer: KeyPair
    xkey: KeyPair
    asked: list[Any] = field(default_factory=list)

    async def answer(self, message: Any) -> None:
        """Open the request, and seal the answer for the server that asked."""
        server_key = PublicKey.parse(message.headers["Nats-Server-Xkey"], KeyKind.CURVE)
        request = codec.decode(self.xkey.open(message.data, server_key).decode()).claims
        self.asked.append(request)
        limits = UserPermissionLimits(pub=Permission(allow=("placed.>",)), subs=-1, data=-1, payload=-1)
        user = Claims(nats=UserBody(limits=limits), sub=request.nats.user_nkey, name="placed")
        jwt = codec.encode(user, self.signer, clock.unix()).text
        body = AuthorizationResponseBody(jwt=jwt)
        response = Claims(nats=body, sub=request.nats.user_nkey, aud=request.nats.server_id.id)
        text = codec.encode(response, self.signer, clock.unix()).text
        await message.respond(self.xkey.seal(text.encode(), server_key))


def pair_of(public_key: str) -> KeyPair:
    """A key pair whose seed is sealed here, opened for a service of this test."""
    with signing.signer_for(Key.objects.get(public_key=public_key, deleted_at=None)) as pair:
        return KeyPair.from_seed(pair.seed())


@pytest.mark.django_db
def test_auth_callout_asks_the_auth_user_with_requests_that_only_it_can_read(setting: Setting) -> None:
    service = setting.tutorial.add_user("service")
    assert service is not None
    account = setting.account()
    user = User.objects.get(name="service")
    page = setting.save("auth-callout", users=[user.public_key], new_xkey=True)
    assert "Auth user: service (" in page.text
    xkey = changes.claims_of(setting.account()).nats.authorization.xkey
    callout = Callout(signer=pair_of(account.public_key), xkey=pair_of(xkey))

    async def work(held: Connected) -> list[str]:
        await held.client.subscribe("$SYS.REQ.USER.AUTH", cb=callout.answer)
        await held.client.flush()
        loop = asyncio.get_running_loop()
        allowed = await loop.run_in_executor(
            None, natsclient.refusals_of_publishing, setting.server.url, setting.creds, "placed.here"
        )
        assert not allowed
        return await loop.run_in_executor(
            None, natsclient.refusals_of_publishing, setting.server.url, setting.creds, "elsewhere"
        )

    refused = natsclient.alone(work, setting.server.url, service)
    assert any("elsewhere" in text for text in refused), refused
    assert len(callout.asked) == 2
    request = callout.asked[0].nats
    assert request.connect_opts.jwt
    assert callout.asked[0].aud == "nats-authorization-request"
    assert not natsclient.lets_in(setting.server.url, setting.creds)  # nobody answers any more
    callout_of_server = setting.info()["decoded_jwt"]["nats"]["authorization"]
    assert callout_of_server == {"auth_users": [user.public_key], "xkey": xkey}


@pytest.mark.django_db
def test_accounts_re_signed_by_another_key_are_trusted_after_the_old_one_is_gone(setting: Setting) -> None:
    visitor, tutorial = setting.tutorial.visitor, setting.tutorial
    keys = urlsplit(tutorial.operator.url).path + "signing-keys/"
    page = visitor.open(keys + "new")
    assert "Added a signing key" in visitor.send(page, action="/new").text
    _, second = changes.claims_of(Operator.objects.get()).nats.signing_keys
    page = visitor.open(keys)
    remove = next(address for _, address in page.links if address.endswith("/remove"))
    page = visitor.send(visitor.open(remove), resign_by=second)
    assert "Removed the signing key" in page.text, page.text
    assert changes.claims_of(Operator.objects.get()).nats.signing_keys == (second,)
    setting.server.restart(tutorial.config(resolver="memory"))
    assert natsclient.lets_in(setting.server.url, setting.creds)
    told = setting.info()
    assert told["decoded_jwt"]["iss"] == second


@pytest.mark.django_db
def test_a_chosen_system_account_serves_after_a_restart(setting: Setting) -> None:
    visitor = setting.tutorial.visitor
    path = urlsplit(setting.tutorial.operator.url).path + "system-account/choose"
    page = visitor.send(visitor.open(path), account="TestAccount")
    page = visitor.send(page, accept=page.response.context["form"].preview.code)
    assert "Saved the system account" in page.text, page.text
    setting.server.restart(setting.tutorial.config(resolver="memory"))
    answer = natsclient.request(setting.server.url, setting.creds, "$SYS.REQ.SERVER.PING", b"")
    assert '"server"' in answer


@pytest.mark.django_db
def test_a_server_older_than_asserted_does_not_start(setting: Setting) -> None:
    visitor = setting.tutorial.visitor
    path = urlsplit(setting.tutorial.operator.url).path + "edit"
    page = visitor.send(visitor.open(path), action=path, assert_server_version="99.0.0")
    page = visitor.send(page, accept=page.response.context["form"].preview.code)
    assert "Saved operator" in page.text, page.text
    setting.server.stop()
    with pytest.raises(AssertionError, match="expected major version 99"):
        setting.server.restart(setting.tutorial.config(resolver="memory"))
