"""Notifications in the portal, by e-mail and by webhook."""
