"""The `nats` command line's context file (`~/.config/nats/context/NAME.json`)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from identities.formats.errors import FormatError, shown

_FORBIDDEN = ("/", "\\", "..", "\0")
_HTML = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def render(
    *,
    url: str,
    description: str = "",
    creds: str = "",
    nsc: str = "",
    inbox_prefix: str = "",
    user_jwt: str = "",
) -> str:
    """Write a context: `url` is one or more server URLs separated by commas, `creds` the path of a creds file.

    `nsc` is an `nsc://operator/account/user` lookup; the CLI accepts only one of `creds` and `nsc`. Every setting
    that the CLI knows is present, in its order. Raises: FormatError.
    Source: jsm.go `natscontext/context.go` (`settings`, `Save`); nsc `cmd/generatecontext.go`.
    """
    if creds and nsc:
        raise FormatError(
            "A context holds either a creds file or an nsc:// lookup. Remove one of them.", field="nsc"
        )
    settings: dict[str, str | bool] = {
        "description": description,
        "url": url,
        "socks_proxy": "",
        "token": "",
        "user": "",
        "password": "",
        "creds": creds,
        "nkey": "",
        "cert": "",
        "key": "",
        "ca": "",
        "nsc": nsc,
        "jetstream_domain": "",
        "jetstream_api_prefix": "",
        "jetstream_event_prefix": "",
        "inbox_prefix": inbox_prefix,
        "user_jwt": user_jwt,
        "color_scheme": "",
        "tls_first": False,
    }
    return json.dumps(settings, indent=2, ensure_ascii=False).translate(_HTML)


def profile(*, creds: str, services: Sequence[str]) -> str:
    """What `nsc generate profile` prints: where the creds lie, and which servers the operator has; no secret."""
    found: dict[str, object] = {"user_creds": creds}
    if services:
        found["operator"] = {"service": list(services)}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def nsc_url(*parts: str) -> str:
    """The `nsc://operator/account/user` address of names. Source: nsc `cmd/nscurl.go`."""
    return "nsc://" + "/".join(re.sub(r"[^A-Za-z0-9_.~-]", _percent, part) for part in parts)


def _percent(matched: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in matched[0].encode())


def name_of(account: str, user: str) -> str:
    """A name that the CLI takes, for a user's context."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{account}_{user}")
    return check_name(re.sub(r"\.\.+", "_", plain).strip(".") or "user")


def check_name(name: str) -> str:
    """Return a context's name when the CLI takes it: not empty, no `..`, no path separator.

    Raises: FormatError. Source: jsm.go `natscontext/context.go validName`.
    """
    if not name or any(part in name for part in _FORBIDDEN):
        raise FormatError(
            f"{shown(name)} can't name a context. Leave out /, \\ and two dots in a row.", field="name"
        )
    return name
