"""Our rules beyond the Go library's: what NATS accepts at first and then ignores, drops, or reads otherwise.

A value that was there before, and that nobody touched now, is only warned of: claims made by other tools must stay
editable. A new or changed one is an error. Pure advice is always a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from identities.claims.account import AccountBody
from identities.claims.activation import ActivationBody
from identities.claims.common import Claims
from identities.claims.names import name_warnings, tag_warnings
from identities.claims.operator import OperatorBody
from identities.claims.report import Grade, Issue, Report
from identities.claims.stricter_account import account_concerns
from identities.claims.stricter_concerns import (
    Concern,
    limit_concerns,
    permission_concerns,
    subject_concerns,
)
from identities.claims.trust import has_empty_permissions
from identities.claims.user import UserBody
from identities.claims.validate_operator import SERVICE_SCHEMES, account_server_url_problem
from identities.claims.validate_text import quote
from identities.claims.validate_urls import parse

LONGEST_TAG = 255
"""Bytes: as long as a name."""
_PUSHED_BY = (*SERVICE_SCHEMES, "http", "https")
_NONE = Report()


def stricter_issues(after: Claims[object], before: Claims[object] | None) -> Report:
    """Findings about `after` that go beyond Go's; graded by whether `before` (None for something new) had them too."""
    concerns = tuple(_concerns(after))
    if not concerns:
        return _NONE
    known = {concern.identity for concern in _concerns(before)} if before is not None else set()
    return Report.of(
        Issue(
            Grade.WARNING if concern.only_advice or concern.identity in known else Grade.ERROR,
            concern.path,
            concern.message,
            ours=True,
        )
        for concern in concerns
    )


def _concerns(claims: Claims[object]) -> Iterator[Concern]:
    if claims.exp < 0 or claims.nbf < 0:
        path = "exp" if claims.exp < 0 else "nbf"
        yield Concern(path, f"{claims.exp} {claims.nbf}", "a time before 1970 is taken as none")
    elif 0 < claims.exp <= claims.nbf:
        yield Concern("exp", f"{claims.exp} {claims.nbf}", "it would expire before it becomes valid")
    body = claims.nats
    if isinstance(body, UserBody | AccountBody | OperatorBody):
        yield from _tag_concerns(body.tags)
    if isinstance(body, UserBody):
        yield from _pasted(claims.name, body.tags)
        yield from _user_concerns(claims, body)
    elif isinstance(body, AccountBody):
        yield from _pasted(claims.name, body.tags, of_account=True)
        yield from account_concerns(body, claims.sub)
    elif isinstance(body, OperatorBody):
        yield from _operator_concerns(claims, body)
    elif isinstance(body, ActivationBody):
        yield from subject_concerns("nats.subject", body.subject)


def _pasted(name: str, tags: Sequence[str], *, of_account: bool = False) -> Iterator[Concern]:
    """Names and tags that would change the subjects of a role whose template uses them."""
    for message in name_warnings(name, of_account=of_account):
        yield Concern("name", name, message, only_advice=True)
    for index, tag in enumerate(tags):
        for message in tag_warnings(tag, of_account=of_account):
            yield Concern(f"nats.tags[{index}]", tag, message, only_advice=True)


def _tag_concerns(tags: Sequence[str]) -> Iterator[Concern]:
    for index, tag in enumerate(tags):
        if (size := len(tag.encode())) > LONGEST_TAG:
            message = f"tag “{tag[:40]}…” is {size} bytes long; {LONGEST_TAG} are allowed: shorten it"
            yield Concern(f"nats.tags[{index}]", tag, message)


def _user_concerns(claims: Claims[object], body: UserBody) -> Iterator[Concern]:
    limits = body.limits
    yield from permission_concerns("nats", limits)
    yield from limit_concerns("nats", limits)
    if not (limits.subs and limits.payload) and not has_empty_permissions(claims):
        for name, what in (("subs", "subscribe"), ("payload", "publish anything")):
            if getattr(limits, name) == 0:
                message = f"0 is none, not unlimited: the user cannot {what}"
                yield Concern(f"nats.{name}", "0", message, only_advice=True)


def _operator_concerns(claims: Claims[object], body: OperatorBody) -> Iterator[Concern]:
    if problem := _account_server_problem(body.account_server_url):
        yield Concern("nats.account_server_url", body.account_server_url, problem)
    for index, key in enumerate(body.signing_keys):
        if key and key == claims.sub:
            message = "the operator's identity key cannot be one of its signing keys"
            yield Concern(f"nats.signing_keys[{index}]", key, message)
    if body.strict_signing_key_usage and not body.signing_keys:
        message = "with signing keys required and none there, no account of this operator is trusted"
        yield Concern("nats.strict_signing_key_usage", "", message)


def _account_server_problem(url: str) -> str:
    """What is wrong with where accounts are pushed to, of a URL that Go finds nothing wrong with; "" for nothing."""
    if not url or account_server_url_problem(url):
        return ""
    parsed = parse(url)
    if parsed.has_user:
        return f"account server url {quote(url)} holds a name or password, and anybody may read the operator's JWT"
    if parsed.scheme not in _PUSHED_BY or not parsed.hostname:
        return f"account server url {quote(url)} names no server that takes accounts"
    return ""
