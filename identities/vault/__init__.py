"""Seeds at rest: envelope encryption under a ring of master keys. Imported by `services/secrets.py` alone."""
