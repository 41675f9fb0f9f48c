"""The diagrams that `nsc generate diagram` prints, as PlantUML: who shares what, and what everything is.

Source: the output of nsc 2.14 and 2.15 (`cmd/generatediagram.go`); nats-jwt.md §5.3. nsc's footer names a folder; ours
names nscweb.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import TypeVar

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import NO_LIMIT, OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import Permissions
from identities.claims.subjects import is_contained_in

_HEAD = """@startuml
skinparam component {
\tArrowFontName Arial
\tArrowFontColor #636363
    ArrowSize 10pt
}
skinparam interface {
    backgroundColor<<not-found public service>> Red
    backgroundColor<<not-found private service>> Red
    backgroundColor<<not-found public stream>> Red
    backgroundColor<<not-found private stream>> Red
}
"""
_LEGEND = """legend
"<&resize-width>X", the imported subject is rewritten to X
end legend"""
_IDS = str.maketrans({" ": "_", ">": "_G_", "*": "_A_", "-": "_M_", "$": "_D_"})
_NOTE_WIDTH = 20
T = TypeVar("T")
Account = Claims[AccountBody]


def components(operator: Claims[OperatorBody], accounts: Sequence[Account], *, now: int) -> str:
    """The component diagram: accounts that share, their exports as interfaces, imports as arrows to them."""
    sharing = [one for one in _by_name(accounts) if one.nats.exports or one.nats.imports]
    known = {one.sub: one for one in accounts}
    lines = [_HEAD, f"title Component Diagram of Accounts - Operator {operator.name}"]
    for account in sharing:
        lines.append(f"component [{account.name}] as {account.sub} <<account>>")
        for export in _held(account.nats.exports):
            name = export.name or export.subject
            me = _interface(account.sub, name)
            lines.append(f'interface "{name}" << {_kind(export)} >> as {me}')
            lines.append(f'{me} -- {account.sub} : ""{export.subject}"""')
        lines.append("")
    for account in sharing:
        for imported in _held(account.nats.imports):
            lines += _arrow(account, imported, known)
    lines += [_LEGEND, _footer(now), "@enduml", ""]
    return "\n".join(lines)


def _arrow(account: Account, imported: Import, known: dict[str, Account]) -> Iterator[str]:
    exporter = known.get(imported.account)
    export = _offered(exporter, imported) if exporter is not None else None
    if export is not None:
        target = _interface(imported.account, export.name or export.subject)
    else:
        target = _interface(imported.account, imported.subject)
        private = "private" if imported.token else "public"
        yield f'interface " " << not-found {private} {imported.type} >> as {target}'
    local = imported.local_subject or imported.to
    rewritten = f' "<&resize-width>{local}"' if local and local != imported.subject else ""
    yield f'{account.sub}{rewritten} ..> {target} : "{imported.subject}"'
    if exporter is None:
        yield from (
            f"note left of {target}",
            "",
            f"** Validation Issues by {account.name}**",
            "",
            f"* Exporting account not present: {imported.account}",
            "",
            "end note",
        )


def _offered(exporter: Account, imported: Import) -> Export | None:
    return next(
        (
            one
            for one in _held(exporter.nats.exports)
            if one.type == imported.type and is_contained_in(imported.subject, one.subject)
        ),
        None,
    )


def objects(operator: Claims[OperatorBody], accounts: Sequence[Account], *, now: int) -> str:
    """The object diagram: the operator and its accounts with what is set on them."""
    body = operator.nats
    lines = [
        "@startuml",
        "title Object Diagram",
        f'object "{operator.name}" as {operator.sub} << operator >> {{',
    ]
    lines += _common(operator, body.tags)
    lines.append("JWT Version = 2")
    if body.account_server_url:
        lines.append(f"account server = {body.account_server_url}")
    lines += [f"Strict signing key usage = {_bool(body.strict_signing_key_usage)}", "}"]
    for account in _by_name(accounts):
        lines += _account(account, operator)
    lines += [_footer(now), "@enduml", ""]
    return "\n".join(lines)


