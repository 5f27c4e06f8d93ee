"""Every type as a column, as a parameter and as a result, at its limits."""

import datetime
import decimal
import math
import uuid

import pytest
from conftest import rows, run

D = decimal.Decimal
DAY = datetime.date
TIME = datetime.time
STAMP = datetime.datetime

# Column type, a literal of it, the value that a client sees.
STORED = [
    ("BOOLEAN", "TRUE", True),
    ("BOOLEAN", "FALSE", False),
    ("TINYINT", "127", 127),
    ("TINYINT", "-128", -128),
    ("SMALLINT", "32767", 32767),
    ("SMALLINT", "-32768", -32768),
    ("INT", "2147483647", 2147483647),
    ("INT", "-2147483648", -2147483648),
    ("BIGINT", "9223372036854775807", 9223372036854775807),
    ("BIGINT", "-9223372036854775808", -9223372036854775808),
    ("REAL", "1.5", 1.5),
    ("REAL", "-3.4028234663852886e38", -3.4028234663852886e38),
    ("DOUBLE", "1.7976931348623157e308", 1.7976931348623157e308),
    ("DOUBLE", "0.1", 0.1),
    ("DECIMAL(10, 2)", "12345678.90", D("12345678.90")),
    ("DECIMAL(10, 2)", "-0.01", D("-0.01")),
    ("DECIMAL(5, 0)", "99999", D("99999")),
    ("DECIMAL(38, 10)", "1234567890123456789012345678.0123456789", D("1234567890123456789012345678.0123456789")),
    ("VARCHAR", "''", ""),
    ("VARCHAR", "'it''s'", "it's"),
    ("VARCHAR", "'ünïcödé 日本語 😀'", "ünïcödé 日本語 😀"),
    ("VARCHAR(3)", "'abc'", "abc"),
    ("VARBINARY", "X''", b""),
    ("VARBINARY", "X'80ff00'", b"\x80\xff\x00"),
    ("UUID", "CAST('00112233-4455-6677-8899-aabbccddeeff' AS UUID)", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    ("DATE", "DATE '2024-02-29'", DAY(2024, 2, 29)),
    ("DATE", "DATE '0001-01-01'", DAY(1, 1, 1)),
    ("DATE", "DATE '9999-12-31'", DAY(9999, 12, 31)),
    ("TIME(3)", "TIME '23:59:59.999'", TIME(23, 59, 59, 999000)),
    ("TIME", "TIME '00:00:01'", TIME(0, 0, 1)),
    ("TIMESTAMP", "TIMESTAMP '2024-02-29 10:20:30.123'", STAMP(2024, 2, 29, 10, 20, 30, 123000)),
    ("TIMESTAMP(0)", "TIMESTAMP '1969-12-31 23:59:59'", STAMP(1969, 12, 31, 23, 59, 59)),
]


@pytest.mark.parametrize("kind, literal, value", STORED)
def test_a_literal_comes_back(connection, table, kind, literal, value):
    name = table(f"ID INT PRIMARY KEY, V {kind}")
    assert run(connection, f"INSERT INTO {name} VALUES (1, {literal}), (2, NULL)") == 2
    found = rows(connection, f"SELECT V FROM {name} ORDER BY ID")
    assert found == [(value,), (None,)]
    assert type(found[0][0]) is type(value)


@pytest.mark.parametrize("kind, literal, value", STORED)
def test_what_was_read_can_be_written_and_found(connection, table, kind, literal, value):
    name = table(f"ID INT PRIMARY KEY, V {kind}")
    if kind == "DECIMAL(38, 10)":
        pytest.skip("a parameter of type DECIMAL has 28 digits")
    run(connection, f"INSERT INTO {name} VALUES (?, ?)", [1, value])
    run(connection, f"INSERT INTO {name} VALUES (2, ?)", [None])
    assert rows(connection, f"SELECT V FROM {name} ORDER BY ID") == [(value,), (None,)]
    assert rows(connection, f"SELECT ID FROM {name} WHERE V = {literal}") == [(1,)]
    if kind not in ("REAL",):
        assert rows(connection, f"SELECT ID FROM {name} WHERE V = ?", [value]) == [(1,)]


PARAMETERS = [
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    0.5,
    -1e300,
    "",
    "text",
    "😀 ' \" \\ \n \t",
    b"",
    b"\x80",
    bytes(range(256)),
    D("1.5"),
    D("-123456.654321"),
    D("0"),
    uuid.UUID(int=0),
    uuid.UUID(int=2**128 - 1),
    DAY(1970, 1, 1),
    DAY(2024, 2, 29),
    TIME(12, 34, 56),
    TIME(12, 34, 56, 789000),
    STAMP(2024, 2, 29, 12, 34, 56, 789000),
    None,
]


@pytest.mark.parametrize("value", PARAMETERS, ids=repr)
def test_a_parameter_comes_back(cursor, value):
    cursor.execute("SELECT ?", [value])
    assert cursor.fetchone()[0] == value


def test_not_a_number_and_infinities(connection):
    found = rows(connection, "SELECT ?, ?, ?", [float("nan"), float("inf"), float("-inf")])[0]
    assert math.isnan(found[0])
    assert found[1:] == (math.inf, -math.inf)


def test_long_values(connection, table):
    name = table("ID INT PRIMARY KEY, S VARCHAR(200000), X VARBINARY(200000)")
    text, data = "ж" * 100_000, b"\x80\x00" * 100_000
    run(connection, f"INSERT INTO {name} VALUES (1, ?, ?)", [text, data])
    assert rows(connection, f"SELECT S, X FROM {name}") == [(text, data)]


def test_many_parameters(connection):
    values = list(range(500))
    text = "SELECT " + ", ".join("?" * len(values))
    assert rows(connection, text, values) == [tuple(values)]


def test_local_time_zone_is_shown_in_the_servers_zone(connection, table):
    name = table("ID INT PRIMARY KEY, V TIMESTAMP(3) WITH LOCAL TIME ZONE")
    run(connection, f"INSERT INTO {name} VALUES (1, TIMESTAMP WITH LOCAL TIME ZONE '2024-02-29 10:20:30.123')")
    found = rows(connection, f"SELECT V, CAST(V AS VARCHAR) FROM {name}")
    assert found[0][1] == "2024-02-29 10:20:30.123 UTC"


def test_intervals(connection):
    assert rows(connection, "SELECT INTERVAL '1 02:03:04' DAY TO SECOND") == [
        (datetime.timedelta(days=1, hours=2, minutes=3, seconds=4),)
    ]
