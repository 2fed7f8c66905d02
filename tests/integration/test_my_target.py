"""What a MySQL-family target and source have that PostgreSQL has not: triggers that cannot be
switched off, tables without transactions, columns that update themselves, cascades outside the log."""
import pytest

from harness.until import until

SETUP = """create table t (id int primary key, v varchar(20), ts {ts});
insert into t (id, v) values (1, 'one'), (2, 'two')"""
TS = {"my": "timestamp(3) null", "pg": "timestamptz(3)"}


@pytest.fixture
def shop(to_my):
    to_my.sql(SETUP.format(ts=TS[to_my.direction[:2]]))
    return to_my


def plan(c):
    r = c.ctl("plan", "-c", c.path, check=False)
    return r.stdout + r.stderr


def test_target_table_without_transactions_is_refused(shop, culvert):
    shop.target_sql("create table t (id int primary key, v varchar(20), ts timestamp(3) null) engine = myisam")
    c = culvert(shop.config()).start()
    error = c.wait_error("MyISAM")
    assert error["class"] == "config" and shop.qualified("t", "target") in error["message"]
    assert "MyISAM" in plan(c)
    assert shop.target_sql("select count(*) from t") == [(0,)]


def test_trigger_on_a_target_table(shop, culvert):
    """It fires for culvert too: that is said, or refused, before it has done anything."""
    shop.target_sql("create table t (id int primary key, v varchar(20), ts timestamp(3) null); "
                    "create table log (id int); "
                    "create trigger tr before insert on t for each row insert into log values (new.id)")
    c = culvert(shop.config()).start()

    def said():
        status = c.status()
        message = (status["error"] or {"message": ""})["message"]
        return "trigger" in message + c.log_text() and (status["state"] in ("streaming", "stopped-on-error"))
    until(said, 30, "a word about the trigger")
    assert "trigger" in plan(c)
    if c.status()["state"] == "stopped-on-error":
        assert shop.target_sql("select count(*) from log") == [(0,)]


def test_columns_that_update_themselves_keep_the_sources_value(shop, culvert):
    """HAZARDS A11: also where the update leaves them out."""
    shop.target_sql("create table t (id int primary key, v varchar(20), ts timestamp(3) not null default "
                    "current_timestamp(3) on update current_timestamp(3))")
    shop.sql("update t set ts = '2001-01-01 00:00:00' where id in (1, 2)")
    c = culvert(shop.config(tables={"create": "no"})).start()
    c.wait(lag=0)
    shop.sql("update t set v = 'changed' where id = 1")
    shop.sql("update t set id = 20 where id = 2")
    c.wait(lag=0)
    assert shop.compare() == 2
    assert [str(r[0])[:10] for r in shop.target_sql("select ts from t")] == ["2001-01-01", "2001-01-01"]


def test_auto_updating_column_of_the_target_only(shop, culvert):
    """The source has no such column: each row keeps what it has."""
    shop.target_sql("create table t (id int primary key, v varchar(20), ts timestamp(3) null, changed timestamp not null "
                    "default current_timestamp on update current_timestamp)")
    c = culvert(shop.config(tables={"create": "no"})).start()
    c.wait(lag=0)
    shop.target_sql("update t set changed = '2001-01-01 00:00:00'")
    shop.sql("update t set v = 'changed' where id = 1; insert into t (id) values (3)")
    c.wait(lag=0)
    assert str(shop.target_sql("select changed from t where id = 1")[0][0]) == "2001-01-01 00:00:00"


def transactions_in_log(server, file, offset):
    """The tables of each transaction, in the order of their events."""
    made, tables = [], []
    for _, _, type, _, _, info in server.run(f"show binlog events in '{file}' from {offset}"):
        if type == "Table_map":
            tables.append(info.split("(")[1].split(")")[0])
        if type == "Xid":
            made.append(tables)
            tables = []
    return made


def test_checkpoint_row_changes_in_every_transaction(shop, culvert):
    """HAZARDS A7, A8: an update to the same values would not be in the target's own log; it comes
    first."""
    c = culvert(shop.least()).start()
    c.wait(lag=0)
    file, offset = shop.target.master()
    for i in range(10, 20):
        shop.sql(f"insert into t (id) values ({i})")
        c.wait(lag=0)
    ours = [t for t in transactions_in_log(shop.target, file, offset) if f"{shop.name}.t" in t]
    assert ours and all(t[0] == "culvert.checkpoint" for t in ours), ours