def _account(account: Account, operator: Claims[OperatorBody]) -> Iterator[str]:
    body = account.nats
    kind = "system account" if account.sub == operator.nats.system_account else "account"
    yield f'object "{account.name}" as {account.sub} << {kind} >> {{'
    yield from _common(account, body.tags)
    yield from _limits(body.limits)
    yield "}"
    if list(_permissions(body.default_permissions)):
        me = f"{account.sub}_permissions"
        yield f'object "{account.name}" as {me} << default permissions >> {{'
        yield from _permissions(body.default_permissions)
        yield "}"
        yield f"{account.sub} *-- {me}"
    yield f'{operator.sub} -- {account.sub} : "signed >"'
    if body.description or body.info_url:
        yield f"note right of {account.sub}"
        yield from (
            f"{line} " if last else line for line, last in _marked(wrap(body.description, _NOTE_WIDTH))
        )
        if body.info_url:
            yield f"[[{body.info_url} info]]"
        yield "end note"


def _common(claims: Claims[object], tags: Sequence[str]) -> Iterator[str]:
    if tags:
        yield "Tags = " + " ".join(f'"{tag}"' for tag in sorted(tags))
    yield f"Issued At = {_time(claims.iat)}"
    if claims.nbf:
        yield f"Valid From = {_time(claims.nbf)}"
    if claims.exp:
        yield f"Expires = {_time(claims.exp)}"


def _limits(limits: OperatorLimits) -> Iterator[str]:
    account = (limits.exports, limits.imports, limits.conn, limits.leaf)
    if set(account) != {NO_LIMIT} or not limits.wildcards or limits.disallow_bearer:
        yield "--- Account Limits ---"
        yield f"Max Exports = {_number(limits.exports)}"
        yield f"Max Imports = {_number(limits.imports)}"
        yield f"Max Client Connections = {_number(limits.conn)}"
        yield f"Max Leaf Node Connections = {_number(limits.leaf)}"
        yield f"Allow Wildcard Exports = {_bool(limits.wildcards)}"
        yield f"Disallow bearer token = {_bool(limits.disallow_bearer)}"
    if {limits.payload, limits.subs, limits.data} != {NO_LIMIT}:
        yield "--- Nats Limits ---"
        yield f"Max Payload = {_number(limits.payload)}"
        yield f"Max Subscriber = {_number(limits.subs)}"
        yield f"Max Number of bytes = {_number(limits.data)}"
    if limits.mem_storage or limits.disk_storage:
        yield "--- Jetstream Limits ---"
        yield f"Max Memory Storage = {_number(limits.mem_storage)}"
        yield f"Max Disk Storage = {_number(limits.disk_storage)}"
        yield f"Max Streams = {_number(limits.streams)}"
        yield f"Max Consumer = {_number(limits.consumer)}"


def _permissions(permissions: Permissions) -> Iterator[str]:
    for title, subjects in (
        ("Publish Deny", permissions.pub.deny),
        ("Publish Allow", permissions.pub.allow),
        ("Subscribe Deny", permissions.sub.deny),
        ("Subscribe Allow", permissions.sub.allow),
    ):
        if subjects:
            yield f"--- {title} ---"
            yield from (f' ""{subject}""' for subject in subjects)
    if permissions.resp is not None:
        yield "--- Response Permissions ---"
        yield f"Expiration = {permissions.resp.ttl / 1e9:g}s"
        yield f"Max Messages = {permissions.resp.max}"


def _marked(lines: Sequence[str]) -> Iterator[tuple[str, bool]]:
    for number, line in enumerate(lines, 1):
        yield line, number == len(lines)


def _held(entries: Sequence[T | None]) -> list[T]:
    return [one for one in entries if one is not None]


def _by_name(accounts: Sequence[Account]) -> list[Account]:
    return sorted(accounts, key=lambda one: one.name)


def _interface(account: str, name: str) -> str:
    return f"{account}_{name.translate(_IDS)}"


def _kind(export: Export) -> str:
    return f"{'private' if export.token_req else 'public'} {export.type}"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _number(value: int) -> str:
    return f"{value} (unlimited)" if value == NO_LIMIT else str(value)


def _bool(value: bool) -> str:  # noqa: FBT001 - what Go prints of it
    return "true" if value else "false"


def _footer(now: int) -> str:
    return f"footer generated by nscweb - date: {_time(now)} "
