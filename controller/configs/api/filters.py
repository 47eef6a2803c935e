from django_filters import rest_framework as filters

from controller.configs.models import Backend, Template
from controller.devices.api.filters import OwnedFilter


class TemplateFilter(OwnedFilter):
    backend = filters.ChoiceFilter(choices=Backend.choices)
    type = filters.ChoiceFilter(choices=Template.Type.choices)
    default = filters.BooleanFilter()
    required = filters.BooleanFilter()

    class Meta:
        model = Template
        fields: list[str] = []
