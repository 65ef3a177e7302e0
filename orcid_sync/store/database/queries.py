"""The named queries of the `.sql` files beside the modules of the store."""

from functools import cache
from pathlib import Path
from typing import Any

import aiosql
from aiosql.adapters.asyncpg import AsyncPGAdapter


@cache
def load_queries(module_file: str) -> Any:
    """The named queries of the `.sql` file beside a module, as methods (hence Any: aiosql makes them at run time).

    `module_file` is the module's `__file__`.
    """
    return aiosql.from_path(Path(module_file).with_suffix(".sql"), _Direct, mandatory_parameters=False)


class _Direct(AsyncPGAdapter):
    """aiosql's adapter for connections alone.

    The original also takes pools, and to tell them apart it lists all attributes of what it got, at every query: 70 µs.
    """

    async def select(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:  # noqa: ARG002 - aiosql's
        """All rows."""
        for row in await conn.fetch(sql, *self._in_order(query_name, parameters)):
            yield row

    async def select_one(self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None) -> Any:  # noqa: ARG002 - aiosql's
        """The first row, None if there is none."""
        return await conn.fetchrow(sql, *self._in_order(query_name, parameters))

    async def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        """The first value of the first row."""
        return await conn.fetchval(sql, *self._in_order(query_name, parameters))

    async def insert_update_delete(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        """The command's status."""
        return await conn.execute(sql, *self._in_order(query_name, parameters))

    def _in_order(self, query_name: str, parameters: Any) -> list[Any]:
        names: list[str] = self.var_sorted[query_name]
        return [parameters[name] for name in names] if isinstance(parameters, dict) else list(parameters)
