"""An import beside the export that it names: every reason that nats-server has to leave it out, and what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.scopes import SigningKey
from identities.claims.sharing import (
    Exporter,
    export_handles,
    import_handles,
    import_issues,
    own_subject,
)
from identities.nkeys import KeyKind, KeyPair

NOW = 1_800_000_000
ORDERS, SIGNING, BILLING = (KeyPair.create(KeyKind.ACCOUNT) for _ in range(3))
EXPORTER, IMPORTER = ORDERS.public.text, BILLING.public.text


def exporter(*exports: Export, strict: bool = False, **more: object) -> Exporter:
    body = AccountBody(exports=exports, signing_keys=(SigningKey(key=SIGNING.public.text),))
    claims = Claims(nats=body, sub=EXPORTER, name="Orders")
    return Exporter(key=EXPORTER, name="Orders", claims=claims, strict=strict, **more)  # type: ignore[arg-type]


def token(
    subject: str = "orders.>", *, by: KeyPair = ORDERS, sub: str = IMPORTER, iat: int = NOW - 60, exp: int = 0,
    nbf: int = 0, issuer_account: str = "",
) -> str:  # fmt: skip
    body = ActivationBody(subject=subject, kind="stream", issuer_account=issuer_account)
    claims = Claims(nats=body, sub=sub, name=subject, exp=exp, nbf=nbf)
    return codec.encode(claims, by, iat).text


def imported(subject: str = "orders.>", **more: str) -> Import:
    return Import(subject=subject, account=EXPORTER, **{"type": "stream", **more})  # type: ignore[arg-type]


def found(one: Import, of: Exporter | None, *, token_follows: bool = False) -> list[tuple[str, str, str]]:
    issues = import_issues(one, IMPORTER, of, now=NOW, token_follows=token_follows)
    return [(issue.grade.value, issue.path, issue.message) for issue in issues]


def kinds(one: Import, of: Exporter | None) -> list[tuple[str, str]]:
    return [(grade, path) for grade, path, _ in found(one, of)]


PUBLIC = Export(subject="orders.>", type="stream")
PRIVATE = replace(PUBLIC, token_req=True)


@pytest.mark.parametrize("subject", ["orders.>", "orders.new", "orders.*"])
def test_an_import_within_a_public_export_raises_nothing(subject: str) -> None:
    assert found(imported(subject), exporter(PUBLIC)) == []


def test_nothing_is_said_of_an_exporter_that_is_not_known() -> None:
    assert found(imported(), None) == []


def test_an_export_that_is_not_there_may_come_yet() -> None:
    ((grade, path, message),) = found(imported("billing.new"), exporter(PUBLIC))
    assert (grade, path) == ("warning", "subject")
    assert "“Orders” exports no stream that covers billing.new" in message


def test_a_deep_wildcard_is_no_part_of_a_shallow_one() -> None:
    shallow = exporter(Export(subject="orders.*", type="stream"))
    ((grade, path, message),) = found(imported("orders.>"), shallow)
    assert (grade, path) == ("error", "subject")
    assert "wider than the export orders.*" in message


def test_a_service_is_not_imported_as_a_stream() -> None:
    service = exporter(Export(subject="orders.>", type="service"))
    ((grade, path, message),) = found(imported(), service)
    assert (grade, path) == ("error", "type")
    assert "as a service, not as a stream" in message


def test_of_the_deprecated_form_of_a_service_to_is_the_exporters_subject() -> None:
    service = exporter(Export(subject="orders.api", type="service"))
    assert found(imported("ask", to="orders.api", type="service"), service) == []
    assert kinds(imported("orders.api", to="ask", type="service"), service) == [("warning", "subject")]


def test_a_private_export_needs_a_token_unless_one_follows() -> None:
    private = exporter(PRIVATE)
    ((grade, path, message),) = found(imported(), private)
    assert (grade, path) == ("warning", "token")
    assert "is private" in message
    assert found(imported(), private, token_follows=True) == []


@pytest.mark.parametrize(
    ("text", "strict", "good"),
    [
        (token(), False, True),
        (token(by=SIGNING, issuer_account=EXPORTER), False, True),
        (token(issuer_account=EXPORTER), False, True),
        (token(issuer_account=EXPORTER), True, False),
        (token(), True, True),  # nats-server asks nothing more of the account's own key
        (token(by=BILLING, issuer_account=EXPORTER), False, False),
    ],
    ids=["identity", "signing key", "both", "identity, strict", "identity alone, strict", "stranger"],
)
def test_the_token_must_be_signed_by_a_key_of_the_exporter(text: str, strict: bool, good: bool) -> None:
    issues = found(imported(token=text), exporter(PRIVATE, strict=strict))
    assert (issues == []) is good
    assert good or "no key of “Orders”" in issues[0][2]


def test_an_expired_token_is_told_even_when_the_exporter_is_not_known() -> None:
    late = imported(token=token(exp=NOW))
    for of in (exporter(PRIVATE), None):
        ((grade, path, message),) = found(late, of)
        assert (grade, path) == ("error", "token")
        assert "expired on 2027-01-15" in message
    assert kinds(imported(token=token(nbf=NOW + 5)), exporter(PRIVATE)) == [("warning", "token")]
    assert found(imported(token=token(exp=NOW + 1)), exporter(PRIVATE)) == []


@pytest.mark.parametrize("key", [IMPORTER, "*"], ids=["account", "everybody"])
def test_a_token_issued_up_to_the_revocation_is_refused(key: str) -> None:
    of = exporter(replace(PRIVATE, revocations={key: NOW}))
    assert kinds(imported(token=token(iat=NOW)), of) == [("error", "token")]
    assert found(imported(token=token(iat=NOW + 1)), of) == []


def test_a_public_export_asks_for_no_token_and_looks_at_none() -> None:
    of = exporter(replace(PUBLIC, revocations={"*": NOW}))
    assert found(imported(token=token(exp=1)), of) == []


@pytest.mark.parametrize(
    ("subject", "good"),
    [
        (f"orders.{IMPORTER}.new", True),
        (f"orders.{IMPORTER}.*", True),
        ("orders.*.*", False),
        (f"orders.{EXPORTER}.new", False),
        ("orders.*.new", False),
    ],
)
def test_with_an_account_token_position_ones_own_key_stands_there(subject: str, good: bool) -> None:
    export = Export(subject="orders.*.*", type="stream", account_token_position=2, token_req=True)
    issues = found(imported(subject), exporter(export))
    assert (issues == []) is good
    assert good or f"import orders.{IMPORTER}.*" in issues[0][2]
    assert own_subject(export, IMPORTER) == f"orders.{IMPORTER}.*"


def test_the_same_subject_is_looked_for_first_and_then_what_covers_it() -> None:
    exports = (replace(PRIVATE, subject="orders.*"), replace(PUBLIC, subject="orders.new"))
    assert found(imported("orders.new"), exporter(*exports)) == []
    assert kinds(imported("orders.old"), exporter(*exports)) == [("warning", "token")]


def test_a_deleted_exporter_and_one_of_another_operator_are_warnings() -> None:
    assert kinds(imported(), exporter(PUBLIC, deleted=True)) == [("warning", "account")]
    ((grade, _, message),) = found(imported(), exporter(PUBLIC, operator="Elsewhere"))
    assert grade == "warning"
    assert "operator “Elsewhere”" in message


def test_handles_name_exports_by_type_and_subject_and_imports_by_their_local_name_too() -> None:
    exports = export_handles((PUBLIC, replace(PUBLIC, type="service"), None))
    assert len(set(exports)) == 3
    assert export_handles((None, PRIVATE))[1] == exports[0]
    imports = import_handles((imported(), imported(local_subject="a.>"), imported(to="a.>"), None))
    assert len(set(imports)) == 4  # the second of two with one identity is told apart
