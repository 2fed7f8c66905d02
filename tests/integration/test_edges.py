"""Known ways in which such tools fail, one test a case; the numbers are those of EDGE-CASES."""
import pytest

from harness.compare import compare
from harness.until import until

ITEMS = """create table t (id int primary key, v text);
insert into t select i, 'row ' || i from generate_series(1, 100) i"""


def same(pair, c):
    c.wait(lag=0)
    return compare(pair.source, pair.target, pair.name)


def streaming(pair, culvert, setup=ITEMS, **sections):
    pair.sql(setup)
    c = culvert(pair.config(**sections)).start()
    c.wait(state="streaming")
    c.wait(lag=0)
    return c


def confirmed_past(pair, lsn):
    return pair.sql("select confirmed_flush_lsn >= %s from pg_replication_slots where database = current_database()",
                    lsn) == [(True,)]


@pytest.mark.long
@pytest.mark.parametrize("state", ["streaming", "paused"])
def test_E1_idle_tables_beside_a_busy_database(pair, culvert, state):
    """The slot of a quiet database must not hold the log of a busy server. A paused pipeline that
    has all there is counts as idle, too, or may keep the slot where it is: it must not lie."""
    c = streaming(pair, culvert)
    pair.source.run("create database busy")
    try:
        if state == "paused":
            c.ctl("pause")
        pair.source.run("create table filler as select i, repeat('x', 200) from generate_series(1, 100000) i", db="busy")
        end = pair.source.run("select pg_current_wal_lsn()")[0][0]
        if state == "streaming":
            until(lambda: confirmed_past(pair, end), 30, "the idle slot's advance")
        else:
            pair.sql("insert into t values (1000, 'while paused')")
            c.ctl("resume")
        pair.sql("insert into t values (1001, 'after')")
        assert same(pair, c) == (101 if state == "streaming" else 102)
    finally:
        pair.source.run("drop database busy with (force)")


@pytest.mark.long
def test_E3_interleaved_transactions_over_a_restart(pair, culvert):
    """One commits and is acknowledged while another is open: the restart lies between the two."""
    c = streaming(pair, culvert, ITEMS + "; create table mark (v text); alter table mark replica identity full")
    a, b = (pair.source.connect(pair.name, autocommit=False) for _ in range(2))
    for round in range(3):
        for n, connection in enumerate((a, b)):
            with connection.cursor() as cursor:
                cursor.execute("insert into mark values (%s); update t set v = v || %s where id = %s",
                               (f"{round} {n}", n, round * 2 + n + 1))
        with b.cursor() as cursor:
            cursor.execute("insert into mark values ('late')")
        a.commit()
        c.wait(lag=0)
        if round % 2:
            c.kill9()
        else:
            c.terminate()
        with b.cursor() as cursor:
            cursor.execute("insert into mark values ('later')")
        b.commit()
        c.start()
        assert same(pair, c) == 100 + 4 * (round + 1)
    a.close()
    b.close()


@pytest.mark.long
def test_E5_logical_messages(pair, culvert):
    c = streaming(pair, culvert)
    message = "select pg_logical_emit_message({}, 'prefix', repeat('m', {}))"
    for i in range(1, 4):
        pair.sql(f"begin; {message.format('true', 10)}; insert into t values ({1000 + i}, 'first'); "
                 f"{message.format('true', 100000)}; {message.format('false', 5)}; "
                 f"insert into t values ({2000 + i}, 'after the message'); {message.format('true', 0)}; commit")
        pair.sql(message.format("false", 100000))
        if i == 1:
            c.kill9()
            c.start()
        elif i == 2:
            c.wait(lag=0)
            c.terminate()
            c.start()
    pair.sql(f"begin; {message.format('true', 10)}; rollback; begin; {message.format('true', 10)}; commit")
    assert same(pair, c) == 106


