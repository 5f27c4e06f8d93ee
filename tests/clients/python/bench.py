"""The load of benches/peer.sh for Python: ADDRESS SECONDS. A line for each workload: driver, workload, operations per second."""

import random
import sys
import time

import pyignite_dbapi

ROWS = 1_000_000
RANGE = 100
PAGE = 10_000


def measure(name, seconds, call):
    for timed in (seconds / 2, seconds):
        done, start = 0, time.monotonic()
        while time.monotonic() - start < timed:
            call(done)
            done += 1
        rate = done / (time.monotonic() - start)
    print(f"python\t{name}\t{rate:.1f}", flush=True)


def main(address, seconds):
    with pyignite_dbapi.connect(address=[address], page_size=PAGE) as connection, connection.cursor() as cursor:
        def query(text, parameters=()):
            cursor.execute(text, parameters)
            return cursor.fetchall()

        def change(text, parameters):
            cursor.execute(text, parameters)

        def key(_):
            return random.randrange(ROWS)

        next_id = iter(range(10_000_000, 20_000_000))
        measure("select", seconds, lambda i: query("SELECT V FROM FACTS WHERE ID = ?", [key(i)]))
        measure("insert", seconds, lambda i: change("INSERT INTO NEWS VALUES (?, ?)", [next(next_id), "v"]))
        measure("update", seconds, lambda i: change("UPDATE FACTS SET V = ? WHERE ID = ?", ["w", key(i)]))

        def span(i):
            first = random.randrange(ROWS - RANGE)
            rows = query("SELECT ID, V FROM FACTS WHERE ID >= ? AND ID < ?", [first, first + RANGE])
            assert len(rows) == RANGE

        measure("range of 100", seconds, span)
        measure("count and sum", seconds, lambda i: query("SELECT COUNT(*), SUM(N) FROM FACTS"))
        measure("group by", seconds, lambda i: query("SELECT G, COUNT(*), SUM(N) FROM FACTS GROUP BY G"))
        measure("join", seconds, lambda i: query("SELECT COUNT(*), SUM(L.N) FROM LEFTS L JOIN RIGHTS R ON L.N = R.ID"))

        def pages(_):
            cursor.execute("SELECT * FROM FACTS")
            rows = 0
            while page := cursor.fetchmany(PAGE):
                rows += len(page)
            assert rows == ROWS

        measure("fetch in pages", seconds, pages)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
