"""Edits wait where the key is elsewhere; what comes back signed is compared with what was wanted, then taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from identities.claims import codec
from identities.claims.drafts import AccountDraft, AccountEdit
from identities.errors import IdentityError
from identities.models import Account, AuditEvent, Operator, Unsigned
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.services import (
    accounts,
    changes,
    clock,
    import_jobs,
    importing,
    jobs,
    lockouts,
    signing,
    unsigned,
)
from identities.services.changes import InvalidClaims, StaleWrite
from tests import make, nscfiles, rows
from tests.elsewhere import Elsewhere

pytestmark = pytest.mark.django_db

WHO: Any = {"principal": make.COMMAND}
Row = Operator | Account


@pytest.fixture
def there(db: None) -> Elsewhere:
    make.installation()
    return Elsewhere()


@pytest.fixture(params=["operator", "account"])
def row(there: Elsewhere, request: pytest.FixtureRequest) -> Row:
    """An operator, or an account of it, whose signing keys are elsewhere."""
    operator, account = there.adopted(seeds={there.account.public.text: there.account.seed()})
    return operator if request.param == "operator" else account


def tagged(row: Row, tag: str = "new") -> changes.Change:
    return changes.plan(row, changes.edit_body(tags=(tag,)), now=clock.unix())


def kept(row: Row) -> Unsigned:
    return unsigned.keep(**WHO, row=row, change=tagged(row), version=row.version)


def signed(there: Elsewhere, row: Row, edit: Callable[[Any], Any] = lambda claims: claims) -> str:
    """What somebody signs where the operator's key is."""
    claims = edit(codec.from_payload(unsigned.claims_text(row)))
    return codec.encode(claims, there.operator, clock.unix()).text


def test_a_signature_is_elsewhere_when_no_seed_is_here(there: Elsewhere, row: Row) -> None:
    assert unsigned.signed_elsewhere(row)
    assert not unsigned.signed_elsewhere(make.operator())
    assert not unsigned.signed_elsewhere(make.account())


def test_what_is_wanted_is_kept_and_nothing_changes_yet(row: Row) -> None:
    before = rows.everything({"Unsigned", "AuditEvent", "AuditHead", "AuditTarget"})
    waits = kept(row)
    assert rows.everything({"Unsigned", "AuditEvent", "AuditHead", "AuditTarget"}) == before
    assert unsigned.waiting(row) == waits
    assert [(one.path, one.after) for one in unsigned.difference(row, waits)] == [("nats.tags", "new")]
    assert f"Wants “{row.name}” signed elsewhere: nats.tags" == AuditEvent.objects.latest("seq").summary
    assert codec.from_payload(waits.claims).nats.tags == ("new",)


def test_one_edit_waits_at_a_time(row: Row) -> None:
    kept(row)
    with pytest.raises(unsigned.Waits, match="waits for its signature already"):
        kept(row)
    unsigned.discard(**WHO, row=row)
    assert unsigned.waiting(row) is None
    kept(row)


def test_a_stale_or_invalid_edit_is_not_kept(row: Row) -> None:
    with pytest.raises(StaleWrite):
        unsigned.keep(**WHO, row=row, change=tagged(row), version=row.version + 1)
    bad = changes.plan(row, lambda claims: replace(claims, exp=1), now=clock.unix())
    with pytest.raises(InvalidClaims):
        unsigned.keep(**WHO, row=row, change=bad, version=row.version)
    assert not Unsigned.objects.exists()


def test_the_signed_jwt_is_taken_to_the_byte(there: Elsewhere, row: Row) -> None:
    kept(row)
    text = signed(there, row)
    decorated = f"-----BEGIN NATS JWT-----\n{text}\n------END NATS JWT------\n"
    unsigned.take(**WHO, row=row, text=decorated)
    row.refresh_from_db()
    assert row.token is not None
    assert (row.token.text, row.token.origin, row.version) == (text, "imported", 2)
    assert changes.claims_of(row).nats.tags == ("new",)
    assert unsigned.waiting(row) is None


