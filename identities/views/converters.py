"""What stands in addresses of pages: public keys, entries of lists; and where each kind of object has its pages."""

from __future__ import annotations

from django.urls import register_converter


class KeyConverter:
    """A public nkey in a URL: 56 characters of base32; any other text is no such page."""

    regex = "[A-Z2-7]{56}"

    def to_python(self, value: str) -> str:
        """The text itself."""
        return value

    def to_url(self, value: str) -> str:
        """The text itself."""
        return value


class HandleConverter:
    """An entry of a list in claims, as `claims.handles` names it."""

    regex = "[0-9a-f]{12}"

    def to_python(self, value: str) -> str:
        """The text itself."""
        return value

    def to_url(self, value: str) -> str:
        """The text itself."""
        return value


class RevokedConverter:
    """Whose tokens a revocation refuses: whatever key stands there, or `*`."""

    regex = r"[A-Za-z0-9]{1,200}|\*"

    def to_python(self, value: str) -> str:
        """The text itself."""
        return value

    def to_url(self, value: str) -> str:
        """The text itself."""
        return value


register_converter(KeyConverter, "key")
register_converter(RevokedConverter, "revoked")
register_converter(HandleConverter, "handle")

OPERATOR = "operators/<key:operator_key>/"
ACCOUNT = OPERATOR + "accounts/<key:account_key>/"
CLUSTER = OPERATOR + "clusters/<int:cluster_id>/"
EXPORT = ACCOUNT + "exports/<handle:export_handle>/"
ACTIVATION = ACCOUNT + "exports/activations/<int:token_id>/"
ACTIVATION_REQUEST = ACCOUNT + "requests/<int:request_id>/"
IMPORT = ACCOUNT + "imports/<handle:import_handle>/"
USER = ACCOUNT + "users/<key:user_key>/"
SIGNING_KEY = ACCOUNT + "signing-keys/<key:signing_key>/"