@pytest.mark.parametrize("how", ["left", "dropped"])
@pytest.mark.long
def test_E10_publication_changed_behind_our_back(pair, culvert, how):
    """The watch comes once a minute."""
    c = streaming(pair, culvert, ITEMS + "; create table other (id int primary key)")
    if how == "left":
        pair.sql("alter publication culvert_shop drop table t")
        pair.sql("insert into t values (1000, 'nobody hears')")
    else:
        pair.sql("drop table t; create table t (id int primary key, v text); insert into t values (1, 'recreated')")
    error = c.wait_error("publi", timeout=90)
    assert "t" in error["message"]
    pair.sql("insert into other values (1)")
    assert pair.target_sql("select (select count(*) from t), (select count(*) from other)") == [(100, 0)]


@pytest.mark.long
def test_E10_a_table_that_left_the_publication_and_came_back(pair, culvert):
    """It looks as before, and what it changed in between is lost: a start compares row versions."""
    c = streaming(pair, culvert)
    c.stop()
    pair.sql("alter publication culvert_shop drop table t")
    pair.sql("insert into t values (1000, 'nobody hears')")
    pair.sql("alter publication culvert_shop add table t")
    c.start()
    c.wait_error("resync required: publication culvert_shop was changed")
    assert pair.target_sql("select count(*) from t") == [(100,)]


def test_E10_publication_dropped(pair, culvert):
    c = streaming(pair, culvert)
    pair.sql("drop publication culvert_shop; insert into t values (1000, 'x')")
    error = c.wait_error("culvert_shop")
    assert error["class"] in ("config", "data")
    assert pair.target_sql("select count(*) from t") == [(100,)]


def test_E31_rows_with_nulls_and_duplicates_without_a_key(pair, culvert):
    c = streaming(pair, culvert, """create table d (a int, b text, c float8, j json, x xml, p point);
        alter table d replica identity full;
        insert into d select null, null, null, null, null, null from generate_series(1, 4);
        insert into d select 1, '', 'NaN', '{"a":1}', '<a/>', '(1,NaN)' from generate_series(1, 4);
        insert into d values (1, null, 'NaN', '{"a": 1}', null, null)""")
    pair.sql("delete from d where ctid in (select ctid from d where a is null limit 1)")
    pair.sql("update d set b = 'changed' where ctid in (select ctid from d where a is null limit 2)")
    pair.sql("delete from d where ctid in (select ctid from d where b = '' limit 3)")
    pair.sql("update d set j = null, a = a + 1 where b = ''")
    assert same(pair, c) == 5


@pytest.mark.long
def test_E32_key_updated_last_in_a_transaction(pair, culvert):
    c = streaming(pair, culvert)
    pair.sql("begin; insert into t values (500, 'x'); update t set id = 501 where id = 1; commit")
    pair.sql("begin; update t set id = 502 where id = 501; commit")
    c.kill9()
    pair.sql("begin; update t set v = 'y' where id = 502; update t set id = 1 where id = 502; commit")
    c.start()
    c.wait(lag=0)
    c.terminate()
    pair.sql("update t set id = id + 1000")
    c.start()
    assert same(pair, c) == 101


def test_E33_unique_values_change_hands(pair, culvert):
    c = streaming(pair, culvert, """create table t (id int primary key, u text unique);
        insert into t select i, 'u' || i from generate_series(1, 50) i""")
    swap = "update t set u = 'tmp' where id = {a}; update t set u = 'u{a}' where id = {b}; update t set u = 'u{b}' where id = {a};"
    pair.sql("begin;" + "".join(swap.format(a=i, b=i + 1) for i in range(1, 49, 2)) + "commit")
    for i in range(1, 20, 2):
        pair.sql(f"begin; delete from t where id = {i}; insert into t values ({i + 100}, 'u{i + 1}'); commit")
        pair.sql(f"update t set id = -id where id = {i + 1}; insert into t values ({i + 1}, 'new{i}')")
    assert same(pair, c) == 60


