"""The Django project around `identities`: settings, middleware, logging, health and the server."""