def test_whom_it_shuts_out_is_disconnected(there: Elsewhere) -> None:
    _, account = there.adopted(seeds={there.account.public.text: there.account.seed()})
    edit = changes.edit_body(revocations={"*": 5})
    change = changes.plan(account, edit, now=clock.unix())
    unsigned.keep(**WHO, row=account, change=change, version=account.version)
    make.cluster(account.operator)
    with lockouts.watched():
        unsigned.take(**WHO, row=account, text=signed(there, account))
        job = lockouts.just_noted(account)
    assert job is not None
    assert jobs.payload_of(job)["entries"] == {"*": 5}


def test_one_that_differs_is_taken_only_when_that_is_meant(there: Elsewhere, row: Row) -> None:
    kept(row)
    text = signed(there, row, lambda claims: replace(claims, nats=replace(claims.nats, tags=("other",))))
    found = unsigned.brought(row, text)
    assert {(one.path, one.before, one.after) for one in found.differences} == {
        ("nats.tags", "new", ""),
        ("nats.tags", "", "other"),
    }
    before = rows.everything()
    with pytest.raises(IdentityError, match=r"not what was wanted: nats\.tags differ"):
        unsigned.take(**WHO, row=row, text=text)
    assert rows.everything() == before
    unsigned.take(**WHO, row=row, text=text, differing=True)
    row.refresh_from_db()
    assert changes.claims_of(row).nats.tags == ("other",)


def test_what_is_another_s_or_older_or_of_a_strange_signer_is_refused(there: Elsewhere, row: Row) -> None:
    kept(row)
    claims = codec.from_payload(unsigned.claims_text(row))
    other = Elsewhere()
    strange = other.operator_jwt() if isinstance(row, Operator) else other.account_jwt()
    with pytest.raises(IdentityError, match="This JWT is not that of"):
        unsigned.take(**WHO, row=row, text=strange)
    with pytest.raises(IdentityError, match="not newer than the JWT that is here"):
        unsigned.take(**WHO, row=row, text=codec.encode(claims, there.operator, row.last_iat).text)
    stranger = KeyPair.create(KeyKind.OPERATOR)
    with pytest.raises(IdentityError, match="which no server takes for"):
        unsigned.take(**WHO, row=row, text=codec.encode(claims, stranger, clock.unix()).text)
    with pytest.raises(IdentityError, match="no JWT in this"):
        unsigned.take(**WHO, row=row, text="nonsense")
    with pytest.raises(IdentityError, match="verification"):
        unsigned.take(**WHO, row=row, text=signed(there, row)[:-6] + "AAAAAA")
    assert unsigned.waiting(row) is not None
    row.refresh_from_db()
    assert row.version == 1


def test_without_anything_waiting_there_is_nothing_to_take(there: Elsewhere, row: Row) -> None:
    for work in (
        lambda: unsigned.discard(**WHO, row=row),
        lambda: unsigned.claims_text(row),
        lambda: unsigned.take(**WHO, row=row, text=there.operator_jwt()),
    ):
        with pytest.raises(IdentityError, match="waits for a signature"):
            work()


def test_a_viewer_may_neither_keep_nor_take(row: Row) -> None:
    viewer = make.principal("viewer")
    with pytest.raises(Forbidden):
        unsigned.keep(principal=viewer, row=row, change=tagged(row), version=row.version)
    kept(row)
    with pytest.raises(Forbidden):
        unsigned.discard(principal=viewer, row=row)
    with pytest.raises(Forbidden):
        unsigned.take(principal=viewer, row=row, text="x")


def test_an_account_signs_its_own_claims_for_whoever_runs_the_operator(there: Elsewhere) -> None:
    _, account = there.adopted(seeds={there.account.public.text: there.account.seed()})
    kept(account)
    assert unsigned.can_self_sign(account)
    token = codec.decode(unsigned.self_signed(**WHO, account=account))
    assert (token.claims.iss, token.claims.nats.tags) == (account.public_key, ("new",))
    assert "self-signed JWT" in AuditEvent.objects.latest("seq").summary
    account.refresh_from_db()
    assert account.issuer == there.operator.public.text


