"""Talking to nats-servers: the only floor that does I/O, and the only asynchronous code."""
