"""What a cursor says and fetches: descriptions, counts, pages, many statements at once."""

import decimal

import pyignite_dbapi
import pytest
from conftest import eventually, rows, run


@pytest.fixture
def numbers(connection, table):
    """A table of 5,000 rows, filled by one batch."""
    name = table("ID INT PRIMARY KEY, V VARCHAR")
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {name} VALUES (?, ?)", [[i, f"row {i}"] for i in range(5000)])
    return name


def test_pages_of_many_rows(connection, numbers):
    found = rows(connection, f"SELECT ID, V FROM {numbers} ORDER BY ID")
    assert found == [(i, f"row {i}") for i in range(5000)]


@pytest.mark.parametrize("page_size", [1, 7, 1000, 5000, 5001])
def test_pages_of_any_size(connect, numbers, page_size):
    connection = connect(page_size=page_size)
    limit = 50 if page_size == 1 else 5000
    eventually(connection, f"SELECT ID FROM {numbers} ORDER BY ID LIMIT {limit}", [(i,) for i in range(limit)])


def test_ways_to_fetch(cursor, numbers):
    cursor.execute(f"SELECT ID FROM {numbers} ORDER BY ID")
    assert tuple(cursor.fetchone()) == (0,)
    assert cursor.rownumber == 1
    assert [tuple(row) for row in cursor.fetchmany(3)] == [(1,), (2,), (3,)]
    assert len(cursor.fetchmany()) == 1
    cursor.arraysize = 2000
    assert len(cursor.fetchmany()) == 2000
    assert len(cursor.fetchall()) == 2995
    assert cursor.fetchone() is None
    assert cursor.fetchall() == []


def test_a_cursor_is_an_iterator(cursor, numbers):
    cursor.execute(f"SELECT ID FROM {numbers} WHERE ID < 3 ORDER BY ID")
    assert [row[0] for row in cursor] == [0, 1, 2]


def test_a_new_statement_leaves_the_old_rows(cursor, numbers):
    cursor.execute(f"SELECT ID FROM {numbers}")
    cursor.fetchone()
    cursor.execute(f"SELECT COUNT(*) FROM {numbers}")
    assert tuple(cursor.fetchone()) == (5000,)


def test_cursors_of_one_connection_side_by_side(connection, numbers):
    first, second = connection.cursor(), connection.cursor()
    first.execute(f"SELECT ID FROM {numbers} ORDER BY ID")
    second.execute(f"SELECT ID FROM {numbers} ORDER BY ID DESC")
    for i in range(5000):
        assert first.fetchone()[0] == i
        assert second.fetchone()[0] == 4999 - i
    first.close()
    second.close()


def test_an_open_cursor_keeps_its_rows(connection, numbers):
    cursor = connection.cursor()
    cursor.execute(f"SELECT ID FROM {numbers} ORDER BY ID")
    assert cursor.fetchone()[0] == 0
    assert run(connection, f"DELETE FROM {numbers}") == 5000
    assert len(cursor.fetchall()) == 4999


def test_no_rows(cursor, numbers):
    cursor.execute(f"SELECT * FROM {numbers} WHERE FALSE")
    assert [column.name for column in cursor.description] == ["ID", "V"]
    assert cursor.fetchone() is None


def test_description(cursor, table):
    name = table(
        "ID INT PRIMARY KEY, B BOOLEAN, I8 TINYINT, I64 BIGINT, F REAL, D DOUBLE, N DECIMAL(10, 2), S VARCHAR(20),"
        " X VARBINARY(5), U UUID, DT DATE, T TIME(3), TS TIMESTAMP(6), NN INT NOT NULL"
    )
    cursor.execute(f"SELECT * FROM {name}")
    found = {column.name: (column.type_code, column.precision, column.scale, column.null_ok) for column in cursor.description}
    undefined = -2147483648
    assert found == {
        "ID": (int, 10, 0, False),
        "B": (bool, 1, undefined, True),
        "I8": (int, 3, 0, True),
        "I64": (int, 19, 0, True),
        "F": (float, 7, undefined, True),
        "D": (float, 15, undefined, True),
        "N": (decimal.Decimal, 10, 2, True),
        "S": (str, 20, undefined, True),
        "X": (bytes, 5, undefined, True),
        "U": (pyignite_dbapi.UUID, -1, undefined, True),
        "DT": (pyignite_dbapi.DATE, 0, undefined, True),
        "T": (pyignite_dbapi.TIME, 3, undefined, True),
        "TS": (pyignite_dbapi.DATETIME, 6, undefined, True),
        "NN": (int, 10, 0, False),
    }


