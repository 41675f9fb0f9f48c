"""What NATS says in a token: every claim of jwt/v2, lossless, with validation and the only signing code."""
