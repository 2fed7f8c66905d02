"""Schema (database) culvert of an older format on the target, in the middle of a migration."""
import pytest

from harness.compare import compare
from harness.until import until
from integration.conftest import is_my

# What culvert 0.1 made before format 2.
PG_1 = """
create schema culvert;
create table culvert.meta (
  format int primary key, version text not null,
  installed_at timestamptz not null default pg_catalog.now());
create table culvert.checkpoint (
  pipeline text, direction text, lane int, position text not null,
  epoch bigint not null, counter bigint not null, source text not null,
  origin text not null default '',
  uuid uuid not null default pg_catalog.gen_random_uuid(),
  updated_at timestamptz not null default pg_catalog.clock_timestamp(),
  primary key (pipeline, direction, lane))
  with (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
create table culvert.heartbeat (pipeline text primary key, beat bigint not null)
  with (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
create table culvert.state (
  pipeline text primary key, sequence bigint not null, state text not null,
  phase text not null, direction text not null, since timestamptz not null,
  updated_at timestamptz not null default pg_catalog.clock_timestamp());
create table culvert.tables (
  pipeline text, source_schema text, source_name text,
  target_schema text not null, target_name text not null,
  state text not null, created boolean not null, rows bigint not null, shape text not null,
  shape_next text not null, mark text not null default '',
  start_position text not null default '', staged boolean not null default false,
  primary key (pipeline, source_schema, source_name));
create table culvert.copy (
  pipeline text primary key, state text not null, start_position text not null,
  snapshot text not null, source text not null, mode text not null,
  published text not null default '',
  updated_at timestamptz not null default pg_catalog.clock_timestamp());
insert into culvert.meta (format, version) values (1, '0.1.0');
"""

OPTIONS = ") engine = InnoDB, row_format = dynamic, default character set utf8mb4 collate utf8mb4_bin;"
MY_1 = f"""
create database culvert character set utf8mb4 collate utf8mb4_bin;
create table culvert.meta (format int primary key, version varchar(64) not null,
  installed_at datetime(6) not null{OPTIONS}
create table culvert.checkpoint (
  pipeline varchar(64) not null, direction varchar(16) not null, lane int not null,
  uuid char(36) not null, position longtext not null,
  epoch bigint unsigned not null, counter bigint unsigned not null,
  source varchar(400) not null, updated_at datetime(6) not null,
  primary key (pipeline, direction, lane){OPTIONS}
create table culvert.state (
  pipeline varchar(64) primary key, `sequence` bigint not null,
  state varchar(64) not null, phase varchar(64) not null, direction varchar(16) not null,
  since datetime(6) not null, updated_at datetime(6) not null{OPTIONS}
create table culvert.`tables` (
  pipeline varchar(64) not null, source_schema varchar(64) not null,
  source_name varchar(64) not null, target_schema varchar(64) not null,
  target_name varchar(64) not null, state varchar(64) not null, created tinyint not null,
  `rows` bigint unsigned not null, shape longtext not null, shape_next longtext not null,
  mark longtext not null, start_position varchar(255) not null, staged tinyint not null,
  primary key (pipeline, source_schema, source_name){OPTIONS}
create table culvert.`copy` (
  pipeline varchar(64) primary key, state varchar(64) not null,
  start_position longtext not null, snapshot longtext not null,
  source varchar(400) not null, mode varchar(64) not null, published longtext not null,
  updated_at datetime(6) not null{OPTIONS}
insert into culvert.meta values (1, '0.1.0', utc_timestamp(6))
"""

COLUMNS = {
    "checkpoint": "pipeline, direction, lane, uuid, position, epoch, counter, source, updated_at",
    "tables": "pipeline, source_schema, source_name, target_schema, target_name, state, created, {q}rows{q}, shape, "
              "shape_next, mark, start_position, staged",
    "copy": "pipeline, state, start_position, snapshot, source, mode, published, updated_at"}


