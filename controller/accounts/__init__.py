"""Who may do what: users, organizations, memberships, tokens."""