def test_without_its_own_seed_an_account_can_t(there: Elsewhere) -> None:
    _, account = there.adopted()
    kept(account)
    assert not unsigned.can_self_sign(account)
    with pytest.raises(signing.NoSigner):
        unsigned.self_signed(**WHO, account=account)


class TestManaged:
    """Accounts of an operator whose keys never come here."""

    @pytest.fixture
    def account(self, there: Elsewhere) -> Account:
        importing.perform(**WHO, collected=nscfiles.texts(there.operator_jwt()))
        return accounts.create(**WHO, operator=Operator.objects.get(), draft=AccountDraft(name="Fresh"))

    def test_a_new_one_is_self_signed(self, account: Account) -> None:
        assert account.issuer == account.public_key
        assert account.token is not None
        assert codec.decode(account.token.text).claims.iss == account.public_key

    def test_it_signs_on_itself_until_the_operator_does(self, there: Elsewhere, account: Account) -> None:
        assert not unsigned.signed_elsewhere(account)
        edit = AccountEdit(name="Fresh", description="edited")
        edited = accounts.update(**WHO, account=account, edit=edit, version=account.version)
        assert edited.issuer == account.public_key
        text = codec.encode(changes.claims_of(edited), there.operator, edited.last_iat + 5).text
        report = importing.perform(**WHO, collected=nscfiles.texts(text))
        assert report["counts"]["account"] == {"changed": 1}
        brought = Account.objects.select_related("operator", "token").get()
        assert (brought.issuer, brought.token and brought.token.text) == (there.operator.public.text, text)
        assert unsigned.signed_elsewhere(brought)

    def test_one_with_a_key_brought_along_needs_its_operator(self, there: Elsewhere) -> None:
        importing.perform(**WHO, collected=nscfiles.texts(there.operator_jwt()))
        draft = AccountDraft(name="Theirs", public_key=there.account.public.text)
        with pytest.raises(signing.NoSigner):
            accounts.create(**WHO, operator=Operator.objects.get(), draft=draft)


class TestSignClaims:
    @pytest.fixture
    def files(self, there: Elsewhere, row: Row, tmp_path: Path) -> tuple[Path, Path]:
        kept(row)
        claims, seed = tmp_path / "x.claims.json", tmp_path / "x.nk"
        claims.write_text(unsigned.claims_text(row))
        seed.write_bytes(there.operator.seed().reveal())
        return claims, seed

    def test_signs_what_was_downloaded_so_that_it_is_taken(
        self, row: Row, files: tuple[Path, Path], tmp_path: Path
    ) -> None:
        out = tmp_path / "signed.jwt"
        call_command("sign_claims", str(files[0]), seed_file=files[1], out=out)
        assert unsigned.brought(row, out.read_text()).differences == ()
        unsigned.take(**WHO, row=row, text=out.read_text())

    def test_says_what_is_wrong_and_never_the_seed(self, files: tuple[Path, Path], tmp_path: Path) -> None:
        claims, seed = files
        broken, none, user = tmp_path / "b", tmp_path / "n", tmp_path / "u.nk"
        broken.write_text("{")
        none.write_text("nothing")
        user.write_bytes(KeyPair.create(KeyKind.USER).seed().reveal())
        for wrong, words in (
            ((broken, seed), "unexpected end of JSON input"),
            ((claims, none), "holds no seed"),
            ((claims, user), "unable to validate expected prefixes"),
            ((tmp_path / "nowhere", seed), "No such file"),
        ):
            with pytest.raises(CommandError, match=words) as refused:
                call_command("sign_claims", str(wrong[0]), seed_file=wrong[1])
            assert seed.read_text() not in str(refused.value)


def test_an_import_of_the_signed_jwt_leaves_the_wish_as_done(there: Elsewhere, row: Row) -> None:
    kept(row)
    importing.perform(**WHO, collected=nscfiles.texts(signed(there, row)))
    row.refresh_from_db()
    waits = unsigned.waiting(row)
    assert waits is not None
    assert unsigned.difference(row, waits) == ()
    assert import_jobs.of_late(make.COMMAND) == []
