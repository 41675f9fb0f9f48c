"""What every server holds of an account: delivered, refused in the server's words, waiting, newer there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims import codec
from identities.models import Account, Cluster, Delivery, Holding, Key, Server
from identities.policy.principal import Role
from identities.services import accounts, changes, clock, outbox, removing, signing
from identities.services.delivering_checks import digest
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    return make.client()


@pytest.fixture
def account() -> Account:
    operator = make.operator()
    make.cluster(operator, name="Production")
    return make.account(operator)


def url(account: Account, name: str = "account-delivery", *more: object) -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def holds(account: Account, state: str, *, name: str = "n1", said: str = "", **columns: Any) -> Holding:
    """What a server of the account's cluster was seen to hold; the account's own JWT unless told otherwise."""
    cluster = Cluster.objects.get(operator=account.operator)
    moment = clock.now()
    server, _ = Server.objects.get_or_create(
        cluster=cluster, name=name, defaults={"first_seen_at": moment, "seen_at": moment, "resolver": "full"}
    )
    assert account.token is not None
    values = {"digest": digest(account.token.text), "jti": account.token.jti, "iat": account.token.iat}
    made, _ = Holding.objects.update_or_create(
        server=server,
        account_key=account.public_key,
        defaults={"state": state, "said": said, "at": moment, **values, **columns},
    )
    return made


def stands(account: Account, state: str, **columns: Any) -> Delivery:
    row = Delivery.objects.get(account_key=account.public_key)
    Delivery.objects.filter(pk=row.pk).update(state=state, **columns)
    row.refresh_from_db()
    return row


def newer(account: Account) -> str:
    """A JWT of the account with another description, signed a minute later by the operator."""
    claims = changes.claims_of(account)
    body = replace(claims.nats, description="from elsewhere")
    with signing.signer_for(Key.objects.get(public_key=account.issuer)) as signer:
        return codec.encode(replace(claims, nats=body), signer, account.last_iat + 4).text


def test_of_a_server_without_a_store_it_is_said_what_it_may_never_ask_for(
    admin: Client, account: Account
) -> None:
    held = holds(account, "lazy", digest="", jti="", iat=0)
    page = admin.get(url(account)).content.decode()
    assert "it asks its resolver for it when it needs it." in page
    assert "MEMORY" not in page
    Server.objects.filter(pk=held.server_id).update(resolver="other")
    assert (
        "A MEMORY resolver has only what its configuration preloads"
        in admin.get(url(account)).content.decode()
    )


def test_without_a_cluster_the_page_says_what_to_do(admin: Client) -> None:
    account = make.account()
    page = admin.get(url(account)).content.decode()
    assert "No cluster is known here" in page
    assert (
        "Signed. Now tell the servers" in admin.get(f"{url(account, 'account')}?changed=1").content.decode()
    )


def test_two_of_three_servers_have_it_and_one_waits(admin: Client, account: Account) -> None:
    holds(account, "same", name="n1"), holds(account, "same", name="n2")
    holds(account, "waiting", name="n3", digest="", jti="", iat=0)
    for address in (url(account), url(account, "account")):
        page = admin.get(address).content.decode()
        assert "2 of 3 servers" in page
        assert page.count("Delivered") == 2
        assert "Waiting" in page
    assert "How servers learn of changes" not in page


def test_what_was_delivered_before_the_last_change_is_older(admin: Client, account: Account) -> None:
    holds(account, "same")
    accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 5})
    page = admin.get(url(account)).content.decode()
    assert "Older there" in page
    assert "0 of 1 server" in page


def test_a_refusal_is_shown_in_the_servers_words_and_escaped(admin: Client, account: Account) -> None:
    said = "jwt update resulted in error - <b>no</b>"
    holds(account, "refused", said=said)
    stands(account, "refused", problem=said)
    page = admin.get(url(account)).content.decode()
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "<b>no" not in page
    assert "Refused" in page


def test_the_panel_is_sent_again_only_when_something_changed(admin: Client, account: Account) -> None:
    holds(account, "same")
    first = admin.get(url(account), headers={"HX-Request": "true"})
    seen = first.context["seen"]
    assert "<html" not in first.content.decode()
    again = admin.get(f"{url(account)}?seen={seen}", headers={"HX-Request": "true"})
    assert (again.status_code, again.content) == (204, b"")
    holds(account, "refused", said="no")
    assert admin.get(f"{url(account)}?seen={seen}", headers={"HX-Request": "true"}).status_code == 200


def test_deliver_now_wakes_the_delivery_and_is_refused_to_viewers(admin: Client, account: Account) -> None:
    stands(account, "refused", problem="no", attempts=3)
    assert make.client(Role.VIEWER).post(url(account, "account-delivery-now")).status_code == 403
    assert make.client(None).post(url(account, "account-delivery-now")).status_code in (403, 404)
    assert Delivery.objects.get(account_key=account.public_key).state == "refused"
    answer = admin.post(url(account, "account-delivery-now"))
    assert answer.headers["Location"] == url(account)
    row = Delivery.objects.get(account_key=account.public_key)
    assert (row.state, row.problem, row.attempts) == ("waiting", "", 0)
    assert "Deliver now" not in make.client(Role.VIEWER).get(url(account)).content.decode()


def test_a_newer_jwt_there_is_shown_field_by_field_and_taken_over(admin: Client, account: Account) -> None:
    row = stands(account, "held", found=newer(account))
    address = url(account, "account-delivery-choose", row.cluster_id)
    assert address in admin.get(url(account)).content.decode()
    page = admin.get(address).content.decode()
    assert "from elsewhere" in page
    assert "nats.description" in page
    assert make.client(Role.VIEWER).get(address).status_code == 403
    sent = {"found": digest(row.found)}
    assert admin.post(address, sent).status_code == 422
    assert admin.post(address, {"keep": "theirs", "found": "0" * 64}).status_code == 422
    assert admin.post(address, {**sent, "keep": "theirs"}).headers["Location"] == url(account)
    account = Account.objects.select_related("token", "operator").get(pk=account.pk)
    assert account.token is not None
    assert account.token.text == row.found
    assert Delivery.objects.get(pk=row.pk).state == "waiting"
    assert admin.get(address).status_code == 404


def test_who_is_put_out_here_and_would_come_back_is_named_before_anybody_chooses(
    admin: Client, account: Account
) -> None:
    found = newer(account)
    leaver = make.user(account, "leaver")
    entries = {leaver.public_key: leaver.last_iat}
    accounts.revoke(principal=make.COMMAND, account=account, entries=entries)
    row = stands(account, "held", found=found)
    address = url(account, "account-delivery-choose", row.cluster_id)
    assert "who is kept out here: “leaver”" in admin.get(address).content.decode()
    admin.post(address, {"keep": "theirs", "found": digest(found)})
    account = Account.objects.get(pk=account.pk)
    assert changes.claims_of(account).nats.revocations == entries
    assert changes.claims_of(account).nats.description == "from elsewhere"


def test_ours_is_signed_later_than_the_newer_one_there(admin: Client, account: Account) -> None:
    row = stands(account, "held", found=newer(account))
    address = url(account, "account-delivery-choose", row.cluster_id)
    assert admin.post(address, {"keep": "ours", "found": digest(row.found)}).status_code == 302
    account = Account.objects.select_related("token", "operator").get(pk=account.pk)
    assert account.last_iat > codec.decode(row.found).claims.iat
    assert not changes.claims_of(account).nats.description
    row.refresh_from_db()
    assert (row.state, row.found) == ("waiting", "")


def test_lists_and_the_operators_page_tell_where_deliveries_stand(admin: Client, account: Account) -> None:
    operator = account.operator
    stands(account, "refused")
    page = admin.get(reverse("accounts", args=[operator.public_key])).content.decode()
    assert "Refused" in page
    page = admin.get(reverse("operator", args=[operator.public_key])).content.decode()
    assert "1 refused" in page


def test_what_was_delivered_and_is_something_else_by_now_is_not_called_delivered(
    admin: Client, account: Account
) -> None:
    operator = account.operator
    stands(account, "done")
    server = make.server(Cluster.objects.get(operator=operator), "n9")
    held = Holding.objects.create(
        server=server, account_key=account.public_key, state="deleted", at=clock.now()
    )
    listed = reverse("accounts", args=[operator.public_key])
    home = reverse("operator", args=[operator.public_key])
    assert "Not as delivered" in admin.get(listed).content.decode()
    assert "1 not as delivered" in admin.get(home).content.decode()
    for state in ("same", "lazy", "waiting", "expired", "unknown"):
        Holding.objects.filter(pk=held.pk).update(state=state)
        assert "Not as delivered" not in admin.get(listed).content.decode()
        assert "not as delivered" not in admin.get(home).content.decode()


def test_the_operators_page_counts_accounts_and_removals_apart(admin: Client, account: Account) -> None:
    operator, other = account.operator, make.account(account.operator)
    make.cluster(operator, name="Another")
    outbox.wake_all(principal=make.COMMAND, cluster=Cluster.objects.get(name="Another"))
    old = make.account(operator)
    accounts.delete(principal=make.COMMAND, account=old, version=old.version)
    removing.remove(principal=make.COMMAND, operator=operator, public_key=old.public_key)
    Delivery.objects.update(state="done")
    Delivery.objects.filter(account_key=account.public_key, cluster__name="Another").update(state="refused")
    count = Account.objects.live().filter(operator=operator).count()
    page = admin.get(reverse("operator", args=[operator.public_key])).content.decode()
    assert f"<dd>1 refused, {count - 1} delivered; of deleted accounts 1 gone from the servers</dd>" in page
    part = make.client(Role.VIEWER, account=other)
    assert (
        "<dd>1 delivered</dd>" in part.get(reverse("operator", args=[operator.public_key])).content.decode()
    )


def test_the_badge_follows_what_the_servers_hold_since(admin: Client, account: Account) -> None:
    stands(account, "done")
    holds(account, "same", name="n1"), holds(account, "deleted", name="n2", digest="", jti="", iat=0)
    (part,) = admin.get(url(account)).context["live"].clusters
    assert (part.state.word, part.delivered) == ("Deleted there", "1 of 2 servers")
    holds(account, "same", name="n2")
    (part,) = admin.get(url(account)).context["live"].clusters
    assert part.state.word == "Delivered"


def test_what_was_only_looked_up_says_so(admin: Client, account: Account) -> None:
    holds(account, "same", said="")
    assert "It was asked, and holds this one." in admin.get(url(account)).content.decode()
    accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 5})
    assert "holds this one" not in admin.get(url(account)).content.decode()


def test_what_a_restart_does_is_told_for_both_resolvers_without_a_store(
    admin: Client, account: Account
) -> None:
    Server.objects.filter(pk=holds(account, "same").server_id).update(resolver="other")
    page = admin.get(url(account)).content.decode()
    assert "A MEMORY resolver has only what its configuration preloads" in page
    assert "A URL resolver fetches the account anew then." in page


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(address).status_code == 200
    return len(caught)


def test_the_pages_ask_the_database_as_often_for_many_servers_and_accounts(
    admin: Client, account: Account
) -> None:
    holds(account, "same")
    listed = reverse("accounts", args=[account.operator.public_key])
    before = _queries(admin, url(account)), _queries(admin, listed)
    for number in range(5):
        holds(account, "same", name=f"more-{number}")
        make.account(account.operator)
    make.cluster(account.operator, name="Another")
    outbox.wake_all(principal=make.COMMAND, cluster=Cluster.objects.get(name="Another"))
    assert (_queries(admin, url(account)), _queries(admin, listed)) == before


def test_other_pages_lead_to_the_delivery_where_a_cluster_is_known(admin: Client, account: Account) -> None:
    page = admin.get(f"{url(account, 'revocations')}?changed=1").content.decode()
    assert url(account) in page
    assert "nats request --creds" not in page
    lone = make.account()
    assert "nats request --creds" in admin.get(f"{url(lone, 'revocations')}?changed=1").content.decode()
