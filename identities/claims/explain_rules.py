"""The lists that a user's connection gets, each entry with the field it comes from (nats-server `auth.go`, spec §9.4).

The same lists as `effective.effective_permissions`, for people who want to know why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from identities.claims import templates, trust
from identities.claims.common import Claims
from identities.claims.effective import with_defaults
from identities.claims.explain_types import Entry, Place, Rules, Situation, Whose
from identities.claims.permissions import Permissions, UserPermissionLimits
from identities.claims.scopes import SigningKey
from identities.claims.subjects import is_strict_valid

_MOST_FIELDS = 2
Lists = Mapping[str, Sequence[Place]]


def rules_of(situation: Situation) -> Rules:
    """Whose rules count for the user, and what they are.

    Raises: LoginRefused where the role's template keeps the user out.
    """
    user, account = situation.user, situation.account
    scope = role(situation)
    if scope is not None and scope.template is not None:
        rules = _of_role(situation, scope, scope.template)
    else:
        body = user.nats.limits
        rules = _rules(
            Whose.USER, user.name, user.sub, "nats", body, _listed(body, Whose.USER, user, "nats"), user
        )
    if rules is not None:
        return rules
    defaults, where = account.nats.default_permissions, "nats.default_permissions"
    listed = _listed(defaults, Whose.ACCOUNT, account, where)
    rules = _rules(Whose.ACCOUNT, account.name, account.sub, where, defaults, listed, account)
    return rules or Rules(whose=Whose.SERVER, name="", key="", path="")


def role(situation: Situation) -> SigningKey | None:
    """The role that issued the user, None when no role did."""
    key = trust.signing_key(situation.account.nats, situation.user.iss)
    return key if key is not None and key.is_scoped else None


def role_path(situation: Situation, scope: SigningKey) -> str:
    """Where the role stands in the account's JWT."""
    return f"nats.signing_keys[{situation.account.nats.signing_keys.index(scope)}]"


def _of_role(situation: Situation, scope: SigningKey, template: UserPermissionLimits) -> Rules | None:
    user, account = situation.user, situation.account
    given = (user.name, user.sub, account.name, account.sub, user.nats.tags, account.nats.tags)
    path = f"{role_path(situation, scope)}.template"
    listed: dict[str, list[Place]] = {}
    dropped, places = [], Counter[str]()
    for one in templates.expansions(template, *given):
        if one.refused:
            raise templates.LoginRefused(one.refused)
        where = f"{path}.{one.place}[{places[one.place]}]"
        places[one.place] += 1
        found = [
            Place(whose=Whose.ROLE, key=account.sub, path=where, entry=one.subject, became=became)
            for became in one.becomes
        ]
        listed.setdefault(one.place, []).extend(found)
        if not found:
            dropped.append(Place(whose=Whose.ROLE, key=account.sub, path=where, entry=one.subject))
    for side, permission in (("pub", template.pub), ("sub", template.sub)):
        if permission.allow and not listed[f"{side}.allow"]:  # nothing is left to allow
            nothing = Place(whose=Whose.ROLE, key=account.sub, path=f"{path}.{side}.allow", became=">")
            listed.setdefault(f"{side}.deny", []).append(nothing)
    name = scope.role or scope.key
    return _rules(
        Whose.ROLE, name, account.sub, path, template, listed, account, _template_source(situation, scope),
        dropped=tuple(dropped),
    )  # fmt: skip


def _listed(
    permissions: Permissions | UserPermissionLimits, whose: Whose, claims: Claims[object], path: str
) -> Lists:
    return {
        f"{side}.{which}": [
            Place(
                whose=whose, key=claims.sub, path=f"{path}.{side}.{which}[{index}]", entry=entry, became=entry
            )
            for index, entry in enumerate(entries)
        ]
        for side, rules in (("pub", permissions.pub), ("sub", permissions.sub))
        for which, entries in (("allow", rules.allow), ("deny", rules.deny))
    }


def _rules(
    whose: Whose,
    name: str,
    key: str,
    path: str,
    permissions: Permissions | UserPermissionLimits,
    listed: Lists,
    claims: Claims[object],
    source: object = None,
    *,
    dropped: tuple[Place, ...] = (),
) -> Rules | None:
    """None when there is no rule at all."""
    places = {which: listed.get(which, ()) for which in ("pub.allow", "pub.deny", "sub.allow", "sub.deny")}
    if permissions.resp is None and not any(places.values()):
        return None
    node = _node(claims.source, path) if source is None else source
    emptied = any(not place.entry for place in places["pub.deny"])  # a template left nothing to allow
    bounded = permissions.resp is not None or emptied or (places["pub.deny"] and _is_written_empty(node))
    return Rules(
        whose=whose,
        name=name,
        key=key,
        path=path,
        pub_allow=_entries(places["pub.allow"], queues=False) if places["pub.allow"] or bounded else None,
        pub_deny=_entries(places["pub.deny"], queues=False),
        sub_allow=_entries(places["sub.allow"], queues=True) if places["sub.allow"] else None,
        sub_deny=_entries(places["sub.deny"], queues=True),
        resp=with_defaults(permissions.resp),
        dropped=dropped,
    )


def _entries(places: Sequence[Place], *, queues: bool) -> tuple[Entry, ...]:
    """What nats-server takes of a list: an entry that is no subject is logged and left out (`setPermissions`)."""
    found = []
    for place in places:
        words = place.became.split()
        if not 0 < len(words) <= _MOST_FIELDS or not all(map(is_strict_valid, words)):
            continue
        if not queues and len(words) > 1 and ".allow" in place.path:
            continue
        queue = words[1] if queues and len(words) > 1 else ""
        found.append(Entry(subject=words[0], queue=queue, place=place))
    return tuple(found)


def _template_source(situation: Situation, scope: SigningKey) -> object:
    """The template as the JWT writes it: the order of keys there may be another one than here."""
    keys = _node(situation.account.source, "nats.signing_keys")
    written = keys if isinstance(keys, list) else []
    found = (each for each in written if isinstance(each, Mapping) and each.get("key") == scope.key)
    return next(found, {}).get("template", {})


def _node(source: object, path: str) -> object:
    for name in path.split("."):
        source = source.get(name) if isinstance(source, Mapping) else None
    return source


def _is_written_empty(node: object) -> bool:
    """`"allow": []` beside a deny lets nothing be published, where no list at all lets everything."""
    pub = node.get("pub") if isinstance(node, Mapping) else None
    return isinstance(pub, Mapping) and pub.get("allow") == []
