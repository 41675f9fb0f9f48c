"""What a person decides about a JWT on servers that was made elsewhere: who was put out here stays out by it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from identities.claims import codec
from identities.claims.drafts import SigningKeyDraft
from identities.models import Account, Cluster, Delivery, IssuedToken
from identities.services import accounts, changes, choosing, clock, signing, signing_keys
from identities.services.delivering_checks import digest, is_overruled, overruling
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make.account(make.cluster().operator, "Orders")


def held(account: Account, iat: int, **body: Any) -> str:
    """A JWT of the account that servers were seen to hold, as it is signed where nobody here sees it."""
    account.refresh_from_db()
    claims = changes.claims_of(account)
    body = {"description": "from elsewhere", **body}
    key = signing.account_signer(account.operator, changes.claims_of(account.operator))
    with signing.signer_for(key) as pair:
        text = codec.encode(replace(claims, nats=replace(claims.nats, **body)), pair, iat).text
    Delivery.objects.filter(account_key=account.public_key).update(state="held", found=text)
    return text


def keep(account: Account, text: str) -> Account:
    cluster = Cluster.objects.get(operator=account.operator)
    choosing.keep_theirs(principal=make.COMMAND, account=account, cluster=cluster, found=digest(text))
    return Account.objects.select_related("token", "operator").get(pk=account.pk)


def replaced(account: Account, text: str) -> Account:
    cluster = Cluster.objects.get(operator=account.operator)
    choosing.replace_theirs(principal=make.COMMAND, account=account, cluster=cluster, found=digest(text))
    return Account.objects.select_related("token", "operator").get(pk=account.pk)


def test_whoever_is_revoked_here_stays_out_by_a_jwt_that_does_not_know_of_it(account: Account) -> None:
    leaver = make.user(account, "leaver")
    account = accounts.revoke(
        principal=make.COMMAND, account=account, entries={leaver.public_key: 900, "*": 500}
    )
    text = held(account, account.last_iat + 4, revocations={leaver.public_key: 700, "UOTHER": 5})
    (said,) = choosing.plan_taking(account, text).said
    assert "everybody whose JWT was issued up to 1970-01-01 00:08 UTC; “leaver”" in said
    account = keep(account, text)
    claims = changes.claims_of(account)
    assert claims.nats.revocations == {leaver.public_key: 900, "*": 500, "UOTHER": 5}
    assert claims.nats.description == "from elsewhere"
    assert account.last_iat > codec.decode(text).claims.iat
    assert account.token is not None
    assert account.token.origin == "signed"


def test_what_covers_the_revocations_that_are_here_is_taken_to_the_byte(account: Account) -> None:
    account = accounts.revoke(principal=make.COMMAND, account=account, entries={"UX": 900})
    text = held(account, account.last_iat + 4, revocations={"*": 900})
    assert not choosing.plan_taking(account, text).said
    account = keep(account, text)
    assert account.token is not None
    assert account.token.text == text


def test_a_signing_key_that_was_removed_here_does_not_come_back(account: Account) -> None:
    before = changes.claims_of(account).nats.signing_keys
    draft = SigningKeyDraft(public_key="", role=None)
    key = signing_keys.add(
        principal=make.COMMAND, account=account, draft=draft, version=account.version
    ).public_key
    account.refresh_from_db()
    with_it = changes.claims_of(account).nats.signing_keys
    account = signing_keys.remove(
        principal=make.COMMAND, account=account, public_key=key, version=account.version
    )
    text = held(account, account.last_iat + 4, signing_keys=with_it)
    (said,) = choosing.plan_taking(account, text).said
    assert f"whoever was signed by the removed signing key {key}" in said
    assert changes.claims_of(keep(account, text)).nats.signing_keys == before


def test_what_is_dated_far_ahead_or_is_older_is_signed_here_anew(account: Account) -> None:
    now = clock.unix()
    for iat, words in ((now + 86_400, "seconds from now"), (now - 5, "no later than the one here")):
        text = held(account, iat)
        (said,) = choosing.plan_taking(account, text).said
        assert words in said
        account = keep(account, text)
        assert changes.claims_of(account).nats.description == "from elsewhere"
        assert abs(account.last_iat - now) < signing.TAKEN_AHEAD
        row = Delivery.objects.get(account_key=account.public_key)
        assert (row.state, is_overruled(row.overrule, digest(text))) == ("waiting", True)


def test_what_strangers_signed_is_signed_here_when_it_is_taken_over(account: Account) -> None:
    stranger = make.account()
    claims = changes.claims_of(account)
    key = signing.account_signer(stranger.operator, changes.claims_of(stranger.operator))
    with signing.signer_for(key) as pair:
        text = codec.encode(claims, pair, account.last_iat + 4).text
    Delivery.objects.filter(account_key=account.public_key).update(state="held", found=text)
    (said,) = choosing.plan_taking(account, text).said
    assert f"signed by {key.public_key}, which is no key of the operator" in said
    assert keep(account, text).issuer == claims.iss


def test_ours_stays_as_it_is_where_theirs_is_older(account: Account) -> None:
    account = accounts.revoke(principal=make.COMMAND, account=account, entries={"UX": 900})
    account = replaced(account, first := held(account, account.last_iat - 1))
    number = IssuedToken.objects.count()
    account = replaced(account, second := held(account, account.last_iat - 2))
    assert IssuedToken.objects.count() == number
    row = Delivery.objects.get(account_key=account.public_key)
    assert row.state == "waiting"
    assert all(is_overruled(row.overrule, digest(text)) for text in (first, second))


def test_the_last_four_that_were_overruled_are_remembered() -> None:
    digests = [digest(str(number)) for number in range(5)]
    overrule = digests[0]  # as it was kept before: one, in full
    assert is_overruled(overrule, digests[0])
    for one in digests[1:]:
        overrule = overruling(overrule, one)
    assert len(overrule) == 64
    assert [is_overruled(overrule, one) for one in digests] == [False, True, True, True, True]
    assert not is_overruled("", digests[0])
