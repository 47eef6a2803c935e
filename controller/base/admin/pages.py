"""Addresses of admin pages, and the small parts that they show."""

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html

from controller.base.admin.unfold import UnfoldAdminTextInputWidget


def admin_url(model: type[Model], page: str, *args: object) -> str:
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{page}", args=args)


def badge(text: str | Promise, tone: str, title: str | Promise = "") -> str:
    """Return a status badge; `tone` is ``good``, ``bad``, ``warn``, ``busy`` or ``mute``."""
    return format_html('<span class="badge badge-{}" title="{}">{}</span>', tone, title, text)


def local_time(at: datetime) -> str:
    """Format a time in the zone of the person; one style everywhere."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"


def stacked_bar(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Build a stacked bar: add each part's share in percent, drop empty parts."""
    total = sum(part["count"] for part in parts)
    for part in parts:
        part["share"] = round(100 * part["count"] / total, 2) if total else 0
    return {"total": total, "parts": [part for part in parts if part["count"]]}


class SecretWidget(UnfoldAdminTextInputWidget):
    """Input that hides its value until revealed; only for users who may read it."""

    class Media:
        js = [forms.Script("portal/secrets.js", type="module")]

    def __init__(self) -> None:
        super().__init__(
            attrs={"data-secret": "", "autocomplete": "off", "spellcheck": "false"}
        )
