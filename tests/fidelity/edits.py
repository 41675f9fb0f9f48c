"""Another value for every field of a token: one that NATS takes beside all the others."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from identities.claims import codec, trust
from identities.claims.account import AccountBody, ExternalAuthorization, MsgTrace
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.operator import OperatorBody
from identities.claims.permissions import (
    Permission,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.claims.scopes import USER_SCOPE, SigningKey
from identities.claims.user import UserBody
from identities.nkeys import KeyKind, KeyPair
from tests.fidelity.fields import NOT_EDITED, Path, name_of
from tests.fidelity.tokens import NOW, Token
from tests.goldens import seeds

LATER = 4_000_000_000
OPERATOR, ACCOUNT, USER, CURVE = (
    KeyPair(kind, b"e" * 32).public.text
    for kind in (KeyKind.OPERATOR, KeyKind.ACCOUNT, KeyKind.USER, KeyKind.CURVE)
)
_JETSTREAM = frozenset(field.name for field in fields(JetStreamLimits)) - {"extra"}


@dataclass(frozen=True)
class Edit:
    """One field of one token, and its new value."""

    field: str
    path: Path
    new: Any

    def apply(self, claims: Claims[Any]) -> Claims[Any]:
        edited: Claims[Any] = put(claims, self.path, self.new)
        return edited


def edits(token: Token) -> Iterator[Edit]:
    """One edit of each field that this token has, in every entry of its lists and maps."""
    claims = token.claims
    for path in _places(claims, ()):
        field = name_of(path)
        if field in NOT_EDITED:
            continue
        new = another(claims, path)
        if new is not None:
            yield Edit(field, path, None if new is ABSENT else new)


def cleared(token: Token) -> Iterator[Edit]:
    """Each field that holds something, emptied; of lists and maps also with one entry less. Some NATS would refuse."""
    claims = token.claims
    for path in _places(claims, ()):
        field, old = name_of(path), get(claims, path)
        if field in NOT_EDITED or not old or _is_the_roles(claims, get(claims, path[:-1])):
            continue
        yield Edit(field, path, None if is_dataclass(old) else type(old)())
        if isinstance(old, tuple | Mapping) and len(old) > 1:
            yield Edit(field, path, _one_less(old))


def _one_less(held: Any) -> Any:
    middle = len(held) // 2
    if isinstance(held, tuple):
        return held[:middle] + held[middle + 1 :]
    return {key: entry for number, (key, entry) in enumerate(held.items()) if number != middle}


def _is_the_roles(claims: Claims[Any], owner: Any) -> bool:
    """A field that the user of a role leaves to its role."""
    return by_role(claims) and isinstance(
        owner, UserPermissionLimits | Permission | ResponsePermission | TimeRange
    )


class _Absent:
    """No value at all, where None would mean that there is no edit."""


ABSENT = _Absent()


def _places(value: Any, path: Path) -> Iterator[Path]:
    if is_dataclass(value) and not isinstance(value, type):
        hints = typing.get_type_hints(type(value))
        for field in fields(value):
            if field.name in {"extra", "source"}:
                continue
            held = getattr(value, field.name)
            here = (*path, field.name)
            if field.name != "nats" and not is_dataclass(hints[field.name]):
                yield here
            yield from _places(held, here)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _places(item, (*path, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _places(item, (*path, f"\0{key}"))


def get(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, int):
            value = value[step]
        else:
            value = value[step[1:]] if step.startswith("\0") else getattr(value, step)
    return value


def put(value: Any, path: Path, new: Any) -> Any:
    """The same claims with one field changed."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        return tuple(put(item, rest, new) if index == step else item for index, item in enumerate(value))
    if step.startswith("\0"):
        return {key: put(item, rest, new) if key == step[1:] else item for key, item in value.items()}
    return replace(value, **{step: put(getattr(value, step), rest, new)})


