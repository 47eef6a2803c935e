"""Users, organizations, memberships, permissions, authentication and audit."""
