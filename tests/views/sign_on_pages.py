"""Signing in through a provider as a browser does it: there, back, and what was said."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from identities.models import SignOnProvider
from identities.nkeys import SecretBytes
from identities.resolver.oidc_drafts import ProviderDraft
from identities.services import sign_on_providers
from tests import make
from tests.oidcprovider import CLIENT, SECRET, Provider


def added(idp: Provider, **options: Any) -> SignOnProvider:
    make.installation()
    values = {
        "name": "Company",
        "issuer": idp.issuer,
        "client_id": CLIENT,
        "client_secret": SecretBytes(SECRET.encode()),
        "creates_people": True,
        **options,
    }
    return sign_on_providers.create(principal=make.COMMAND, draft=ProviderDraft(**values))


def leave(browser: Client, row: SignOnProvider, url: str = "", next_page: str = "") -> dict[str, str]:
    """What the browser is sent to the provider with."""
    answer = browser.post(url or reverse("sign-on", args=[row.pk]), {"next": next_page})
    assert answer.status_code == 200, answer.content.decode()
    to = answer["Refresh"].removeprefix("0; url=")
    assert to.startswith(f"{row.issuer}/authorize?")
    return {name: values[0] for name, values in parse_qs(urlsplit(to).query).items()}


def come_back(browser: Client, address: str, **changed: str | None) -> HttpResponse:
    at = urlsplit(address)
    query = {name: values[0] for name, values in parse_qs(at.query).items()} | changed
    kept = {name: value for name, value in query.items() if value is not None}
    answer: HttpResponse = browser.get(f"{at.path}?{urlencode(kept)}")
    return answer


def through(browser: Client, row: SignOnProvider, idp: Provider, **changed: str | None) -> HttpResponse:
    return come_back(browser, idp.authorize(leave(browser, row)), **changed)


def is_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def said(answer: HttpResponse) -> str:
    return answer.content.decode()