def another(claims: Claims[Any], path: Path) -> Any:
    """Another value for the field at `path`; None when it can't be another one alone, in this token."""
    owner, name = get(claims, path[:-1]), str(path[-1])
    old = getattr(owner, name)
    if _is_the_roles(claims, owner):
        return None
    rule = RULES.get((type(owner), name))
    if rule is not None:
        return rule(owner, claims)
    hint = typing.get_type_hints(type(owner))[name]
    return _by_hint(hint, old)


def by_role(claims: Claims[Any]) -> bool:
    """A user by a signing key whose JWT says nothing of its own, as a role's must."""
    body = claims.nats
    signed = isinstance(body, UserBody) and body.issuer_account not in ("", claims.iss)
    return signed and trust.has_empty_permissions(claims)


def _by_hint(hint: Any, old: Any) -> Any:
    if hint is bool:
        return not old
    if hint is int:
        return 77 if old != 77 else 78
    if hint is str:
        return f"{old}-edited"
    if hint == tuple[str, ...]:
        return (*old, "edited")
    raise AssertionError(f"nothing says how a field of type {hint} is edited: add a rule")


Rule = Callable[[Any, Claims[Any]], Any]


def _other(*values: Any) -> Callable[[Any], Any]:
    """The first of these values that is not the old one."""
    return lambda old: next(value for value in values if value != old)


def _to(name: str, *values: Any) -> Rule:
    return lambda owner, _: _other(*values)(getattr(owner, name))


def _plus(name: str, *more: Any) -> Rule:
    return lambda owner, _: (
        *getattr(owner, name),
        *(each for each in more if each not in getattr(owner, name)),
    )


def _with(name: str, key: str, value: Any) -> Rule:
    return lambda owner, _: {**getattr(owner, name), key: value}


def _switched(name: str, value: Any) -> Rule:
    """Set where it was absent, absent where it was set."""
    return lambda owner, _: value if getattr(owner, name) is None else ABSENT


def _only(condition: Callable[[Any], bool], rule: Rule) -> Rule:
    return lambda owner, claims: rule(owner, claims) if condition(owner) else None


def _longer(subject: str) -> str:
    """Another subject with the same wildcards."""
    return f"{subject[:-1]}edited.>" if subject.endswith(">") else f"{subject}.edited"


def _uses_every_wildcard(imported: Import) -> bool:
    """False where the local subject loses some, which was wrong before, and would be a new wrong."""
    stars = imported.subject.split(".").count("*")
    used = set(re.findall(r"\$(\d+)", imported.local_subject))
    return not used or used == {str(number) for number in range(1, stars + 1)}


def _renaming(imported: Import, _: Claims[Any]) -> str | None:
    """Another local subject that uses every wildcard of the import's."""
    parts = imported.subject.split(".")
    stars = [f"${number}" for number in range(1, parts.count("*") + 1)]
    local = ".".join(("edited", *stars, *([">"] if parts[-1] == ">" else [])))
    return None if imported.to else local


def _activation(imported: Import, claims: Claims[Any]) -> str | None:
    """None of what was there; where nothing was, an activation of the exporter for this account."""
    if imported.token:
        return ""
    seed = seeds().get(imported.account)
    if seed is None or imported.to:
        return None
    body = ActivationBody(subject=imported.subject, kind=imported.type)
    return codec.encode(Claims(nats=body, sub=claims.sub, name="edited"), KeyPair.from_seed(seed), NOW).text


def _other_flow(owner: Import | Export, _: Claims[Any]) -> str | None:
    """Stream for service and the other way round, where nothing else depends on it."""
    bare = type(owner)(name=owner.name, subject=owner.subject, type=owner.type)
    shared = (
        ("account", "local_subject", "to")
        if isinstance(owner, Import)
        else ("description", "info_url", "token_req")
    )
    alike = replace(bare, extra=owner.extra, **{name: getattr(owner, name) for name in shared})
    return {"stream": "service", "service": "stream"}[owner.type] if alike == owner else None


def _token_position(export: Export, _: Claims[Any]) -> int | None:
    stars = [number for number, token in enumerate(export.subject.split("."), 1) if token == "*"]
    wanted = [number for number in (*stars, 0) if number != export.account_token_position]
    return None if export.token_req or not wanted else wanted[0]


