"""Which of the settings are secrets, and their values: what is never shown."""

from orcid_sync.settings.settings import Settings


def secret_settings() -> list[str]:
    """Names of the settings whose values are never shown."""
    return [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]


def secret_values(settings: Settings) -> list[str]:
    """Every secret that is set, as it was given."""
    given = [getattr(settings, name) for name in secret_settings()]
    secrets = [one for value in given for one in (value.values() if isinstance(value, dict) else [value]) if one]
    return [secret.get_secret_value() for secret in secrets]
