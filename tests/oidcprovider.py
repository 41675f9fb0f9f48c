"""An OpenID Connect provider on loopback that signs in whoever it is told to, and that can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from tests.oidckeys import jwk, jwks, rsa_key, token

CLIENT, SECRET = "nscweb", "the client's secret & more"
Answer = tuple[int, dict[str, str], str]


class Provider:
    """One provider. `person` holds the claims of who is signed in next; `lies` replaces claims of the ID token.

    `says` replaces entries of its configuration; `asked` keeps the path of each request; `codes` those handed out.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.person: dict[str, Any] = {
            "sub": "248289761001",
            "name": "Dana Doe",
            "preferred_username": "dana",
        }
        self.told_elsewhere: dict[str, Any] = {}
        self.lies: dict[str, Any] = {}
        self.says: dict[str, Any] = {}
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.key, self.kid = rsa_key(), "k1"
        self.signs_with = self.key
        self.answers: dict[str, Answer] = {}

    def authorize(self, asked: Mapping[str, str]) -> str:
        """Where the browser is sent back to, as after somebody signed in."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = dict(asked)
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: str) -> Answer:
        at = urlsplit(path)
        self.asked.append(at.path)
        if at.path in self.answers:
            return self.answers[at.path]
        if at.path == "/.well-known/openid-configuration":
            return _json(self.configuration())
        if at.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(at.query).items()}
            return 302, {"Location": self.authorize(asked)}, ""
        if at.path == "/keys":
            return 200, {}, jwks(jwk(self.key, self.kid))
        if at.path == "/userinfo":
            return _json({**self.person, **self.told_elsewhere})
        if at.path == "/token" and method == "POST":
            return self.exchange({name: values[0] for name, values in parse_qs(body).items()}, headers)
        return 404, {}, ""

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
            **self.says,
        }

    def exchange(self, sent: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """RFC 6749 4.1.3 with RFC 7636: a code works once, for its client, with its verifier and address."""
        if _client(sent, headers) != (CLIENT, SECRET):
            return _json({"error": "invalid_client"}, 401)
        asked = self.codes.pop(sent.get("code", ""), None)
        challenge = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(challenge).decode().rstrip("=")
        if (
            asked is None
            or asked["redirect_uri"] != sent.get("redirect_uri")
            or asked["code_challenge"] != proof
            or asked["code_challenge_method"] != "S256"
        ):
            return _json({"error": "invalid_grant"}, 400)
        return _json(
            {"id_token": self.id_token(asked["nonce"]), "access_token": "at", "token_type": "Bearer"}
        )

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        claims["auth_time"] = now
        return token({**claims, **self.person, **self.lies}, key=self.signs_with, kid=self.kid)


def _client(sent: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    basic = headers.get("Authorization", "")
    if basic.startswith("Basic "):
        name, _, secret = base64.b64decode(basic[6:]).decode().partition(":")
        return unquote(name), unquote(secret)
    return sent.get("client_id", ""), sent.get("client_secret", "")


def _json(content: Mapping[str, Any], status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content)


@contextmanager
def running() -> Iterator[Provider]:
    """A provider that listens on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            status, headers, text = provider.answer(self.command, self.path, self.headers, body)
            content = text.encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._handle()

        def do_POST(self) -> None:
            self._handle()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
