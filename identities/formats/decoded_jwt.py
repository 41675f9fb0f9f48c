"""A JWT as people read it, in the words of nats-account-server's `?decode=true`."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime

_SECONDS = re.compile(r'"(iat|exp)": (\d+),')
_EMBEDDED = re.compile(r'"token": "([^"]*)",')


def decoded_text(token: str) -> str:
    """Header, claims (keys sorted, times with their date, activation tokens unpacked) and signature.

    `token` is one of ours, so it decodes. Source: nats-account-server `jwthandler.go writeDecodedJWT`.
    """
    header, payload, signature = token.split(".")
    read = json.loads(_decoded(header))
    claims = _pretty(json.loads(_decoded(payload)), sort=True)
    claims = _EMBEDDED.sub(_unpacked, claims)
    claims = _SECONDS.sub(_dated, claims)
    first = _pretty({"typ": read.get("typ", ""), "alg": read.get("alg", "")})
    return f"{first}\n\r\n{claims}\n\r\n{signature}"


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _pretty(value: object, *, sort: bool = False) -> str:
    return json.dumps(value, indent=4, sort_keys=sort, ensure_ascii=False)


def _unpacked(match: re.Match[str]) -> str:
    try:
        inner = json.loads(_decoded(match[1].split(".")[1]))
    except (ValueError, IndexError):
        return '"token": <bad token>,'
    text = _pretty(inner).replace("\n", "\n" + " " * 16)
    return f'"token": {text},'


def _dated(match: re.Match[str]) -> str:
    seconds = int(match[2])
    try:
        day = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d") if seconds else ""
    except (OverflowError, ValueError, OSError):  # an imported time far beyond the calendar
        day = ""
    return f'"{match[1]}": {seconds} ({day}),'
