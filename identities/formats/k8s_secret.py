"""A Kubernetes Secret that holds a user's creds, as `kubectl apply -f` takes it.

The key in it is `nats.creds`: what the official NATS chart (`natsBox.contexts.<name>.creds.secretName`) and NACK look
for. Source: nats-io/k8s `helm/charts/nats/values.yaml`; peers-and-pains.md (c); names: RFC 1123 as Kubernetes reads it.
"""

from __future__ import annotations

import base64
import json
import re

from identities.formats.errors import FormatError, shown

KEY = "nats.creds"
LONGEST_NAME = 253
LONGEST_LABEL = 63
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_UNFIT = re.compile(r"[^a-z0-9]+", re.ASCII)


def name_for(account: str, user: str) -> str:
    """A name for the Secret of a user: small letters, digits and dashes alone."""
    parts = [_UNFIT.sub("-", text.lower()).strip("-") for text in (account, user)]
    return "-".join(["nats", *filter(None, parts), "creds"])[:LONGEST_LABEL].strip("-")


def render(creds: str, *, name: str, namespace: str = "") -> str:
    """The manifest's text; it holds the user's seed. Raises: FormatError, see `check`."""
    check(name=name, namespace=namespace)
    lines = [
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        f"  name: {json.dumps(name)}",
        *([f"  namespace: {json.dumps(namespace)}"] if namespace else []),
        "type: Opaque",
        "data:",
        f"  {KEY}: {base64.b64encode(creds.encode()).decode()}",
    ]
    return "\n".join([*lines, ""])


def check(*, name: str, namespace: str = "") -> None:
    """Refuse a name or namespace that Kubernetes would refuse. Raises: FormatError with that as `field`."""
    _check(name, "name", LONGEST_NAME)
    if namespace:
        _check(namespace, "namespace", LONGEST_LABEL)


def _check(text: str, field: str, longest: int) -> None:
    if len(text) > longest or _NAME.fullmatch(text) is None or ".." in text:
        raise FormatError(
            f"{shown(text)} is no {field} for Kubernetes: use small letters, digits and dashes, at most {longest} "
            "characters, and begin and end with a letter or digit.",
            field=field,
        )
