"""Transactions with autocommit off, and connections beside each other."""

import pyignite_dbapi
import pytest
from conftest import eventually, rows, run


@pytest.fixture
def accounts(connection, table):
    """Three rows."""
    name = table("ID INT PRIMARY KEY, V INT NOT NULL")
    run(connection, f"INSERT INTO {name} VALUES (1, 10), (2, 20), (3, 30)")
    return name


@pytest.fixture
def manual(connect):
    """A connection with autocommit off."""
    return connect(autocommit=False)


def all_rows(connection, name):
    return rows(connection, f"SELECT ID, V FROM {name} ORDER BY ID")


def test_commit(connection, manual, accounts):
    run(manual, f"UPDATE {accounts} SET V = 11 WHERE ID = 1")
    run(manual, f"INSERT INTO {accounts} VALUES (4, 40)")
    run(manual, f"DELETE FROM {accounts} WHERE ID = 2")
    assert all_rows(manual, accounts) == [(1, 11), (3, 30), (4, 40)]
    assert all_rows(connection, accounts) == [(1, 10), (2, 20), (3, 30)]
    manual.commit()
    eventually(connection, f"SELECT ID, V FROM {accounts} ORDER BY ID", [(1, 11), (3, 30), (4, 40)])


def test_rollback(connection, manual, accounts):
    run(manual, f"UPDATE {accounts} SET V = V + 1")
    assert all_rows(manual, accounts) == [(1, 11), (2, 21), (3, 31)]
    manual.rollback()
    assert all_rows(manual, accounts) == [(1, 10), (2, 20), (3, 30)]
    manual.rollback()
    assert all_rows(connection, accounts) == [(1, 10), (2, 20), (3, 30)]


def test_the_next_statement_begins_anew(connection, manual, accounts):
    for value in range(5):
        run(manual, f"UPDATE {accounts} SET V = ? WHERE ID = 1", [value])
        manual.commit()
        eventually(connection, f"SELECT V FROM {accounts} WHERE ID = 1", [(value,)])


def test_commit_and_rollback_of_nothing(manual):
    manual.commit()
    manual.commit()
    manual.rollback()


def test_switching_autocommit(connection, accounts):
    assert connection.autocommit
    connection.autocommit = False
    assert not connection.autocommit
    run(connection, f"UPDATE {accounts} SET V = 0 WHERE ID = 1")
    connection.autocommit = True
    assert connection.autocommit
    assert rows(connection, f"SELECT V FROM {accounts} WHERE ID = 1") == [(0,)]


def test_own_writes_by_key_and_by_scan(manual, accounts):
    run(manual, f"INSERT INTO {accounts} VALUES (4, 40)")
    assert rows(manual, f"SELECT V FROM {accounts} WHERE ID = 4") == [(40,)]
    assert rows(manual, f"SELECT SUM(V), COUNT(*) FROM {accounts}") == [(100, 4)]
    run(manual, f"DELETE FROM {accounts} WHERE ID = 4")
    assert rows(manual, f"SELECT V FROM {accounts} WHERE ID = 4") == []


def test_batch_in_a_transaction(connection, manual, accounts):
    with manual.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {accounts} VALUES (?, ?)", [[i, i] for i in range(10, 20)])
    assert len(all_rows(connection, accounts)) == 3
    manual.commit()
    eventually(connection, f"SELECT COUNT(*) FROM {accounts}", [(13,)])


def test_a_conflict_ends_the_younger(connect, manual, accounts):
    younger = connect(autocommit=False)
    run(manual, f"UPDATE {accounts} SET V = 1 WHERE ID = 1")
    with pytest.raises(pyignite_dbapi.DatabaseError):
        run(younger, f"UPDATE {accounts} SET V = 2 WHERE ID = 1")
    with pytest.raises(pyignite_dbapi.DatabaseError):
        run(younger, f"UPDATE {accounts} SET V = 2 WHERE ID = 2")
    younger.rollback()
    manual.commit()
    run(younger, f"UPDATE {accounts} SET V = V + 1 WHERE ID = 1")
    younger.commit()
    assert rows(manual, f"SELECT V FROM {accounts} WHERE ID = 1") == [(2,)]


def test_readers_outside_see_what_is_committed(connection, manual, accounts):
    run(manual, f"UPDATE {accounts} SET V = 99 WHERE ID = 1")
    assert rows(connection, f"SELECT V FROM {accounts} WHERE ID = 1") == [(10,)]
    assert rows(connection, f"SELECT SUM(V) FROM {accounts}") == [(60,)]
    manual.rollback()


def test_a_mistake_in_the_text_leaves_the_transaction(connection, manual, accounts):
    run(manual, f"UPDATE {accounts} SET V = 99 WHERE ID = 1")
    for text in ["SELEC 1", "SELECT * FROM NO_SUCH_TABLE", f"SELECT NO_SUCH FROM {accounts}"]:
        with pytest.raises(pyignite_dbapi.ProgrammingError):
            run(manual, text)
    with pytest.raises(pyignite_dbapi.DatabaseError):
        run(manual, "CREATE TABLE PY_NEVER (ID INT PRIMARY KEY)")
    manual.commit()
    eventually(connection, f"SELECT V FROM {accounts} WHERE ID = 1", [(99,)])


def test_a_failure_at_run_time_stores_nothing(connection, manual, accounts):
    run(manual, f"UPDATE {accounts} SET V = 99 WHERE ID = 1")
    with pytest.raises(pyignite_dbapi.IntegrityError):
        run(manual, f"INSERT INTO {accounts} VALUES (2, 1)")
    with pytest.raises(pyignite_dbapi.DatabaseError):
        run(manual, f"SELECT COUNT(*) FROM {accounts}")
    manual.rollback()
    assert all_rows(connection, accounts) == [(1, 10), (2, 20), (3, 30)]


def test_closing_rolls_back(connect, connection, accounts):
    gone = connect(autocommit=False)
    run(gone, f"DELETE FROM {accounts}")
    gone.close()
    assert len(all_rows(connection, accounts)) == 3
    assert run(connection, f"UPDATE {accounts} SET V = V + 1") == 3


def test_two_connections_take_turns(connect, accounts):
    first, second = connect(), connect()
    for turn in range(20):
        writer, reader = (first, second) if turn % 2 else (second, first)
        run(writer, f"UPDATE {accounts} SET V = V + 1 WHERE ID = 1")
        assert rows(writer, f"SELECT V FROM {accounts} WHERE ID = 1") == [(11 + turn,)]
        eventually(reader, f"SELECT V FROM {accounts} WHERE ID = 1", [(11 + turn,)])
