from typing import Any

from rest_framework import serializers

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.dialects.fields import SecretCharField
from controller.dialects.masking import MasksSecrets
from controller.dialects.openapi.shapes import OBJECTS
from pki.engine import keys
from pki.models import Ca, Cert, Reason

# Key sizes and digests allowed for imports; the rule rejects them for new certificates.
KEY_LENGTHS = {**keys.KINDS, "1024": "1024 (RSA)"}
DIGESTS = (*keys.OLD_DIGESTS, *keys.DIGESTS)
LONGEST_SERIAL = 48

DESCRIPTION = ["id", "name", "organization"]
SIGNED = [
    "key_length", "digest", "validity_start", "validity_end", "country_code", "state", "city",
    "organization_name", "organizational_unit_name", "email", "common_name", "extensions",
    "serial_number", "certificate", "private_key",
]  # fmt: skip
DATES = ["created", "modified"]


class CertifiedSerializer(MasksSecrets, serializers.ModelSerializer[Any]):
    """Common fields of CAs and certificates on creation and import."""

    shapes = {"extensions": OBJECTS}

    key_length = serializers.ChoiceField(
        choices=sorted(KEY_LENGTHS.items(), key=lambda item: (len(item[0]), item[0])),
        required=False, help_text="bits, or the kind of key",
    )  # fmt: skip
    digest = serializers.ChoiceField(
        choices=[(name, name.upper()) for name in DIGESTS], required=False
    )
    validity_start = serializers.DateTimeField(required=False, allow_null=True)
    validity_end = serializers.DateTimeField(required=False, allow_null=True)
    extensions = serializers.JSONField(
        required=False, help_text="additional x509 certificate extensions"
    )
    serial_number = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=LONGEST_SERIAL,
        help_text="leave blank to determine automatically",
    )  # fmt: skip
    certificate = serializers.CharField(
        required=False, allow_blank=True, help_text="certificate in X.509 PEM format"
    )
    private_key = SecretCharField(
        required=False, allow_blank=True, help_text="private key in X.509 PEM format"
    )
    passphrase = serializers.CharField(
        required=False, allow_blank=True, write_only=True, max_length=64, trim_whitespace=False,
        help_text="Passphrase for the private key, if present",
    )  # fmt: skip
    auto_renew = serializers.BooleanField(required=False, write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("certificate", "private_key") if attrs.get(name)]
        if len(given) == 1:
            (missing,) = {"certificate", "private_key"} - set(given)
            raise serializers.ValidationError({missing: ["An import needs both, key and PEM."]})
        return attrs


class CaSerializer(CertifiedSerializer):
    organization = OrganizationField(allow_null=True)
    issuer = VisibleRelatedField(
        queryset=Ca.objects.all(), required=False, allow_null=True, write_only=True,
        help_text="For an intermediate: the authority that vouches for it.",
    )  # fmt: skip

    class Meta:
        model = Ca
        fields = [
            *DESCRIPTION, "notes", *SIGNED, "passphrase", "auto_renew", "issuer", *DATES,
        ]  # fmt: skip
        # The rules check uniqueness and report it on the field.
        validators: list[Any] = []
        extra_kwargs = {"common_name": {"required": False}}


class CertSerializer(CertifiedSerializer):
    # Omitted means shared, which requires permission.
    organization = OrganizationField(allow_null=True, default=None)
    ca = VisibleRelatedField(queryset=Ca.objects.all())

    class Meta:
        model = Cert
        fields = [
            *DESCRIPTION, "ca", "notes", "revoked", "revoked_at", *SIGNED, "passphrase",
            "auto_renew", *DATES,
        ]  # fmt: skip
        read_only_fields = ["revoked", "revoked_at"]
        validators: list[Any] = []
        extra_kwargs = {"common_name": {"required": False}}


class SignedSerializer(CertifiedSerializer):
    """Existing CA or certificate: only unsigned fields can be changed."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in SIGNED:
            fields[name].read_only = True
        return fields


class CaDetail(SignedSerializer):
    organization = OrganizationField(allow_null=True, required=False)

    class Meta:
        model = Ca
        fields = [*DESCRIPTION, "notes", *SIGNED, "auto_renew", "enrollment", *DATES]
        validators: list[Any] = []
        # Responses keep the key names that clients know.
        extra_kwargs = {"enrollment": {"write_only": True}}


class CertDetail(SignedSerializer):
    organization = OrganizationField(allow_null=True, required=False)

    class Meta:
        model = Cert
        fields = [
            *DESCRIPTION, "ca", "notes", "revoked", "revoked_at", *SIGNED, "auto_renew", *DATES,
        ]  # fmt: skip
        read_only_fields = ["ca", "revoked", "revoked_at"]
        validators: list[Any] = []


class Renewal(serializers.Serializer[Any]):
    keep_key = serializers.BooleanField(
        default=False, help_text="The same key again, with a new certificate."
    )


class Revocation(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=Reason.choices, default=Reason.UNSPECIFIED)
