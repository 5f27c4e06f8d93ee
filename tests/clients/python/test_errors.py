"""Which class of the module each failure raises, and that the connection stays good."""

import pyignite_dbapi as api
import pytest
from conftest import rows, run

# Class, text, a part of the message.
FAILURES = [
    (api.ProgrammingError, "SELEC 1", "Failed to parse query"),
    (api.ProgrammingError, "SELECT * FROM", "Failed to parse query"),
    (api.ProgrammingError, "SELECT 'abc", "Failed to parse query"),
    (api.ProgrammingError, "", "Failed to parse query"),
    (api.ProgrammingError, "SELECT * FROM NO_SUCH_TABLE", "NO_SUCH_TABLE"),
    (api.ProgrammingError, "SELECT NO_SUCH FROM {}", "NO_SUCH"),
    (api.ProgrammingError, "SELECT NO_SUCH(1)", "NO_SUCH"),
    (api.ProgrammingError, "SELECT ID, COUNT(*) FROM {}", "not being grouped"),
    (api.ProgrammingError, "SELECT ID FROM {} WHERE ID = 'a'", "Cannot apply"),
    (api.ProgrammingError, "CREATE TABLE {} (ID INT PRIMARY KEY)", "already exists"),
    (api.ProgrammingError, "DROP TABLE NO_SUCH_TABLE", "NO_SUCH_TABLE"),
    (api.ProgrammingError, "INSERT INTO {} (ID, NO_SUCH) VALUES (1, 1)", "NO_SUCH"),
    (api.ProgrammingError, "INSERT INTO {} (ID, S) VALUES (9, 'too long')", "Value too long"),
    (api.ProgrammingError, "SELECT 1; SELECT 2", "Multiple statements are not allowed"),
    (api.ProgrammingError, "COMMIT", ""),
    (api.ProgrammingError, "SELECT 1 / 0", "Division by zero"),
    (api.ProgrammingError, "SELECT CAST('a' AS INT)", ""),
    (api.ProgrammingError, "SELECT 2147483647 + 1", "out of range"),
    (api.ProgrammingError, "INSERT INTO {} (ID, T) VALUES (9, 128)", "out of range"),
    (api.ProgrammingError, "SELECT (SELECT X FROM TABLE(SYSTEM_RANGE(1, 2)))", "more than 1 value"),
    (api.IntegrityError, "INSERT INTO {} (ID) VALUES (1)", "PK unique constraint is violated"),
    (api.IntegrityError, "INSERT INTO {} (ID, V) VALUES (9, NULL)", "does not allow NULLs"),
    (api.IntegrityError, "INSERT INTO {} (ID) VALUES (NULL)", "does not allow NULLs"),
    (api.IntegrityError, "UPDATE {} SET V = NULL", "does not allow NULLs"),
]


@pytest.mark.parametrize("kind, text, message", FAILURES, ids=[text or "empty" for _, text, _ in FAILURES])
def test_failures(connection, table, kind, text, message):
    name = table("ID INT PRIMARY KEY, V INT NOT NULL DEFAULT 5, S VARCHAR(3), T TINYINT")
    run(connection, f"INSERT INTO {name} (ID) VALUES (1)")
    with pytest.raises(kind) as caught:
        run(connection, text.format(name))
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert rows(connection, f"SELECT * FROM {name}") == [(1, 5, None, None)]


def test_wrong_number_of_parameters(connection):
    for text, parameters in [("SELECT ?", None), ("SELECT ?", [1, 2]), ("SELECT 1", [1]), ("SELECT ?, ?", [1])]:
        with pytest.raises(api.ProgrammingError, match="Unexpected number of query parameters"):
            rows(connection, text, parameters)


def test_parameter_of_the_wrong_type(connection, table):
    name = table("ID INT PRIMARY KEY, V INT")
    with pytest.raises(api.ProgrammingError):
        rows(connection, f"SELECT * FROM {name} WHERE ID = ?", ["1"])
    with pytest.raises(api.ProgrammingError):
        run(connection, f"INSERT INTO {name} VALUES (1, ?)", ["1"])
    with pytest.raises(api.ProgrammingError):
        run(connection, f"INSERT INTO {name} VALUES (?, 1)", [2**40])
    assert rows(connection, f"SELECT * FROM {name}") == []


def test_unknown_parameter_class(cursor):
    with pytest.raises(api.Error):
        cursor.execute("SELECT ?", [object()])


def test_fetch_before_execute(cursor):
    with pytest.raises(api.InterfaceError):
        cursor.fetchone()


def test_closed_things(connect):
    connection = connect()
    cursor = connection.cursor()
    cursor.close()
    with pytest.raises(api.InterfaceError):
        cursor.execute("SELECT 1")
    connection.close()
    with pytest.raises(api.InterfaceError):
        connection.cursor()


def test_nobody_there(connect):
    with pytest.raises(api.Error):
        connect(to="127.0.0.1:1", timeout=3)


def test_query_that_takes_too_long(connect):
    connection = connect(timeout=1)
    with pytest.raises(api.Error):
        rows(connection, "SELECT COUNT(*) FROM TABLE(SYSTEM_RANGE(1, 1000000)) A, TABLE(SYSTEM_RANGE(1, 1000000)) B")
