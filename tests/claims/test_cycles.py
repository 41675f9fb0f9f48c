"""Imports against the exports that they name, and rings of imports, as nats-server sees them."""

from __future__ import annotations

import itertools

import pytest

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.cycles import import_issues, local, ring_of
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.report import Grade
from identities.claims.scopes import SigningKey
from identities.nkeys import KeyKind, KeyPair

NOW = 1_800_000_000
PAIRS = {name: KeyPair.create(KeyKind.ACCOUNT) for name in "ABCD"}
A, B, C, D = (PAIRS[name].public.text for name in "ABCD")
SIGNING = KeyPair.create(KeyKind.ACCOUNT)


def issues(imported: Import, *exports: Export, **body: object) -> list[tuple[Grade, str, str]]:
    """Of A, importing this from B, which exports those."""
    exporter = AccountBody(exports=exports, **body)  # type: ignore[arg-type]
    accounts = {A: AccountBody(imports=(imported,)), B: exporter}
    found = import_issues(A, accounts[A], accounts.get, now=NOW)
    return [(issue.grade, issue.path, issue.message) for issue in found]


def stream(subject: str = "a.b", **more: object) -> Import:
    return Import(subject=subject, account=B, type="stream", **more)  # type: ignore[arg-type]


def service(subject: str = "a.b", **more: object) -> Import:
    return Import(subject=subject, account=B, type="service", **more)  # type: ignore[arg-type]


def token(
    *,
    by: KeyPair = PAIRS["B"],
    sub: str = A,
    exp: int = 0,
    nbf: int = 0,
    issuer_account: str = "",
    iat: int = NOW,
) -> str:
    body = ActivationBody(subject="a.>", kind="stream", issuer_account=issuer_account)
    return codec.encode(Claims(nats=body, sub=sub, name="a.>", exp=exp, nbf=nbf), by, iat).text


@pytest.mark.parametrize("export", ["a.b", "a.*", "a.>", ">"])
def test_an_import_within_a_public_export_is_fine(export: str) -> None:
    assert not issues(stream(), Export(subject=export, type="stream"))
    assert not issues(service(), Export(subject=export, type="service"))


@pytest.mark.parametrize("export", ["a.b.c", "a", "b.>", "a.c"])
def test_an_import_that_nothing_exports_is_an_error(export: str) -> None:
    ((grade, path, message),) = issues(stream(), Export(subject=export, type="stream"))
    assert (grade, path) == (Grade.ERROR, "nats.imports[0].subject")
    assert message == f'{B} exports no stream "a.b"'


def test_a_wider_import_than_the_export_is_not_covered() -> None:
    assert issues(stream("a.>"), Export(subject="a.*", type="stream"))


def test_the_other_kind_of_export_is_named() -> None:
    ((_, _, message),) = issues(service(), Export(subject="a.b", type="stream"))
    assert message.endswith(", only a stream of that subject")


def test_an_exporter_that_is_not_known_is_a_warning() -> None:
    found = list(import_issues(A, AccountBody(imports=(stream(),)), {}.get, now=NOW))
    assert [(issue.grade, issue.path) for issue in found] == [(Grade.WARNING, "nats.imports[0].account")]


def test_nothing_is_said_of_what_other_rules_find() -> None:
    own = Import(subject="a", account=A, type="stream")
    assert not list(import_issues(A, AccountBody(imports=(None, own)), {}.get, now=NOW))


def test_the_importers_key_must_stand_where_the_export_asks_for_it() -> None:
    export = Export(subject="by.*.>", type="stream", account_token_position=2)
    assert not issues(stream(f"by.{A}.x"), export)
    for wrong in ("by.*.>", "by.*.x", f"by.{C}.x"):
        ((_, path, message),) = issues(stream(wrong), export)
        assert path == "nats.imports[0].subject"
        assert f"must hold {A} there" in message


PRIVATE = Export(subject="a.>", type="stream", token_req=True)


def test_a_private_export_asks_for_a_token() -> None:
    ((grade, path, message),) = issues(stream(), PRIVATE)
    assert (grade, path) == (Grade.ERROR, "nats.imports[0].token")
    assert "a token is missing" in message
    assert not issues(stream(token=token()), PRIVATE)


def test_a_token_by_a_signing_key_counts_as_long_as_the_key_is_there() -> None:
    given = stream(token=token(by=SIGNING, issuer_account=B))
    assert not issues(given, PRIVATE, signing_keys=(SigningKey(key=SIGNING.public.text),))
    ((_, _, message),) = issues(given, PRIVATE)
    assert "none of the keys" in message


