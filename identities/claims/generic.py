"""Claims of no known type, as `$SYS.REQ.CLAIMS.DELETE` uses them (jwt/v2 `genericlaims.go`, spec §2.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericBody:
    """A free `nats` object; its keys are sorted when written."""

    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """What the token calls itself, "" when it does not."""
        found = self.data.get("type")
        return found if isinstance(found, str) else ""

    @property
    def version(self) -> int:
        """The version in the body, 0 when there is none."""
        found = self.data.get("version")
        return found if isinstance(found, int) else 0

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags in the body."""
        found = self.data.get("tags")
        return tuple(tag for tag in found if isinstance(tag, str)) if isinstance(found, list | tuple) else ()
