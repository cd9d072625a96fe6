"""Runs of the past: one that was carried, many times over, each a while before the next."""

import datetime
import sqlite3
from collections.abc import Callable
from pathlib import Path

from compare import Server

TABLES = {"run": "id", "run_pinned": "run_id", "step": "run_id", "run_event": "run_id"}
IDS = ("id", "run_id", "deployment_id")
# A year holds a million of them.
SECONDS_APART = 30
AT_A_TIME = 10_000
# On PostgreSQL, with its indexes; SQLite takes less.
BYTES_PER_RUN = 8_000

POSTGRES_FUNCTIONS = f"""
create or replace function past_time(at timestamptz, n bigint) returns timestamptz language sql immutable as
  $$ select at - n * interval '{SECONDS_APART} seconds' $$;
create or replace function past_id(at timestamptz, n bigint) returns uuid language sql immutable as
  $$ select (lpad(to_hex((extract(epoch from at) * 1000)::bigint - n * {SECONDS_APART * 1000}), 12, '0')
             || '70008000' || lpad(to_hex(n), 12, '0'))::uuid $$;
"""


def past_time(at: str | None, n: int) -> str | None:
    """Times are kept to the nanosecond, which Python does not know."""
    if at is None:
        return None
    second = datetime.datetime.fromisoformat(at[:19]) - datetime.timedelta(seconds=n * SECONDS_APART)
    return second.isoformat() + at[19:]


def past_id(at: str, n: int) -> bytes:
    """As PostgreSQL makes it above: ids begin with their time, so that they lie in its order."""
    second = datetime.datetime.fromisoformat(at[:19]).replace(tzinfo=datetime.timezone.utc)
    milliseconds = round(second.timestamp() * 1000) - n * SECONDS_APART * 1000
    return bytes.fromhex(f"{milliseconds:012x}70008000{n:012x}")


def copying(table: str, columns: list[str], first: int, last: int) -> str:
    """The statement that writes the rows of a table for so many past runs, the oldest first."""
    def past(column: str) -> str:
        if column in IDS:
            return "past_id(model.created_at, n)"
        if column == "at" or column.endswith("_at"):
            return f"past_time(t.{column}, n)"
        return f"t.{column}"

    return f"""
        with recursive past(n) as (select {last} union all select n - 1 from past where n > {first}),
        model as (select id, created_at from run where ended_at is not null order by created_at desc limit 1)
        insert into {table} ({", ".join(columns)})
        select {", ".join(map(past, columns))}
        from past cross join model join {table} t on t.{TABLES[table]} = model.id
        order by n desc;"""


def fill(runs: int, columns_of: Callable[[str], list[str]], tell: Callable[[str], object]) -> None:
    columns = {table: columns_of(table) for table in TABLES}
    for last in range(runs, 0, -AT_A_TIME):
        first = max(1, last - AT_A_TIME + 1)
        tell("".join(copying(table, columns[table], first, last) for table in TABLES))


def fill_postgres(server: Server, database: str, runs: int) -> None:
    def columns_of(table: str) -> list[str]:
        asked = "select column_name from information_schema.columns where table_schema = 'public' and table_name = "
        return server.ask(database, f"{asked} '{table}' order by ordinal_position").splitlines()

    server.ask(database, POSTGRES_FUNCTIONS)
    fill(runs, columns_of, lambda statements: server.ask(database, f"set synchronous_commit = off; {statements}"))
    server.ask(database, "vacuum analyze")
    server.ask(database, "checkpoint")


def fill_sqlite(file: Path, runs: int) -> None:
    database = sqlite3.connect(file)
    database.create_function("past_time", 2, past_time, deterministic=True)
    database.create_function("past_id", 2, past_id, deterministic=True)

    def columns_of(table: str) -> list[str]:
        return [column for _, column, *_ in database.execute(f"pragma table_info({table})")]

    fill(runs, columns_of, database.executescript)
    database.execute("pragma wal_checkpoint(truncate)")
    database.close()
