"""Missing tables are made under other names: [schemas], `to`, renamed and excluded columns."""
import pytest

from harness.compare import compare_table, qualified
from harness.until import until

SETUP = """
create schema sales; create schema old;
create type sales.mood as enum ('sad', 'ok');
create sequence sales.numbers start 700;
create table sales.customers (
  id serial primary key, name text not null, secret text, note text default 'none',
  feeling sales.mood default 'ok', number int default nextval('sales.numbers'),
  check (secret <> name), unique (secret));
create index by_note on sales.customers (note);
create index by_secret on sales.customers (lower(secret), name);
comment on column sales.customers.note is 'a remark';
create table sales.orders (
  id int generated always as identity primary key, customer int not null references sales.customers,
  a int, b int, placed date not null default '2024-01-01');
create index on sales.orders (customer);
create table sales.log (id int, at date, v text, primary key (id, at)) partition by range (at);
create table sales.log_1 partition of sales.log for values from ('2020-01-01') to ('2021-01-01');
create table sales.log_2 partition of sales.log for values from ('2021-01-01') to ('2022-01-01');
create table old.orders (id int primary key, v text);
create table public.plain (id int primary key, orders int references sales.orders);
create table public.one (id int primary key, v text);
create table public.two (id int primary key, v text);
insert into sales.customers (name, secret, note)
  select 'n' || i, 's' || i, case when i % 3 = 0 then null else 'note ' || i end from generate_series(1, 500) i;
insert into sales.orders (customer, a, b) select i % 500 + 1, i, -i from generate_series(1, 2000) i;
insert into sales.log select i, date '2020-01-01' + i % 700, 'p' || i from generate_series(1, 1000) i;
insert into old.orders select i, 'old ' || i from generate_series(1, 50) i;
insert into plain select i, i from generate_series(1, 100) i;
insert into one select i, 'one' from generate_series(1, 10) i;
insert into two select i, 'two' from generate_series(1, 20) i
"""

SECTIONS = {
    "schemas": {"sales": "shop"},
    "table sales.customers": {"to": "crm.People", "columns.exclude": "secret",
                              "column.name.to": '"full name"'},
    "table sales.orders": {"column.a.to": "b", "column.b.to": "a"},
    "table old.orders": {"to": "shop.old_orders"},
    "table public.one": {"to": "public.two"},
    "table public.two": {"to": "public.one"},
}

MAP = {
    ("sales", "customers"): ("crm", "People", {"id": "id", "name": "full name", "note": "note",
                                               "feeling": "feeling", "number": "number"}),
    ("sales", "orders"): ("shop", "orders", {"id": "id", "customer": "customer", "a": "b", "b": "a",
                                             "placed": "placed"}),
    ("sales", "log"): ("shop", "log", None),
    ("old", "orders"): ("shop", "old_orders", None),
    ("public", "plain"): ("public", "plain", None),
    ("public", "one"): ("public", "two", None),
    ("public", "two"): ("public", "one", None),
}

WRITES = """
insert into sales.customers (name, secret) values ('new', 'sn');
update sales.customers set name = name || '!', secret = secret || '?' where id % 5 = 0;
insert into sales.orders (customer, a, b) values (1, 5, 6);
update sales.orders set a = a + 1 where id < 20; delete from sales.orders where id = 1500;
update sales.log set v = 'changed' where id < 30; insert into sales.log values (5000, '2021-06-06', 'x');
insert into old.orders values (900, 'x'); insert into plain values (900, 1);
update one set v = 'uno'; delete from two where id = 3
"""


def config_of(pair, **more):
    config = pair.config(**more)
    config.update(SECTIONS)
    return config


def same(pair):
    a, b = (s.connect(pair.name, autocommit=False) for s in (pair.source, pair.target))
    try:
        return sum(compare_table(a, b, qualified(*source), qualified(*target[:2]), target[2])
                   for source, target in MAP.items())
    finally:
        a.close()
        b.close()


def tables(pair):
    return {tuple(r) for r in pair.target_sql("""
        select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'culvert')""")}


PLACES = {t[:2] for t in MAP.values()} | {("shop", "log_1"), ("shop", "log_2")}


def check_all(pair, c):
    assert same(pair) == 500 + 2000 + 1000 + 50 + 100 + 30
    pair.sql(WRITES)
    c.wait(lag=0)
    assert same(pair) > 3600
    assert tables(pair) == PLACES
    assert pair.target_sql("select count(*) from pg_inherits i join pg_class c on c.oid = i.inhparent "
                           "where c.relname = 'log'") == [(2,)]
    indexes = {r[0] for r in pair.target_sql(
        "select indexdef from pg_indexes where schemaname in ('crm', 'shop') and indexname not like 'log%'")}
    assert any('("customer")' in i or "(customer)" in i for i in indexes), indexes
    assert 'CREATE INDEX by_note ON crm."People" USING btree (note)' in indexes, indexes
    assert not any("secret" in i for i in indexes)
    assert {r[0] for r in pair.target_sql("select conname from pg_constraint where contype = 'p' and conparentid = 0 and conrelid >= 16384 "
                                          "and connamespace <> 'culvert'::regnamespace")} == {
        "People_pkey", "orders_pkey", "old_orders_pkey", "log_pkey", "plain_pkey", "one_pkey", "two_pkey"}
    keys = {r[0] for r in pair.target_sql("select conrelid::regclass || ' ' || confrelid::regclass "
                                          "from pg_constraint where contype = 'f'")}
    assert keys == {'shop.orders crm."People"', "plain shop.orders"}
    assert pair.target_sql("select nextval('shop.numbers') > 1100, nextval(pg_get_serial_sequence('crm.\"People\"', 'id')) > 500, "
                           "nextval(pg_get_serial_sequence('shop.orders', 'id')) > 2000") == [(True, True, True)]
    assert pair.target_sql("select col_description('crm.\"People\"'::regclass, attnum) from pg_attribute "
                           "where attrelid = 'crm.\"People\"'::regclass and attname = 'note'") == [("a remark",)]


