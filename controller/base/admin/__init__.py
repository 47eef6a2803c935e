"""Admin base classes whose writes call rules."""

from controller.base.admin.inlines import RuleStackedInline, RuleTabularInline
from controller.base.admin.pages import SecretWidget, admin_url, badge, local_time, stacked_bar
from controller.base.admin.permissions import ScopedRelatedFilter
from controller.base.admin.rule_admin import OwnTransactions, RuleAdmin, rule_attributes
from controller.base.admin.scoped import RecordAdmin, ScopedAdmin
from controller.base.admin.unfold import (
    AdminPasswordChangeForm,
    AuthenticationForm,
    ChoicesCheckboxFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    ExportForm,
    ImportForm,
    ModelAdmin,
    RelatedDropdownFilter,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UserChangeForm,
    UserCreationForm,
    action,
    display,
)
from controller.base.changelist import LateJoinPaginator
from controller.base.forms import RuleForm

__all__ = [
    "AdminPasswordChangeForm",
    "AuthenticationForm",
    "ChoicesCheckboxFilter",
    "ChoicesDropdownFilter",
    "DropdownFilter",
    "ExportForm",
    "ImportForm",
    "LateJoinPaginator",
    "ModelAdmin",
    "OwnTransactions",
    "RecordAdmin",
    "RelatedDropdownFilter",
    "RuleAdmin",
    "RuleForm",
    "RuleStackedInline",
    "RuleTabularInline",
    "ScopedAdmin",
    "ScopedRelatedFilter",
    "SecretWidget",
    "UnfoldAdminCheckboxSelectMultipleWidget",
    "UnfoldAdminFileFieldWidget",
    "UnfoldAdminPasswordWidget",
    "UnfoldAdminSelectWidget",
    "UnfoldAdminTextInputWidget",
    "UnfoldAdminTextareaWidget",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "admin_url",
    "badge",
    "display",
    "local_time",
    "rule_attributes",
    "stacked_bar",
]
