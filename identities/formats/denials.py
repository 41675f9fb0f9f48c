"""What a line of nats-server's log, or an error of a NATS client, says was denied: to whom, what, on which subject.

Sources: nats-server 2.9 to 2.15 `client.go` (pubPermissionViolation, subPermissionViolation, replySubjectViolation,
maxTokensViolation, processSubsOnConfigReload), `errors.go`, `auth.go`; nats-py `errors.py`; nats.go `nats.go`,
`jserrors.go`. nats-py writes what the server said in small letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from identities.nkeys import KeyKind, is_public

MOST_LINES = 10
LONGEST = 64 * 1024


class Kind(StrEnum):
    """What was denied. The first four are about permissions, and have a subject."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    REPLY = "reply"
    TOKENS = "tokens"
    AUTHORIZATION = "authorization"
    EXPIRED = "expired"
    ACCOUNT_EXPIRED = "account expired"
    REVOKED = "revoked"
    AUTH_TIMEOUT = "authentication timeout"
    SOURCE = "source network"
    HOURS = "hours"
    CONNECTION_TYPE = "connection type"
    BEARER = "bearer"
    PROXY = "proxy"
    SIGNATURE = "signature"
    ISSUER = "issuer"
    TEMPLATE = "template"
    ACCOUNT = "account"
    CONNECTIONS = "connections"
    SUBSCRIPTIONS = "subscriptions"
    PAYLOAD = "payload"
    IMPORT = "import"
    NO_RESPONDERS = "no responders"
    TIMEOUT = "timeout"
    JETSTREAM_OFF = "jetstream off"
    JETSTREAM_LIMIT = "jetstream limit"
    JETSTREAM_MISSING = "jetstream missing"


