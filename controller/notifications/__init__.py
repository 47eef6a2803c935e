"""Telling people and programs what happened: in the portal, by e-mail, by webhooks."""
