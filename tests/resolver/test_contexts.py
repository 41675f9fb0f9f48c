"""What is no certificate is refused in words, whatever it is."""

from __future__ import annotations

import pytest

from identities.nkeys import SecretBytes
from identities.resolver.contexts import client_context
from identities.resolver.errors import ResolverError


@pytest.mark.parametrize(
    "text", ["no PEM", "Zürich", "-----BEGIN CERTIFICATE-----\nÄÖ\n-----END CERTIFICATE-----"]
)
def test_what_is_no_certificate_of_an_authority_is_refused(text: str) -> None:
    with pytest.raises(ResolverError, match="The CA certificate is not in PEM form") as refused:
        client_context(ca_pem=text)
    assert refused.value.field == "ca_pem"


@pytest.mark.parametrize("text", ["no PEM", "Zürich"])
def test_what_is_no_client_certificate_is_refused(text: str) -> None:
    with pytest.raises(ResolverError, match="is not in PEM form") as refused:
        client_context(client_cert=text, client_key=SecretBytes(text.encode()))
    assert refused.value.field == "client_cert"
