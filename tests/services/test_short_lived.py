"""Short-lived creds: signed by a role within its terms, noted, bounded by the grant, and never a user."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identities.claims import codec
from identities.claims.drafts import RoleDraft, ShortLivedDraft, SigningKeyDraft
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.revocations import EVERYONE
from identities.claims.templates import LoginRefused
from identities.errors import IdentityError
from identities.formats import creds as creds_format
from identities.models import Account, AuditEvent, AuditTarget, Handover, IssuedToken, Key, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import HeldRole, Principal, Role, ScopeKind, Way
from identities.policy.terms import USUAL, Terms
from identities.services import accounts, audit, clock, issuing_terms, short_lived, signing, signing_keys
from tests import make

pytestmark = pytest.mark.django_db

OPEN = UserPermissionLimits.unlimited()
BY_NAME = replace(OPEN, pub=Permission(allow=("orders.{{name()}}.>",)))
BY_TAG = replace(OPEN, sub=Permission(allow=("reports.{{tag(team)}}.>",)))


def role_of(account: Account, template: UserPermissionLimits = OPEN, name: str = "worker") -> Key:
    draft = SigningKeyDraft(role=RoleDraft(role=name, template=template))
    key = signing_keys.add(principal=make.COMMAND, account=account, draft=draft, version=account.version)
    account.refresh_from_db()
    return key


def issued(
    role: Key, name: str = "job", *, by: Principal = make.COMMAND, **options: Any
) -> short_lived.ShortLived:
    return short_lived.issue(principal=by, role=role, draft=ShortLivedDraft(name=name, **options))


def issuer(role: Key, **bounds: Any) -> Principal:
    held = HeldRole(
        role=Role.ISSUER,
        kind=ScopeKind.ROLE,
        operator=role.operator_id,
        account=role.account_id,
        signing_key=role.pk,
        **bounds,
    )
    return Principal(key="service-account:7", name="ci", way=Way.TOKEN, roles=(held,))


def test_it_is_a_user_of_the_role_with_a_fresh_key_and_nothing_of_its_own() -> None:
    account = make.account()
    role = role_of(account)
    made = issued(role, tags=("team:blue",), lifetime=600)
    token = codec.decode(made.jwt)
    claims = token.claims
    assert (claims.sub, claims.iss, claims.name) == (made.public_key, role.public_key, "job")
    assert claims.nats.issuer_account == account.public_key
    assert claims.nats.tags == ("team:blue",)
    assert claims.nats.limits == UserPermissionLimits()
    assert claims.exp - claims.iat == made.lifetime == 600
    assert made.expires == claims.exp
    parsed = creds_format.parse_creds(made.creds)
    assert parsed.jwt == made.jwt
    assert parsed.seed is not None
    assert KeyPair.from_seed(parsed.seed).public.text == made.public_key


def test_no_user_and_no_seed_stays_but_ledger_hand_over_and_audit_do() -> None:
    account = make.account()
    role = role_of(account)
    by = issuer(role)
    made = issued(role, by=by)
    assert not User.objects.filter(public_key=made.public_key).exists()
    assert not Key.objects.filter(public_key=made.public_key).exists()
    entry = IssuedToken.objects.get(subject=made.public_key)
    assert (entry.kind, entry.text, entry.by, entry.exp) == ("user", made.jwt, by.key, made.expires)
    row = Handover.objects.get()
    assert (row.way, row.door, row.role, row.token_id) == ("short-lived", "token", "worker", entry.pk)
    assert (row.recipient, row.subject, row.exp) == (by.key, made.public_key, made.expires)
    event = AuditEvent.objects.latest("seq")
    assert event.action == "creds.issue"
    assert "“job”" in event.summary
    assert made.public_key in AuditTarget.objects.filter(event=event).values_list("key", flat=True)
    seed = creds_format.parse_creds(made.creds).seed
    assert seed is not None
    assert seed.reveal().decode() not in event.canonical + entry.text


def test_the_callers_own_key_stays_the_callers() -> None:
    role = role_of(make.account())
    own = KeyPair.create(KeyKind.USER).public.text
    first = issued(role, public_key=own)
    second = issued(role, public_key=own)
    assert (first.creds, first.public_key) == ("", own)
    iats = [codec.decode(made.jwt).claims.iat for made in (first, second)]
    assert iats[1] > iats[0], "two versions of one key never share a second"


def test_a_key_of_a_user_and_one_that_was_revoked_are_refused() -> None:
    account = make.account()
    role = role_of(account)
    user = make.user(account)
    with pytest.raises(IdentityError, match="already a key"):
        issued(role, public_key=user.public_key)
    own = KeyPair.create(KeyKind.USER).public.text
    issued(role, public_key=own)
    accounts.revoke(principal=make.COMMAND, account=account, entries={own: clock.unix() + 5})
    with pytest.raises(IdentityError, match="is revoked"):
        issued(role, public_key=own)


def test_its_lifetime_stays_within_the_terms_of_the_role() -> None:
    role = role_of(make.account())
    assert issued(role).lifetime == 3600
    issuing_terms.edit(principal=make.COMMAND, key=role, terms=Terms(shortest=120, usual=300, longest=900))
    assert [issued(role, lifetime=asked).lifetime for asked in (None, 1, 500, 10**9)] == [300, 120, 500, 900]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (Terms(shortest=1, usual=5, longest=9), "shortest"),
        (Terms(shortest=60, usual=30, longest=90), "usual"),
        (Terms(shortest=60, usual=90, longest=10**9), "longest"),
    ],
)
def test_terms_that_do_not_fit_are_refused(terms: Terms, field: str) -> None:
    role = role_of(make.account())
    with pytest.raises(IdentityError) as refused:
        issuing_terms.edit(principal=make.COMMAND, key=role, terms=terms)
    assert refused.value.field == field
    assert issuing_terms.of(role) == USUAL


def test_terms_are_set_by_who_may_edit_the_role_and_audited() -> None:
    account = make.account()
    role = role_of(account)
    viewer = make.principal(Role.VIEWER, account=account)
    with pytest.raises(Forbidden):
        issuing_terms.edit(principal=viewer, key=role, terms=Terms(usual=120))
    issuing_terms.edit(principal=make.COMMAND, key=role, terms=Terms(usual=120))
    assert "usually 120 s" in AuditEvent.objects.latest("seq").summary


@pytest.mark.parametrize("name", ["a.b", "*", "a>", "two words"])
def test_a_name_that_would_widen_a_subject_is_refused_where_the_template_pastes_names(name: str) -> None:
    account = make.account()
    role = role_of(account, BY_NAME)
    with pytest.raises(IdentityError) as refused:
        issued(role, name)
    assert refused.value.field == "name"
    assert issued(role_of(account, OPEN, "open"), name).name == name, "elsewhere it is only a name"
    assert not IssuedToken.objects.filter(name=name, issuer=role.public_key).exists()


@pytest.mark.parametrize("value", ["*", ">", "a.b"])
def test_a_tag_that_would_widen_a_subject_is_refused_where_the_template_pastes_it(value: str) -> None:
    role = role_of(make.account(), BY_TAG)
    with pytest.raises(IdentityError) as refused:
        issued(role, tags=(f"team:{value}",))
    assert refused.value.field == "tags"
    assert issued(role, tags=("team:blue", f"other:{value}")).name == "job"


def test_a_user_for_whom_nothing_is_left_of_the_template_is_refused() -> None:
    role = role_of(make.account(), BY_TAG)
    with pytest.raises(LoginRefused, match="nothing is left"):
        issued(role)


def test_who_a_server_would_refuse_is_refused() -> None:
    role = role_of(make.account(), replace(OPEN, pub=Permission(deny=("x.{{tag(team)}}",))))
    with pytest.raises(LoginRefused, match="needs a tag"):
        issued(role)


def test_a_grant_bounds_names_and_tags() -> None:
    role = role_of(make.account())
    by = issuer(role, names="ci-*", tags=("team:blue", "run:*"))
    assert issued(role, "ci-17", by=by, tags=("team:blue", "run:9")).name == "ci-17"
    with pytest.raises(Forbidden, match="ci-"):
        issued(role, "admin", by=by)
    with pytest.raises(Forbidden, match="team:red"):
        issued(role, "ci-17", by=by, tags=("team:red",))
    with pytest.raises(Forbidden, match="none"):
        issued(role, by=issuer(role), tags=("team:blue",))


def test_one_grant_must_allow_name_and_tags_together() -> None:
    role = role_of(make.account())
    one, other = issuer(role, names="a-*", tags=("t:a",)), issuer(role, names="b-*", tags=("t:b",))
    both = replace(one, roles=(*one.roles, *other.roles))
    assert issued(role, "b-1", by=both, tags=("t:b",)).name == "b-1"
    with pytest.raises(Forbidden):
        issued(role, "b-1", by=both, tags=("t:a",))


def test_an_issuer_of_one_role_may_not_issue_another() -> None:
    account = make.account()
    role, other = role_of(account), role_of(account, name="other")
    with pytest.raises(Forbidden):
        issued(other, by=issuer(role))


@pytest.mark.parametrize("role", [Role.VIEWER, None])
def test_who_only_looks_issues_nothing(role: Role | None) -> None:
    account = make.account()
    key = role_of(account)
    with pytest.raises(Forbidden):
        issued(key, by=make.principal(role, account=account) if role else make.principal(None))
    assert not Handover.objects.exists()


def test_a_role_that_was_removed_issues_nothing() -> None:
    account = make.account()
    role = role_of(account)
    signing_keys.remove(
        principal=make.COMMAND, account=account, public_key=role.public_key, version=account.version
    )
    with pytest.raises(IdentityError, match="no such role"):
        issued(role)


def test_a_role_whose_seed_is_elsewhere_issues_nothing() -> None:
    account = make.account()
    role = role_of(account)
    Key.objects.filter(pk=role.pk).update(sealed=None)
    with pytest.raises(signing.NoSigner):
        issued(role)


def test_it_is_dated_after_a_revocation_of_everybody_of_just_now_and_refused_under_a_later_one() -> None:
    account = make.account()
    role = role_of(account)
    at = clock.unix() + 2
    accounts.revoke(principal=make.COMMAND, account=account, entries={EVERYONE: at})
    assert codec.decode(issued(role).jwt).claims.iat > at
    accounts.revoke(principal=make.COMMAND, account=account, entries={EVERYONE: at + 10_000})
    with pytest.raises(IdentityError, match="revoked until"):
        issued(role)


def test_a_bearer_roles_jwt_is_sealed_in_the_ledger() -> None:
    role = role_of(make.account(), replace(OPEN, bearer_token=True))
    made = issued(role)
    entry = IssuedToken.objects.get(subject=made.public_key)
    assert (entry.text, entry.sealed is not None) == ("", True)


def test_without_an_audit_event_nothing_is_issued(monkeypatch: pytest.MonkeyPatch) -> None:
    role = role_of(make.account())
    tokens = IssuedToken.objects.count()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record", broken)
    with pytest.raises(RuntimeError, match="no audit"):
        issued(role)
    assert (IssuedToken.objects.count(), Handover.objects.count()) == (tokens, 0)


def test_issuing_takes_a_dozen_statements() -> None:
    role = role_of(make.account())
    issued(role)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        issued(role)
    told = [query["sql"] for query in asked if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(told) <= 12, told
