"""The settings of one process: the definitions list them, this module holds them together and says what is missing."""

from typing import Any, Self

from pydantic import SecretStr, model_validator

from orcid_sync.settings.consistency import broken_demands
from orcid_sync.settings.definitions_tuning import Definitions
from orcid_sync.settings.environments import HOSTS, Hosts, home_of
from orcid_sync.settings.values import decode_key


class ConfigurationError(Exception):
    """The settings cannot be used. The message has one sentence per problem, each says what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(Definitions):
    """All settings of one process; unchangeable. `load_settings` gathers them, `Settings(…)` takes what it is given."""

    @model_validator(mode="before")
    @classmethod
    def _know_the_hosts(cls, given: dict[str, Any]) -> dict[str, Any]:
        hosts = HOSTS.get(str(given.get("environment", "sandbox")), Hosts())
        return {"api_url": hosts.api, "web_url": hosts.web} | given

    @model_validator(mode="after")
    def _demand_what_belongs_together(self) -> Self:
        if problems := broken_demands(self):
            raise ValueError("\n".join(problems))
        return self

    @property
    def home(self) -> str | None:
        """The environment of ORCID's whose iDs we speak of; None if it is not ORCID's."""
        return home_of(self.environment, self.api_url)

    @property
    def needed_to_serve(self) -> tuple[str, ...]:
        """Names of the settings without which the service cannot run."""
        always = ("client_id", "client_secret", "encryption_key")
        return (*always, "public_url", "webhook_secret") if self.webhooks else always

    @property
    def has_public_side(self) -> bool:
        """Whether anything is offered to the internet: to ORCID, or to people's browsers."""
        return self.webhooks or bool(self.public_url)

    def require(self, *names: str) -> None:
        """Raise ConfigurationError that names each of the settings that has no value."""
        if missing := [name for name in names if not getattr(self, name)]:
            raise ConfigurationError(
                [f"{name}: is missing; set it as ORCID_SYNC_{name.upper()} or in config.toml." for name in missing]
            )

    @property
    def key_ring(self) -> dict[str, bytes]:
        """The encryption keys by their ids, the present one first. Raises ConfigurationError if it is not set."""
        self.require("encryption_key")
        present = {self.encryption_key_id: self.encryption_key or SecretStr("")}
        return {key_id: decode_key(key) for key_id, key in (present | (self.old_encryption_keys or {})).items()}
