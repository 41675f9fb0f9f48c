"""Who may do what: pure decisions over actions, roles and scopes. Everything is denied unless a grant allows it."""
