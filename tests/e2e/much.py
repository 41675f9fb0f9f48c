"""What the samples have much of."""

from __future__ import annotations

from identities.claims.permissions import UserPermissionLimits

UNLIMITED = UserPermissionLimits.unlimited()
DAY = 86_400
LONG = "a-name-that-somebody-made-by-putting-the-whole-path-of-the-service-into-it.production.eu-central-1"
