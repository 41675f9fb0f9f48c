from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identities.resolver.errors import explain


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("Authorization Violation", "refused the login"),
        ("User Authentication Revoked", "was revoked"),
        ("User Authentication Expired", "later expiry"),
        ("Account Authentication Expired", "account's JWT has expired"),
        ("Authentication Timeout", "took longer"),
        ('Permissions Violation for Publish to "a.{b}"', "may not publish to a.{b}."),
        ('Permissions Violation for Publish to "_INBOX.x.y"', "publish its answer to _INBOX.x.y."),
        ('Permissions Violation for Publish with Reply of "r"', "use r as the address"),
        (
            'Permissions Violation for Subscription to "a" using queue "q"',
            "subscribe to a in the queue group q.",
        ),
        ('Permissions Violation for Subscription to "a.>"', "may not subscribe to a.>."),
        ('Permissions Violation for Subscription to "_INBOX.x.*"', "listen on its inbox"),
        ("maximum account active connections exceeded", "as many connections as it may have"),
        ("maximum connections exceeded", "as many connections as it takes"),
        ("Maximum Subscriptions Exceeded", "as many subscriptions"),
        ("Maximum Payload Violation", "larger than"),
        ("Secure Connection - TLS Required", "Use a tls:// address"),
        ("no responders", "Nobody answers"),
        ("Stale Connection", "stopped hearing"),
        ("[Errno 111] Connect call failed ('127.0.0.1', 1)", "Nothing listens"),
        ("[Errno -2] Name or service not known", "host name is unknown"),
        ("timed out", "did not answer in time"),
        ("Something new", "reported: Something new"),
        ("", "reported: nothing"),
    ],
)
def test_what_servers_say_is_explained(said: str, plain: str) -> None:
    assert plain in explain(said)


@given(st.text())
def test_every_text_is_explained_somehow(said: str) -> None:
    assert explain(said)
    assert explain(f'Permissions Violation for Publish to "{said}"')
