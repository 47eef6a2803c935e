"""Permissions of admin pages by the user's roles."""

from typing import Any

from django.http import HttpRequest

from controller.base.admin.unfold import RelatedDropdownFilter


class Permissions:
    """Admin permissions derived from the user's role in the row's organization."""

    resource: str
    model: Any
    admin_site: Any

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        user: Any = request.user
        permission = f"{self.resource}:{verb}"
        if not user.is_authenticated:
            return False
        if obj is None or obj._state.adding:
            return bool(user.has_perm_anywhere(permission))
        return bool(user.has_perm_on(permission, obj))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "read")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "read", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "create", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "delete", obj)

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        rows = db_field.remote_field.model._default_manager.all()
        if "queryset" not in kwargs and hasattr(rows, "visible_to"):
            kwargs["queryset"] = rows.visible_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class ScopedRelatedFilter(RelatedDropdownFilter):
    """Filter that offers only the related rows visible to the user."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        visible = field.remote_field.model._default_manager.visible_to(request.user)
        return field.get_choices(include_blank=False, limit_choices_to={"pk__in": visible})
