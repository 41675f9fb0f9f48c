"""The audit chain: complete, in order, and broken by any change."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from identities.models import AuditEvent, AuditHead, AuditTarget, IssuedToken, append_only
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Principal:
    make.installation()
    return make.principal("administrator")


@pytest.fixture
def chain(admin: Principal) -> list[AuditEvent]:
    for number in range(6):
        with transaction.atomic():
            target = audit.Target(kind="operator", key=f"O{number}", name=f"name {number}")
            audit.record(admin, Action.OPERATOR_EDIT, [target], f"did {number}")
    return list(AuditEvent.objects.order_by("seq"))


@pytest.mark.django_db(transaction=True)
def test_an_event_needs_the_transaction_of_its_change() -> None:
    make.installation()
    with pytest.raises(RuntimeError, match="transaction"):
        audit.record(Principal.command("test"), Action.OPERATOR_EDIT, [], "nothing")


def test_a_whole_chain_fits(chain: list[AuditEvent]) -> None:
    assert audit.first_broken() is None


@pytest.mark.parametrize("column", ["summary", "actor", "actor_name", "way", "address", "action"])
def test_a_changed_event_is_found(chain: list[AuditEvent], column: str) -> None:
    append_only.remove(connection)
    AuditEvent.objects.filter(pk=chain[2].pk).update(**{column: "changed"})
    assert audit.first_broken() == chain[2].seq


def test_a_missing_head_is_found(chain: list[AuditEvent]) -> None:
    AuditHead.objects.all().delete()
    assert audit.first_broken() is not None


def test_a_changed_target_is_found(chain: list[AuditEvent]) -> None:
    append_only.remove(connection)
    AuditTarget.objects.filter(event=chain[3]).update(name="somebody else")
    assert audit.first_broken() == chain[3].seq


def test_a_removed_event_is_found(chain: list[AuditEvent]) -> None:
    append_only.remove(connection)
    AuditTarget.objects.filter(event=chain[1]).delete()
    chain[1].delete()
    assert audit.first_broken() == chain[1].seq


def test_a_cut_off_end_is_found(chain: list[AuditEvent]) -> None:
    append_only.remove(connection)
    AuditTarget.objects.filter(event=chain[-1]).delete()
    chain[-1].delete()
    assert audit.first_broken() == chain[-1].seq


def test_a_moved_head_is_found(chain: list[AuditEvent]) -> None:
    AuditHead.objects.update(hash="0" * 64)
    assert audit.first_broken() is not None


@pytest.mark.parametrize("model", [AuditEvent, AuditTarget, IssuedToken])
def test_the_database_refuses_to_delete_what_is_append_only(
    admin: Principal, model: type[AuditEvent | AuditTarget | IssuedToken]
) -> None:
    make.operator()
    table = model._meta.db_table
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DELETE FROM {table}")


def test_the_database_refuses_to_rewrite_an_event(chain: list[AuditEvent]) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.filter(pk=chain[0].pk).update(summary="nicer")


def test_the_ledger_may_be_resealed_but_not_rewritten(admin: Principal) -> None:
    make.operator()
    IssuedToken.objects.filter(sealed=None).update(sealed=None)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        IssuedToken.objects.update(reason="nicer")