def test_names_of_expressions(cursor, table):
    name = table("ID INT PRIMARY KEY, V VARCHAR")
    cursor.execute(f"SELECT 1, 'Lorem Ipsum', id, id+1, COUNT(*), MAX(v), v || 'x', id AS other, -id FROM {name} GROUP BY id, v")
    names = [column.name for column in cursor.description]
    assert names == ["1", "'Lorem Ipsum'", "ID", "ID + 1", "COUNT(*)", "MAX(V)", "EXPR$6", "OTHER", "EXPR$8"]


def test_counts(connection, table):
    name = table("ID INT PRIMARY KEY, V INT")
    assert run(connection, f"INSERT INTO {name} VALUES (1, 1), (2, 2), (3, 3)") == 3
    assert run(connection, f"UPDATE {name} SET V = V + 1 WHERE ID > 1") == 2
    assert run(connection, f"UPDATE {name} SET V = 0 WHERE ID = 99") == 0
    assert run(connection, f"DELETE FROM {name} WHERE ID = 1") == 1
    assert run(connection, f"DELETE FROM {name}") == 2
    assert run(connection, f"INSERT INTO {name} SELECT X, X FROM TABLE(SYSTEM_RANGE(1, 100))") == 100


def test_dml_and_ddl_have_no_rows(cursor, table):
    name = table()
    for text in [f"INSERT INTO {name} VALUES (1, 'a')", f"CREATE TABLE IF NOT EXISTS {name} (ID INT PRIMARY KEY)"]:
        cursor.execute(text)
        assert cursor.description is None
        with pytest.raises(pyignite_dbapi.InterfaceError):
            cursor.fetchone()
    cursor.execute(f"SELECT V FROM {name}")
    assert [tuple(row) for row in cursor.fetchall()] == [("a",)]


def test_many_statements_at_once(connection, table):
    name = table("ID INT PRIMARY KEY, V VARCHAR")
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {name} VALUES (?, ?)", [[1, "a"], [2, None], [3, "😀"]])
        assert cursor.rowcount == 3
        cursor.executemany(f"UPDATE {name} SET V = ? WHERE ID >= ?", [["x", 2], ["y", 3], ["z", 9]])
        assert cursor.rowcount == 3
    assert rows(connection, f"SELECT * FROM {name} ORDER BY ID") == [(1, "a"), (2, "x"), (3, "y")]


def test_a_batch_that_fails_keeps_what_came_before(connection, table):
    name = table("ID INT PRIMARY KEY, V INT")
    with connection.cursor() as cursor, pytest.raises(pyignite_dbapi.IntegrityError):
        cursor.executemany(f"INSERT INTO {name} VALUES (?, ?)", [[1, 1], [2, 2], [1, 3], [4, 4]])
    assert rows(connection, f"SELECT ID FROM {name} ORDER BY ID") == [(1,), (2,)]


def test_schema_of_the_connection(connect, connection):
    run(connection, "DROP SCHEMA IF EXISTS PY_SCHEMA CASCADE")
    run(connection, "CREATE SCHEMA PY_SCHEMA")
    other = connect(schema="PY_SCHEMA")
    run(other, "CREATE TABLE T (ID INT PRIMARY KEY)")
    run(other, "INSERT INTO T VALUES (5)")
    eventually(connection, "SELECT * FROM PY_SCHEMA.T", [(5,)])
    run(connection, "DROP SCHEMA PY_SCHEMA CASCADE")
