"""What a user may publish and subscribe to in the end, by nats-server's rules (`auth.go`, `client.go`; spec §9.4).

`>` as a whole allow list means everywhere; an empty allow list means nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from identities.claims.permissions import (
    Permission,
    Permissions,
    ResponsePermission,
    UserPermissionLimits,
)
from identities.claims.subjects import is_subset, matches, overlaps

EVERYWHERE = (">",)
DEFAULT_MAX_RESPONSES = 1
DEFAULT_RESPONSE_TTL = 120 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The rules that a connection gets. `resp` has the server's defaults filled in; None = no replies beyond `pub`.

    `origin` says where they come from: `user`, `role`, `account` (its default permissions), or `none` (no rule at all).
    Entries of the subscribe lists may be `subject queue`.
    """

    pub_allow: tuple[str, ...] = EVERYWHERE
    pub_deny: tuple[str, ...] = ()
    sub_allow: tuple[str, ...] = EVERYWHERE
    sub_deny: tuple[str, ...] = ()
    resp: ResponsePermission | None = None
    origin: str = "none"


def effective_permissions(
    user_limits: UserPermissionLimits,
    account_defaults: Permissions | None = None,
    role_template: UserPermissionLimits | None = None,
) -> Effective:
    """The rules for a user: its own, those of its role (already expanded by `templates`), or the account's defaults.

    Defaults count only when the user or role has no publish, no subscribe and no response rule at all; one of them
    is enough to drop all defaults. Without a publish rule publishing is free everywhere, unless `resp` is set.
    """
    own = user_limits if role_template is None else role_template
    if not _is_silent(own):
        return _rules(own.pub, own.sub, own.resp, "user" if role_template is None else "role")
    if account_defaults is not None and not _is_silent(account_defaults):
        return _rules(account_defaults.pub, account_defaults.sub, account_defaults.resp, "account")
    return Effective()


def _is_silent(permissions: Permissions | UserPermissionLimits) -> bool:
    return permissions.resp is None and permissions.pub.is_empty and permissions.sub.is_empty


def _rules(pub: Permission, sub: Permission, resp: ResponsePermission | None, origin: str) -> Effective:
    free = EVERYWHERE if resp is None else ()  # with `resp`, only replies are published beyond the allow list
    return Effective(
        pub_allow=pub.allow or free,
        pub_deny=pub.deny,
        sub_allow=sub.allow or EVERYWHERE,
        sub_deny=sub.deny,
        resp=with_defaults(resp),
        origin=origin,
    )


def with_defaults(resp: ResponsePermission | None) -> ResponsePermission | None:
    """A response permission as the server counts it: its own numbers where the JWT says 0."""
    if resp is None or (resp.max and resp.ttl):
        return resp
    return ResponsePermission(max=resp.max or DEFAULT_MAX_RESPONSES, ttl=resp.ttl or DEFAULT_RESPONSE_TTL)


def may_publish(effective: Effective, subject: str) -> bool:
    """True when some subject that `subject` (literal or pattern) stands for may be published to, replies aside."""
    return _permitted(effective.pub_allow, effective.pub_deny, subject)


def may_subscribe(effective: Effective, subject: str) -> bool:
    """True when messages of some subject that `subject` stands for may be received, be it in a queue group.

    A denied queue group leaves the subject itself free, so only denials without a queue count. A subscription's `>`
    passes a `*` at the end of what is allowed (nats-server takes it for an ordinary token), unless a deny has it too.
    """
    deny = [entry for entry in effective.sub_deny if " " not in entry]
    allow = [subscription_reach(entry.partition(" ")[0], deny) for entry in effective.sub_allow]
    return _permitted(allow, deny, subject)


def subscription_reach(allowed: str, deny: Sequence[str] = ()) -> str:
    """The widest subscription that a subject to allow lets through: `a.>` for `a.*`, unless it is denied."""
    if allowed != "*" and not allowed.endswith(".*"):
        return allowed
    wider = f"{allowed[:-1]}>"
    return allowed if any(matches(wider, denied) for denied in deny) else wider


def _permitted(allow: Sequence[str], deny: Sequence[str], subject: str) -> bool:
    for allowed in allow:
        if not overlaps(allowed, subject):
            continue
        if not deny or not _is_covered(intersection(allowed, subject), deny):
            return True
    return False


def intersection(first: str, second: str) -> str:
    """The pattern of what two overlapping patterns both match."""
    ours, theirs = first.split("."), second.split(".")
    if len(ours) < len(theirs):
        ours, theirs = theirs, ours
    if theirs[-1] == ">":  # the shorter one goes on as the longer does
        theirs = theirs[:-1] + ["*"] * (len(ours) - len(theirs)) + [">"]
    return ".".join(_narrower(our, their) for our, their in zip(ours, theirs, strict=True))


def _narrower(our: str, their: str) -> str:
    return their if our == ">" or (our == "*" and their != ">") else our


def _is_covered(pattern: str, deny: Sequence[str]) -> bool:
    """True when the denials together leave nothing of `pattern`.

    Patterns of one length are covered together only if one of them covers alone (tokens are endless). So a pattern with
    `>` is asked for each length up to the longest denial, and one beyond.
    """
    relevant = [denied for denied in deny if overlaps(denied, pattern)]
    if not relevant:
        return False
    if any(is_subset(pattern, denied) for denied in relevant):
        return True
    if not (pattern == ">" or pattern.endswith(".>")):
        return False
    head = pattern[:-1]
    longest = max(denied.count(".") for denied in relevant) + 1
    lengths = range(1, max(longest - head.count("."), 0) + 2)
    return all(
        any(is_subset(head + ".".join("*" * length), denied) for denied in relevant) for length in lengths
    )