def _one_more(name: str, entry: Any) -> Rule:
    """An entry more, where the account's limits leave room."""

    def add(body: AccountBody, _: Claims[Any]) -> Any:
        held, most = getattr(body, name), getattr(body.limits, name)
        return (*held, entry) if most == -1 or len(held) < most else None

    return add


def _flat(name: str) -> Rule:
    """JetStream limits of the whole account exclude those of tiers."""
    return lambda limits, _: (
        None
        if limits.tiered_limits
        else _by_hint(bool if name == "max_bytes_required" else int, getattr(limits, name))
    )


def _tiers(limits: OperatorLimits, _: Claims[Any]) -> Any:
    if any(getattr(limits, name) for name in _JETSTREAM):
        return None
    return {**limits.tiered_limits, "R5": JetStreamLimits(disk_storage=5, streams=-1)}


def _wildcards(limits: OperatorLimits, claims: Claims[Any]) -> bool | None:
    exports = [export.subject for export in claims.nats.exports if export is not None]
    wild = any("*" in subject or ">" in subject for subject in exports)
    return None if limits.wildcards and wild and limits.exports != -1 else not limits.wildcards


def _allowed(callout: ExternalAuthorization, _: Claims[Any]) -> Any:
    if not callout.auth_users:
        return None
    return (ACCOUNT,) if "*" in callout.allowed_accounts else (*callout.allowed_accounts, ACCOUNT)


def _auth_users(callout: ExternalAuthorization, _: Claims[Any]) -> Any:
    return (*callout.auth_users, USER)


def _not_before(claims: Claims[Any], _: Claims[Any]) -> int | None:
    new: int = _other(1_500_000_000, 1_400_000_000)(claims.nbf)
    return None if claims.exp and claims.exp <= new else new


def _strict(body: OperatorBody, _: Claims[Any]) -> bool | None:
    return None if not body.signing_keys else not body.strict_signing_key_usage


def _scoped(rule: Rule) -> Rule:
    return _only(lambda key: key.is_scoped, rule)


def _is(kind: str) -> Callable[[Any], bool]:
    return lambda owner: bool(owner.type == kind)


