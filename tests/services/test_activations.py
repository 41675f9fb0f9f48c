"""Activations open a private export to one account, are signed and checked, and can be revoked."""

from __future__ import annotations

from pathlib import Path

import pytest

from identities import lookup
from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import ActivationDraft
from identities.claims.imports import Import
from identities.claims.permissions import UserPermissionLimits
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.sharing import export_handles
from identities.claims.validate import validate
from identities.errors import IdentityError
from identities.formats.decorated import bare_jwt, decorated_jwt
from identities.models import Account, AuditEvent, IssuedToken, Purpose
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.services import accounts, activations, changes, clock, exports, signing
from tests import make

pytestmark = pytest.mark.django_db
TEMPLATE = UserPermissionLimits.unlimited()
STRANGER = KeyPair.create(KeyKind.ACCOUNT).public.text
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def orders(db: None) -> Account:
    account = make.account(make.operator("Test"), "Orders")
    make.export(account, "orders.>", token_req=True)
    return account


def handle(account: Account, index: int = 0) -> str:
    account.refresh_from_db()
    return export_handles(changes.claims_of(account).nats.exports)[index]


def issue(account: Account, subject: str = "orders.new", target: str = STRANGER, **times: int) -> IssuedToken:
    draft = ActivationDraft(target=target, subject=subject, **times)
    return activations.issue(principal=make.COMMAND, account=account, handle=handle(account), draft=draft)


def test_an_activation_is_what_an_import_needs(orders: Account) -> None:
    token = issue(orders, expires=clock.unix() + 60)
    claims = activations.claims_in(token)
    assert (claims.name, claims.sub, claims.nats.kind) == ("orders.new", STRANGER, "stream")
    imported = Import(subject="orders.new", account=orders.public_key, type="stream", token=token.text)
    importing = Claims(nats=AccountBody(imports=(imported,)), sub=STRANGER, name="x")
    assert [issue.path for issue in validate(importing, now=clock.unix())] == [
        "nats.imports",  # zero limits allow none
    ]
    event = AuditEvent.objects.latest("seq")
    assert (event.action, token.kind, token.reason) == (
        "activation.issue",
        "activation",
        "Issued activation of orders.new",
    )


def test_it_is_handed_out_in_nscs_own_lines(orders: Account) -> None:
    token = issue(orders)
    text = activations.file_text(principal=make.principal(Role.VIEWER), account=orders, token=token)
    nscs = (GOLDEN / "full/out/activation-stream.jwt").read_text()
    assert decorated_jwt(bare_jwt(nscs, field=""), "activation") == nscs
    assert bare_jwt(text, field="") == token.text


def test_a_plain_signing_key_signs_before_the_identity_key_and_a_role_never(orders: Account) -> None:
    pairs = [signing.new_key(KeyKind.ACCOUNT, purpose=Purpose.SIGNING) for _ in range(2)]
    role, plain = (key.public_key for key, _ in pairs)
    for key, pair in pairs:
        pair.wipe()
        key.operator, key.account = orders.operator, orders
        key.save()
    entries = (SigningKey(kind=USER_SCOPE, key=role, role="r", template=TEMPLATE), SigningKey(key=plain))
    accounts.rewrite(
        principal=make.COMMAND,
        account=orders,
        plan=lambda row: changes.plan(row, changes.edit_body(signing_keys=entries), now=0),
        version=orders.version,
        done="Added keys",
    )
    claims = activations.claims_in(issue(orders))
    assert (claims.iss, claims.nats.issuer_account) == (plain, orders.public_key)
    assert [found.iss for found in map(activations.claims_in, _listed(orders))] == [plain]


def _listed(account: Account) -> list[IssuedToken]:
    from identities.queries import activations as ledger

    return list(ledger.issued_by(account))


