"""Files that NATS people exchange, read and written: creds, server configuration, contexts; numbers and times."""