_ROLE = SigningKey(kind=USER_SCOPE, key=ACCOUNT, role="edited", template=UserPermissionLimits.unlimited())
RULES: dict[tuple[type, str], Rule] = {
    (Claims, "exp"): lambda claims, _: max(LATER, claims.nbf + 1) + (claims.exp == LATER),
    (Claims, "nbf"): _not_before,
    (OperatorBody, "signing_keys"): _plus("signing_keys", OPERATOR),
    (OperatorBody, "account_server_url"): _to(
        "account_server_url", "https://jwt.example.com/jwt/v1", "nats://e:1"
    ),
    (OperatorBody, "operator_service_urls"): _plus("operator_service_urls", "tls://edited.example.com:4222"),
    (OperatorBody, "system_account"): _to("system_account", ACCOUNT, ""),
    (OperatorBody, "assert_server_version"): _to("assert_server_version", "2.11.0", "2.12.0"),
    (OperatorBody, "strict_signing_key_usage"): _strict,
    (AccountBody, "imports"): _one_more(
        "imports",
        Import(name="edited", subject="edited.a", account=ACCOUNT, local_subject="edited.b", type="stream"),
    ),
    (AccountBody, "exports"): _one_more("exports", Export(name="edited", subject="edited.a", type="stream")),
    (AccountBody, "signing_keys"): _plus("signing_keys", _ROLE),
    (AccountBody, "revocations"): _with("revocations", USER, 1_700_000_001),
    (AccountBody, "mappings"): _with(
        "mappings", "edited.a", (WeightedMapping(subject="edited.b", weight=50, cluster="c"),)
    ),
    (AccountBody, "trace"): _switched("trace", MsgTrace(dest="edited.trace", sampling=42)),
    (AccountBody, "cluster_traffic"): _to("cluster_traffic", "owner", "system"),
    (AccountBody, "info_url"): _to("info_url", "https://edited.example.com/a", ""),
    **{(OperatorLimits, name): _flat(name) for name in _JETSTREAM},
    (OperatorLimits, "imports"): _to("imports", 777, 778),
    (OperatorLimits, "exports"): _to("exports", 777, 778),
    (OperatorLimits, "wildcards"): _wildcards,
    (OperatorLimits, "tiered_limits"): _tiers,
    (Import, "subject"): _only(
        lambda imported: not imported.token,
        lambda imported, claims: (
            _longer(imported.subject)
            if imported.account != claims.sub and _uses_every_wildcard(imported)
            else None
        ),
    ),
    (Import, "account"): _only(lambda imported: not imported.token, _to("account", ACCOUNT, "")),
    (Import, "token"): _activation,
    (Import, "to"): _only(
        lambda imported: not imported.local_subject and not imported.token, _to("to", "edited.to", "")
    ),
    (Import, "local_subject"): _renaming,
    (Import, "type"): _other_flow,
    (Import, "share"): _only(_is("service"), lambda imported, _: not imported.share),
    (Import, "allow_trace"): _only(_is("stream"), lambda imported, _: not imported.allow_trace),
    (Export, "subject"): _only(
        lambda export: not (export.token_req and export.account_token_position),
        lambda export, _: _longer(export.subject),
    ),
    (Export, "type"): _other_flow,
    (Export, "token_req"): _only(
        lambda export: not export.account_token_position, lambda export, _: not export.token_req
    ),
    (Export, "revocations"): _with("revocations", ACCOUNT, 1_700_000_001),
    (Export, "response_type"): _only(_is("service"), _to("response_type", "Chunked", "Stream")),
    (Export, "response_threshold"): _only(_is("service"), _to("response_threshold", 5_000_000, 0)),
    (Export, "service_latency"): _only(
        _is("service"), _switched("service_latency", ServiceLatency(sampling=10, results="edited.latency"))
    ),
    (Export, "account_token_position"): _token_position,
    (Export, "allow_trace"): _only(_is("service"), lambda export, _: not export.allow_trace),
    (Export, "info_url"): _to("info_url", "https://edited.example.com/e", ""),
    (ServiceLatency, "sampling"): _to("sampling", 33, 34),
    (ServiceLatency, "results"): _to("results", "edited.results"),
    (SigningKey, "key"): _to("key", ACCOUNT),
    (SigningKey, "role"): _scoped(lambda key, _: f"{key.role}-edited"),
    (SigningKey, "description"): _scoped(lambda key, _: f"{key.description}-edited"),
    (WeightedMapping, "subject"): lambda mapping, _: _longer(mapping.subject),
    (WeightedMapping, "weight"): _to("weight", 13, 14),
    (WeightedMapping, "cluster"): _to("cluster", "edited", ""),
    (ExternalAuthorization, "auth_users"): _auth_users,
    (ExternalAuthorization, "allowed_accounts"): _allowed,
    (ExternalAuthorization, "xkey"): _to("xkey", CURVE, ""),
    (MsgTrace, "dest"): _to("dest", "edited.dest"),
    (MsgTrace, "sampling"): _to("sampling", 42, 43),
    (UserPermissionLimits, "src"): _plus("src", "10.9.0.0/16"),
    (UserPermissionLimits, "times"): _plus("times", TimeRange(start="01:02:03", end="04:05:06")),
    (UserPermissionLimits, "times_location"): _to("times_location", "Europe/Zurich", "UTC"),
    (UserPermissionLimits, "allowed_connection_types"): lambda limits, _: (
        (*limits.allowed_connection_types, "MQTT_WS")
        if "MQTT_WS" not in limits.allowed_connection_types
        else limits.allowed_connection_types[1:]
    ),
    (TimeRange, "start"): _to("start", "00:00:07", "00:00:08"),
    (TimeRange, "end"): _to("end", "23:59:57", "23:59:58"),
    **{
        (permission, "resp"): _switched("resp", ResponsePermission(max=3, ttl=4_000_000_000))
        for permission in (UserPermissionLimits, type(AccountBody().default_permissions))
    },
}
"""How fields are edited that not just any other value of their type fits."""
