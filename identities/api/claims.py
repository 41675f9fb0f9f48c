"""Parts of claims as the API takes them: the fields of the `claims` floor, and how they lie over what is there."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field

from identities.api.schemas import Int64, Line, Taken, Text

Part = TypeVar("Part")

Count = Annotated[int, Field(ge=-1, le=2**63 - 1, description="-1 is no limit.")]


Nanoseconds = Annotated[int, Field(ge=-(2**63), le=2**63 - 1, description="Nanoseconds.")]
Subjects = Annotated[list[Line], Field(max_length=1000)]


class JetStreamIn(Taken):
    """JetStream's limits of one tier; sizes in bytes."""

    mem_storage: Count = 0
    disk_storage: Count = 0
    streams: Count = 0
    consumer: Count = 0
    max_ack_pending: Count = 0
    mem_max_stream_bytes: Count = 0
    disk_max_stream_bytes: Count = 0
    max_bytes_required: bool = False


class LimitsIn(JetStreamIn):
    """Limits of an account. Only what is sent is changed; a new account has no limits and JetStream off."""

    subs: Count = -1
    data: Count = -1
    payload: Count = -1
    imports: Count = -1
    exports: Count = -1
    wildcards: bool = True
    disallow_bearer: bool = False
    conn: Count = -1
    leaf: Count = -1
    tiered_limits: Annotated[dict[Line, JetStreamIn], Field(max_length=20)] = {}


class PermissionIn(Taken):
    """Subjects that are allowed and denied; nothing listed allows everything."""

    allow: Subjects = []
    deny: Subjects = []


class ResponseIn(Taken):
    """May answer requests: so many times each, for so long."""

    max: Int64 = 0
    ttl: Nanoseconds = 0


class PermissionsIn(Taken):
    """What users without permissions of their own may do."""

    pub: PermissionIn = PermissionIn()
    sub: PermissionIn = PermissionIn()
    resp: ResponseIn | None = None


class TimeRangeIn(Taken):
    """A daily window, `08:00:00` to `18:00:00`."""

    start: Line
    end: Line


class RightsIn(PermissionsIn):
    """What a user may do and how much; also the template of a role. Only what is sent is changed."""

    src: Annotated[list[Line], Field(max_length=1000, description="Networks, such as 192.0.2.0/24.")] = []
    times: Annotated[list[TimeRangeIn], Field(max_length=100)] = []
    times_location: Line = ""
    subs: Count = -1
    data: Count = -1
    payload: Count = -1
    bearer_token: bool = False
    proxy_required: bool = False
    allowed_connection_types: Annotated[list[Line], Field(max_length=20)] = []


class LatencyIn(Taken):
    """How a service's latency is sampled: a percentage, or 0 for requests that ask for it by their headers."""

    sampling: Annotated[int, Field(ge=0, le=100)] = 0
    results: Line


class ExportPatch(Taken):
    """An export; only what is sent is changed."""

    name: Line = ""
    subject: Line = ""
    type: Literal["stream", "service"] = "stream"
    token_req: bool = False
    response_type: Literal["", "Singleton", "Stream", "Chunked"] = ""
    response_threshold: Nanoseconds = 0
    service_latency: LatencyIn | None = None
    account_token_position: Annotated[int, Field(ge=0, le=1000)] = 0
    advertise: bool = False
    allow_trace: bool = False
    description: Text = ""
    info_url: Text = ""


class ImportPatch(Taken):
    """An import; only what is sent is changed."""

    name: Line = ""
    subject: Line = ""
    account: Annotated[Line, Field(description="Public key of the exporting account, A….")] = ""
    token: Annotated[Text, Field(description="An activation token, where the export asks for one.")] = ""
    local_subject: Line = ""
    type: Literal["stream", "service"] = "stream"
    share: bool = False
    allow_trace: bool = False


class TargetIn(Taken):
    """One destination of a mapping; weight 0 means 100."""

    subject: Line
    weight: Annotated[int, Field(ge=0, le=255)] = 0
    cluster: Line = ""


class TraceIn(Taken):
    """Where messages with a trace context are reported to, and how many of a hundred."""

    dest: Line
    sampling: Annotated[int, Field(ge=0, le=100)] = 0


def over(before: Part, sent: BaseModel) -> Part:
    """`before` with those fields replaced that were sent; objects inside are merged, lists and maps replaced."""
    hints = get_type_hints(type(before))
    named = {
        name: _value(hints[name], getattr(before, name), getattr(sent, name))
        for name in sent.model_fields_set
        if name in hints
    }
    return replace(before, **named)  # type: ignore[type-var]  # always a dataclass of the claims floor


def _value(hint: Any, before: Any, sent: Any) -> Any:
    """One field's new value, as its type hint wants it."""
    if sent is None:
        return None
    inner: Any = next((part for part in get_args(hint) if is_dataclass(part)), None)
    if isinstance(sent, BaseModel):
        return over(before if before is not None else (inner or hint)(), sent)
    if isinstance(sent, list):
        return tuple(_value(inner, None, one) if isinstance(one, BaseModel) else one for one in sent)
    if isinstance(sent, dict):
        return {key: _value(_entry(hint), None, one) for key, one in sent.items()}
    return sent


def _entry(hint: Any) -> Any:
    """What a map holds."""
    return get_args(hint)[1] if get_origin(hint) is not None else Any