def back_to_format_1(cross):
    """The rows of this pipeline in the schema of format 1."""
    quote = "`" if is_my(cross.target) else ""
    old = {}
    for table, columns in COLUMNS.items():
        columns = columns.format(q=quote)
        old[table] = columns, cross.target_sql(f"select {columns} from culvert.{quote}{table}{quote}")
    cross.target_sql("drop database culvert" if is_my(cross.target) else "drop schema culvert cascade")
    cross.target_sql(MY_1 if is_my(cross.target) else PG_1)
    for table, (columns, rows) in old.items():
        for row in rows:
            cross.target_sql(f"insert into culvert.{quote}{table}{quote} ({columns}) values ({', '.join(['%s'] * len(row))})", *row)
    if not is_my(cross.target):
        cross.target_sql("insert into culvert.heartbeat values ('shop', 7); alter table culvert.checkpoint owner to culvert;"
                         "alter table culvert.tables owner to culvert; alter table culvert.copy owner to culvert;"
                         "alter table culvert.meta owner to culvert; alter table culvert.state owner to culvert;"
                         "alter table culvert.heartbeat owner to culvert; alter schema culvert owner to culvert")


def formats(cross):
    return [row[0] for row in cross.target_sql("select format from culvert.meta order by format")]


def column_names(cross, table):
    return [row[0] for row in cross.target_sql("select column_name from information_schema.columns where table_schema = 'culvert' "
                                               "and table_name = %s order by ordinal_position", table)]


@pytest.fixture
def shop(cross, culvert):
    cross.sql("create table p (id int primary key, v int); insert into p values (1, 1), (2, 2), (3, 3);"
              "create table c (id int primary key, p int, foreign key (p) references p (id) on delete cascade);"
              "insert into c values (10, 1), (20, 2), (30, 3)")
    cross.culvert = culvert(cross.least()).start()
    cross.culvert.wait(lag=0)
    return cross


def goes_on(shop):
    shop.culvert.start()
    shop.sql("insert into p values (4, 4); delete from p where id = 2")
    shop.culvert.wait(lag=0)
    shop.compare()
    shop.culvert.kill9()
    shop.sql("insert into c values (40, 4); delete from p where id = 1")
    shop.culvert.start()
    shop.culvert.wait(lag=0)
    shop.compare()
    assert formats(shop) == [1, 6]


def test_a_pipeline_goes_on_after_the_upgrade(shop, culvert):
    fresh = {table: column_names(shop, table) for table in COLUMNS}
    shop.culvert.terminate()
    back_to_format_1(shop)
    shop.sql("update p set v = 9 where id = 3")
    goes_on(shop)
    assert {table: column_names(shop, table) for table in COLUMNS} == fresh
    if shop.direction != "pg-my":
        known = shop.target_sql("select foreign_keys from culvert.tables order by source_name" if not is_my(shop.target)
                                else "select foreign_keys from culvert.`tables` order by source_name")
        assert "CASCADE" in known[0][0] and known[1][0] == "1 0"


def test_what_waits_in_quarantine_is_read_after_the_upgrade(cross, culvert):
    """Format 4 had no rows in the source's form, and no word for it."""
    cross.sql("create table t (id int primary key, v int, note varchar(40)); insert into t values (1, 1, 'x')")
    cross.culvert = culvert(cross.least(**{f"table {cross.qualified('t')}": {"on_conflict": "quarantine"}})).start()
    cross.culvert.wait(lag=0)
    cross.target_sql("alter table t add constraint positive check (v >= 0)")
    cross.sql("insert into t values (2, -1, 'ä'); update t set v = -5, note = null where id = 1")
    cross.sql("update t set note = 'after' where id = 2")
    cross.culvert.wait(lag=0)
    cross.culvert.terminate()
    cross.target_sql("alter table culvert.quarantine drop column source; drop table culvert.fence; delete from culvert.meta;"
                     "insert into culvert.meta (format, version, installed_at) values (4, '0.1.0', current_timestamp)")
    cross.culvert.start()
    cross.sql("update t set v = -6 where id = 1")
    until(lambda: cross.culvert.status()["quarantined"] == 4, 20, "what waits")
    assert formats(cross) == [4, 6]
    cross.target_sql("alter table t drop constraint positive")
    cross.culvert.ctl("quarantine", "retry")
    assert cross.culvert.status()["quarantined"] == 0
    assert cross.compare() == 2


