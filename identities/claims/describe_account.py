"""An account in the tables of `nsc describe account` (`nsc:cmd/describer.go`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from identities.claims import codec
from identities.claims.account import AccountBody, MsgTrace
from identities.claims.common import Claims
from identities.claims.describe_parts import one_line, permission_rows, scope_section, standard_rows
from identities.claims.describe_text import Row, Section, bytes_text, date_text, list_rows, yes_no
from identities.claims.errors import ClaimsError
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping

EXPORT_HEADERS = (
    "Name",
    "Type",
    "Subject",
    "Account Token Position",
    "Public",
    "Revocations",
    "Tracking",
    "Allow Trace",
)
IMPORT_HEADERS = ("Name", "Type", "Remote", "Local", "Expires", "From Account", "Public", "Allow Trace")


def account_sections(
    claims: Claims[object], body: AccountBody, account_name: Callable[[str], str], now: int
) -> list[Section]:
    """Every table of an account; `account_name` turns the key of an exporting account into what is shown."""
    sections = [Section("Account Details", tuple(_details(claims, body, now)))]
    exports = [export for export in body.exports if export is not None]
    if exports:
        sections.append(Section("Exports", headers=EXPORT_HEADERS, lines=tuple(map(_export_line, exports))))
    described = [export for export in exports if export.description or export.info_url]
    if described:
        sections.append(_description_section(described))
    imports = [imported for imported in body.imports if imported is not None]
    if imports:
        lines = tuple(_import_line(imported, account_name) for imported in imports)
        sections.append(Section("Imports", headers=IMPORT_HEADERS, lines=lines))
    if body.mappings:
        headers = ("From", "To", "Weight (%)")
        sections.append(Section("Mappings", headers=headers, lines=_mapping_lines(body.mappings)))
    return sections + [scope_section(key) for key in body.signing_keys if key.is_scoped]


def _description_section(exports: Sequence[Export]) -> Section:
    lines = tuple((export.name, one_line(export.description), export.info_url) for export in exports)
    return Section("Exports - Descriptions", headers=("Name", "Description", "Info Url"), lines=lines)


def _details(claims: Claims[object], body: AccountBody, now: int) -> list[Row]:
    rows = standard_rows(claims, "Account ID", now, tags=body.tags)
    if body.description:
        rows.append(Row("Description", one_line(body.description)))
    if body.info_url:
        rows.append(Row("Info Url", body.info_url))
    rows += list_rows("Signing Keys", sorted(key.key for key in body.signing_keys))
    callout = body.authorization
    if callout.auth_users:
        rows += list_rows("Auth Callout Users", callout.auth_users)
        rows += list_rows("Allowed Accounts", callout.allowed_accounts)
        rows += list_rows("Encrypt For", filter(None, [callout.xkey]))
    rows += _nats_rows(body.limits)
    rows += permission_rows(body.default_permissions)
    rows += _jetstream_rows(body.limits)
    rows += [
        Row(what, "None")
        for what, items in (("Imports", body.imports), ("Exports", body.exports))
        if not items
    ]
    if body.revocations:
        rows.append(Row("Revocations", str(len(body.revocations))))
    if body.cluster_traffic:
        rows.append(Row("Cluster Traffic", body.cluster_traffic))  # nsc does not say
    return rows + _trace_rows(body.trace)


def _nats_rows(limits: OperatorLimits) -> list[Row]:
    leaf = "Not Allowed" if limits.leaf == 0 else _count(limits.leaf)
    return [
        Row("Max Connections", _count(limits.conn)),
        Row("Max Leaf Node Connections", leaf),
        Row("Max Data", _size(limits.data)),
        Row("Max Exports", _count(limits.exports)),
        Row("Max Imports", _count(limits.imports)),
        Row("Max Msg Payload", _size(limits.payload)),
        Row("Max Subscriptions", _count(limits.subs)),
        Row("Exports Allows Wildcards", str(limits.wildcards)),
        Row("Disallow Bearer Token", str(limits.disallow_bearer)),
    ]


def _jetstream_rows(limits: OperatorLimits) -> list[Row]:
    if not limits.jetstream_enabled:
        return [Row("Jetstream", "Disabled")]
    if not limits.tiered_limits:
        return [Row("Jetstream", "Enabled"), *_tier_rows(limits)]
    rows = []
    for tier, tier_limits in sorted(limits.tiered_limits.items()):
        rows += [Row("Jetstream Tier", tier), *_tier_rows(tier_limits)]
    return rows


def _tier_rows(limits: OperatorLimits | JetStreamLimits) -> list[Row]:
    """Of one tier, or the flat limits. nsc prints a count of 0 as 0; the server takes it as unlimited."""
    required = "required" if limits.max_bytes_required else "optional"
    return [
        Row("Max Disk Storage", _storage(limits.disk_storage)),
        Row("Max Mem Storage", _storage(limits.mem_storage)),
        Row("Max Streams", _count(limits.streams or -1)),
        Row("Max Consumers", _count(limits.consumer or -1)),
        Row(
            "Max Ack Pending",
            str(limits.max_ack_pending) if limits.max_ack_pending > 0 else "Consumer Setting",
        ),
        Row("Max Bytes", f"{required} (Stream setting)"),
        Row("Max Memory Stream", _size(limits.mem_max_stream_bytes or -1)),
        Row("Max Disk Stream", _size(limits.disk_max_stream_bytes or -1)),
    ]


def _storage(size: int) -> str:
    if size == 0:
        return "Disabled"
    return bytes_text(size) if size > 0 else "Unlimited"


def _size(size: int) -> str:
    return f"{bytes_text(size)} ({size} bytes)" if size >= 0 else "Unlimited"


def _count(number: int) -> str:
    return str(number) if number >= 0 else "Unlimited"


def _trace_rows(trace: MsgTrace | None) -> list[Row]:
    if trace is None:
        return [Row("Tracing Context", "Disabled")]
    return [
        Row("Tracing Context", "Enabled"),
        Row("Subject", trace.dest),
        Row("Sampling", f"{trace.sampling or 100}%"),
    ]


def _export_line(export: Export) -> tuple[str, ...]:
    service = export.type == "service"
    kind, latency = export.type.title(), export.service_latency
    if service and export.response_type in ("Stream", "Chunked"):
        kind += f" [{export.response_type}]"
    tracking = "-" if service else "N/A"
    if service and latency is not None:
        tracking = f"{latency.results} ({latency.sampling}%)"
    return (
        export.name,
        kind,
        export.subject,
        str(export.account_token_position or "-"),
        yes_no(flag=not export.token_req),
        str(len(export.revocations)),
        tracking,
        yes_no(flag=export.allow_trace) if service else "N/A",
    )


def _import_line(imported: Import, account_name: Callable[[str], str]) -> tuple[str, ...]:
    service = imported.type == "service"
    remote, local = imported.subject, imported.local_subject or imported.to
    if service and imported.to:  # the deprecated form names them the other way round
        remote, local = imported.to, imported.subject
    return (
        imported.name,
        imported.type.title(),
        remote,
        local,
        _expires(imported.token),
        account_name(imported.account),
        yes_no(flag=not imported.token),
        "N/A" if service else yes_no(flag=imported.allow_trace),
    )


def _expires(token: str) -> str:
    if not token:
        return ""
    try:
        return date_text(codec.decode(token).claims.exp)
    except ClaimsError as error:
        return f"error decoding: {error.user_message}"


def _mapping_lines(mappings: Mapping[str, Sequence[WeightedMapping]]) -> tuple[tuple[str, ...], ...]:
    """Each source with its targets and their sum. nsc prints a further target's absent weight as 0; it is 100."""
    lines: list[tuple[str, ...]] = []
    for source, targets in sorted(mappings.items()):
        for index, target in enumerate(targets):
            lines.append(("" if index else source, target.subject, str(target.weight or 100)))
        lines.append(("", "", f"sum={sum(target.weight or 100 for target in targets)}"))
    return tuple(lines)
