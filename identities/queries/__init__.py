"""Reads that span models: what pages, commands and the account server look up together. None of them writes."""