@pytest.mark.parametrize(
    ("subject", "field", "said"),
    [
        ("billing.new", "subject", "is not within the export"),
        (">", "subject", "is not within the export"),
        ("", "subject", "is not within"),
    ],
)
def test_what_the_export_does_not_cover_is_refused(
    orders: Account, subject: str, field: str, said: str
) -> None:
    with pytest.raises(IdentityError, match=said) as refused:
        issue(orders, subject)
    assert refused.value.field == field
    assert not _listed(orders)


def test_times_that_make_no_sense_are_refused(orders: Account) -> None:
    with pytest.raises(changes.InvalidClaims, match="in the past"):
        issue(orders, expires=5)
    with pytest.raises(changes.InvalidClaims, match="before"):
        issue(orders, expires=clock.unix() + 5, not_before=clock.unix() + 60)
    assert not _listed(orders)


def test_the_account_itself_and_a_wrong_key_are_refused(orders: Account) -> None:
    with pytest.raises(IdentityError, match="what it exports itself"):
        issue(orders, target=orders.public_key)
    with pytest.raises(IdentityError, match="not an account"):
        issue(orders, target=KeyPair.create(KeyKind.USER).public.text)


def test_public_exports_and_those_with_a_token_position_have_no_activations(orders: Account) -> None:
    make.export(orders, "public")
    make.export(orders, "own.*", account_token_position=2)
    subjects = [one.subject for one in changes.claims_of(orders).nats.exports]
    for subject, said in (("public", "is public"), ("own.*", "own key")):
        draft = ActivationDraft(target=STRANGER, subject=subject)
        name = handle(orders, subjects.index(subject))
        with pytest.raises(IdentityError, match=said):
            activations.issue(principal=make.COMMAND, account=orders, handle=name, draft=draft)


def test_one_issued_right_after_a_revocation_is_not_revoked(orders: Account) -> None:
    now = clock.unix()
    exports.revoke(
        principal=make.COMMAND,
        account=orders,
        handle=handle(orders),
        target=STRANGER,
        at=now,
        version=orders.version,
    )
    assert issue(orders).iat > now


def test_while_activations_of_the_future_are_revoked_none_is_issued(orders: Account) -> None:
    later = clock.unix() + 3600
    exports.revoke(
        principal=make.COMMAND,
        account=orders,
        handle=handle(orders),
        target="*",
        at=later,
        version=orders.version,
    )
    with pytest.raises(IdentityError, match="Clear that revocation first") as refused:
        issue(orders)
    assert refused.value.field == "target"


def test_two_of_one_second_are_two(orders: Account) -> None:
    first, second = issue(orders), issue(orders)
    assert first.jti != second.jti
    assert second.iat > first.iat


def test_an_activation_is_revoked_through_the_export_that_covers_it(orders: Account) -> None:
    token = issue(orders)
    name, target, at = activations.revocation_of(orders, token)
    assert (name, target) == (handle(orders), STRANGER)
    assert at >= token.iat
    exports.delete(principal=make.COMMAND, account=orders, handle=name, version=orders.version)
    orders.refresh_from_db()
    with pytest.raises(IdentityError, match="no longer"):
        activations.revocation_of(orders, token)


def test_a_viewer_may_not_issue_and_nobody_finds_the_tokens_of_another_account(orders: Account) -> None:
    draft = ActivationDraft(target=STRANGER, subject="orders.new")
    with pytest.raises(Forbidden):
        activations.issue(
            principal=make.principal(Role.VIEWER), account=orders, handle=handle(orders), draft=draft
        )
    token = issue(orders)
    other = make.account(orders.operator, "Other")
    assert activations.issued(orders, token.pk) == token
    with pytest.raises(lookup.NotFound):
        activations.issued(other, token.pk)
    with pytest.raises(lookup.NotFound):
        activations.issued(orders, orders.token_id or 0)


def test_a_very_long_subject_is_signed_whole(orders: Account) -> None:
    subject = "orders." + ".".join(["word"] * 100)
    token = issue(orders, subject)
    assert activations.claims_in(token).nats.subject == subject
    assert codec.decode(token.text).claims.name == subject
    assert token.name == subject[:255]
