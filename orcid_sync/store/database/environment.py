"""Which ORCID Registry this database is a mirror of: iDs, tokens and webhooks of one mean nothing in another (F45)."""

from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class WrongEnvironment(Exception):
    """The database belongs to another ORCID environment than the settings."""

    def __init__(self, ours: str, given: str) -> None:
        super().__init__(
            f"This database mirrors ORCID's {ours}, but environment is {given}. iDs and tokens of one are not those of "
            f"the other: set environment back, or give {given} a database of its own (database_url)."
        )


async def settle(connection: AnyConnection, environment: str) -> None:
    """Say that this database is of that environment, if nothing was said before. Raises WrongEnvironment."""
    await load_queries(__file__).settle(connection, name=environment)
    await demand(connection, environment)


async def demand(connection: AnyConnection, environment: str) -> None:
    """Look whether the database is of that environment, or of none yet. Raises WrongEnvironment."""
    ours = await load_queries(__file__).load(connection)
    if ours not in (None, environment):
        raise WrongEnvironment(ours, environment)