PERMISSIONS = (Kind.PUBLISH, Kind.SUBSCRIBE, Kind.REPLY, Kind.TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """One denial: `user` and `account` are public keys, "" where the text names none; `said` is what was recognised.

    `small`: the text is in small letters throughout, so the subject may have had capitals; the fixed words of NATS's
    own subjects have theirs again.
    """

    kind: Kind
    said: str
    subject: str = ""
    queue: str = ""
    user: str = ""
    account: str = ""
    small: bool = False


_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_SID = r'(?:\s*\(sid "?[^")]*"?\))?'
_PERMISSION = (
    (Kind.REPLY, re.compile(rf"permissions violation for publish with reply of {_QUOTED}", re.I)),
    (Kind.TOKENS, re.compile(rf"permissions violation for subscription to {_QUOTED}, too many tokens", re.I)),
    (Kind.TOKENS, re.compile(rf"subscription violation too many tokens - .*?subject {_QUOTED}", re.I)),
    (Kind.PUBLISH, re.compile(rf"permissions violation for publish to {_QUOTED}", re.I)),
    (
        Kind.SUBSCRIBE,
        re.compile(rf"permissions violation for subscription to {_QUOTED}(?: using queue {_QUOTED})?{_SID}", re.I),
    ),
    (Kind.REPLY, re.compile(rf"publish violation - .*?reply {_QUOTED}", re.I)),
    (Kind.PUBLISH, re.compile(rf"publish violation - .*?subject {_QUOTED}", re.I)),
    (Kind.SUBSCRIBE, re.compile(rf"subscription violation - .*?subject {_QUOTED}(?:, queue: {_QUOTED})?", re.I)),
    (Kind.SUBSCRIBE, re.compile(rf"removed sub {_QUOTED}(?: using queue {_QUOTED})?.*?not authorized", re.I)),
)  # fmt: skip
_CODE = r"|(?:err_code\D{1,3}|\()100"  # of JetStream's errors
_OTHER = (
    (Kind.ACCOUNT_EXPIRED, r"account authentication expired|account jwt has expired|account expired"),
    (Kind.EXPIRED, r"(?:user )?authentication expired|user jwt no longer valid|jwt.{0,20}expired|claim is expired"),
    (Kind.REVOKED, r"(?:user )?authentication revoked|credentials (?:have been )?revoked"),
    (Kind.AUTH_TIMEOUT, r"authentication timeout"),
    (Kind.SOURCE, r"bad src ip"),
    (Kind.HOURS, r"outside connect times"),
    (Kind.CONNECTION_TYPE, r"connection type not allowed|invalid connection types"),
    (Kind.BEARER, r"account does not allow bearer tokens?"),
    (Kind.PROXY, r"proxy (?:is not trusted|connection required|not trusted|required)"),
    (Kind.SIGNATURE, r"signature (?:missing|not verified|not valid base64)"),
    (Kind.ISSUER, r"user jwt issuer is not known|account jwt not signed by trusted operator"),
    (Kind.TEMPLATE, r"user jwt generated invalid permissions"),
    (Kind.ACCOUNT, r"account jwt lookup error|failed account registration|account missing|account validation failed"),
    (Kind.CONNECTIONS, r"maximum account active connections exceeded|maximum (?:account )?connections exceeded"),
    (Kind.SUBSCRIPTIONS, r"maximum subscriptions exceeded"),
    (Kind.PAYLOAD, r"maximum payload (?:violation|exceeded)"),
    (Kind.IMPORT, r"(?:service|stream) import not authorized"),
    (Kind.JETSTREAM_OFF, rf"jetstream not enabled{_CODE}(?:39|76)\b"),
    (Kind.JETSTREAM_LIMIT, r"maximum (?:number of streams|consumers limit|active streams)"),
    (Kind.JETSTREAM_LIMIT, rf"limits exceeded for account{_CODE}(?:02|23|26|27|28|47)\b"),
    (Kind.JETSTREAM_LIMIT, r"insufficient (?:storage )?resources"),
    (Kind.JETSTREAM_LIMIT, r"no jetstream default or applicable tiered limit"),
    (Kind.JETSTREAM_MISSING, rf"(?:stream|consumer|bucket|object) not found{_CODE}(?:14|59)\b"),
    (Kind.NO_RESPONDERS, r"no responders available|noresponders|\b503\b.{0,20}no responders"),
    (Kind.AUTHORIZATION, r"authorization (?:violation|failed)|authentication (?:failure|error|failed)|not authorized"),
    (Kind.TIMEOUT, r"nats: (?:fetch )?timeout|context deadline exceeded|timed out|no response from stream"),
)  # fmt: skip
_PATTERNS = tuple((kind, re.compile(pattern, re.I)) for kind, pattern in _OTHER)
_KEY = re.compile(r"(?<![A-Za-z0-9])[AU][A-Z2-7]{55}(?![A-Za-z0-9])")
_ESCAPE = re.compile(r"\\(.)")
_VERBS = (
    "create|update|names|list|info|delete|purge|snapshot|restore|peer|leader|template|msg|durable|get|next|pause|reset|"
    "unpin|stepdown"
)
_FIXED = (
    re.compile(r"^_inbox(?=[._])"),
    re.compile(r"^\$(?:kv|o|sys|js|jsc|nrg|mqtt)(?=\.)"),
    re.compile(r"(?<=^\$JS\.)(?:api|ack|fc|event)(?=\.|$)"),
    re.compile(
        rf"(?<=^\$JS\.API\.)(?:info|stream|consumer|direct|account|server|meta)(?:\.(?:{_VERBS})(?=\.|$))*"
    ),
)


def parse(text: str) -> tuple[Denial, ...]:
    """Every denial in `text`, at most ten, each once; () for a text that says nothing that is known here."""
    found: dict[Denial, None] = {}
    for line in text[:LONGEST].splitlines():
        for denial in _of_line(line):
            found.setdefault(denial)
        if len(found) >= MOST_LINES:
            break
    return tuple(found)[:MOST_LINES]


def _of_line(line: str) -> Iterator[Denial]:
    plain = line.replace('\\"', '"') if '\\"' in line else line
    user, account = _keys(plain)
    for kind, pattern in _PERMISSION:
        if found := pattern.search(plain):
            small = found[0].startswith("p") and found[0] == found[0].lower()
            subject, queue = _unquoted(found[1]), _unquoted((found.groups() + (None,))[1])
            yield Denial(
                kind=kind,
                said=found[0],
                subject=restored(subject) if small else subject,
                queue=queue,
                user=user,
                account=account,
                small=small,
            )
            return
    for kind, pattern in _PATTERNS:
        if found := pattern.search(plain):
            yield Denial(kind=kind, said=found[0], user=user, account=account)
            return


def restored(subject: str) -> str:
    """A subject in small letters, with the capitals of NATS's own words in it."""
    for pattern in _FIXED:
        subject = pattern.sub(lambda found: found[0].upper(), subject)
    return subject


def _keys(line: str) -> tuple[str, str]:
    keys = _KEY.findall(line)
    users = [key for key in keys if is_public(key, KeyKind.USER)]
    accounts = [key for key in keys if is_public(key, KeyKind.ACCOUNT)]
    return users[0] if users else "", accounts[0] if accounts else ""


def _unquoted(text: str | None) -> str:
    return _ESCAPE.sub(r"\1", text) if text else ""
