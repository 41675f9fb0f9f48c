"""What nats-servers and the network say, in plain words."""

from __future__ import annotations

import re
from typing import Final

from identities.errors import IdentityError


class ResolverError(IdentityError):
    """A server could not be asked, or refused."""

    code = "resolver-error"


_LOGIN: Final = (
    "The server refused the login and does not say why. Usual reasons: it does not know the account (its JWT was not "
    "delivered), the user was revoked, the JWT was signed by a key the account or the operator no longer lists, the "
    "connection comes from a network or at a time the user does not allow, or the server runs without this operator."
)

# In this order: the first that is found in the text explains it. Groups are put into the words.
_TABLE: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), words)
    for pattern, words in (
        (
            r'permissions violation for publish to "(_INBOX\.\S*)"',
            "The user may not publish its answer to {0}. Allow publishing to _INBOX.>, or allow responses.",
        ),
        (
            r'permissions violation for publish with reply of "([^"]*)"',
            "The user may not use {0} as the address for answers. Allow publishing there.",
        ),
        (r'permissions violation for publish to "([^"]*)"', "The user may not publish to {0}."),
        (
            r'permissions violation for subscription to "(_INBOX\.[^"]*)"',
            (
                "The user may not listen on its inbox {0}, where answers arrive. Allow subscribing to _INBOX.>, "
                "or set an inbox prefix that it may subscribe to."
            ),
        ),
        (
            r'permissions violation for subscription to "([^"]*)" using queue "([^"]*)"',
            "The user may not subscribe to {0} in the queue group {1}.",
        ),
        (r'permissions violation for subscription to "([^"]*)"', "The user may not subscribe to {0}."),
        (
            r"user authentication revoked",
            "The user was revoked. Hand out new creds, made after the revocation.",
        ),
        (
            r"user authentication expired",
            "The user's JWT has expired. Give the user a later expiry and new creds.",
        ),
        (
            r"account authentication expired",
            (
                "The account's JWT has expired, was deleted on the server, or no longer holds there. Extend it and "
                "deliver it to the server."
            ),
        ),
        (r"authentication expired", "The login has expired."),
        (r"authentication timeout", "The login took longer than the server allows."),
        (r"authorization violation", _LOGIN),
        (r"bearer", "The account does not allow bearer users."),
        (
            r"maximum account active connections exceeded",
            "The account has as many connections as it may have. Raise its limit or close others.",
        ),
        (r"maximum connections exceeded", "The server has as many connections as it takes."),
        (r"maximum subscriptions exceeded", "The user or account has as many subscriptions as it may have."),
        (
            r"max(?:imum)?[ _]payload",
            "The message is larger than the server, the account or the user allows.",
        ),
        (r"maximum control line", "The subject is longer than the server takes."),
        (r"secure connection|tls required", "The server wants TLS. Use a tls:// address."),
        (
            r"offers no tls",
            "The address asks for TLS, but the server offers none. Use nats:// if the network is trusted.",
        ),
        (
            r"hostname mismatch|ip address mismatch|is not valid for|doesn't match",
            "The server's TLS certificate is for another name. Use the name that stands in the certificate.",
        ),
        (r"certificate has expired", "The server's TLS certificate has expired."),
        (
            r"self[- ]signed|unable to get local issuer|certificate verify failed",
            (
                "The server's TLS certificate is not signed by an authority that is trusted here. "
                "Give its CA certificate, or use the right address."
            ),
        ),
        (
            r"wrong version number|record layer failure|packet length|http request",
            "There is no TLS at this address.",
        ),
        (
            r"certificate required|bad certificate|unknown ca",
            "The server wants a client certificate, or does not trust the one that it was shown.",
        ),
        (r"\bssl\b|\btls\b", "The TLS connection failed."),
        (
            r"no responders",
            "Nobody answers on this subject: no subscriber, or none that this user can reach.",
        ),
        (r"no answer within", "No answer came in time."),
        (
            r"name or service not known|nodename nor servname|no address associated|getaddrinfo|name resolution",
            "The host name is unknown. Check the address.",
        ),
        (
            r"connection refused|connect call failed",
            "Nothing listens at this address. Is the server running, the port right?",
        ),
        (
            r"no route to host|network is unreachable|host is unreachable",
            "The network has no way to this address.",
        ),
        (
            r"too much data",
            "The server sent more than a client test takes, so it was ended. Ask for fewer or smaller messages.",
        ),
        (
            (
                r"expecting info|info message|separator is not found|chunk is longer|chunk exceed"
                r"|unknown protocol|no websocket"
            ),
            "Something else than a nats-server answers at this address. Check the port.",
        ),
        (
            r"parser error|invalid client protocol|unknown protocol operation",
            "The server did not understand the client.",
        ),
        (
            r"asks for no login",
            "This server lets anybody in: it runs without an operator, so it says nothing about this user.",
        ),
        (r"slow consumer", "Messages came faster than they could be taken."),
        (r"stale connection", "The server stopped hearing from the client."),
        (
            r"unexpected eof|connection reset|connection closed|broken pipe|closed the connection|0 bytes read",
            "The server closed the connection without a reason.",
        ),
        (
            r"timed? ?out|timeout",
            "The server did not answer in time. Check the address and firewalls between.",
        ),
    )
)


def explain(error_text: str) -> str:
    """Say in plain words what an error of a server, the network or TLS means; unknown texts are passed on."""
    for pattern, words in _TABLE:
        if found := pattern.search(error_text):
            return words.format(*(group or "" for group in found.groups()))
    return f"The server or the network reported: {error_text.strip() or 'nothing'}"
