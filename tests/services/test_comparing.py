"""What is kept of a comparison: gone is deleted there only where it was seen before, in a store that loses nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import cast

import pytest
from django.apps import apps
from django.db import connection

from identities.claims import codec
from identities.claims import holdings as judging
from identities.claims.drafts import AccountEdit
from identities.models import Account, Cluster, Delivery, DeliveryState, Holding, HoldingState, Server
from identities.queries import drift
from identities.resolver import holdings
from identities.resolver.holdings import Held, Observed
from identities.resolver.messages import ServerInfo
from identities.resolver.system import SystemLink
from identities.services import accounts, clock, comparing, delivering_results, leases, operator_keys, signing
from identities.services.changes import claims_of
from identities.services.delivering_results import Outcome
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make.account(make.operator())


@pytest.fixture
def cluster(account: Account) -> Cluster:
    return make.cluster(account.operator)


def compared(cluster: Cluster, account: Account, *texts: str, full: bool = True, cache: bool = False) -> str:
    """What is kept of the account once n1 listed it with this text, or not at all."""
    listed = frozenset({account.public_key} if texts else ())
    held = Held(ServerInfo(name="n1"), listed, full=full, cache=cache)
    held.texts.update(dict.fromkeys(listed, *texts))
    wanted = {account.public_key: text_of(account)}
    comparing.keep(cluster, wanted, Observed({held.server.key: held}, frozenset()))
    return Holding.objects.get(server__name="n1", account_key=account.public_key).state


def text_of(account: Account) -> str:
    assert account.token is not None
    return account.token.text


def test_what_a_full_server_held_and_holds_no_more_was_deleted_there(
    cluster: Cluster, account: Account
) -> None:
    assert compared(cluster, account) == "missing"
    assert compared(cluster, account, text_of(account)) == "same"
    assert compared(cluster, account) == "deleted"
    assert compared(cluster, account) == "deleted"
    assert compared(cluster, account, text_of(account)) == "same"


def test_what_was_deleted_there_by_us_is_missing_when_it_is_wanted_again(
    cluster: Cluster, account: Account
) -> None:
    compared(cluster, account, text_of(account))
    Holding.objects.update(
        state="missing", digest="", jti="", iat=0
    )  # as a deletion that was delivered writes
    assert compared(cluster, account) == "missing"


def test_what_a_cache_holds_no_more_was_not_deleted(cluster: Cluster, account: Account) -> None:
    assert compared(cluster, account, text_of(account), full=False, cache=True) == "same"
    assert compared(cluster, account, full=False, cache=True) == "unknown"


def test_of_a_server_whose_kind_is_not_known_nothing_is_said_to_be_deleted(
    cluster: Cluster, account: Account
) -> None:
    assert compared(cluster, account, text_of(account), full=False) == "same"
    assert compared(cluster, account, full=False) == "missing"


def renewed(account: Account) -> Account:
    """The account as it is once it was signed anew, to end an hour later."""
    account.refresh_from_db()
    edit = AccountEdit(name=account.name, description="", info_url="", expires=clock.unix() + 3600)
    return accounts.update(principal=make.COMMAND, account=account, edit=edit, version=account.version)


def test_what_expired_there_was_not_deleted_though_a_newer_one_is_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = clock.unix()
    account = make.account(make.operator(), expires=now + 60)
    cluster = make.cluster(account.operator)
    first = text_of(account)
    assert compared(cluster, account, first) == "same"
    account = renewed(account)
    assert compared(cluster, account, first) == "older"
    assert compared(cluster, account) == "deleted"  # its time was not over
    assert compared(cluster, account, first) == "older"
    monkeypatch.setattr(clock, "unix", lambda: now + 60)
    for _ in range(2):  # it stays so
        assert compared(cluster, account) == "expired"
    held = Holding.objects.get(account_key=account.public_key)
    assert (held.digest, held.iat) == (judging.digest(first), codec.decode(first).claims.iat)
    assert compared(cluster, account, text_of(account)) == "same"
    assert compared(cluster, account) == "deleted"


def test_what_never_came_before_it_expired_is_missing_once_it_is_signed_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = clock.unix()
    account = make.account(make.operator(), expires=now + 60)
    cluster = make.cluster(account.operator)
    assert compared(cluster, account) == "missing"
    monkeypatch.setattr(clock, "unix", lambda: now + 60)
    assert compared(cluster, account) == "expired"
    assert compared(cluster, renewed(account)) == "missing"


def made_elsewhere(account: Account, exp: int) -> str:
    """A newer JWT of the account, of which nobody here has the text."""
    with signing.signer_for(signing.account_signer(account.operator, claims_of(account.operator))) as pair:
        return codec.encode(replace(claims_of(account), exp=exp), pair, account.last_iat + 5).text


def test_a_jwt_made_elsewhere_that_expired_there_was_not_deleted(
    cluster: Cluster, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.unix()
    theirs = made_elsewhere(account, now + 60)
    assert compared(cluster, account, theirs) == "newer"
    assert compared(cluster, account) == "deleted"  # its time was not over
    assert compared(cluster, account, theirs) == "newer"
    monkeypatch.setattr(clock, "unix", lambda: now + 60)
    for _ in range(2):  # it stays so
        assert compared(cluster, account) == "expired"
    held = Holding.objects.get(account_key=account.public_key)
    assert (held.digest, held.exp) == (judging.digest(theirs), now + 60)
    assert drift.count(cluster, drift.outlived(cluster, clock.unix())) == 1  # ours can be delivered
    assert compared(cluster, account, text_of(account)) == "same"
    assert compared(cluster, account) == "deleted"


def listed_beside(cluster: Cluster, *texts: str, cache: bool = False) -> set[tuple[str, str]]:
    """What is kept of accounts that are none of ours, by key, once n1 listed these JWTs."""
    held = Held(ServerInfo(name="n1"), full=not cache, cache=cache)
    held.texts.update((codec.decode(text).claims.sub, text) for text in texts)
    held.listed = frozenset(held.texts)
    comparing.keep(cluster, {}, Observed({held.server.key: held}, frozenset()))
    return set(Holding.objects.filter(server__name="n1").values_list("account_key", "state"))


def test_an_account_that_is_not_ours_is_told_of_for_a_while_once_it_expired_there(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.unix()
    brief, lasting = make.account(make.operator(), expires=now + 60), make.account(make.operator())
    both = text_of(brief), text_of(lasting)
    extra = {(brief.public_key, "extra"), (lasting.public_key, "extra")}
    assert listed_beside(cluster, *both) == extra
    assert listed_beside(cluster) == set()  # deleted by whoever put them there
    assert listed_beside(cluster, *both) == extra
    for after in (60, 61, comparing.TOLD + 59):
        monkeypatch.setattr(clock, "unix", lambda after=after: now + after)
        assert listed_beside(cluster) == {(brief.public_key, "expired")}
    assert listed_beside(cluster, *both) == extra  # put there again
    assert listed_beside(cluster) == {(brief.public_key, "expired")}
    monkeypatch.setattr(clock, "unix", lambda: now + 60 + comparing.TOLD)
    assert listed_beside(cluster) == set()


def test_what_a_cache_holds_no_more_is_not_said_to_have_expired(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.unix()
    brief = make.account(make.operator(), expires=now + 60)
    assert listed_beside(cluster, text_of(brief), cache=True) == {(brief.public_key, "extra")}
    monkeypatch.setattr(clock, "unix", lambda: now + 60)
    assert listed_beside(cluster, cache=True) == set()


def test_the_expiry_of_what_was_seen_before_there_was_a_column_for_it_is_filled_in(
    cluster: Cluster, account: Account
) -> None:
    now = clock.unix()
    brief, other = (make.account(account.operator, expires=now + ahead) for ahead in (60, 90))
    theirs = made_elsewhere(account, now + 30)
    Delivery.objects.filter(account_key=account.public_key).update(state="held", found=theirs)
    server = make.server(cluster, "n1")
    seen = {brief: text_of(brief), account: theirs, other: made_elsewhere(other, now + 99)}
    for row, text in seen.items():
        Holding.objects.create(
            server=server, account_key=row.public_key, digest=judging.digest(text), at=clock.now()
        )
    migration = import_module("identities.migrations.0026_holding_expiry")
    migration.fill_in(apps, SimpleNamespace(connection=connection))
    found = dict(Holding.objects.values_list("account_key", "exp"))
    assert found == {brief.public_key: now + 60, account.public_key: now + 30, other.public_key: 0}


def test_a_server_that_does_not_answer_leaves_what_it_was_last_seen_to_hold(
    cluster: Cluster, account: Account
) -> None:
    over = clock.unix() + 60
    assert compared(cluster, account, made_elsewhere(account, over)) == "newer"
    seen_before = Holding.objects.values_list("digest", "jti", "iat", "exp").get()
    assert seen_before[3] == over
    row, server = Delivery.objects.get(account_key=account.public_key), Holding.objects.get().server
    held = leases.take(cluster.pk)
    assert held is not None
    for state, left in (("waiting", seen_before), ("missing", ("", "", 0, 0))):
        seen = delivering_results.Seen(state=HoldingState(state), said="said")
        outcome = Outcome(row=row, state=DeliveryState.WAITING, servers={server.pk: seen})
        delivering_results.write(held, [outcome])
        kept = Holding.objects.values_list("state", "said", "digest", "jti", "iat", "exp").get()
        assert kept == (state, "said", *left)


def test_what_was_delivered_while_the_servers_were_compared_stays_as_the_delivery_wrote_it(
    cluster: Cluster, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = text_of(account)
    assert compared(cluster, account, old) == "same"
    gone = make.account(account.operator)
    held = Held(ServerInfo(name="n1"), frozenset({account.public_key}), full=True)
    held.texts[account.public_key] = old
    fresh: list[Account] = []

    def observe(link: object, wanted: object, *, known: object) -> Observed:
        """An edit, a new account, and their delivery, while the answers of before are on their way."""
        fresh.append(make.account(account.operator))
        for row in (renewed(account), fresh[0]):
            Holding.objects.update_or_create(
                server=Holding.objects.first().server,  # type: ignore[union-attr]
                account_key=row.public_key,
                defaults={"state": "same", "digest": judging.digest(text_of(row)), "at": clock.now()},
            )
        return Observed({held.server.key: held}, frozenset())

    monkeypatch.setattr(holdings, "observe", observe)
    counts = comparing.compare(cluster, cast("SystemLink", None))
    assert counts == {"missing": 2}  # the other account, and the system account
    account.refresh_from_db()
    for row in (account, fresh[0]):
        kept = Holding.objects.get(account_key=row.public_key)
        assert (kept.state, kept.digest) == ("same", judging.digest(text_of(row)))
    assert Holding.objects.get(account_key=gone.public_key).state == "missing"


def test_what_is_older_and_was_not_made_here_is_different(cluster: Cluster, account: Account) -> None:
    first = text_of(account)
    theirs = made_elsewhere(account, 0)  # issued five seconds later
    Account.objects.filter(pk=account.pk).update(last_iat=account.last_iat + 20)
    account = renewed(account)
    assert compared(cluster, account, theirs) == "different"
    assert compared(cluster, account, first) == "older"


def test_what_no_key_of_the_operator_signed_is_refused_where_it_is_not_trusted(
    cluster: Cluster, account: Account
) -> None:
    operator = account.operator
    stranger = make.operator()
    for issuer in (stranger.public_key, account.public_key):
        Account.objects.filter(pk=account.pk).update(issuer=issuer)
        Holding.objects.all().delete()
        assert compared(cluster, account, text_of(account)) == "refused"
        assert f"signed by {issuer}, which is no key of the operator" in Holding.objects.get().said
    Account.objects.filter(pk=account.pk).update(issuer=account.issuer)
    assert compared(cluster, account, text_of(account)) == "same"

    iat = operator.last_iat
    operator = operator_keys.add(principal=make.COMMAND, operator=operator, version=operator.version)
    operator = operator_keys.remove(
        principal=make.COMMAND, operator=operator, public_key=account.issuer, version=operator.version
    )
    for running, state in ((iat, "same"), (operator.last_iat, "refused"), (0, "same")):
        told = json.dumps({operator.public_key: running}) if running else ""
        Server.objects.update(operator_keys=told)  # one that has not told may still run with the first
        assert compared(cluster, account, text_of(account)) == state
