"""Looks at a JWT or creds file from anywhere: decoded, verified, judged, and followed to an operator known here.

Nothing is stored, and a seed that comes along is only compared with the JWT and wiped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from identities.claims import codec, stricter, validate
from identities.claims.common import Claims
from identities.claims.report import Issue, Report
from identities.errors import IdentityError
from identities.formats import creds
from identities.nkeys import KeyPair, NkeyError, SecretBytes, kind_of, looks_like_seed
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import reach
from identities.services import trust_chain

LONGEST = 1024 * 1024
_KEY = re.compile(r"(?<![A-Z2-7])[OAUXNC][A-Z2-7]{55}(?![A-Z2-7])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a token says and what is wrong with it, by the Go library's rules; no database is asked.

    `decode_error` is "" for a token whose form and signature are right; of any other one `claims` is what could be
    read and must not be believed. `type` is "" when unknown.
    """

    text: str
    decode_error: str
    type: str
    version: int
    claims: Claims[Any] | None
    report: Report

    @property
    def ok(self) -> bool:
        """Form, signature and kind of issuer are right."""
        return not self.decode_error

    @property
    def blocking(self) -> bool:
        """It can't be used at all, whatever the time."""
        return bool(self.decode_error) or self.report.blocking

    @property
    def blocking_with_time_checks(self) -> bool:
        """It can't be used now."""
        return bool(self.decode_error) or self.report.blocking_with_time_checks

    def document(self) -> dict[str, Any] | None:
        """The claims as Go would write them, as a JSON tree."""
        return None if self.claims is None else _document(self.claims)

    def as_json(self) -> dict[str, Any]:
        """The line that `manage.py inspect --lines` prints."""
        return {
            "ok": self.ok,
            "decode_error": self.decode_error or None,
            "type": self.type or None,
            "blocking": self.blocking,
            "blocking_with_time_checks": self.blocking_with_time_checks,
            "issues": [
                {"level": issue.grade.value, "path": issue.path, "message": issue.message}
                for issue in self.report
            ],
            "claims": self.document() if self.ok else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A verdict with what this installation knows: the chain to an operator, and the names of all keys in it.

    `seed` says what a seed beside the JWT was: "" for none, "fits", or "does not fit".
    """

    verdict: Verdict
    advice: tuple[Issue, ...]
    chain: tuple[trust_chain.Link, ...]
    names: dict[str, str]
    seed: str = ""


def judge(text: str, *, now: int) -> Verdict:
    """Decode, verify and validate one token as the Go library does at `now` (unix seconds)."""
    try:
        token = codec.decode(text)
    except IdentityError as refused:
        peeked = codec.peek(text)
        kind = getattr(peeked.claims.nats, "type", "") if peeked.claims is not None else ""
        return Verdict(
            text=text,
            decode_error=refused.user_message,
            type=kind,
            version=0,
            claims=peeked.claims,
            report=Report(),
        )
    return Verdict(
        text=token.text,
        decode_error="",
        type=token.type,
        version=token.version,
        claims=token.claims,
        report=validate.validate(token.claims, now=now),
    )


def inspect(*, principal: Principal, text: str, now: int) -> Inspection:
    """Look at whatever was pasted: a JWT, with or without its dashes, or a creds file.

    Raises:
        IdentityError: nothing in it is a JWT; the message never repeats what was pasted.
    """
    allowed = reach.anywhere(principal, Action.TOKEN_INSPECT)
    if isinstance(allowed, decisions.Denied):
        raise decisions.Forbidden(allowed.reason)
    found = inspect_alone(text=text, now=now)
    claims = found.verdict.claims
    if claims is None:
        return found
    keys = {key for key in _KEY.findall(json.dumps(_document(claims))) if kind_of(key) is not None}
    return replace(
        found,
        chain=trust_chain.follow(principal, claims) if found.verdict.ok else (),
        names=trust_chain.names(principal, keys),
    )


def inspect_alone(*, text: str, now: int) -> Inspection:
    """The same without a database: no chain and no names."""
    jwt, seed = _taken_apart(text)
    verdict = judge(jwt, now=now)
    claims = verdict.claims
    return Inspection(
        verdict=verdict,
        advice=tuple(stricter.stricter_issues(claims, claims)) if claims is not None and verdict.ok else (),
        chain=(),
        names={},
        seed=_fits(seed, verdict) if seed is not None else "",
    )


def _taken_apart(text: str) -> tuple[str, SecretBytes | None]:
    if len(text) > LONGEST:
        raise IdentityError("This is larger than 1 MiB; a JWT has a few kilobytes.", field="text")
    try:
        found = creds.parse_creds(text)
    except IdentityError:
        stripped = "".join(text.split())
        if looks_like_seed(text) or not stripped.count("."):
            raise IdentityError(
                "There is no JWT in this. Paste a JWT (three parts joined by dots) or a whole creds file.",
                field="text",
            ) from None
        return stripped, None
    if not found.jwt:
        if found.seed is not None:
            found.seed.wipe()
        raise IdentityError(
            "That is a seed (a private key) without a JWT. It was thrown away and not stored; replace that key "
            "if others can have seen it.",
            field="text",
        )
    return found.jwt, found.seed


def _fits(seed: SecretBytes, verdict: Verdict) -> str:
    try:
        pair = KeyPair.from_seed(seed)
        fits = verdict.claims is not None and pair.public.text == verdict.claims.sub
        pair.wipe()
    except NkeyError:
        fits = False
    finally:
        seed.wipe()
    return "fits" if fits else "does not fit"


def _document(claims: Claims[Any]) -> dict[str, Any]:
    try:
        text = codec.payload_text(replace(claims, source=None))
    except IdentityError:  # a value that can be read but not written
        text = json.dumps(claims.source, default=str)
    document: dict[str, Any] = json.loads(text)
    return document
