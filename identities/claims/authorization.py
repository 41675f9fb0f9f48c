"""The `nats` bodies of auth callout's request and response (jwt/v2 `authorization_claims.go`, spec §2.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerId:
    """The server that asks."""

    name: str = ""
    host: str = ""
    id: str = ""
    version: str = ""
    cluster: str = ""
    tags: tuple[str, ...] = ()
    xkey: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientInformation:
    """The connection that wants in, as the server sees it."""

    host: str = ""
    id: int = 0
    user: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    name_tag: str = ""
    kind: str = ""
    type: str = ""
    mqtt_id: str = ""
    nonce: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """What the client sent in CONNECT. It holds what the client proves itself with: never log or show it."""

    jwt: str = field(default="", repr=False)
    nkey: str = ""
    sig: str = field(default="", repr=False)
    auth_token: str = field(default="", repr=False)
    user: str = ""
    pass_: str = field(default="", repr=False)
    name: str = ""
    lang: str = ""
    version: str = ""
    protocol: int = 0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """TLS of the connection: `certs` were presented, `verified_chains` were verified (PEM, peer first)."""

    version: str = ""
    cipher: str = ""
    certs: tuple[str, ...] = ()
    verified_chains: tuple[tuple[str, ...], ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequestBody:
    """What a server asks an auth callout service."""

    server_id: ServerId = ServerId()
    user_nkey: str = ""
    client_info: ClientInformation = ClientInformation()
    connect_opts: ConnectOptions = ConnectOptions()
    client_tls: ClientTls | None = None
    request_nonce: str = ""
    tags: tuple[str, ...] = ()
    type: str = "authorization_request"
    version: int = 2
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationResponseBody:
    """What the service answers: a user JWT, or an error."""

    jwt: str = field(default="", repr=False)
    error: str = ""
    issuer_account: str = ""
    tags: tuple[str, ...] = ()
    type: str = "authorization_response"
    version: int = 2
    extra: Mapping[str, object] = field(default_factory=dict)
