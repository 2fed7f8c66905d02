"""Where the position is kept on the target: replication origin where the role may, else the row."""
import pytest

from harness.compare import compare
from harness.until import until


@pytest.fixture
def bank(pair):
    pair.sql("create table t (id serial primary key, v int)")
    return pair


def origin_of(bank):
    rows = bank.target_sql("select origin from culvert.checkpoint")
    return rows[0][0]


def progress(bank):
    return bank.target_sql("select pg_replication_origin_progress(origin, true) from culvert.checkpoint")[0][0]


def one_by_one(bank, n):
    with bank.source.connect(bank.name) as c, c.cursor() as cursor:
        for i in range(n):
            cursor.execute("insert into t (v) values (%s)", (i,))


def test_C1_origin_moves_with_every_commit_and_the_row_follows(bank, culvert):
    c = culvert(bank.config()).start()
    c.wait(lag=0)
    assert origin_of(bank).startswith("culvert_shop_")
    one_by_one(bank, 20)
    c.wait(lag=0)
    until(lambda: bank.target_sql("select position::pg_lsn >= pg_replication_origin_progress(origin, true) "
                                  "from culvert.checkpoint") == [(True,)], 10, "the row behind the origin")
    assert compare(bank.source, bank.target, bank.name) == 20


def test_C1_a_start_uses_the_origin_when_the_row_is_behind(bank, culvert):
    c = culvert(bank.config()).start()
    c.wait(lag=0)
    start = bank.target_sql("select position from culvert.checkpoint")[0][0]
    one_by_one(bank, 20)
    c.wait(lag=0)
    c.kill9()
    bank.target_sql("update culvert.checkpoint set position = %s", start)
    c.start()
    one_by_one(bank, 1)
    c.wait(lag=0)
    assert compare(bank.source, bank.target, bank.name) == 21


def test_C1_an_origin_that_is_gone_is_resync(bank, culvert):
    c = culvert(bank.config()).start()
    c.wait(lag=0)
    one_by_one(bank, 1)
    c.wait(lag=0)
    c.stop()
    bank.target_sql("select pg_replication_origin_drop(origin) from culvert.checkpoint")
    c.start()
    c.wait_error("resync required: replication origin")


def test_B3_a_long_snapshot_does_not_bloat_the_checkpoint(bank, culvert):
    c = culvert(bank.config()).start()
    c.wait(lag=0)
    reader = bank.target.connect(bank.name, autocommit=False)
    reader.set_session(isolation_level="REPEATABLE READ")
    reader.cursor().execute("select 1")
    one_by_one(bank, 400)
    c.wait(lag=0)
    versions = bank.target_sql("""select pg_relation_size('culvert.checkpoint') / 8192,
        (select n_tup_upd from pg_stat_user_tables where relname = 'checkpoint')""")
    size = bank.target_sql("select pg_relation_size('culvert.checkpoint')")[0][0]
    reader.close()
    assert size <= 3 * 8192, versions
    assert compare(bank.source, bank.target, bank.name) == 400


def without_right(bank, **sections):
    """A role that may not use replication origins: the row keeps the position."""
    bank.target.run("do $$ begin create role plain login; exception when duplicate_object then null; end $$")
    bank.target_sql(f"grant all on database {bank.name} to plain; alter schema public owner to plain")
    config = bank.config(**sections)
    config["target"]["uri"] = bank.target.uri(bank.name, "plain")
    return config


def hold(bank):
    """A snapshot on the target that stays; its pid."""
    reader = bank.target.connect(bank.name, autocommit=False)
    reader.set_session(isolation_level="REPEATABLE READ")
    with reader.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return reader, cursor.fetchone()[0]


def commits(bank, n):
    bank.sql(f"do $$ begin for i in 1..{n} loop insert into t (v) values (i); commit; end loop; end $$")


def turns(bank):
    """The row's turn, the table's pages."""
    rows = bank.target_sql("select turn, pg_relation_size('culvert.checkpoint') / 8192 from culvert.checkpoint")
    assert len(rows) == 1
    return rows[0]


@pytest.mark.long
def test_B3_the_row_takes_turns_under_a_long_snapshot(bank, culvert):
    """No key of the index has more than two pages of versions to walk through, whatever comes."""
    c = culvert(without_right(bank, apply={"batch_rows": "1"})).start()
    c.wait(lag=0)
    commits(bank, 300)
    c.wait(lag=0)
    quiet = turns(bank)[0]
    reader, pid = hold(bank)
    commits(bank, 3000)
    until(lambda: turns(bank)[0] > quiet + 10, 30, "ten turns")
    c.kill9()
    commits(bank, 500)
    c.start()
    commits(bank, 8000)
    c.wait(lag=0)
    turn, pages = turns(bank)
    assert pages > 100 and turn >= pages - 20, (turn, pages)
    assert compare(bank.source, bank.target, bank.name) == 11800
    said = [line for line in c.log_text().splitlines() if "a long snapshot on the target" in line]
    assert len(said) == 1 and f"pid {pid}, session of user postgres" in said[0], said
    reader.close()
    commits(bank, 500)
    c.wait(lag=0)
    settled = turns(bank)[0]
    commits(bank, 500)
    c.wait(lag=0)
    assert turns(bank)[0] - settled <= 2
    assert compare(bank.source, bank.target, bank.name) == 12800


@pytest.mark.long
def test_B3_a_new_connection_waits_for_a_turn_under_way(bank, culvert):
    """A6: what the epoch's statement returns is behind a transaction that was in doubt, whose row has another key."""
    c = culvert(without_right(bank)).start()
    c.wait(lag=0)
    c.kill9()
    before = turns(bank)[0]
    doubt = bank.target.connect(bank.name, autocommit=False)
    doubt.cursor().execute("update culvert.checkpoint set turn = turn + 1, counter = counter + 1")
    c.start()
    until(lambda: bank.target_sql("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                                  "query like 'update culvert.checkpoint set epoch%%'") == [(1,)], 30, "the wait")
    doubt.commit()
    doubt.close()
    commits(bank, 10)
    c.wait(lag=0)
    assert turns(bank)[0] == before + 1
    assert compare(bank.source, bank.target, bank.name) == 10


def test_without_the_right_the_row_keeps_the_position(bank, culvert):
    c = culvert(without_right(bank)).start()
    c.wait(lag=0)
    assert origin_of(bank) == ""
    one_by_one(bank, 20)
    c.wait(lag=0)
    c.kill9()
    c.start()
    one_by_one(bank, 1)
    c.wait(lag=0)
    assert compare(bank.source, bank.target, bank.name) == 21
