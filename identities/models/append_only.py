"""Triggers that refuse to change or delete what is append-only: audit chain, ledger, hand-overs and versions of
presets, on both databases.

The ledger's `sealed` column may change (a rotated master key re-wraps it), nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

LEDGER_COLUMNS = (
    "operator_id, kind, subject, name, issuer, jti, iat, exp, text, origin, replaces_id, "
    '"by", by_name, reason, created_at'
)
GUARDED = (
    ("identities_auditevent", "UPDATE"),
    ("identities_auditevent", "DELETE"),
    ("identities_audittarget", "UPDATE"),
    ("identities_audittarget", "DELETE"),
    ("identities_issuedtoken", f"UPDATE OF {LEDGER_COLUMNS}"),
    ("identities_issuedtoken", "DELETE"),
)
PRESETS = (
    ("identities_ownpresetversion", "UPDATE"),
    ("identities_ownpresetversion", "DELETE"),
)
"""Guarded since there are presets."""
HANDOVER_COLUMNS = (
    "operator_id, account_id, user_id, token_id, kind, subject, name, role, issuer, iat, exp, way, door, "
    'recipient, recipient_name, "by", by_name, at'
)
HANDOVERS = (
    ("identities_handover", f"UPDATE OF {HANDOVER_COLUMNS}"),
    ("identities_handover", "DELETE"),
)
"""Guarded since there are hand-overs; whether one was revoked may change."""
Guarded = Sequence[tuple[str, str]]


def install(connection: BaseDatabaseWrapper, guarded: Guarded = (*GUARDED, *PRESETS, *HANDOVERS)) -> None:
    """Create the triggers."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE OR REPLACE FUNCTION identities_append_only() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
            )
        for table, event in guarded:
            cursor.execute(_create(connection.vendor, table, event))


def remove(connection: BaseDatabaseWrapper, guarded: Guarded = (*GUARDED, *PRESETS, *HANDOVERS)) -> None:
    """Drop the triggers (a migration going backwards; tests that empty the tables)."""
    with connection.cursor() as cursor:
        for table, event in guarded:
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {_name(table, event)}{on}")


def _name(table: str, event: str) -> str:
    return f"{table}_no_{event.split(' ', 1)[0].lower()}"


def _create(vendor: str, table: str, event: str) -> str:
    if vendor == "postgresql":
        return (
            f"CREATE TRIGGER {_name(table, event)} BEFORE {event} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION identities_append_only()"
        )
    return (
        f"CREATE TRIGGER {_name(table, event)} BEFORE {event} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
