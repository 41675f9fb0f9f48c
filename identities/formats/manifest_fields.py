"""Every field that a manifest can have, named as in the claims themselves."""

from __future__ import annotations

from collections.abc import Mapping

from identities.claims.account import ExternalAuthorization, MsgTrace
from identities.claims.exports import Export, ServiceLatency
from identities.claims.imports import Import
from identities.claims.limits import JetStreamLimits, OperatorLimits
from identities.claims.mappings import WeightedMapping
from identities.claims.permissions import (
    Permission,
    Permissions,
    ResponsePermission,
    TimeRange,
    UserPermissionLimits,
)
from identities.formats.manifest_kinds import (
    COUNT,
    DURATION,
    FLAG,
    MOMENT,
    SAMPLING,
    SIZE,
    TEXT,
    WHOLE,
    Kind,
    choice,
    keyed,
    listing,
    optional,
    record,
)

FLOW = choice("stream", "service")
TEXTS = listing(TEXT, "a list of texts")
MOMENTS = keyed(MOMENT, "a map from keys (or *) to moments")
PERMISSION = record(Permission(), {"allow": TEXTS, "deny": TEXTS}, words="allow and deny")
RESPONSE = optional(
    record(ResponsePermission(), {"max": COUNT, "ttl": DURATION}, needs=("max", "ttl"), words="max and ttl")
)
_JETSTREAM: Mapping[str, Kind] = {
    "mem_storage": SIZE,
    "disk_storage": SIZE,
    "streams": COUNT,
    "consumer": COUNT,
    "max_ack_pending": COUNT,
    "mem_max_stream_bytes": SIZE,
    "disk_max_stream_bytes": SIZE,
    "max_bytes_required": FLAG,
}
LIMITS = record(
    OperatorLimits.unlimited(),
    {
        "subs": COUNT,
        "data": SIZE,
        "payload": SIZE,
        "imports": COUNT,
        "exports": COUNT,
        "wildcards": FLAG,
        "disallow_bearer": FLAG,
        "conn": COUNT,
        "leaf": COUNT,
        **_JETSTREAM,
        "tiered_limits": keyed(record(JetStreamLimits(), _JETSTREAM), "a map from tiers (R1, R3) to limits"),
    },
    words="limits: what is not written is unlimited, JetStream off",
)
RIGHTS: Mapping[str, Kind] = {
    "pub": PERMISSION,
    "sub": PERMISSION,
    "resp": RESPONSE,
    "src": TEXTS,
    "times": listing(
        record(TimeRange(), {"start": TEXT, "end": TEXT}, needs=("start", "end")),
        "a list of start and end (08:00:00)",
    ),
    "times_location": TEXT,
    "subs": COUNT,
    "data": SIZE,
    "payload": SIZE,
    "bearer_token": FLAG,
    "proxy_required": FLAG,
    "allowed_connection_types": TEXTS,
}
TEMPLATE = record(
    UserPermissionLimits.unlimited(), RIGHTS, words="what the role's users may do, as a user's own fields"
)
EXPORT = record(
    Export(),
    {
        "name": TEXT,
        "subject": TEXT,
        "type": FLOW,
        "token_req": FLAG,
        "response_type": choice("Singleton", "Stream", "Chunked"),
        "response_threshold": DURATION,
        "service_latency": optional(
            record(ServiceLatency(), {"sampling": SAMPLING, "results": TEXT}, needs=("sampling", "results"))
        ),
        "account_token_position": WHOLE,
        "advertise": FLAG,
        "allow_trace": FLAG,
        "description": TEXT,
        "info_url": TEXT,
        "revocations": MOMENTS,
    },
    needs=("subject", "type"),
)
IMPORT = record(
    Import(),
    {
        "name": TEXT,
        "subject": TEXT,
        "type": FLOW,
        "account": TEXT,
        "local_subject": TEXT,
        "to": TEXT,
        "share": FLAG,
        "allow_trace": FLAG,
        "token": TEXT,
    },
    needs=("subject", "type", "account"),
)
MAPPING = listing(
    record(WeightedMapping(), {"subject": TEXT, "weight": WHOLE, "cluster": TEXT}, needs=("subject",)),
    "a list of destinations",
)
PERMISSIONS = record(
    Permissions(), {"pub": PERMISSION, "sub": PERMISSION, "resp": RESPONSE}, words="pub, sub and resp"
)
TRACE = optional(
    record(MsgTrace(), {"dest": TEXT, "sampling": WHOLE}, needs=("dest",), words="dest and sampling")
)
CALLOUT = record(
    ExternalAuthorization(),
    {"auth_users": TEXTS, "allowed_accounts": TEXTS, "xkey": TEXT},
    words="auth_users, allowed_accounts, xkey",
)
TIMES: Mapping[str, Kind] = {"exp": MOMENT, "nbf": MOMENT}

USER: Mapping[str, Kind] = {"name": TEXT, "key": TEXT, "role": TEXT, "tags": TEXTS, **TIMES, **RIGHTS}
SIGNING_KEY: Mapping[str, Kind] = {"role": TEXT, "key": TEXT, "description": TEXT, "template": TEMPLATE}
ACCOUNT: Mapping[str, Kind] = {
    "name": TEXT,
    "key": TEXT,
    "description": TEXT,
    "info_url": TEXT,
    "tags": TEXTS,
    **TIMES,
    "limits": LIMITS,
    "cluster_traffic": TEXT,
    "default_permissions": PERMISSIONS,
    "trace": TRACE,
    "authorization": CALLOUT,
    "exports": listing(EXPORT, "a list of exports"),
    "imports": listing(IMPORT, "a list of imports"),
    "mappings": keyed(MAPPING, "a map from subjects to destinations"),
    "revocations": MOMENTS,
}
OPERATOR: Mapping[str, Kind] = {
    "name": TEXT,
    "key": TEXT,
    "account_server_url": TEXT,
    "operator_service_urls": TEXTS,
    "system_account": TEXT,
    "assert_server_version": TEXT,
    "strict_signing_key_usage": FLAG,
    "tags": TEXTS,
    **TIMES,
}
