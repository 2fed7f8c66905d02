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


def test_without_the_right_the_row_keeps_the_position(bank, culvert):
    bank.target.run("do $$ begin create role plain login; exception when duplicate_object then null; end $$")
    bank.target_sql(f"grant all on database {bank.name} to plain; alter schema public owner to plain")
    config = bank.config()
    config["target"]["uri"] = bank.target.uri(bank.name, "plain")
    c = culvert(config).start()
    c.wait(lag=0)
    assert origin_of(bank) == ""
    one_by_one(bank, 20)
    c.wait(lag=0)
    c.kill9()
    c.start()
    one_by_one(bank, 1)
    c.wait(lag=0)
    assert compare(bank.source, bank.target, bank.name) == 21
