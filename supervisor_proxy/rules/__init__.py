"""Supervisors, and calls of them: one, many, later, and what became of them."""
