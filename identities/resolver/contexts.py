"""TLS as a client: which authority is trusted, and the certificate that we show."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from identities.nkeys import SecretBytes
from identities.resolver.errors import ResolverError


def client_context(
    ca_pem: str = "", client_cert: str = "", client_key: SecretBytes | None = None
) -> ssl.SSLContext:
    """TLS 1.2 or newer; `ca_pem` beside the system's authorities; a client certificate when both parts are given.

    Raises:
        ResolverError: one of them is not in PEM form, or key and certificate don't belong together.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_pem:
        try:
            context.load_verify_locations(cadata=ca_pem)
        except (ssl.SSLError, ValueError, TypeError):  # TypeError: letters beyond ASCII
            raise ResolverError("The CA certificate is not in PEM form.", field="ca_pem") from None
    if client_cert and client_key is not None:
        with _as_file(client_cert.encode()) as certificate, _as_file(client_key.reveal()) as key:
            try:
                context.load_cert_chain(certificate, key, password=_no_password)
            except (ssl.SSLError, ValueError) as error:
                mismatch = isinstance(error, ssl.SSLError) and "MISMATCH" in (error.reason or "")
                raise ResolverError(
                    "The client certificate and its key do not belong together."
                    if mismatch
                    else "The client certificate or its key is not in PEM form, or the key has a password.",
                    field="client_cert",
                ) from None
    return context


def _no_password() -> str:
    """Refuse a key with a password: OpenSSL would ask for it on the terminal."""
    raise ValueError("the key has a password")


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path that OpenSSL can read for the length of a block: in memory where the system can, else for us only."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        number = os.memfd_create("pem")
        try:
            os.write(number, content)
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile() as file:  # mode 0600
        file.write(content)
        file.flush()
        yield file.name
