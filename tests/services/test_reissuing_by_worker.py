"""The many users of an account under another key follow by the worker, and nobody comes back meanwhile."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from identities.claims import trust
from identities.claims.account import AccountBody
from identities.claims.drafts import UserEdit
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Job, Operator, User
from identities.services import accounts, audit, jobs, reissuing, users
from tests import make
from tests.reissued import BY, claims, reissue

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def account(operator: Operator) -> Account:
    return make.account(operator, "App")


def test_many_users_follow_by_the_worker_and_a_second_reissue_waits(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 3)
    monkeypatch.setattr("identities.services.resigning.CHUNK", 2)
    made = make.many_users(account, [f"u{number}" for number in range(5)])
    done = reissue(account)
    assert done.job is not None
    assert User.objects.get(pk=made[0].pk).issuer == account.public_key
    with pytest.raises(IdentityError, match="still being signed anew"):
        reissue(account)
    early = User.objects.get(pk=made[4].pk)
    early.chosen_signer = done.account.public_key
    meanwhile = users.update(**BY, user=early, edit=UserEdit(name="edited"), version=early.version)
    call_command("worker", "--once")
    job = Job.objects.get(pk=done.job.pk)
    assert (job.state, job.done, job.total) == ("done", 4, 5)
    after = claims(done.account)
    for user in made:
        assert trust.did_sign(after, claims(user)), user.name
    assert User.objects.get(pk=meanwhile.pk).version == meanwhile.version
    assert audit.first_broken() is None


def test_a_job_that_is_begun_again_passes_over_what_is_done(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 1)
    monkeypatch.setattr("identities.services.resigning.CHUNK", 2)
    make.many_users(account, [f"u{number}" for number in range(5)])
    done = reissue(account)
    lease = jobs.claim({reissuing.KIND: reissuing.HANDLER})
    assert lease is not None
    reissuing.run(lease)
    signed = IssuedToken.objects.count()
    assert reissuing.run(lease) == {"signed": 0, "left": [], "left_count": 0, "why": []}
    assert IssuedToken.objects.count() == signed
    assert done.account.public_key != account.public_key


def test_a_job_whose_account_is_deleted_ends_and_says_so(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 0)
    make.user(account)
    done = reissue(account)
    accounts.delete(**BY, account=done.account, version=done.account.version)
    call_command("worker", "--once")
    job = Job.objects.get()
    assert (job.state, job.error) == ("failed", "“App” was deleted meanwhile: there is nothing left to sign.")


def test_who_is_revoked_while_the_worker_signs_stays_revoked(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 1)
    made = make.many_users(account, ["a", "b", "c"])
    done = reissue(account)
    row = Account.objects.get(pk=account.pk)
    accounts.revoke(**BY, account=row, entries={made[1].public_key: made[1].last_iat})
    while jobs.work_once({reissuing.KIND: reissuing.HANDLER}):
        pass
    body: AccountBody = claims(done.account).nats
    assert claims(made[1]).iat <= body.revocations[made[1].public_key]
    assert claims(made[0]).iat > body.revocations.get(made[0].public_key, 0)
