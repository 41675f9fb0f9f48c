"""What the page of a `nats` context shows, and how files are named."""

from __future__ import annotations

import re

from django.http import QueryDict

from identities.formats import nats_context
from identities.models import User
from identities.services import changes

_UNFIT = re.compile(r"[/\\:*?\"<>|\x00-\x1f\x7f]|\.\.+")
_LONGEST = 1000


def context(user: User, query: QueryDict) -> dict[str, str]:
    """A context of the `nats` command line for a user: `text` to save as `name`.json, and how to use it.

    `query` may name another path of the creds file (`creds`) and other servers (`url`).
    """
    operator = user.account.operator
    name = nats_context.name_of(user.account.name, user.name)
    path = query.get("creds", "").strip()[:_LONGEST] or f"~/{file_name(f'{user.name}.creds')}"
    urls = changes.claims_of(operator).nats.operator_service_urls
    url = query.get("url", "").strip()[:_LONGEST] or ",".join(urls) or "nats://localhost:4222"
    description = f"{user.name} of {user.account.name}, operator {operator.name}"
    return {
        "name": name,
        "text": nats_context.render(url=url, description=description, creds=path),
        "profile": nats_context.profile(creds=path, services=urls),
        "url": url,
        "path": path,
        "save": f"mkdir -p ~/.config/nats/context && mv {name}.json ~/.config/nats/context/",
        "use": f"nats --context {name} rtt",
    }


def file_name(text: str) -> str:
    """A name of a file and never a path, whatever a name that was imported holds."""
    return _UNFIT.sub("_", text).lstrip(". ") or "user"
