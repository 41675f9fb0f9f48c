"""What happened to clients of real servers, by name and with its cause, and never with a JWT."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from identities.claims.limits import OperatorLimits
from identities.claims.permissions import UserPermissionLimits
from identities.models import Cluster, EventKind, ServerEvent, User
from identities.resolver import client_events, messages
from identities.resolver.connection import Refused
from identities.services import clock, event_log, signing, users
from tests import crew, make, natsclient, natsserver, nodes

pytestmark = pytest.mark.django_db
BEARER = replace(UserPermissionLimits.unlimited(), bearer_token=True)


class Silent:
    """A link on which nothing is ever heard."""

    def listen(self, subjects: Iterable[str], on_message: Callable[[str, bytes], None]) -> None:
        self.subjects = tuple(subjects)


def collector(cluster: Cluster) -> event_log.Collector:
    return event_log.collect(cluster, Silent())


def message(**client: Any) -> bytes:
    return json.dumps(
        {"server": {"name": "n1"}, "client": {"acc": "A", "host": "::1", **client}, "reason": "Kicked"}
    ).encode()


def bare_cluster() -> Cluster:
    moment = clock.now()
    return Cluster.objects.create(
        operator=make.operator(), name="c", name_fold="c", urls="nats://localhost", created_at=moment,
        updated_at=moment, updated_by="test",
    )  # fmt: skip


def test_refused_logins_and_comings_and_goings_are_kept_by_key(
    nats: natsserver.Stable, tmp_path: Path
) -> None:
    operator = make.operator()
    account, strange = make.account(operator), make.account(operator)
    alice, bob = make.user(account, "alice"), make.user(account, "bob", limits=BEARER)
    late = make.user(account, "late", expires=clock.unix() + 1)
    nobody = make.user(strange, "nobody")
    files = {user.name: crew.creds_file(tmp_path, user) for user in (alice, late, nobody)}
    one = nodes.start(nats, operator)
    cluster = nodes.cluster(one)
    url = one[0].url
    with nodes.linked(one) as link:
        log = event_log.collect(cluster, link)
        assert account.token is not None
        assert bob.token is not None
        bearer = jwt_of(bob)
        link.ask(messages.CLAIMS_UPDATE, account.token.text.encode())
        assert natsclient.lets_in(url, files["alice"])
        assert natsclient.lets_in(url, bearer)
        natsserver.eventually(lambda: clock.unix() > late.expires, "the expiry")
        assert not natsclient.lets_in(url, files["late"])
        assert not natsclient.lets_in(url, files["nobody"])
        with nodes.linked(one):
            pass  # the system user's own coming and going is not kept
        natsserver.eventually(lambda: log.store() >= 0 and ServerEvent.objects.count() >= 6, "the events")
    rows = list(ServerEvent.objects.order_by("pk"))
    told = {(row.kind, row.user_key, row.account_key) for row in rows}
    key = account.public_key
    assert {
        (EventKind.CONNECTED, alice.public_key, key),
        (EventKind.DISCONNECTED, alice.public_key, key),
        (EventKind.CONNECTED, bob.public_key, key),
        (EventKind.AUTH_FAILED, late.public_key, key),
        (EventKind.AUTH_FAILED, nobody.public_key, strange.public_key),
    } <= told
    assert cluster.user.public_key not in {row.user_key for row in rows}
    (expired,) = (row for row in rows if row.user_key == late.public_key)
    assert (expired.reason, expired.expires, expired.server) == ("Authentication Failure", late.expires, "n1")
    assert expired.issued == late.last_iat
    kept = repr([list(row.values()) for row in ServerEvent.objects.values()])
    assert "eyJ" not in kept
    assert bearer.split(".")[1][:40] not in kept


def jwt_of(user: User) -> str:
    assert user.token is not None
    with signing.token_text(user.token) as text:
        return text


def test_one_connection_too_many_is_a_refused_login(nats: natsserver.Stable, tmp_path: Path) -> None:
    operator = make.operator()
    account = make.account(operator, limits=replace(OperatorLimits.unlimited(), conn=1))
    creds = crew.creds_file(tmp_path, make.user(account))
    one = nodes.start(nats, operator)
    cluster = nodes.cluster(one)
    with nodes.linked(one) as link, crew.Crew() as clients:
        log = event_log.collect(cluster, link)
        assert account.token is not None
        link.ask(messages.CLAIMS_UPDATE, account.token.text.encode())
        clients.join("first", one[0].url, creds)
        with pytest.raises(natsclient.LoginRefused, match="connections exceeded"):
            natsclient.lets_in(one[0].url, creds)
        natsserver.eventually(
            lambda: log.store() >= 0 and ServerEvent.objects.filter(kind=EventKind.AUTH_FAILED).exists(),
            "the refusal",
        )
    refused = ServerEvent.objects.filter(kind=EventKind.AUTH_FAILED)
    assert {row.reason for row in refused} == {"Maximum Account Connections Exceeded"}
    assert not ServerEvent.objects.filter(kind=EventKind.DISCONNECTED, reason__startswith="Maximum").exists()


def test_whom_a_lowered_limit_ends_was_there_and_was_disconnected() -> None:
    told = {"reason": "Maximum Account Connections Exceeded", "timestamp": "2026-11-26T10:00:09Z"}
    subject = "$SYS.ACCOUNT.A.DISCONNECT"
    for start, what in (("10:00:00", "disconnected"), ("10:00:08.9", "auth-failed"), ("", "disconnected")):
        client = {"acc": "A", "start": f"2026-11-26T{start}Z" if start else ""}
        event = client_events.read(subject, json.dumps({"client": client, **told}).encode())
        assert event is not None
        assert event.what == what


def test_a_flood_costs_a_count_and_the_rest_is_written_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "QUEUE", 7)
    monkeypatch.setattr(event_log, "BATCH", 5)
    cluster = bare_cluster()
    log = collector(cluster)
    for _ in range(10):
        log.hear("$SYS.ACCOUNT.A.CONNECT", message())
    assert (log.store(), log.store(), log.store()) == (6, 2, 0)
    (lost,) = ServerEvent.objects.filter(kind=EventKind.LOST)
    assert lost.reason == "3"
    assert ServerEvent.objects.filter(kind=EventKind.CONNECTED).count() == 7


def test_old_and_too_many_events_are_pruned(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.NSCWEB_EVENTS_KEPT, settings.NSCWEB_EVENT_DAYS = 3, 2
    cluster, moment = bare_cluster(), clock.now()

    def add(age: timedelta) -> None:
        ServerEvent.objects.create(
            cluster=cluster, kind=EventKind.CONNECTED, server="n1", at=moment - age, name=str(age)
        )

    for hours in (1, 2, 3, 4, 49, 50):
        add(timedelta(hours=hours))
    assert event_log.prune() == 3
    kept = ServerEvent.objects.order_by("-at").values_list("name", flat=True)
    assert list(kept) == ["1:00:00", "2:00:00", "3:00:00"]
    monkeypatch.setattr(event_log, "OFTEN", 1)
    log = collector(cluster)
    log.hear("$SYS.ACCOUNT.A.CONNECT", message())
    log.store()
    assert ServerEvent.objects.count() == 3


def test_what_is_no_event_or_is_told_twice_is_passed_over() -> None:
    for subject, payload in (
        ("$SYS.ACCOUNT.$G.DISCONNECT", message(acc="$G")),
        ("$SYS.ACCOUNT.A.CONNECT", b"no JSON"),
        ("$SYS.ACCOUNT.A.CONNECT", b"[1]"),
        ("$SYS.ACCOUNT.A.CONNECT", b"[" * 100_000),
        ("$SYS.ACCOUNT.A.CONNECT", b"x" * (client_events.LARGEST + 1)),
        ("$SYS.ACCOUNT.A.SERVER.CONNS", message()),
    ):
        assert client_events.read(subject, payload) is None
    odd = client_events.read(
        "$SYS.ACCOUNT.A.CONNECT", message(user=7, name="n" * 999, jwt={"a": 1}, host=None)
    )
    assert odd is not None
    assert (odd.user, odd.address, len(odd.name), odd.issued) == ("", "", 255, 0)


def test_a_login_with_a_jwt_that_nobody_signed_is_a_strangers(tmp_path: Path) -> None:
    user = make.user()
    assert user.token is not None
    head, body, signature = user.token.text.split(".")
    forged = f"{head}.{body}.{'A' * len(signature)}"
    subject = "$SYS.SERVER.N1.CLIENT.AUTH.ERR"
    assert client_events.read(subject, message(acc="$G", jwt=forged)).user == ""  # type: ignore[union-attr]
    signed = client_events.read(subject, message(acc="$G", jwt=user.token.text))
    assert signed is not None
    assert (signed.user, signed.account) == (user.public_key, user.account.public_key)


def test_deleted_users_are_told_by_the_same_key(nats: natsserver.Stable, tmp_path: Path) -> None:
    operator = make.operator()
    account = make.account(operator)
    alice = make.user(account, "alice")
    path = crew.creds_file(tmp_path, alice)
    users.delete(principal=make.COMMAND, user=alice, version=alice.version)
    one = nodes.start(nats, operator)
    account.refresh_from_db()
    assert account.token is not None
    with nodes.linked(one) as link:
        log = event_log.collect(nodes.cluster(one), link)
        link.ask(messages.CLAIMS_UPDATE, account.token.text.encode())
        assert not natsclient.lets_in(one[0].url, path)
        natsserver.eventually(lambda: log.store() > 0, "the event")
    (row,) = ServerEvent.objects.all()
    assert (row.kind, row.user_key, row.issued) == (EventKind.AUTH_FAILED, alice.public_key, alice.last_iat)


def test_a_system_user_that_may_not_hear_them_is_no_reason_to_stop() -> None:
    class Deaf:
        def listen(self, subjects: Iterable[str], on_message: Callable[[str, bytes], None]) -> None:
            raise Refused('permissions violation for subscription to "$SYS.ACCOUNT.*.CONNECT"')

    assert event_log.collect(bare_cluster(), Deaf()).store() == 0
