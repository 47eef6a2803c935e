"""Create the first superuser and show its password once."""

import secrets
from typing import Any

from django.core.management.base import BaseCommand

from controller.accounts.models import User


class Command(BaseCommand):
    help = "Makes the superuser 'admin' with a random password, if there is no user yet."

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.exists():
            self.stdout.write(
                "Sign in as before; 'manage.py changepassword admin' sets a new password."
            )
            return
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser("admin", "admin@localhost.localdomain", password)
        self.stdout.write(f"Sign in as admin with the password {password}")
