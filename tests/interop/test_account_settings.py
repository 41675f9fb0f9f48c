"""What people set on an account's and an operator's pages is what a real nats-server then does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import APIError, Error, NotFoundError

from identities.claims import codec
from identities.claims.authorization import AuthorizationResponseBody
from identities.claims.common import Claims
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.user import UserBody
from identities.models import Account, Key, Operator, User
from identities.nkeys import KeyKind, KeyPair, PublicKey
from identities.services import changes, clock, signing
from tests import natsclient, natsserver
from tests.interop.tutorial import Tutorial
from tests.natsclient import Connected
from tests.pages import Page

JETSTREAM = '\njetstream { store_dir: "./jetstream", max_mem: 64M, max_file: 64M }\n'
LOOK = 1.0
"""Seconds in which what should not come would have come."""


@dataclass(slots=True)
class Setting:
    """Somebody who sets things on the account's pages, and a server that is told of each change."""

    tutorial: Tutorial
    server: natsserver.NatsServer
    system: Path
    creds: Path
    more: dict[str, Path] = field(default_factory=dict)

    def page(self, ending: str) -> Page:
        """A dialog of the account, by its address."""
        return self.tutorial.visitor.open(urlsplit(self.tutorial.account.url).path + ending)

    def save(self, ending: str, **values: Any) -> Page:
        """Fill in a dialog, accept what it says, and give the server the account's new JWT."""
        path = urlsplit(self.tutorial.account.url).path + ending
        page = self.tutorial.visitor.send(self.page(ending), action=path, **values)
        if page.status == 422 and (preview := page.response.context["form"].preview):
            page = self.tutorial.visitor.send(page, accept=preview.code)
        assert page.status == 200, page.text
        self.push()
        return page

    def push(self) -> None:
        """Give the server the account's JWT as it is now."""
        jwt = self.tutorial.account_jwt()
        answer = natsclient.request(self.server.url, self.system, "$SYS.REQ.CLAIMS.UPDATE", jwt)
        assert '"code":200' in answer, answer

    def info(self) -> dict[str, Any]:
        """What the server says about the account."""
        subject = f"$SYS.REQ.ACCOUNT.{self.tutorial.account_key}.INFO"
        told: dict[str, Any] = json.loads(natsclient.request(self.server.url, self.system, subject, b""))
        found: dict[str, Any] = told["data"]
        return found

    def account(self) -> Account:
        """The account's row."""
        return Account.objects.select_related("operator").get(public_key=self.tutorial.account_key)


