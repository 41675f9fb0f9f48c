"""The text of `/jwt/v1/help`."""

from __future__ import annotations

HELP = """
# nscweb: account JWTs over HTTP

What `resolver: URL(...)` of a nats-server asks, as nats-account-server answers it. Each path also exists
under /o/<operator key>, for installations with several operators.

## GET /jwt/v1/help

Returns this page.

## GET /jwt/v1/operator

Returns the operator's JWT.

## GET /jwt/v1/accounts/

Answers 200 and nothing else: a nats-server asks at its start whether somebody is here.

## GET /jwt/v1/accounts/<pubkey>

Returns the account's JWT, or 404 when this operator has no such account (any more).

The response has content type application/jwt, cache control headers, and the JTI as its ETag.
A 304 is returned if the request contains the appropriate If-None-Match header.

Query parameters:

  * check=true - 404 if the JWT has expired
  * text=true - content type text/plain
  * decode=true - the JSON of the JWT's header and claims

## POST /jwt/v1/accounts/<pubkey>

Takes the JWT in the body, as nsc push sends it, where the operator takes pushes: with the operator's push password
by HTTP basic sign-in (https://push:PASSWORD@host/o/<operator key>/jwt/v1). Otherwise 405.

  * 200 - signed by the operator, and taken as it is; a JWT that is here already changes nothing
  * 202 - signed by the account itself: it waits until somebody has the operator sign it
  * 400 - damaged, of another account, of no trusted issuer, or older than the one that is here
  * 401 - no push password, or another one
"""