def test_target_settings_of_sql_mode_change_nothing(shop, culvert):
    """Modes of the server that would cut, change or misread what is written."""
    modes = shop.target.run("select @@global.sql_mode")[0][0]
    shop.target.setting("sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,NO_ZERO_IN_DATE'")
    try:
        c = culvert(shop.least()).start()
        c.wait(lag=0)
        insert = "insert into t (id, v) values (%s, %s)"
        for i, v in enumerate(("a\\b", "q'\"`", "", "\\", "x\ny", "ä😀", "trailing  ")):
            shop.sql(insert, 100 + i, v)
        shop.sql("update t set id = 0 where id = 1")
        c.wait(lag=0)
        assert shop.compare() == 9
    finally:
        shop.target.setting("sql_mode", f"'{modes}'")


def test_zero_in_an_auto_increment_column(to_my, culvert):
    """NO_AUTO_VALUE_ON_ZERO: 0 is a value like any other."""
    auto = {"my": "int auto_increment primary key", "pg": "int generated by default as identity primary key"}
    to_my.sql(f"create table z (id {auto[to_my.direction[:2]]}, v text)")
    to_my.sql("insert into z (v) values ('first')")
    to_my.sql("update z set id = 0")
    c = culvert(to_my.least()).start()
    c.wait(lag=0)
    to_my.sql("insert into z values (7, 'x'); update z set id = 70 where id = 0; update z set id = 0 where id = 7")
    c.wait(lag=0)
    assert to_my.compare() == 2


def test_source_table_without_transactions(from_my, culvert):
    """MyISAM on the source: each statement is a group of its own in the log, ended by COMMIT."""
    from_my.sql("create table m (id int primary key, v text) engine = myisam; create table i (id int primary key); "
                "insert into m values (1, 'one'), (2, 'two'); insert into i values (1)")
    c = culvert(from_my.config()).start()
    c.wait(state="streaming")
    for n in range(10, 40):
        from_my.sql(f"begin; insert into i values ({n}); insert into m values ({n}, 'x'); update m set v = 'y' where id = {n}; commit")
        from_my.sql(f"begin; insert into m values ({100 + n}, 'stays'); insert into i values ({100 + n}); rollback")
    c.kill9()
    from_my.sql("delete from m where id = 1; insert into i values (1000)")
    c.start()
    c.wait(lag=0)
    assert from_my.compare() == 2 + 60 + 30 + 1 - 1 + 1


CASCADE = """create table p (id int primary key, v text);
create table c (id int primary key, p int, foreign key (p) references p (id) on delete cascade on update cascade);
create table n (id int primary key, p int, foreign key (p) references p (id) on delete set null on update cascade);
insert into p values (1, 'a'), (2, 'b'), (3, 'c'); insert into c values (1, 1), (2, 2), (3, 3); insert into n values (1, 1), (2, 2)"""


def test_cascades_are_not_lost(from_my, culvert):
    """They are not in the log: done on the target, or refused and said."""
    from_my.sql(CASCADE)
    c = culvert(from_my.config()).start()
    until(lambda: c.status()["state"] in ("streaming", "stopped-on-error"), 60, "the stream or a refusal")
    if c.status()["state"] == "stopped-on-error":
        assert "cascade" in c.status()["error"]["message"].lower()
        return
    from_my.sql("delete from p where id = 1; update p set id = 20 where id = 2")
    if c.ctl("wait", "--lag", "0", "--timeout", "60", check=False).returncode:
        assert "c" in (c.status()["error"] or {"message": ""})["message"]
    else:
        from_my.compare()


def test_system_versioned_table(from_my, culvert):
    """MariaDB: history is not carried; what is current is, or the table is refused by name."""
    from_my.sql("create table v (id int primary key, x int) with system versioning; insert into v values (1, 1); "
                "update v set x = 2")
    c = culvert(from_my.config()).start()
    until(lambda: c.status()["state"] in ("streaming", "stopped-on-error"), 60, "the stream or a refusal")
    if c.status()["state"] == "stopped-on-error":
        assert from_my.qualified("v") in c.status()["error"]["message"]
        return
    from_my.sql("update v set x = 3; insert into v values (2, 2); delete from v where id = 1")
    c.wait(lag=0)
    assert from_my.compare() == 1


def test_pipelines_that_start_at_once(to_my, culvert):
    """On a server without database culvert: one makes it, the others wait for that."""
    names = [f"shop{i}" for i in range(5)]
    for i, name in enumerate(names):
        to_my.sql(f"create table t{i} (id int primary key); insert into t{i} values ({i})")
    pipelines = [culvert(to_my.config(tables={"include": to_my.qualified(f"t{i}")}), name).start(answer=False)
                 for i, name in enumerate(names)]
    for c in pipelines:
        until(lambda: c.ctl("status", check=False).returncode == 0, 20, "an answer")
        c.wait(lag=0)
        assert "cannot start yet" not in c.log_text()
    assert to_my.compare() == 5
    assert to_my.target.run("select count(*) from culvert.checkpoint") == [(5,)]
