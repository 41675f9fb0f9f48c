"""The rows that descriptions share: who it is, permissions, limits of a user or role (`nsc:cmd/describer.go`)."""

from __future__ import annotations

from collections.abc import Sequence

from identities.claims.common import Claims
from identities.claims.describe_text import (
    Row,
    Section,
    bytes_text,
    date_text,
    duration_text,
    list_rows,
    yes_no,
)
from identities.claims.permissions import Permissions, UserPermissionLimits
from identities.claims.scopes import SigningKey


def standard_rows(
    claims: Claims[object], label: str, now: int, *, issuer_account: str = "", tags: Sequence[str] = ()
) -> list[Row]:
    """Name, ids, dates and tags, the head of every description."""
    rows = [Row("Name", claims.name)] if claims.name else []
    rows += [Row(label, claims.sub), Row("Issuer ID", claims.iss)]
    if issuer_account:
        rows.append(Row("Issuer Account", issuer_account))
    rows.append(Row("Issued", date_text(claims.iat)))
    rows.append(Row("Expires", date_text(claims.exp), "expired" if 0 < claims.exp < now else ""))
    if claims.nbf > now:
        rows.append(Row("Not Before", date_text(claims.nbf), "not yet valid"))  # nsc does not say
    return rows + list_rows("Tags", tags)


def permission_rows(permissions: Permissions | UserPermissionLimits) -> list[Row]:
    """Subjects allowed and denied, and the response permission or its absence."""
    rows = [
        *list_rows("Pub Allow", permissions.pub.allow),
        *list_rows("Pub Deny", permissions.pub.deny),
        *list_rows("Sub Allow", permissions.sub.allow),
        *list_rows("Sub Deny", permissions.sub.deny),
    ]
    if permissions.resp is None:
        return [*rows, Row("Response Permissions", "Not Set")]
    rows.append(Row("Max Responses", str(permissions.resp.max)))
    return [*rows, Row("Response Permission TTL", duration_text(permissions.resp.ttl))]


def limit_rows(limits: UserPermissionLimits) -> list[Row]:
    """Numbers, networks and hours. nsc calls 0 unlimited too; it is none, and said so here (spec §9.2)."""
    times = [f"{window.start}-{window.end}" for window in limits.times]
    zone = limits.times_location
    rows = [
        Row("Max Msg Payload", _size(limits.payload)),
        Row("Max Data", _size(limits.data)),
        Row("Max Subs", _count(limits.subs)),
        Row("Network Src", f"[{' '.join(limits.src)}]" if limits.src else "Any"),
        *list_rows("Time", times or ["Any"]),
    ]
    if zone:
        rows[-1] = Row(rows[-1].label, rows[-1].value, f"in {zone}")
    return rows


def scope_section(scope: SigningKey) -> Section:
    """A role: its key, name and template."""
    template = scope.template or UserPermissionLimits.unlimited()
    rows = [
        Row("Key", scope.key),
        Row("Role", scope.role),
        Row("Description", one_line(scope.description)),
        *permission_rows(template),
        *limit_rows(template),
        Row("Bearer Token", yes_no(flag=template.bearer_token)),
        *list_rows("Allowed Connection Types", template.allowed_connection_types),
    ]
    if template.proxy_required:
        rows.append(Row("Proxy Required", "Yes", "not enforced in a role"))  # nsc does not say
    return Section("Scoped Signing Key - Details", tuple(rows))


def one_line(text: str) -> str:
    """Text with its line ends turned to blanks, as nsc prints descriptions."""
    return text.replace("\n", " ")


def _size(number: int) -> str:
    return f"{number} bytes (≈{bytes_text(number)})" if number > 0 else _count(number)


def _count(number: int) -> str:
    if number == 0:
        return "None"
    return str(number) if number > 0 else "Unlimited"