@pytest.fixture
def setting(tmp_path: Path, nats: natsserver.Stable) -> Setting:
    """The tutorial's account with a user that may do everything, on a server with JetStream and a full resolver."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    tutorial = Tutorial.begin(folder)
    creds = tutorial.add_user("TestUser")
    assert creds is not None
    server = nats.start(tutorial.config(resolver="full", preload="all") + JETSTREAM)
    return Setting(tutorial, server, tutorial.system_creds(), creds)


async def arrivals(held: Connected, subjects: list[str]) -> Counter[str]:
    """Publish on each subject, and listen to everything; on which subjects that arrives."""
    found: Counter[str] = Counter()

    async def count(message: Any) -> None:
        found[message.subject] += 1

    await held.client.subscribe(">", cb=count)
    await held.client.flush()
    for subject in subjects:
        await held.client.publish(subject, b"x")
    await held.client.flush()
    await until(lambda: found.total() >= len(subjects))
    return found


async def until(true: Any) -> None:
    """Wait until something is true, and not longer than a client waits."""
    for _ in range(int(natsclient.PATIENCE * 100)):
        if true():
            return
        await asyncio.sleep(0.01)


def mapped(setting: Setting, source: str, *ways: tuple[str, str]) -> None:
    """Add a mapping on the page."""
    values = {"source": source}
    for row, (subject, weight) in enumerate(ways):
        values |= {f"to-{row}": subject, f"weight-{row}": weight}
    setting.save("mappings/new", **values)


@pytest.mark.django_db
def test_a_weighted_mapping_carries_messages_to_both_destinations_and_leaves_the_rest(
    setting: Setting,
) -> None:
    mapped(setting, "in.*", ("out.a.$1", "60"), ("out.b.{{wildcard(1)}}", "30"))
    found = natsclient.alone(lambda held: arrivals(held, ["in.x"] * 300), setting.server.url, setting.creds)
    assert set(found) == {"out.a.x", "out.b.x", "in.x"}
    assert found["out.a.x"] > found["out.b.x"] > found["in.x"]
    page = setting.tutorial.visitor.open(setting.page("mappings/").url, {"try": "in.x"})
    for words in ("60 % out.a.$1 here out.a.x", "30 % out.b.{{wildcard(1)}} here out.b.x", "10 % stays"):
        assert words in page.text


FUNCTIONS = (
    ("a", "out.a.{{partition(7)}}", "a"),
    (
        "b.*.*",
        "out.b.{{partition(3,1)}}.{{partition(9,1,2)}}.{{partition(5)}}.$2.{{split(1,-)}}",
        "b.-one-two--three-.x",
    ),
    (
        "c.*",
        "out.c.{{splitFromLeft(1,3)}}.{{SplitFromRight(1,3)}}.{{sliceFromLeft(1,3)}}.{{sliceFromRight(1,3)}}",
        "c.abcdefgh",
    ),
    (
        "d.*.>",
        "out.d.{{left(1,3)}}.{{right(1,2)}}.{{Wildcard(1)}}.{{sliceFromRight(1,9)}}.{{partition(4)}}.>",
        "d.abcdef.y.z",
    ),
)
"""All that a destination can compute, but for random numbers."""


@pytest.mark.django_db
def test_what_the_page_says_of_a_subject_is_where_the_server_sends_it(setting: Setting) -> None:
    visitor, told = setting.tutorial.visitor, []
    for source, target, _ in FUNCTIONS:
        path = urlsplit(setting.tutorial.account.url).path + "mappings/new"
        page = visitor.send(visitor.open(path), action=path, source=source, **{"to-0": target})
        assert "Saved the mapping" in page.text, page.text
    setting.push()
    listed = urlsplit(setting.tutorial.account.url).path + "mappings/"
    for _, _, sample in FUNCTIONS:
        html = visitor.open(listed, {"try": sample}).html
        told.append(html.partition('<code class="becomes">')[2].partition("</code>")[0])
    samples = [sample for _, _, sample in FUNCTIONS]
    found = natsclient.alone(lambda held: arrivals(held, samples), setting.server.url, setting.creds)
    literal = next(subject for subject in found if subject.startswith("out.a."))
    assert told[0] == "out.a.&lt;2|5&gt;"
    assert literal in ("out.a.2", "out.a.5")
    assert sorted(found) == sorted([literal, *told[1:]])
    assert all(subject.startswith("out.") for subject in told)


def stream(setting: Setting, name: str, **config: Any) -> str:
    """Make a stream; "" when the server takes it, else why not."""

    async def work(held: Connected) -> str:
        context = held.client.jetstream(timeout=natsclient.PATIENCE)
        try:
            await context.add_stream(StreamConfig(name=name, subjects=[f"{name}.>"], **config))
        except APIError as refused:
            return str(refused.description)
        return ""

    return natsclient.alone(work, setting.server.url, setting.creds)


def stored(setting: Setting, name: str, size: int) -> str:
    """Store a message of so many bytes; "" when that works, else why not."""

    async def work(held: Connected) -> str:
        try:
            await held.client.jetstream(timeout=LOOK).publish(f"{name}.x", b"x" * size)
        except Error as refused:
            return str(refused) or type(refused).__name__
        return ""

    return natsclient.alone(work, setting.server.url, setting.creds)


@pytest.mark.django_db
def test_jetstream_limits_of_the_whole_account_are_enforced_as_set(setting: Setting) -> None:
    assert "not enabled" in stream(setting, "early")
    setting.save(
        "limits",
        jetstream=True,
        mem_storage="1 MiB",
        disk_storage="2 MiB",
        streams="2",
        disk_max_stream_bytes="1 MiB",
        max_bytes_required=True,
    )
    assert stream(setting, "a", max_bytes=1024 * 1024) == ""
    assert "max bytes" in stream(setting, "b")
    assert "exceeds account limit max stream bytes" in stream(setting, "b", max_bytes=1024 * 1025)
    assert "insufficient memory" in stream(
        setting, "b", max_bytes=2 * 1024 * 1024, storage=StorageType.MEMORY
    )
    assert stream(setting, "b", max_bytes=512 * 1024, storage=StorageType.MEMORY) == ""
    assert "maximum number of streams reached" in stream(setting, "c", max_bytes=1024)
    assert stored(setting, "a", 100) == ""
    assert setting.info()["jetstream_enabled"] is True


@pytest.mark.django_db
def test_a_tier_alone_lets_no_other_number_of_replicas_in(setting: Setting) -> None:
    setting.save("limits", jetstream=True, layout="tiers", **{"R1-disk_storage": "1 MiB", "R1-streams": "1"})
    assert "no JetStream default or applicable tiered limit" in stream(setting, "r3", num_replicas=3)
    assert "insufficient storage" in stream(setting, "big", max_bytes=2 * 1024 * 1024)
    assert stream(setting, "one") == ""
    assert "maximum number of streams reached" in stream(setting, "two")
    visitor, path = setting.tutorial.visitor, urlsplit(setting.tutorial.account.url).path + "limits"
    moved = visitor.send(visitor.open(path), action=path, convert="whole:R1")
    page = visitor.send(moved, action=path, streams="2")
    assert "Saved the limits" in page.text, page.text
    setting.push()
    assert stream(setting, "two") == ""
    assert "maximum number of streams reached" in stream(setting, "three")


@pytest.mark.django_db
def test_a_stream_whose_tier_is_gone_takes_no_more_messages(setting: Setting) -> None:
    setting.save("limits", jetstream=True)
    assert stream(setting, "kept") == ""
    assert stored(setting, "kept", 10) == ""
    setting.save(
        "limits",
        layout="tiers",
        mem_storage="",
        disk_storage="",
        **{"R3-disk_storage": "1 MiB"},
    )
    assert stored(setting, "kept", 10) != ""


@pytest.mark.django_db
def test_jetstream_switched_off_and_on_again_has_its_files_and_not_its_memory(setting: Setting) -> None:
    setting.save("limits", jetstream=True)
    assert stream(setting, "file") == ""
    assert stream(setting, "memory", storage=StorageType.MEMORY) == ""
    assert [stored(setting, name, 10) for name in ("file", "memory")] == ["", ""]
    setting.save("limits", jetstream=False)
    assert stored(setting, "file", 10) != ""
    setting.save("limits", jetstream=True)

    async def messages(held: Connected) -> dict[str, int]:
        context, found = held.client.jetstream(timeout=natsclient.PATIENCE), {}
        for name in ("file", "memory"):
            try:
                found[name] = (await context.stream_info(name)).state.messages
            except NotFoundError:
                found[name] = 0
        return found

    found = natsclient.alone(messages, setting.server.url, setting.creds)
    assert found == {"file": 1, "memory": 0}


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
