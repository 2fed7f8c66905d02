"""One transaction of ten million rows, from MariaDB: bounded memory, one transaction on the target, every row compared.
ROWS of it in the environment; what it took is printed."""
import os
import subprocess
import time

import pytest

from integration.conftest import make_cross

ROWS = int(os.environ.get("ROWS", 10_000_000))
QUERY = "select id, v from big order by id"


@pytest.fixture
def cross(request):
    c = make_cross(request, "my-pg")
    yield c
    c.drop()


def same_rows(cross):
    """Both sides in one order, as one text; the programs hold a row at a time."""
    port = ["-h", "127.0.0.1", "-p", str(cross.target.port), "-U", "postgres", "-d", cross.name]
    pg = f"{cross.target.bin}/psql {' '.join(port)} -XqAt -c \"copy ({QUERY}) to stdout\""
    my = f"mariadb --no-defaults -h 127.0.0.1 -P {cross.source.port} -u root --quick -N -B -e '{QUERY}' {cross.name}"
    r = subprocess.run(["bash", "-c", f"cmp <({pg}) <({my}) && echo same"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    return r.stdout == "same\n" or r.stdout


def test_one_transaction_of_ten_million_rows(cross, culvert):
    cross.sql("create table big (id int primary key, v int)")
    cross.sql(f"insert into big select seq, seq from seq_1_to_{ROWS}")
    c = culvert(cross.least()).start()
    c.wait(lag=0, timeout=900)
    copied = c.rss_kb()
    began = time.monotonic()
    cross.sql("update big set v = v + 1")
    updated = time.monotonic()
    c.wait(lag=0, timeout=3000)
    applied = time.monotonic()
    memory = c.rss_kb()
    print(f"{ROWS} rows: updated in {updated - began:.0f} s, applied {applied - updated:.0f} s later; culvertd's peak "
          f"{memory / 1024:.1f} MiB ({copied / 1024:.1f} MiB after the copy)")
    assert memory < 128 * 1024
    assert cross.target_sql("select count(*), count(distinct xmin::text), min(v - id), max(v - id) from big") == [(ROWS, 1, 1, 1)]
    assert same_rows(cross) is True
