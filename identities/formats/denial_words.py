"""What each kind of denial means, and what to look at, in plain English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from identities.formats.denials import Kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What happened, and what to do about it."""

    title: str
    text: str
    advice: str = ""


MEANINGS: Mapping[Kind, Meaning] = {
    Kind.PUBLISH: Meaning(
        "Publishing was refused",
        "The message was dropped; the connection stays. A request whose publication is refused looks like a time-out "
        "to the client that waits.",
    ),
    Kind.SUBSCRIBE: Meaning(
        "Subscribing was refused",
        "Nothing will arrive there; the connection stays. Of an inbox (`_INBOX.…`) it means that answers to requests "
        "can't arrive: the client waits until its time is up.",
    ),
    Kind.REPLY: Meaning(
        "The reply address was refused",
        "nats-server keeps reply addresses below `_R_`, `_GR_`, `$GR` and `$JS.ACK` for itself, whatever the "
        "permissions say.",
        "Let the client make its own inbox, below `_INBOX` or a prefix of yours.",
    ),
    Kind.TOKENS: Meaning(
        "The subject has too many tokens",
        "The server's configuration limits the tokens of a subscription (`max_subscription_tokens`); no permission "
        "says so.",
    ),
    Kind.AUTHORIZATION: Meaning(
        "The login was refused",
        "nats-server does not tell clients why. Reasons: the account is unknown to the server or signed by another "
        "operator; the user's key is revoked, or the JWT expired; the creds were issued by a key that the account no "
        "longer has; the seed does not fit the JWT; a network, hour or connection type that the JWT does not allow; no "
        "creds at all.",
        "With the user named below, what can be told from here is told. The server's log says the rest when it runs "
        "with `debug: true`.",
    ),
    Kind.EXPIRED: Meaning(
        "The user's JWT has expired",
        "The server closes the connection when the time is up, and lets it in again only with a newer JWT.",
        "Give the user a later expiry, and hand out its creds again.",
    ),
    Kind.ACCOUNT_EXPIRED: Meaning(
        "The account's JWT has expired",
        "Nobody of the account can log in until the servers have a newer JWT of it.",
        "Give the account a later expiry, and bring it to the servers.",
    ),
    Kind.REVOKED: Meaning(
        "The user was revoked",
        "The account refuses JWTs of this user, or of everybody, that were issued up to a certain second.",
        "Hand out creds that were issued after it, or take the revocation out of the account.",
    ),
    Kind.AUTH_TIMEOUT: Meaning(
        "The client did not log in in time",
        "The connection was open, but no (complete) login came within the server's `authorization.timeout`; with auth "
        "callout, its service may not have answered.",
    ),
    Kind.SOURCE: Meaning(
        "The client came from a network that is not allowed", "The user's `src` lists other networks."
    ),
    Kind.HOURS: Meaning("The client came at an hour that is not allowed", "The user's `times` leave it out."),
    Kind.CONNECTION_TYPE: Meaning(
        "This kind of connection is not allowed",
        "The user's `allowed_connection_types` does not have it (STANDARD, WEBSOCKET, LEAFNODE, MQTT, IN_PROCESS…).",
    ),
    Kind.BEARER: Meaning("The account takes no bearer users", "`disallow_bearer` is set in its limits."),
    Kind.PROXY: Meaning(
        "Only connections through a trusted proxy are taken",
        "The user has `proxy_required`, or the proxy is not among the server's trusted ones.",
    ),
    Kind.SIGNATURE: Meaning(
        "The seed does not fit the JWT",
        "The client has to sign what the server sends with the user's seed; that signature was missing or wrong.",
        "Use the whole creds file: JWT and seed of the same user.",
    ),
    Kind.ISSUER: Meaning(
        "Nobody that the server trusts stands behind the JWT",
        "The key that signed the user is not among the account's keys (any more), or the account is not signed by the "
        "operator that the server is configured with.",
    ),
    Kind.TEMPLATE: Meaning(
        "The role can't be filled in for this user",
        "A subject to deny needs a tag that the user does not have, or comes out as no subject.",
    ),
    Kind.ACCOUNT: Meaning(
        "The server has no good JWT of the account",
        "It is unknown to the server's resolver, or its claims are refused.",
        "Bring the account's JWT to the servers.",
    ),
    Kind.CONNECTIONS: Meaning(
        "There are too many connections", "The account's `conn` limit, or the server's own, is reached."
    ),
    Kind.SUBSCRIPTIONS: Meaning(
        "There are too many subscriptions",
        "The user's `subs` limit, the account's, or the server's own is reached. 0 means none; unlimited is -1.",
    ),
    Kind.PAYLOAD: Meaning(
        "The message was too large",
        "The user's `payload` limit, the account's, or the server's `max_payload`. The server closes the connection.",
    ),
    Kind.IMPORT: Meaning(
        "An import is not authorized",
        "The exporting account does not export the subject to this account: no such export, a private one without a "
        "good activation token, or a token that was revoked. The server leaves the import out.",
    ),
    Kind.NO_RESPONDERS: Meaning(
        "Nobody listens there",
        "The request was allowed, but no subscriber was there to take it: the service is down, listens on another "
        "subject or in another account, was refused its own subscription, or an import that should lead there is "
        "broken. For `$JS.API…` it means that JetStream is off for the account.",
        "Choose the user and ask about its request: imports and mappings on the way are shown.",
    ),
    Kind.TIMEOUT: Meaning(
        "No answer came in time",
        "A time-out does not say why. Often: publishing the request was refused (the server tells that apart from the "
        "request, in the client's error handler and in its log), the inbox of the answer may not be subscribed to, or "
        "the service may not publish its answer.",
        "Choose the user, and ask whether it may make the request.",
    ),
    Kind.JETSTREAM_OFF: Meaning(
        "JetStream is off",
        "For the account (its JetStream storage limits are 0), or for the server.",
        "Set storage limits on the account, and `jetstream` in the server's configuration.",
    ),
    Kind.JETSTREAM_LIMIT: Meaning(
        "A JetStream limit is reached",
        "The account's limits on storage, streams or consumers; this is no permission.",
    ),
    Kind.JETSTREAM_MISSING: Meaning(
        "JetStream does not know it",
        "The request was allowed and answered: there is no such stream, consumer, bucket or object in this account (or "
        "JetStream domain).",
    ),
}