def test_E35_triggers_of_the_target(pair, culvert):
    """Ordinary triggers do not fire for what arrives; those that always fire are named at the start."""
    c = streaming(pair, culvert, """create table t (id int primary key, v text);
        create table audit (id serial primary key, what text);
        create function note() returns trigger language plpgsql as
            $$ begin insert into public.audit (what) values (tg_name || new.id); return new; end $$;
        create trigger ordinary before insert or update on t for each row execute function note();
        insert into t values (1, 'a'); create table plain (id int primary key);
        create table hit (id int primary key, what text);
        create function stamp() returns trigger language plpgsql as
            $$ begin insert into public.noted values (tg_name); return null; end $$""")
    c.terminate()
    pair.target_sql("""create table noted (what text);
        create or replace function stamp() returns trigger language plpgsql as
            $$ begin insert into public.noted values (tg_name); return null; end $$;
        create trigger always after insert on plain for each row execute function stamp();
        alter table plain enable always trigger always;
        create trigger replica after insert on plain for each row execute function stamp();
        alter table plain enable replica trigger replica;
        create trigger quiet after insert on plain for each row execute function stamp()""")
    c.start()
    c.wait(state="streaming")
    log = c.log_text()
    assert "trigger always on public.plain" in log and "trigger replica on public.plain" in log
    assert "trigger quiet" not in log and "trigger ordinary" not in log
    pair.sql("insert into t values (2, 'b'); update t set v = 'c' where id = 1; insert into plain values (1)")
    assert same(pair, c) == 2 + 3 + 1 and pair.target_sql("select what from noted order by 1") == [("always",), ("replica",)]


@pytest.mark.parametrize("policy", ["stop", pytest.param("ignore", marks=pytest.mark.long)])
def test_E39_truncate_by_policy(pair, culvert, policy):
    c = streaming(pair, culvert, ITEMS + """; create table child (id int primary key references t);
        insert into child values (1)""", tables={"on_truncate": policy})
    pair.sql("truncate t cascade")
    pair.sql("insert into t values (1000, 'after')")
    if policy == "ignore":
        c.wait(lag=0)
        assert pair.target_sql("select count(*) from t") == [(101,)]
        return
    error = c.wait_error("truncated")
    assert error["table"] in ("public.t", "public.child") and error["class"] == "data"
    assert pair.target_sql("select (select count(*) from t), (select count(*) from child)") == [(100, 1)]
    c.config["tables"]["on_truncate"] = "apply"
    c.write()
    c.terminate()
    c.start()
    assert same(pair, c) == 1


def test_E39_truncate_cascade_reaches_what_it_did_on_the_source(pair, culvert):
    c = streaming(pair, culvert, ITEMS + """; create table child (id serial primary key, t int references t);
        insert into child (t) values (1), (2); create table apart (id int primary key references t);""",
                  tables={"exclude": "public.apart"})
    pair.target_sql("create table mine (id int primary key references t); insert into mine values (1)")
    pair.sql("truncate t restart identity cascade")
    error = c.wait_error("truncate")  # never with CASCADE into a table that is not migrated
    assert pair.target_sql("select count(*) from mine") == [(1,)] and error["table"] == "public.t"
    pair.target_sql("drop table mine")
    c.ctl("resume")
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name, tables=[("public", "t"), ("public", "child")]) == 0


def test_E41_generated_and_identity_columns(pair, culvert):
    c = streaming(pair, culvert, """create table g (id bigint generated always as identity primary key, a int,
            twice int generated always as (a * 2) stored);
        create table f (n int generated always as identity, a int, s text generated always as (a || 'x') stored);
        alter table f replica identity full;
        create table k (id int generated by default as identity primary key, v text);
        insert into g (a) values (1), (2), (3); insert into f (a) values (1), (1), (null); insert into k (v) values ('a')""")
    pair.sql("""update g set a = a + 10; insert into g (id, a) overriding system value values (77, 7);
        update f set a = 5 where n = 2; delete from f where n = 3;
        insert into f (a) values (9); update k set id = 50; insert into k (v) values ('b')""")
    c.wait(lag=0)
    left = pair.sql("select id, a, twice from g order by 1")
    assert left == pair.target_sql("select id, a, twice from g order by 1") and len(left) == 4
    assert same(pair, c) == 4 + 3 + 2
    pair.sql("update g set id = default where id = 77")  # what the target would refuse to write
    error = c.wait_error("GENERATED ALWAYS")
    assert (error["table"], error["key"]) == ("public.g", "id=77")
    pair.target_sql("alter table g alter id set generated by default")
    c.ctl("resume")
    assert same(pair, c) == 4 + 3 + 2