@pytest.mark.long
def test_an_upgrade_that_was_interrupted(to_my, culvert):
    """DDL commits by itself there: a step may find its work done."""
    to_my.sql("create table p (id int primary key, v int); insert into p values (1, 1), (2, 2), (3, 3);"
              "create table c (id int primary key, p int, foreign key (p) references p (id) on delete cascade)")
    to_my.culvert = culvert(to_my.least()).start()
    to_my.culvert.wait(lag=0)
    to_my.culvert.terminate()
    back_to_format_1(to_my)
    to_my.target_sql("alter table culvert.`tables` add column foreign_keys longtext")
    goes_on(to_my)


@pytest.mark.long
def test_an_upgrade_that_fails_leaves_the_old_format(cross, culvert):
    """One transaction on PostgreSQL; who holds it up is waited for, and nothing is half done."""
    if cross.direction != "my-pg":
        pytest.skip("a PostgreSQL target")
    cross.sql("create table p (id int primary key)")
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    c.terminate()
    back_to_format_1(cross)
    cross.target_sql("alter table culvert.checkpoint owner to postgres; grant all on culvert.checkpoint to culvert")
    c.start()
    error = c.wait_error("bringing schema culvert from format 1 to 2")
    assert "must be owner" in error["message"]
    assert formats(cross) == [1] and "foreign_keys" not in column_names(cross, "tables")
    cross.target_sql("alter table culvert.checkpoint owner to culvert")
    c.ctl("resume")
    cross.sql("insert into p values (1)")
    c.wait(lag=0)
    assert cross.compare() and formats(cross) == [1, 6]


def test_a_replication_origin_lives_through_the_upgrade(pair, culvert):
    """It is named by what the table is, not only by the row."""
    pair.sql("create table t (id serial primary key, v int)")
    c = culvert(pair.config()).start()
    c.wait(lag=0)
    c.terminate()
    before = pair.target_sql("select origin from culvert.checkpoint")
    pair.target_sql("alter table culvert.tables drop column foreign_keys; drop table culvert.quarantine, culvert.verify, culvert.verify_table, culvert.verify_result, culvert.fence;"
                    "alter table culvert.checkpoint drop constraint checkpoint_pkey, drop column turn,"
                    " add primary key (pipeline, direction, lane);"
                    "create table culvert.heartbeat (pipeline text primary key, beat bigint not null);"
                    "delete from culvert.meta; insert into culvert.meta (format, version) values (1, '0.1.0')")
    pair.sql("insert into t (v) select 1 from generate_series(1, 10)")
    c.start()
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) == 10
    assert pair.target_sql("select origin from culvert.checkpoint") == before and formats(pair) == [1, 6]


def test_a_newer_format_is_refused(shop, culvert):
    shop.culvert.terminate()
    shop.target_sql("insert into culvert.meta (format, version, installed_at) values (7, '9.9', current_timestamp)")
    shop.sql("insert into p values (5, 5)")
    shop.culvert.start()
    error = shop.culvert.wait_error("has format 7")
    assert error["class"] == "config" and "format 6" in error["message"] and "newer" in error["message"]
    assert shop.target_sql("select count(*) from p where id = 5") == [(0,)]
    shop.target_sql("delete from culvert.meta where format = 7")
    shop.culvert.ctl("resume")
    shop.culvert.wait(lag=0)
    until(lambda: shop.target_sql("select count(*) from p where id = 5") == [(1,)], 20, "the row")
    shop.compare()
