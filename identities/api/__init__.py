"""The API under `/api/v1/`: the same services and the same policy as the pages, in JSON, for machines with a token."""