def test_E44a_added_column_with_a_default(pair, culvert):
    """Old rows read differently without one row event: stopped until the target has the column."""
    c = streaming(pair, culvert)
    pair.sql("alter table t add column extra text default 'old rows have it'")
    pair.sql("insert into t values (1000, 'new', 'x')")
    error = c.wait_error("extra")
    assert error["table"] == "public.t" and pair.target_sql("select count(*) from t") == [(100,)]
    c.ctl("resume")  # nothing has changed on the target: it must not go on without the column
    c.wait_error("extra")
    assert pair.target_sql("select count(*) from t") == [(100,)]
    pair.target_sql("alter table t add column extra text default 'old rows have it'")
    c.ctl("resume")
    assert same(pair, c) == 101
    pair.sql("update t set extra = 'y' where id = 5")
    c.terminate()
    c.start()
    assert same(pair, c) == 101


def test_E45_value_added_to_an_enum(pair, culvert):
    c = streaming(pair, culvert, """create type mood as enum ('sad', 'ok');
        create table t (id int primary key, m mood); insert into t values (1, 'ok')""")
    pair.sql("alter type mood add value 'secret_label'")
    pair.sql("insert into t values (2, 'secret_label')")
    error = c.wait_error("mood")
    assert (error["class"], error["table"], error["key"]) == ("data", "public.t", "id=2")
    pair.target_sql("alter type mood add value 'secret_label'")
    c.ctl("resume")
    assert same(pair, c) == 2


def test_values_stay_out_of_errors_and_log(pair, culvert):
    """What the target refuses is named by table, key and column, never by its value."""
    pair.sql("""create table big (id int primary key, v bigint); create table word (id int primary key, v text);
        create table checked (id int primary key, v text); create table real (id int primary key, v float8)""")
    pair.target_sql("""create table big (id int primary key, v int); create table word (id int primary key, v varchar(3));
        create table checked (id int primary key, v text check (v <> 'hunter2'));
        create table real (id int primary key, v float4)""")
    c = culvert(pair.config()).start()
    c.wait(state="streaming")
    for sql, table, secret in (("insert into big values (1, 98765432101)", "big", "98765432101"),
                               ("insert into word values (1, 'hunter2')", "word", "hunter2"),
                               ("insert into checked values (1, 'hunter2')", "checked", "hunter2"),
                               ("insert into real values (1, 1.2345e300)", "real", "1.2345")):
        pair.sql(sql)
        error = c.wait_error("")
        assert error["table"] == "public." + table and error["class"] == "data"
        assert secret not in error["message"], error
        assert secret not in c.log_text() and secret not in c.ctl("status").stdout
        pair.sql(f"delete from {table}")
        if table in ("big", "real"):
            pair.target_sql(f"alter table {table} alter v type numeric")
        else:
            pair.target_sql(f"drop table {table}; create table {table} (id int primary key, v text)")
        c.ctl("resume")
        c.wait(lag=0)


def test_E42_a_column_dropped_and_added_again_under_its_name(pair, culvert):
    c = streaming(pair, culvert, "create table w (id int primary key, a int, b int); insert into w values (1, 1, 1)")
    pair.sql("alter table w drop column a, add column a int default 5")
    pair.sql("insert into w values (2, 2, 2)")
    c.wait_error("another order")
    assert pair.target_sql("select a from w") == [(1,)]
