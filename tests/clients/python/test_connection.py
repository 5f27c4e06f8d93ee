"""Connections that end in the middle, and many of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import eventually, rows, run


class Proxy:
    """A way to the server that can be cut."""

    def __init__(self, server):
        command = [sys.executable, str(Path(__file__).with_name("proxy.py")), server]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = "127.0.0.1:" + self.process.stdout.readline().strip()

    def cut(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def proxy(address):
    proxy = Proxy(address)
    yield proxy
    proxy.cut()


# The driver ends the process when a cursor of a dead connection is closed, so a process of its own has such a connection.
CHILD = """
import os, sys, time
import pyignite_dbapi as api
connection = api.connect(address=[sys.argv[1]], timeout=5, autocommit=sys.argv[2] == "auto")
cursor = connection.cursor()
cursor.execute(sys.argv[3])
for _ in range(100):
    # A real node may answer a new connection with what was there some 100 ms ago.
    if sys.argv[2] != "auto" or cursor.fetchone() is not None:
        break
    time.sleep(0.1)
    cursor.execute(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
try:
    if sys.argv[2] == "auto":
        cursor.fetchall()
    else:
        connection.cursor().execute("SELECT 1")
    print("no error", flush=True)
except api.Error as error:
    print(type(error).__name__, flush=True)
os._exit(0)
"""


class Child:
    """A client that executes one statement, and after a word goes on with it."""

    def __init__(self, address, mode, text):
        command = [sys.executable, "-c", CHILD, address, mode, text]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def go_on(self):
        out, _ = self.process.communicate("go on\n", timeout=30)
        return out.strip()

    def kill(self):
        self.process.kill()
        self.process.communicate()


def test_a_connection_that_dies_mid_cursor(proxy, connection, table):
    name = table("ID INT PRIMARY KEY, V VARCHAR")
    run(connection, f"INSERT INTO {name} SELECT X, 'row' FROM TABLE(SYSTEM_RANGE(1, 5000))")
    child = Child(proxy.address, "auto", f"SELECT ID FROM {name}")
    proxy.cut()
    assert child.go_on() == "OperationalError"
    eventually(connection, f"SELECT COUNT(*) FROM {name}", [(5000,)])


def test_a_connection_that_dies_in_a_transaction(proxy, connection, table):
    name = table("ID INT PRIMARY KEY, V INT")
    run(connection, f"INSERT INTO {name} VALUES (1, 1)")
    child = Child(proxy.address, "manual", f"UPDATE {name} SET V = 2 WHERE ID = 1")
    proxy.cut()
    # Waits for the row's lock, which goes with the dead connection's transaction.
    assert run(connection, f"UPDATE {name} SET V = V + 10 WHERE ID = 1") == 1
    eventually(connection, f"SELECT V FROM {name}", [(11,)])
    assert child.go_on() == "OperationalError"


def test_many_connections(connect, table, connection):
    name = table("ID INT PRIMARY KEY, V INT")
    crowd = [connect() for _ in range(50)]
    for number, one in enumerate(crowd):
        assert run(one, f"INSERT INTO {name} VALUES (?, ?)", [number, number]) == 1
    for number, one in enumerate(crowd):
        assert rows(one, f"SELECT V FROM {name} WHERE ID = ?", [number]) == [(number,)]


def test_clients_that_are_killed_with_open_cursors(address, connection, table):
    name = table("ID INT PRIMARY KEY")
    run(connection, f"INSERT INTO {name} SELECT X FROM TABLE(SYSTEM_RANGE(1, 3000))")
    for _ in range(5):
        Child(address, "auto", f"SELECT ID FROM {name}").kill()
        Child(address, "manual", f"DELETE FROM {name} WHERE ID = 1").kill()
    eventually(connection, f"SELECT COUNT(*) FROM {name}", [(3000,)])
    assert run(connection, f"DELETE FROM {name}") == 3000
