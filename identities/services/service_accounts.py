"""Service accounts: machines that hold roles and come in with tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import ServiceAccount
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock


def found(principal: Principal, number: int) -> ServiceAccount:
    """The service account with this number. Raises: Forbidden, NotFound."""
    decisions.require(principal, Action.SERVICE_ACCOUNT_EDIT)
    row = ServiceAccount.objects.filter(pk=number).first()
    if row is None:
        raise NotFound(f"There is no service account {number}.")
    return row


def create(*, principal: Principal, name: str, description: str = "") -> ServiceAccount:
    """Make a service account, which holds no role yet.

    Raises:
        IdentityError: no name, or a taken one.
    """
    decisions.require(principal, Action.SERVICE_ACCOUNT_EDIT)
    row = ServiceAccount(
        name=_checked(name), description=description, by_name=principal.name, created_at=clock.now()
    )
    with _unique():
        row.save()
        audit.record(
            principal, Action.SERVICE_ACCOUNT_EDIT, [target(row)], f"Made the service account “{row.name}”"
        )
    return row


def update(
    *, principal: Principal, machine: ServiceAccount, name: str, description: str, is_active: bool
) -> ServiceAccount:
    """Rename, describe, switch off or on. Switched off, none of its tokens opens anything, at once.

    Raises:
        IdentityError: no name, or a taken one.
    """
    decisions.require(principal, Action.SERVICE_ACCOUNT_EDIT)
    wanted = _checked(name)
    with _unique():
        row = ServiceAccount.objects.select_for_update().get(pk=machine.pk)
        said = _said(row, name=wanted, description=description, is_active=is_active)
        row.name, row.description, row.is_active = wanted, description, is_active
        row.save()
        if said:
            audit.record(principal, Action.SERVICE_ACCOUNT_EDIT, [target(row)], said)
    return row


def target(machine: ServiceAccount) -> audit.Target:
    """How the audit names a service account."""
    return audit.Target(kind="service-account", key=machine.audit_key, name=machine.name)


def _said(row: ServiceAccount, *, name: str, description: str, is_active: bool) -> str:
    if row.is_active != is_active:
        return f"Switched the service account “{row.name}” {'on' if is_active else 'off'}"
    if row.name != name:
        return f"Renamed the service account “{row.name}” to “{name}”"
    return f"Described the service account “{row.name}” anew" if row.description != description else ""


def _checked(name: str) -> str:
    wanted = name.strip()
    if not wanted:
        raise IdentityError("Give it a name, such as the pipeline that uses it.", field="name")
    return wanted


@contextmanager
def _unique() -> Iterator[None]:
    """A transaction in which a taken name is a refusal, not a fault."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as broken:
        if "service_account_name_unique" not in str(broken):
            raise
        raise IdentityError("Another service account has this name.", field="name") from None
