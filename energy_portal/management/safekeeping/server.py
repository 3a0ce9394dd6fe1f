"""The database server around the portal's database: databases beside it, and the swap of two names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import psycopg
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql
from psycopg.conninfo import make_conninfo

from energy_portal.management.safekeeping import store
from energy_portal.management.safekeeping.errors import SafekeepingFailed

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

# A name may have 63 bytes; the rest is room for what we add.
_NAME_BYTES = 40
_MAINTENANCE_DATABASES = ("postgres", "template1")


@dataclass(frozen=True)
class Server:
    """Where the portal's database is, and how one connects."""

    database: str
    parameters: dict[str, str]

    @classmethod
    def configured(cls) -> "Server":
        """Read the settings of the portal's database."""
        known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
        found = cast("DatabaseWrapper", connections["default"]).get_connection_params()
        parameters = {name: str(value) for name, value in found.items() if name in known and value is not None}
        return cls(database=parameters.pop("dbname"), parameters=parameters)

    def beside(self, purpose: str) -> str:
        """Name a database beside the portal's."""
        start = self.database.encode()[:_NAME_BYTES].decode(errors="ignore")
        return f"{start}_{purpose}"

    @contextmanager
    def connect(self, database: str | None = None, *, autocommit: bool = False) -> Iterator[Connection]:
        """Have a connection in UTC within a block; by default to the portal's database.

        :raises SafekeepingFailed: the server does not answer, or refuses.
        """
        name = database or self.database
        try:
            connection = psycopg.connect(**self.parameters, dbname=name, autocommit=True)  # type: ignore[arg-type]
        except psycopg.OperationalError as error:
            raise SafekeepingFailed(f"The database {name} cannot be reached: {str(error).strip()}") from error
        with connection:
            connection.execute(store.IN_UTC)
            connection.autocommit = autocommit
            yield connection

    @contextmanager
    def maintained(self) -> Iterator["Maintenance"]:
        """Have a session beside the portal's database; only one at a time changes names or makes databases.

        :raises SafekeepingFailed: another backup command works here, or no database takes the session.
        """
        with self._maintenance_session() as session:
            (alone,) = session.execute(store.ONE_AT_A_TIME, [f"safekeeping of {self.database}"]).fetchone() or (False,)
            if not alone:
                raise SafekeepingFailed("Another restore or drill works on this server: wait for its end.")
            yield Maintenance(session, self.database)

    @contextmanager
    def _maintenance_session(self) -> Iterator[Connection]:
        refusals = []
        for name in _MAINTENANCE_DATABASES:
            try:
                session = psycopg.connect(**self.parameters, dbname=name, autocommit=True)  # type: ignore[arg-type]
            except psycopg.OperationalError as error:
                refusals.append(str(error).strip())
                continue
            with session:
                yield session
            return
        raise SafekeepingFailed("No database but the portal's takes a connection:\n" + "\n".join(refusals))

    def arguments(self, database: str) -> list[str]:
        """Say to a client program where a database is; the password goes by its environment."""
        shown = {name: value for name, value in self.parameters.items() if name != "password"}
        return [f"--dbname={make_conninfo(**shown, dbname=database)}", "--no-password"]

    def environment(self) -> dict[str, str]:
        """Return what libpq reads from the environment, and the password."""
        found = {name: value for name, value in os.environ.items() if name == "HOME" or name.startswith("PG")}
        password = self.parameters.get("password")
        return {**found, "PGPASSWORD": password} if password else found


class Maintenance:
    """A session that makes, drops and renames databases beside the portal's."""

    def __init__(self, session: Connection, database: str) -> None:
        self._session = session
        self._database = database

    def server_major(self) -> int:
        """Return the server's major version."""
        return self._session.info.server_version // 10_000

    def require_no_sessions(self) -> None:
        """Refuse while others are connected to the portal's database.

        :raises SafekeepingFailed: with their number.
        """
        (count,) = self._session.execute(store.OTHER_SESSIONS, [self._database]).fetchone() or (0,)
        if count:
            raise SafekeepingFailed(
                f"{count} connections to the database {self._database} are open: stop the portal first."
            )

    @contextmanager
    def fresh_database(self, name: str) -> Iterator[None]:
        """Have an empty database with the locale of the portal's; what still has the name at the end is dropped.

        :raises SafekeepingFailed: this user may not make one.
        """
        try:
            self.drop(name)
            (traits,) = self._session.execute(store.TRAITS, [self._database]).fetchone() or ({},)
            self._session.execute(_creation(name, traits))
        except psycopg.Error as error:
            raise SafekeepingFailed(f"The database {name} cannot be made: {str(error).strip()}") from error
        try:
            yield
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Drop a database of ours, if it is there."""
        self._session.execute(sql.SQL(store.DROP_DATABASE).format(name=sql.Identifier(name)))

    def drop_if_free(self, name: str) -> bool:
        """Drop a database of ours unless somebody connected to it; tell whether it is gone."""
        try:
            self.drop(name)
        except psycopg.Error:
            return False
        return True

    def swap(self, *, fresh: str, aside: str) -> None:
        """Put a database in the place of the portal's, which gets another name: both renames or neither.

        :raises SafekeepingFailed: somebody is connected to one of them.
        """
        rename = sql.SQL(store.RENAME_DATABASE)
        own = sql.Identifier(self._database)
        try:
            with self._session.transaction():
                self._session.execute(rename.format(name=own, new_name=sql.Identifier(aside)))
                self._session.execute(rename.format(name=sql.Identifier(fresh), new_name=own))
        except psycopg.Error as error:
            raise SafekeepingFailed(f"The restored database could not take its place: {str(error).strip()}") from error


def _creation(name: str, traits: dict[str, Any]) -> sql.Composed:
    """Write the statement that makes an empty database with the encoding and locale of another.

    :param traits: that other's row of pg_database; the names of its columns differ between versions.
    """
    options = {"ENCODING": traits["encoding_name"], "LC_COLLATE": traits["datcollate"], "LC_CTYPE": traits["datctype"]}
    provider = {"b": "builtin", "i": "icu"}.get(traits["datlocprovider"], "libc")
    locale = traits.get("datlocale") or traits.get("daticulocale")
    if provider != "libc" and locale:
        options[f"{provider.upper()}_LOCALE"] = locale
    return sql.SQL(store.CREATE_DATABASE).format(
        name=sql.Identifier(name),
        provider=sql.SQL(provider),
        options=sql.SQL(" ").join(
            sql.SQL("{} = {}").format(sql.SQL(option), sql.Literal(value)) for option, value in options.items()
        ),
    )
