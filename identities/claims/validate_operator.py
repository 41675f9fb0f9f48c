"""The rules of jwt/v2 for operator claims (`operator_claims.go Validate`)."""

from __future__ import annotations

from identities.claims.operator import OperatorBody
from identities.claims.validate_findings import Findings
from identities.claims.validate_text import atoi, quote
from identities.claims.validate_urls import UrlError, parse
from identities.nkeys import KeyKind, is_public

SERVICE_SCHEMES = ("nats", "tls", "ws", "wss")


def validate_operator(found: Findings, body: OperatorBody) -> None:
    """All rules of an operator but the times."""
    if problem := account_server_url_problem(body.account_server_url):
        found.error("nats.account_server_url", problem)
    for index, url in enumerate(body.operator_service_urls):
        if problem := service_url_problem(url):
            found.error(f"nats.operator_service_urls[{index}]", problem)
    for index, key in enumerate(body.signing_keys):
        if not is_public(key, KeyKind.OPERATOR):
            found.error(f"nats.signing_keys[{index}]", f"{key} is not an operator public key")
    if body.system_account and not is_public(body.system_account, KeyKind.ACCOUNT):
        found.error("nats.system_account", f"{body.system_account} is not an account public key")
    if problem := _version_problem(body.assert_server_version):
        found.error("nats.assert_server_version", f"assert server version error: {problem}")


def account_server_url_problem(url: str) -> str:
    """Go's words against an account server URL (it must parse and have a scheme), "" when there are none."""
    if not url:
        return ""
    try:
        parsed = parse(url)
    except UrlError as error:
        return f"error parsing account server url: {error}"
    return "" if parsed.scheme else f"account server url {quote(url)} requires a protocol"


def service_url_problem(url: str) -> str:
    """Go's words against a NATS service URL: no credentials, no path, a NATS scheme; "" when there are none."""
    if not url:
        return ""
    try:
        parsed = parse(url)
    except UrlError as error:
        return f"error parsing operator service url {quote(url)}: {error}"
    if parsed.has_user:
        return f"operator service url {quote(url)} - credentials are not supported"
    if parsed.path:
        return f"operator service url {quote(url)} - paths are not supported"
    if parsed.scheme in SERVICE_SCHEMES:
        return ""
    return (
        f"operator service url {quote(url)} - protocol not supported (only 'nats', 'tls', 'ws', 'wss' only)"
    )


def _version_problem(version: str) -> str:
    if not version:
        return ""
    parts = version.split(".")
    if len(parts) != 3:
        return "asserted server version must be of the form <major>.<minor>.<update>"
    numbers = [atoi(part) for part in parts]
    for part, number in zip(parts, numbers, strict=True):
        if number is None:
            return f"asserted server version cant parse {part} to int"
    if any(number is not None and number < 0 for number in numbers):
        return f"asserted server version can'b contain negative values: {version}"
    return ""
