from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter, visible_organizations
from controller.notifications.models import (
    KIND_CHOICES,
    Delivery,
    Notification,
    Preference,
    Webhook,
)


class NotificationFilter(filters.FilterSet):
    unread = filters.BooleanFilter()
    organization = filters.ModelChoiceFilter(
        field_name="notice__organization", queryset=visible_organizations
    )
    type = filters.ChoiceFilter(field_name="notice__kind", choices=KIND_CHOICES)

    class Meta:
        model = Notification
        fields: list[str] = []


class PreferenceFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(queryset=visible_organizations)
    organization_slug = filters.CharFilter("organization__slug")
    type = filters.ChoiceFilter(field_name="kind", choices=KIND_CHOICES)

    class Meta:
        model = Preference
        fields: list[str] = []


class WebhookFilter(OwnedFilter):
    is_active = filters.BooleanFilter()

    class Meta:
        model = Webhook
        fields: list[str] = []


class DeliveryFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        field_name="webhook__organization", queryset=visible_organizations
    )
    webhook = filters.UUIDFilter("webhook")
    state = filters.ChoiceFilter(choices=Delivery.State.choices)

    class Meta:
        model = Delivery
        fields: list[str] = []
