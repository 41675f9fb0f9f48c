"""Signing in through a provider: the way there and back (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

The browser's session keeps one random text of each sign-in that is under way. State, nonce and the PKCE verifier are
made from it and this installation's secret key, so that neither the session's row nor the address gives them away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self
from urllib.parse import urlencode

from django.utils.crypto import salted_hmac

from identities.errors import IdentityError
from identities.models import SignOnProvider
from identities.nkeys import SecretBytes
from identities.resolver import oidc, oidc_tokens
from identities.resolver.oidc import Metadata, ProviderFailed, Tokens
from identities.resolver.oidc_drafts import Identity
from identities.resolver.oidc_tokens import UnknownKey, Wanted
from identities.services import clock, sign_on_providers

SECONDS = 600
"""How long somebody may take at the provider."""
NOT_UNDER_WAY = "No sign-in through this provider was under way in this browser. Start again."
_LONGEST = 2000


class SignOnRefused(IdentityError):
    """Nobody comes in this way, and why."""

    code = "sign-on-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sign-in that is under way, as the session keeps it.

    `next` is the page wanted; `invitation` the one that was opened before; `person` who links another way to sign in
    to themselves, or `proves` again who they are.
    """

    random: str
    provider: int
    at: int
    next: str = ""
    invitation: int | None = None
    person: int | None = None
    proves: bool = False

    def kept(self) -> dict[str, Any]:
        """What the session stores."""
        return asdict(self)

    @classmethod
    def read(cls, kept: object) -> Self | None:
        """What the session stored, None for nothing."""
        return cls(**kept) if isinstance(kept, dict) else None


def begin(
    provider: SignOnProvider,
    *,
    back: str,
    next_page: str = "",
    invitation: int | None = None,
    person: int | None = None,
    proves: bool = False,
) -> tuple[Attempt, str]:
    """A new attempt, and the address at the provider that the browser goes to; `back` is ours that it returns to.

    Who links or `proves` something is asked by the provider anew who they are.

    Raises: AddressRefused, FetchFailed, ProviderFailed.
    """
    found = sign_on_providers.known(provider)
    attempt = Attempt(
        random=random.token_urlsafe(32),
        provider=provider.pk,
        at=clock.unix(),
        next=next_page,
        invitation=invitation,
        person=person,
        proves=proves,
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(_part(attempt, "verifier").encode()).digest())
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "scope": " ".join(provider.scopes.split("\n")),
        "state": _part(attempt, "state"),
        "nonce": _part(attempt, "nonce"),
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    if person is not None:
        query |= {"prompt": "login", "max_age": "0"}
    joint = "&" if "?" in found.authorization else "?"
    return attempt, f"{found.authorization}{joint}{urlencode(query)}"


def finish(provider: SignOnProvider, *, attempt: Attempt, answer: Mapping[str, str], back: str) -> Identity:
    """Who the provider says has come back with `answer`, the query of the address that it sent the browser to.

    Raises: SignOnRefused: not an answer to this attempt. FetchFailed, ProviderFailed, TokenRefused.
    """
    if attempt.provider != provider.pk:
        raise SignOnRefused(NOT_UNDER_WAY)
    state = answer.get("state", "")
    if not hmac.compare_digest(state.encode(), _part(attempt, "state").encode()):
        raise SignOnRefused("This answers another sign-in than the one that was started here. Start again.")
    if attempt.at + SECONDS < clock.unix():
        raise SignOnRefused("The sign-in took too long. Start again.")
    found = sign_on_providers.known(provider)
    said = answer.get("iss")
    if (said is not None or found.names_itself) and said != found.issuer:
        raise SignOnRefused("Another provider answered than the one that was asked. Start again.")
    if error := answer.get("error"):
        raise SignOnRefused(_refusal(provider, error))
    code = answer.get("code", "")
    if not 0 < len(code) <= _LONGEST:
        raise SignOnRefused("The provider sent nothing that somebody could be known by. Start again.")
    tokens = _exchanged(provider, found, attempt, code, back)
    claims = _claims(provider, found, attempt, tokens)
    if attempt.proves:
        _require_asked(provider, claims, attempt)
    return _identity(provider, found, claims, tokens)


def _refusal(provider: SignOnProvider, error: str) -> str:
    if error == "access_denied":
        return f"“{provider.name}” did not let you in, or you turned back there."
    if error in ("login_required", "interaction_required", "consent_required"):
        return f"“{provider.name}” wants to ask you something first. Start again."
    return f"“{provider.name}” refused the sign-in. Start again; if it goes on, tell an owner."


def _exchanged(provider: SignOnProvider, found: Metadata, attempt: Attempt, code: str, back: str) -> Tokens:
    with sign_on_providers.secret_of(provider) as secret:
        return oidc.exchange(
            found,
            code=SecretBytes(code.encode()),
            verifier=SecretBytes(_part(attempt, "verifier").encode()),
            back=back,
            client_id=provider.client_id,
            client_secret=secret,
            wire=sign_on_providers.wire(),
        )


def _claims(provider: SignOnProvider, found: Metadata, attempt: Attempt, tokens: Tokens) -> Mapping[str, Any]:
    """The ID token's claims, once it is sure that they are the provider's, for us, in answer to this attempt."""
    wanted = Wanted(issuer=found.issuer, audience=provider.client_id, nonce=_part(attempt, "nonce"))
    text, now = tokens.id_token.reveal().decode(), clock.unix()
    try:
        return oidc_tokens.verify(text, sign_on_providers.keys(provider), wanted=wanted, now=now)
    except UnknownKey:  # perhaps one that the provider signs with since a minute ago
        return oidc_tokens.verify(text, sign_on_providers.keys(provider, afresh=True), wanted=wanted, now=now)


def _require_asked(provider: SignOnProvider, claims: Mapping[str, Any], attempt: Attempt) -> None:
    """Refuse a proof that the provider took from a session of its own: it must have asked since (`auth_time`)."""
    at = claims.get("auth_time")
    if isinstance(at, bool) or not isinstance(at, int | float) or at < attempt.at - oidc_tokens.LEEWAY:
        raise SignOnRefused(
            f"“{provider.name}” did not say that it has just asked you who you are. Sign out, then sign in again."
        )


def _identity(
    provider: SignOnProvider, found: Metadata, claims: Mapping[str, Any], tokens: Tokens
) -> Identity:
    """What is known of the person; the provider is asked for what the ID token leaves out."""
    needed = [name for name in ("email", provider.groups_claim.partition(".")[0]) if name]
    told = dict(claims)
    if found.userinfo and tokens.access_token.reveal() and any(name not in told for name in needed):
        try:
            more = oidc.userinfo(
                found,
                access_token=tokens.access_token,
                subject=claims["sub"],
                wire=sign_on_providers.wire(),
            )
        except ProviderFailed:
            if provider.groups_claim:
                raise
            more = {}
        told = {**more, **told}
    verified = told.get("email_verified") in (True, "true")
    return Identity(
        subject=claims["sub"],
        email=_line(told.get("email"), 320) if verified else "",
        name=_line(told.get("name"), 255),
        username=_line(told.get("preferred_username"), 150),
        groups=oidc_tokens.words_of(told, provider.groups_claim) if provider.groups_claim else (),
    )


def _line(value: object, longest: int) -> str:
    """A text of the provider as one printable line, "" for anything else."""
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= longest and text.isprintable() else ""


def _part(attempt: Attempt, what: str) -> str:
    """64 letters that only this installation can make from the attempt's random text."""
    return salted_hmac(f"identities.sign-on.{what}", attempt.random, algorithm="sha256").hexdigest()
