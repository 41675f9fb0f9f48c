"""Every service that writes an event, called on one of everything."""

from __future__ import annotations

from tests.works import clusters, handing, objects, sharing, signing, team
from tests.works.sample import Work

WORKS: dict[str, Work] = {
    **objects.WORKS,
    **sharing.WORKS,
    **signing.WORKS,
    **handing.WORKS,
    **clusters.WORKS,
    **team.WORKS,
}
"""By the name of the service."""
