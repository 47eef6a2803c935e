"""The world outside, as far as certificates need it."""