@pytest.mark.parametrize(
    ("times", "said"), [({"exp": NOW}, "is expired"), ({"nbf": NOW + 1}, "not yet valid")]
)
def test_a_token_out_of_its_time_is_a_time_check(times: dict[str, int], said: str) -> None:
    ((grade, _, message),) = issues(stream(token=token(**times)), PRIVATE)  # type: ignore[arg-type]
    assert grade is Grade.TIMECHECK
    assert said in message


@pytest.mark.parametrize(
    ("key", "at", "revoked"), [(A, NOW, True), ("*", NOW, True), (A, NOW - 1, False), (C, NOW, False)]
)
def test_a_revoked_activation_is_an_error(key: str, at: int, revoked: bool) -> None:
    export = Export(subject="a.>", type="stream", token_req=True, revocations={key: at})
    found = issues(stream(token=token()), export)
    assert bool(found) is revoked
    if revoked:
        assert "has revoked the activation" in found[0][2]


def test_of_two_exports_one_that_lets_it_in_is_enough() -> None:
    assert not issues(stream(), PRIVATE, Export(subject="a.*", type="stream"))


def test_the_old_form_of_a_service_names_the_exporters_subject_in_to() -> None:
    assert not issues(service("mine", to="a.b"), Export(subject="a.b", type="service"))


@pytest.mark.parametrize(
    ("imported", "name"),
    [
        (stream("a.*", local_subject="x.$1"), "x.*"),
        (stream("a", to="pre"), "pre.a"),
        (service("mine", to="theirs"), "mine"),
        (service("a.b"), "a.b"),
    ],
)
def test_local_names(imported: Import, name: str) -> None:
    assert local(imported) == name


def ring(kind: str, *steps: tuple[str, str, str]) -> dict[str, AccountBody]:
    """Accounts that import `subject` each from the next: (importer, exporter, subject)."""
    accounts: dict[str, AccountBody] = {}
    for importer, exporter, subject in steps:
        held = accounts.get(importer, AccountBody(exports=(Export(subject=">", type=kind),)))
        imported = Import(subject=subject, account=exporter, type=kind)
        accounts[importer] = AccountBody(exports=held.exports, imports=(*held.imports, imported))
    return accounts


@pytest.mark.parametrize("kind", ["stream", "service"])
def test_two_accounts_that_import_the_same_from_each_other_form_a_ring(kind: str) -> None:
    accounts = ring(kind, (A, B, "x"), (B, A, "x"))
    assert ring_of(A, accounts[A].imports[0], accounts.get) == (A, B, A)  # type: ignore[arg-type]
    (issue,) = import_issues(A, accounts[A], accounts.get, now=NOW)
    assert (issue.grade, issue.path) == (Grade.ERROR, "nats.imports[0]")
    assert issue.message == f"imports form a ring: {A} → {B} → {A}"


@pytest.mark.parametrize("kind", ["stream", "service"])
def test_a_ring_of_three_is_found_over_wildcards(kind: str) -> None:
    accounts = ring(kind, (A, B, "x.>"), (B, C, "x.*"), (C, A, "x.y"))
    assert ring_of(A, accounts[A].imports[0], accounts.get) == (A, B, C, A)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["stream", "service"])
def test_other_subjects_form_no_ring(kind: str) -> None:
    accounts = ring(kind, (A, B, "x"), (B, A, "y"))
    assert not ring_of(A, accounts[A].imports[0], accounts.get)  # type: ignore[arg-type]


def test_two_ways_to_one_account_are_no_ring_and_a_ring_elsewhere_is_not_ours() -> None:
    accounts = ring("stream", (A, B, "x"), (A, C, "x"), (B, D, "x"), (C, D, "x"))
    assert not any(ring_of(A, one, accounts.get) for one in accounts[A].imports if one)
    beside = ring("stream", (A, B, "x"), (B, C, "x"), (C, B, "x"))
    assert not ring_of(A, beside[A].imports[0], beside.get)  # type: ignore[arg-type]
    assert ring_of(B, beside[B].imports[0], beside.get) == (B, C, B)  # type: ignore[arg-type]


def test_a_long_chain_is_followed_without_end_of_breath() -> None:
    keys = [KeyPair.create(KeyKind.ACCOUNT).public.text for _ in range(1000)]
    accounts = ring("stream", *((one, next_one, "x") for one, next_one in itertools.pairwise(keys)))
    assert not ring_of(keys[0], accounts[keys[0]].imports[0], accounts.get)  # type: ignore[arg-type]
    accounts = ring(
        "stream", *((one, next_one, "x") for one, next_one in zip(keys, [*keys[1:], keys[0]], strict=True))
    )
    assert len(ring_of(keys[0], accounts[keys[0]].imports[0], accounts.get)) == 1001  # type: ignore[arg-type]