def test_every_kind(pair, culvert):
    pair.sql(SETUP)
    c = culvert(config_of(pair)).start()
    c.wait(state="streaming")
    c.wait(lag=0)
    assert "by_secret: uses column secret of customers, which is excluded" in c.log_text()
    check_all(pair, c)
    c.terminate()
    pair.sql("insert into old.orders values (901, 'after a restart')")
    c.start().wait(state="streaming")
    c.wait(lag=0)
    same(pair)


def held_up_at_the_end(pair, lock):
    """A session that lets the copy come to its last steps, and no further."""
    blocker = pair.target.connect(pair.name, autocommit=False)
    until(lambda: pair.target_sql(f"select to_regclass('{lock}') is not null") == [(True,)], 60, "the table")
    blocker.cursor().execute(f"lock table {lock} in share mode")
    return blocker


@pytest.mark.long
def test_killed_while_placing(pair, culvert):
    pair.sql(SETUP)
    pair.target_sql("""create function hold() returns event_trigger language plpgsql as $$ begin
        if current_query() like '%culvert staged%' then perform pg_advisory_xact_lock_shared(42); end if; end $$;
        create event trigger hold on ddl_command_start execute function hold()""")
    blocker = pair.target.connect(pair.name, autocommit=False)
    blocker.cursor().execute("select pg_advisory_lock(42)")
    c = culvert(config_of(pair)).start()
    until(lambda: pair.target_sql("select 1 from pg_locks where locktype = 'advisory' and objid = 42 and not granted"),
          60, "the placing")
    assert ("sales", "customers") in tables(pair) and not tables(pair) & {("crm", "People"), ("shop", "orders")}
    c.kill9()
    pair.target.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'culvert%'")
    blocker.close()
    c.start()
    c.wait(state="streaming")
    c.wait(lag=0)
    check_all(pair, c)


@pytest.mark.long
def test_killed_while_loading(pair, culvert):
    pair.sql(SETUP)
    c = culvert(config_of(pair, snapshot={"workers": "1"})).start()
    blocker = held_up_at_the_end(pair, "sales.orders")
    until(lambda: c.status()["state"] == "copying", 60, "the copy")
    c.kill9()
    pair.target.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'culvert%'")
    blocker.close()
    c.start()
    c.wait(state="streaming")
    c.wait(lag=0)
    check_all(pair, c)


@pytest.mark.parametrize("there, what", [
    ("create schema sales; create table sales.customers (id int)", "sales.customers on the target is in the way"),
    ("create schema crm; create view crm.\"People\" as select 1", "crm.People"),
], ids=["staging", "view"])
def test_in_the_way(pair, culvert, there, what):
    pair.sql(SETUP)
    pair.target_sql(there)
    c = culvert(config_of(pair)).start()
    assert c.wait_error(what)["class"] == "config"
    assert not tables(pair) & (PLACES | {("sales", "orders"), ("old", "orders"), ("public", "plain")})
    assert pair.sql("select count(*) from pg_replication_slots where database = current_database()") == [(0,)]


@pytest.mark.long
def test_some_are_there(pair, culvert):
    """A table that the operator has made under the other name is filled, and nothing is placed over it."""
    pair.sql("create table items (id int primary key, a text, b text); create table more (id int primary key);"
             "insert into items select i, 'a', 'b' from generate_series(1, 20) i; insert into more values (1)")
    pair.target_sql("create schema shop; create table shop.items (id int primary key, x text)")
    config = pair.config()
    config.update({"schemas": {"public": "shop"},
                   "table public.items": {"columns.exclude": "b", "column.a.to": "x"}})
    c = culvert(config).start()
    c.wait(state="streaming")
    pair.sql("insert into items values (21, 'new', 'b'); insert into more values (2)")
    c.wait(lag=0)
    assert pair.target_sql("select * from shop.items order by 1") == pair.sql("select id, a from items order by 1")
    assert pair.target_sql("select * from shop.more order by 1") == [(1,), (2,)]
    assert tables(pair) == {("shop", "items"), ("shop", "more")}


def test_plan_says_where_to(pair, culvert):
    pair.sql(SETUP)
    c = culvert(config_of(pair))
    text = c.ctl("plan", "-c", c.path).stdout
    assert "TABLE sales.customers as crm.People" in text
    assert "by_secret" in text and "uses column secret" in text
    assert tables(pair) == set()


@pytest.mark.long
def test_added_later(pair, culvert):
    pair.sql("create schema sales; create table sales.a (id int primary key); insert into sales.a values (1)")
    config = pair.config()
    config.update({"schemas": {"sales": "shop"}})
    c = culvert(config).start()
    c.wait(state="streaming")
    pair.sql("create table sales.later (id serial primary key, a int references sales.a);"
             "insert into sales.later (a) select 1 from generate_series(1, 30)")
    c.ctl("reload")
    until(lambda: pair.target_sql("select to_regclass('shop.later') is not null") == [(True,)], 60, "the table")
    c.wait(state="streaming")
    pair.sql("insert into sales.a values (2); insert into sales.later (a) values (2)")
    c.wait(lag=0)
    assert pair.target_sql("select * from shop.later order by 1") == pair.sql("select * from sales.later order by 1")
    assert pair.target_sql("select nextval(pg_get_serial_sequence('shop.later', 'id')) > 30") == [(True,)]
    assert "later_a_fkey on sales.later: needs table sales.a" in c.log_text()  # it has another name by now
    assert tables(pair) == {("shop", "a"), ("shop", "later")}
