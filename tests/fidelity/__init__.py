"""Golden tokens, an edit for every field of theirs, and what the JSON must look like after it."""
