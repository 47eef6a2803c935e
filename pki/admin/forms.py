"""Forms of CAs and certificates; extensions are stored as OpenWISP's JSON."""

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    RuleForm,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)
from pki.engine import keys
from pki.models import Ca, Cert, Reason

PURPOSES = {
    "": _("Anything"),
    "clientAuth": _("A client, such as a device that connects to a VPN"),
    "serverAuth": "A server",
    "serverAuth,clientAuth": _("Both, such as a mesh node"),
}
MOST_LINES = 64
NO_COMPLETION = {"autocomplete": "new-password"}


def area(rows: int) -> UnfoldAdminTextareaWidget:
    return UnfoldAdminTextareaWidget(attrs={"rows": rows, "spellcheck": "false"})


class CertifiedForm(RuleForm):
    """Form of a new CA or certificate, created here or imported."""

    key_length = forms.ChoiceField(
        label=_("Key"),
        choices=[(kind, keys.describe(kind)) for kind in keys.KINDS],
        initial="256",
        widget=UnfoldAdminSelectWidget,
        help_text=_("ECDSA is fast on small devices. RSA also works on very old ones."),
    )
    digest = forms.ChoiceField(
        choices=[(name, name.upper()) for name in keys.DIGESTS],
        initial="sha256",
        widget=UnfoldAdminSelectWidget,
    )
    more_extensions = forms.CharField(
        required=False,
        widget=area(2),
        help_text=_(
            "One extension per line, in OpenSSL's syntax, such as keyUsage = critical, digitalSignature."
        ),
    )
    certificate = forms.CharField(
        required=False,
        widget=area(4),
        help_text=_("PEM. The certificates of the issuers may follow."),
    )
    private_key = forms.CharField(required=False, widget=area(4), help_text=_("PEM."))
    passphrase = forms.CharField(
        required=False,
        strip=False,
        max_length=64,
        widget=UnfoldAdminPasswordWidget(attrs=NO_COMPLETION),
        help_text=_("Passphrase of the private key, if it has one."),
    )

    life: str | Promise

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["validity_end"].required = False
        self.fields["validity_end"].help_text = gettext(
            "Left empty, it is good for %(life)s."
        ) % {"life": self.life}

    def clean_more_extensions(self) -> list[dict[str, Any]]:
        lines = [
            line for line in self.cleaned_data["more_extensions"].splitlines() if line.strip()
        ]
        if len(lines) > MOST_LINES:
            raise forms.ValidationError(
                gettext("At most %(most_lines)s lines.") % {"most_lines": MOST_LINES}
            )
        return [_extension(line) for line in lines]

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        extensions = values.pop("more_extensions")
        for name, key in (("purpose", "extendedKeyUsage"), ("names", "subjectAltName")):
            if value := values.pop(name, ""):
                extensions.append({"name": key, "value": value, "critical": False})
        if self.cleaned_data.get("certificate") or self.cleaned_data.get("private_key"):
            # The key kind of an import is read from the certificate.
            values.pop("key_length")
        given = {name: value for name, value in values.items() if value not in (None, "")}
        return given | {"extensions": extensions, "organization": values["organization"]}

    def as_form_error(self, error: Any) -> forms.ValidationError:
        if "extensions" in error.by_field:
            texts = error.by_field["extensions"]
            return forms.ValidationError({"more_extensions": texts})
        return super().as_form_error(error)


class CaForm(CertifiedForm):
    life: str | Promise = _("ten years")

    class Meta:
        model = Ca
        fields = [
            "name", "organization", "issuer", "notes", "auto_renew", "common_name",
            "country_code", "state", "city", "organization_name", "organizational_unit_name",
            "email", "validity_end",
        ]  # fmt: skip

    def clean_issuer(self) -> Ca | None:
        issuer: Ca | None = self.cleaned_data["issuer"]
        if issuer is not None and not type(self).may_in(issuer.owner_id):
            raise forms.ValidationError(gettext("You may not sign authorities with this one."))
        return issuer


class CertForm(CertifiedForm):
    life: str | Promise = _("a year")

    purpose = forms.ChoiceField(
        choices=list(PURPOSES.items()), required=False, widget=UnfoldAdminSelectWidget
    )
    names = forms.CharField(
        label=_("Host names and addresses"),
        required=False,
        widget=area(2),
        help_text=_("Names that clients check, such as DNS:vpn.example.org, IP:192.0.2.1."),
    )

    class Meta:
        model = Cert
        fields = [
            "name", "organization", "ca", "notes", "auto_renew", "common_name",
            "country_code", "state", "city", "organization_name", "organizational_unit_name",
            "email", "validity_end",
        ]  # fmt: skip

    def clean_names(self) -> str:
        """Parse names by lines or commas. Names without a type prefix are DNS names."""
        words = self.cleaned_data["names"].replace("\n", ",").split(",")
        found = [word.strip() for word in words if word.strip()]
        return ",".join(word if ":" in word else f"DNS:{word}" for word in found)


class RenewForm(forms.Form):
    keep_key = forms.BooleanField(
        label=_("Keep the key"),
        required=False,
        help_text=_("The same key with a new certificate."),
    )


class RevokeForm(forms.Form):
    reason = forms.ChoiceField(choices=Reason, widget=UnfoldAdminSelectWidget)


class Pkcs12Form(forms.Form):
    passphrase = forms.CharField(
        min_length=4,
        max_length=64,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs=NO_COMPLETION),
        help_text=_("Needed to open the file. The portal does not store it."),
    )


def _extension(line: str) -> dict[str, Any]:
    name, found, value = (part.strip() for part in line.partition("="))
    if not found or not value:
        raise forms.ValidationError(
            gettext("%(line)s: write name = value.") % {"line": line[:80]}
        )
    words = [word.strip() for word in value.split(",")]
    critical = words[0] == "critical"
    key = "oid" if name[:1].isdigit() else "name"
    return {
        key: name,
        "value": ",".join(words[1:]) if critical else value,
        "critical": critical,
    }
