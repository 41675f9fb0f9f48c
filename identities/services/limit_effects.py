"""What new limits of an account do to those who are connected, and to its streams, in words (spec §8.7)."""

from __future__ import annotations

from collections.abc import Iterator

from identities.claims.limits import NO_LIMIT, JetStreamLimits, OperatorLimits
from identities.models import Account, User

_JETSTREAM = (
    "mem_storage",
    "disk_storage",
    "streams",
    "consumer",
    "max_ack_pending",
    "mem_max_stream_bytes",
    "disk_max_stream_bytes",
)


def of(account: Account, before: OperatorLimits, after: OperatorLimits) -> tuple[str, ...]:
    """What `after` takes away; nothing of an account that never had a user, where nobody can have connected."""
    if before == after or not User.objects.filter(account=account).exists():
        return ()
    return (*_of_connections(before, after), *_of_jetstream(before, after))


def _of_connections(before: OperatorLimits, after: OperatorLimits) -> Iterator[str]:
    if _lower(before.conn, after.conn):
        yield f"Of more than {after.conn:,} connections the newest are dropped."
    if _lower(before.leaf, after.leaf):
        yield f"Of more than {after.leaf:,} leaf node connections the newest are dropped."
    if _lower(before.subs, after.subs):
        yield f"Clients that have more than {after.subs:,} subscriptions together are refused further ones."
    if _lower(before.payload, after.payload):
        yield f"Whoever publishes a message of more than {after.payload:,} bytes is disconnected."
    if after.disallow_bearer and not before.disallow_bearer:
        yield "Bearer users of this account that are not known here are dropped."


def _of_jetstream(before: OperatorLimits, after: OperatorLimits) -> Iterator[str]:
    if not before.jetstream_enabled:
        return
    if not after.jetstream_enabled:
        yield (
            "All streams and consumers of the account stop. What they hold on disk is there again once JetStream is "
            "back on; what they hold in memory is lost."
        )
    elif after.tiered_limits and set(before.tiered_limits or ("",)) - set(after.tiered_limits):
        tiers = ", ".join(after.tiered_limits)
        yield f"Streams whose number of replicas has no tier take no more messages: there are {tiers}."
    elif any(_lower_tier(one, other) for one, other in _pairs(before, after)):
        yield "Streams beyond the lower JetStream limits keep what they hold, and take nothing more."


def _pairs(
    before: OperatorLimits, after: OperatorLimits
) -> Iterator[tuple[OperatorLimits | JetStreamLimits, OperatorLimits | JetStreamLimits]]:
    if not after.tiered_limits:
        yield from ((held, after) for held in before.tiered_limits.values() or (before,))
        return
    for tier, limits in after.tiered_limits.items():
        if tier in before.tiered_limits:
            yield before.tiered_limits[tier], limits


def _lower_tier(before: OperatorLimits | JetStreamLimits, after: OperatorLimits | JetStreamLimits) -> bool:
    if after.max_bytes_required and not before.max_bytes_required:
        return True
    return any(
        _lower(getattr(before, name) or _unset(name), getattr(after, name) or _unset(name))
        for name in _JETSTREAM
    )


def _unset(name: str) -> int:
    """What 0 means: no storage, but counts without limit."""
    return 0 if name.endswith("_storage") else NO_LIMIT


def _lower(before: int, after: int) -> bool:
    return after >= 0 and (before < 0 or after < before)
