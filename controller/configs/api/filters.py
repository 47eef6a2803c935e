import json

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter, visible_organizations
from controller.accounts.models import Version
from controller.configs.models import Backend, Rollout, Snapshot, Template
from controller.devices.models import Enrollment
from controller.dialects.filters import MomentFilter


class TemplateFilter(OwnedFilter):
    backend = filters.ChoiceFilter(choices=Backend.choices)
    type = filters.ChoiceFilter(choices=Template.Type.choices)
    default = filters.BooleanFilter()
    required = filters.BooleanFilter()
    tags = filters.CharFilter(method="by_tags", help_text="A tag, or several with commas.")

    class Meta:
        model = Template
        fields: list[str] = []

    def by_tags(self, rows: QuerySet[Template], _: str, value: str) -> QuerySet[Template]:
        rows = rows.annotate(tag_text=Cast("tags", TextField()))
        for tag in filter(None, (one.strip() for one in value.split(","))):
            rows = rows.filter(tag_text__contains=json.dumps(tag))
        return rows


class SnapshotFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "config__device__organization", queryset=visible_organizations
    )
    state = filters.ChoiceFilter(choices=Snapshot.State.choices)
    is_current = filters.BooleanFilter()
    checksum = filters.CharFilter()

    class Meta:
        model = Snapshot
        fields: list[str] = []


class RolloutFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(
        "template__organization", queryset=visible_organizations
    )
    template = filters.UUIDFilter("template_id")
    state = filters.ChoiceFilter(choices=Rollout.State.choices)

    class Meta:
        model = Rollout
        fields: list[str] = []


class EnrollmentFilter(OwnedFilter):
    state = filters.ChoiceFilter(choices=Enrollment.State.choices)
    fingerprint = filters.CharFilter()
    mac_address = filters.CharFilter()

    class Meta:
        model = Enrollment
        fields: list[str] = []


class VersionFilter(filters.FilterSet):
    organization = filters.ModelChoiceFilter(queryset=visible_organizations)
    row = filters.UUIDFilter(help_text="The id of the device, template, group or server.")
    verb = filters.ChoiceFilter(choices=Version.Verb.choices)
    at__gte = MomentFilter("at", "gte")
    at__lt = MomentFilter("at", "lt")

    class Meta:
        model = Version
        fields: list[str] = []
