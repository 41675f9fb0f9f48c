"""A certificate authority of the tests, and certificates that it signs, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as files."""

    certificate: Path
    key: Path

    @property
    def certificate_text(self) -> str:
        """The certificate in PEM form."""
        return self.certificate.read_text()

    @property
    def key_text(self) -> str:
        """The private key in PEM form."""
        return self.key.read_text()


def authority(directory: Path, name: str = "ca") -> Pair:
    """A new authority."""
    pair = _pair(directory, name)
    _openssl(
        "req", "-x509", "-new", "-key", pair.key, "-days", "2", "-subj", f"/CN={name}", "-out", pair.certificate,
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    return pair


def issued(directory: Path, by: Pair, name: str, alternative: str = "") -> Pair:
    """A certificate of `name`, signed by an authority; `alternative` such as `DNS:nats.test,IP:127.0.0.1`."""
    pair = _pair(directory, name)
    request, extension = directory / f"{name}.csr", directory / f"{name}.ext"
    extension.write_text(f"subjectAltName={alternative or f'DNS:{name}'}\n")
    _openssl("req", "-new", "-key", pair.key, "-subj", f"/CN={name}", "-out", request)
    _openssl(
        "x509", "-req", "-in", request, "-CA", by.certificate, "-CAkey", by.key, "-CAcreateserial", "-days", "2",
        "-extfile", extension, "-out", pair.certificate,
    )  # fmt: skip
    return pair


def _pair(directory: Path, name: str) -> Pair:
    pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", pair.key)
    return pair


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
