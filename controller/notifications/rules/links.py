"""Links to the objects of notices."""

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from controller.notifications.models import Notice


def path_to(notice: Notice) -> str:
    name = notice.object_type.replace(".", "_")
    try:
        return reverse(f"admin:{name}_change", args=[notice.object_id])
    except NoReverseMatch:
        return reverse("admin:index")


def link_to(notice: Notice) -> str:
    return f"{settings.MUSTER_PUBLIC_URL}{path_to(notice)}"
