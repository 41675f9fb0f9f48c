"""What a real nats-server writes into its log and says to clients, and what nats-py makes of it, is understood."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from identities.claims import codec, explain
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.explain_types import Question, Situation, Verb, Verdict
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permission, ResponsePermission, TimeRange, UserPermissionLimits
from identities.claims.user import UserBody
from identities.formats import creds, denials, server_config
from identities.formats.denials import Kind
from identities.nkeys import KeyKind, KeyPair
from tests import natsclient, natsserver
from tests.interop.wire import Refused, Wire

UNLIMITED = UserPermissionLimits.unlimited()
ONLY_OK = Permission(allow=("Ok.subject",))


class Realm:
    """One account on a server, and users made at need."""

    def __init__(self, nats: natsserver.Stable, *, jetstream: bool = False) -> None:
        self.now = int(time.time())
        self.operator, self.account = KeyPair.create(KeyKind.OPERATOR), KeyPair.create(KeyKind.ACCOUNT)
        self.revoked = KeyPair.create(KeyKind.USER)
        system = KeyPair.create(KeyKind.ACCOUNT).public.text
        limits = replace(OperatorLimits.unlimited(), conn=2, disallow_bearer=True)
        if jetstream:
            limits = replace(limits, disk_storage=NO_LIMIT, mem_storage=NO_LIMIT)
        body = AccountBody(limits=limits, revocations={self.revoked.public.text: self.now + 60})
        self.claims = codec.encode(
            Claims(nats=body, name="Shop", sub=self.account.public.text), self.operator, self.now
        )
        preload = [
            ("Shop", self.account.public.text, self.claims.text),
            ("SYS", system, self._signed(AccountBody(), "SYS", system)),
        ]
        config = server_config.ServerConfig(
            resolver=server_config.Resolver.MEMORY,
            operator_name="O",
            operator_jwt=self._signed(OperatorBody(system_account=system), "O", self.operator.public.text),
            system_account=system,
            preload=preload,
        )
        more = 'jetstream { store_dir: "./js" }\n' if jetstream else ""
        self.server = nats.start(server_config.render(config) + "debug: true\n" + more)

    def _signed(self, body: Any, name: str, key: str) -> str:
        return codec.encode(Claims(nats=body, name=name, sub=key), self.operator, self.now).text

    def user(
        self, pair: KeyPair | None = None, *, signer: KeyPair | None = None, exp: int = 0, **limits: Any
    ) -> tuple[codec.Token, KeyPair]:
        pair = pair or KeyPair.create(KeyKind.USER)
        body = UserBody(limits=replace(UNLIMITED, **limits), issuer_account=self.account.public.text)
        claims = Claims(nats=body, name="ann", sub=pair.public.text, exp=exp)
        return codec.encode(claims, signer or self.account, self.now), pair

    def situation(self, user: codec.Token) -> Situation:
        return Situation(user=user.claims, account=self.claims.claims)


@pytest.fixture
def realm(nats: natsserver.Stable) -> Realm:
    return Realm(nats)


def said(realm: Realm, *lines: str, **limits: Any) -> tuple[list[str], str, str]:
    """The errors that these protocol lines bring, what the log says of them, and who it was."""
    token, pair = realm.user(**limits)
    before = len(realm.server.log)
    with Wire(realm.server.port, token.text, pair) as wire:
        errors = wire.ask(*lines)
    return errors, realm.server.log[before:], pair.public.text


@pytest.mark.parametrize(
    ("lines", "kind", "subject", "queue"),
    [
        (("PUB No.subject 0", ""), Kind.PUBLISH, "No.subject", ""),
        (("SUB No.subject 1",), Kind.SUBSCRIBE, "No.subject", ""),
        (("SUB No.> group 1",), Kind.SUBSCRIBE, "No.>", "group"),
        (("PUB Ok.subject _R_.x 0", ""), Kind.REPLY, "_R_.x", ""),
        (("PUB $JS.API.STREAM.INFO.x _INBOX.a 0", ""), Kind.PUBLISH, "$JS.API.STREAM.INFO.x", ""),
    ],
)
def test_a_denial_reads_alike_in_the_log_and_at_the_client(
    realm: Realm, lines: tuple[str, ...], kind: Kind, subject: str, queue: str
) -> None:
    errors, log, key = said(realm, *lines, pub=ONLY_OK, sub=ONLY_OK)
    (at_client,) = denials.parse("\n".join(errors))
    (in_log,) = [one for one in denials.parse(_errors_of(log)) if one.kind is kind]
    assert (at_client.kind, at_client.subject, at_client.queue, at_client.user) == (kind, subject, queue, "")
    assert (in_log.subject, in_log.queue, in_log.user) == (subject, queue, key)
    assert in_log.account == realm.account.public.text


def _errors_of(log: str) -> str:
    return "\n".join(line for line in log.splitlines() if "[ERR]" in line)


LOGINS = {
    "expired": ({"exp": -5}, Kind.EXPIRED),
    "stranger": ({"signer": KeyPair.create(KeyKind.ACCOUNT)}, Kind.ISSUER),
    "network": ({"src": ("192.0.2.0/24",)}, Kind.SOURCE),
    "hours": ({"times": (TimeRange(start="00:00:00", end="00:00:01"),)}, Kind.HOURS),
    "kind": ({"allowed_connection_types": ("MQTT",)}, Kind.CONNECTION_TYPE),
    "bearer": ({"bearer_token": True}, Kind.BEARER),
    "revoked": ({"pair": None}, Kind.REVOKED),
    "seed": ({}, Kind.SIGNATURE),
}


@pytest.mark.parametrize("name", LOGINS)
def test_a_refused_login_is_understood_at_the_client_and_explained_by_the_log(
    realm: Realm, name: str
) -> None:
    options, kind = dict(LOGINS[name][0]), LOGINS[name][1]
    if "exp" in options:
        options["exp"] = realm.now + options["exp"]
    if "pair" in options:
        options["pair"] = realm.revoked
    token, pair = realm.user(**options)
    if name == "seed":
        pair = KeyPair.create(KeyKind.USER)
    before = len(realm.server.log)
    with pytest.raises(Refused) as refused, Wire(realm.server.port, token.text, pair):
        pass
    assert [one.kind for one in denials.parse(str(refused.value))] == [Kind.AUTHORIZATION]
    kinds = {one.kind for one in denials.parse(realm.server.log[before:])}
    assert kind in kinds
    if name in ("expired", "stranger", "bearer", "revoked"):  # the tester knows it too
        about = replace(realm.situation(token), now=realm.now)
        assert "can't log in" in explain.ask(about, Question(verb=Verb.PUBLISH, subject="x")).reason


def test_limits_are_told_from_permissions(realm: Realm) -> None:
    errors, _, _ = said(realm, "SUB a 1", "SUB b 2", subs=1)
    assert [one.kind for one in denials.parse(errors[0])] == [Kind.SUBSCRIPTIONS]
    token, pair = realm.user()
    port = realm.server.port
    with (
        Wire(port, token.text, pair),
        Wire(port, token.text, pair),
        pytest.raises(Refused) as refused,
        Wire(port, token.text, pair),
    ):
        pass
    assert [one.kind for one in denials.parse(str(refused.value))] == [Kind.CONNECTIONS]


def test_a_connection_whose_time_is_up_says_so(realm: Realm) -> None:
    token, pair = realm.user(exp=realm.now + 1)
    with Wire(realm.server.port, token.text, pair) as wire:
        natsserver.eventually(lambda: bool(_try(wire)), "the end of the user's time")
        assert [one.kind for one in denials.parse(wire.errors[0])] == [Kind.EXPIRED]


def _try(wire: Wire) -> list[str]:
    try:
        return wire.sync()
    except (EOFError, OSError):
        return wire.errors


def test_nats_py_s_errors_are_understood_with_capitals_where_nats_has_them(
    realm: Realm, tmp_path: Path
) -> None:
    token, pair = realm.user(pub=ONLY_OK, sub=Permission(allow=("Ok.subject",)))
    file = tmp_path / "ann.creds"
    file.write_text(creds.format_creds(token.text, pair.seed()))

    async def work(held: natsclient.Connected) -> list[str]:
        await held.client.subscribe("_INBOX.abc.*", queue="q")
        await held.client.publish("$KV.bucket.Key", b"")
        await held.client.flush()
        for subject in ("Ok.subject", "$JS.API.STREAM.INFO.orders"):
            try:
                await held.client.request(subject, b"", timeout=0.5)
            except Exception as error:  # noqa: BLE001 - whatever it says is to be understood
                held.errors.append(str(error))
        return held.errors

    errors = natsclient.alone(work, realm.server.url, file)
    found = [one for error in errors for one in denials.parse(error)]
    assert len(found) == len(errors), errors
    told = {(one.kind, one.subject, one.small) for one in found}
    assert (Kind.SUBSCRIBE, "_INBOX.abc.*", True) in told
    assert (
        Kind.PUBLISH,
        "$KV.bucket.key",
        True,
    ) in told  # the key's capital is lost, and the explainer says so
    assert (Kind.PUBLISH, "$JS.API.STREAM.INFO.orders", True) in told
    assert {Kind.TIMEOUT, Kind.NO_RESPONDERS} & {one.kind for one in found}
    stranger, pair = realm.user(signer=KeyPair.create(KeyKind.ACCOUNT))
    file.write_text(creds.format_creds(stranger.text, pair.seed()))
    with pytest.raises(natsclient.LoginRefused) as refused:
        natsclient.alone(work, realm.server.url, file)
    assert {one.kind for one in denials.parse(str(refused.value))} == {Kind.AUTHORIZATION}


def test_an_answer_may_be_given_once_and_in_time_only(realm: Realm) -> None:
    """What the tester says of a response permission; the agreement test counts, this one waits."""
    token, pair = realm.user(sub=Permission(allow=("req",)), resp=ResponsePermission(max=2, ttl=100_000_000))
    answer = explain.ask(realm.situation(token), Question(verb=Verb.PUBLISH, subject="r.1"))
    assert answer.verdict is Verdict.SOMETIMES
    assert "2 messages, within 100 ms." in answer.reason
    asking, key = realm.user()
    with (
        Wire(realm.server.port, token.text, pair) as service,
        Wire(realm.server.port, asking.text, key) as client,
    ):
        service.ask("SUB req 1")
        assert service.ask("PUB r.1 0", "")  # nobody has asked yet
        client.publish("req", reply="r.1")
        client.sync()
        assert not service.ask("PUB r.1 0", "")
        time.sleep(0.25)
        assert service.ask("PUB r.1 0", "")
