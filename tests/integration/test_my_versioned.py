"""MariaDB's system-versioned tables: what is current is migrated, by copy and by stream; history stays
behind and is listed. A target of MariaDB has a history of its own."""
import pytest

from integration.conftest import make_cross

# Times that anybody sees, invisible ones, those that nobody wrote, a column without history,
# partitions by time, a key that is not the primary one, and no key at all.
TABLES = {
    "e": "create table {} (id int primary key, v varchar(20), a timestamp(6) generated always as row start, "
         "z timestamp(6) generated always as row end, b int default 3, period for system_time (a, z), key (v)) "
         "with system versioning",
    "h": "create table {} (id int primary key, v varchar(20), "
         "a timestamp(6) generated always as row start invisible, "
         "z timestamp(6) generated always as row end invisible, period for system_time (a, z)) "
         "with system versioning",
    "i": "create table {} (id int auto_increment primary key, v varchar(20), b int default 5, unique key (v)) "
         "with system versioning",
    "w": "create table {} (id int primary key, v varchar(20), n int without system versioning) "
         "with system versioning",
    "p": "create table {} (id int primary key, v varchar(20)) with system versioning "
         "partition by system_time limit 3 (partition p0 history, partition p1 history, partition pc current)",
    "q": "create table {} (id int primary key, v varchar(20)) with system versioning "
         "partition by system_time interval 1 second auto",
    "u": "create table {} (id int not null, v varchar(20), unique key (id)) with system versioning",
    "k": "create table {} (id int, v varchar(20)) with system versioning",
}


def history(table, first):
    """Everything that makes history of rows from `first` on."""
    ids = [first + i for i in range(6)]
    rows = ", ".join(f"({i}, 'v{i}')" for i in ids)
    return [f"insert into {table} (id, v) values {rows}",
            f"update {table} set v = concat(v, '!') where id < {first + 4} and id >= {first}",
            f"update {table} set v = concat(v, '?') where id = {first + 1}",
            f"update {table} set v = v where id = {first + 5}",
            f"update {table} set id = {first + 9} where id = {first + 2}",
            f"delete from {table} where id = {first + 3}",
            f"delete from {table} where id = {first + 1}",
            f"insert into {table} (id, v) values ({first + 3}, 'again {first}')",
            f"begin; insert into {table} (id, v) values ({first + 7}, 'in one {first}'); "
            f"update {table} set v = 'changed {first}' where id = {first + 7}; delete from {table} where id = {first + 7}; "
            f"insert into {table} (id, v) values ({first + 8}, 'stays {first}'); commit",
            f"begin; insert into {table} (id, v) values ({first + 7}, 'not {first}'); rollback"]


def change(cross, first):
    for table in TABLES:
        for statement in history(table, first):
            cross.sql(statement)
    for table in ("e", "h", "i", "w", "p", "q", "u"):
        cross.sql(f"replace into {table} (id, v) values ({first + 5}, 'replaced {first}'), ({first + 6}, 'new {first}')")
        cross.sql(f"insert into {table} (id, v) values ({first + 5}, 'x') on duplicate key update v = 'dup {first}'")
    cross.sql(f"update w set n = 9 where id = {first}")


@pytest.fixture(params=[("FULL", "FULL"), ("MINIMAL", "FULL"), ("NOBLOB", "NO_LOG"), ("FULL", "MINIMAL")])
def log(my_source, request):
    image, metadata = request.param
    my_source.setting("binlog_row_image", f"'{image}'")
    my_source.setting("binlog_row_metadata", f"'{metadata}'")
    yield image
    my_source.setting("binlog_row_image", "'FULL'")
    my_source.setting("binlog_row_metadata", "'FULL'")


def compare(cross):
    """All columns that anybody sees; where the target keeps the times, its own."""
    if cross.direction == "my-my":
        return (cross.compare(only={(cross.name, t) for t in TABLES if t not in ("e", "h", "k")}) +
                cross.compare(only={(cross.name, t) for t in TABLES if t == "k"}) +
                cross.compare(names={(cross.name, t): (cross.name, t, {n: n for n in ("id", "v")})
                                     for t in ("e", "h")},
                              only={(cross.name, t) for t in ("e", "h")}))
    return cross.compare()


def test_current_rows_by_copy_and_by_stream(from_my, culvert, log):
    tables = [t for t in TABLES if log == "FULL" or t != "k"]
    from_my.sql("; ".join(TABLES[t].format(t) for t in tables))
    for t in set(TABLES) - set(tables):
        from_my.sql(f"create table {t} (id int primary key, v varchar(20))")
    change(from_my, 100)
    c = culvert(from_my.config()).start()
    c.wait(lag=0)
    assert compare(from_my) > 0
    change(from_my, 200)
    for table in tables:
        from_my.sql(f"set @@system_versioning_insert_history = 1; insert into {table} (id, v, "
                    + ("a, z" if table in "eh" else "row_start, row_end") +
                    ") values (1, 'h', '2001-01-01', '2002-01-01')")
        from_my.sql(f"delete history from {table}")
    change(from_my, 300)
    c.wait(lag=0)
    assert compare(from_my) > 0


def test_the_target_has_a_history_of_its_own(request, culvert):
    cross = make_cross(request, "my-my")
    try:
        cross.sql(TABLES["i"].format("i") + "; " + TABLES["e"].format("e"))
        cross.sql("insert into i (id, v) values (1, 'a'); update i set v = 'b'; insert into e (id, v) values (1, 'a')")
        c = culvert(cross.least()).start()
        c.wait(lag=0)
        cross.sql("update i set v = 'c'; update e set v = 'c'; delete from e")
        c.wait(lag=0)
        assert cross.target_sql("select v from i") == [("c",)]
        assert cross.target_sql("select v from i for system_time all order by row_end") == [("b",), ("c",)]
        assert cross.target_sql("select v from e for system_time all order by a") == [("a",), ("c",)]
    finally:
        cross.drop()


def test_into_tables_without_versioning(from_my, culvert):
    """The times go where a column of the target has their name."""
    times = "timestamp(6) with time zone" if from_my.direction == "my-pg" else "timestamp(6)"
    from_my.sql(TABLES["i"].format("i") + "; " + TABLES["e"].format("e"))
    from_my.target_sql(f"create table i (id int primary key, v varchar(20), b int, row_start {times} not null)")
    from_my.target_sql(f"create table e (id int primary key, v varchar(20), z {times} not null, b int)")
    from_my.sql("insert into i (id, v) values (1, 'a'), (2, 'b'); insert into e (id, v) values (1, 'a'), (2, 'b')")
    c = culvert(from_my.config()).start()
    c.wait(lag=0)
    for t in "ie":
        from_my.sql(f"update {t} set v = 'c' where id = 1; insert into {t} (id, v) values (3, 'd')")
        from_my.sql(f"delete from {t} where id = 2")
    c.wait(lag=0)
    for table, columns in (("i", "id, v, row_start"), ("e", "id, v, z")):
        of_source = from_my.sql(f"select {columns} from {table} order by id")
        of_target = from_my.target_sql(f"select {columns} from {table} order by id")
        assert [tuple(str(v)[:26] for v in r) for r in of_source] == [tuple(str(v)[:26] for v in r) for r in of_target]
        assert len(of_source) == 2


def test_cascades_of_versioned_tables(from_my, culvert):
    """To InnoDB the end of a row is its deletion, and so it is for the children."""
    from_my.sql("create table p (id int primary key, v int) with system versioning; "
                "create table c (id int primary key, p int, foreign key (p) references p (id) on delete cascade "
                "on update cascade) with system versioning; "
                "create table n (id int primary key, p int, foreign key (p) references p (id) on delete set null); "
                "insert into p values (1, 1), (2, 2), (3, 3), (4, 4); insert into c values (1, 1), (2, 2), (3, 3); "
                "insert into n values (1, 1), (2, 2), (3, 4)")
    c = culvert(from_my.config()).start()
    c.wait(lag=0)
    from_my.sql("delete from n where id = 1; delete from p where id = 1; update p set v = 9; "
                "update p set id = 30 where id = 3; delete from p where id = 4")
    c.wait(lag=0)
    assert from_my.compare() == 2 + 2 + 2


def test_history_is_listed_as_left_behind(from_my, culvert):
    from_my.sql(TABLES["i"].format("i") + "; create table plain (id int primary key)")
    c = culvert(from_my.config())
    said = c.ctl("assess", "-c", c.path, check=False).stdout
    assert f"HISTORY {from_my.qualified('i')}" in said and "HISTORY " + from_my.qualified("plain") not in said


def test_a_session_that_looks_into_the_past_does_not_mislead_the_copy(from_my, culvert, my_source):
    from_my.sql(TABLES["i"].format("i") + "; insert into i (id, v) values (1, 'a')")
    my_source.setting("system_versioning_asof", "'2001-01-01'")
    try:
        c = culvert(from_my.config()).start()
        c.wait(lag=0)
    finally:
        my_source.setting("system_versioning_asof", "default")
    assert from_my.compare() == 1


def test_versioned_by_transaction_ids_is_refused(from_my, culvert):
    from_my.sql("create table x (id int primary key, a bigint unsigned generated always as row start, "
                "z bigint unsigned generated always as row end, period for system_time (a, z)) "
                "with system versioning; create table y (id int primary key)")
    error = culvert(from_my.config()).start().wait_error("transaction ids")
    assert from_my.qualified("x") in error["message"] and from_my.qualified("y") not in error["message"]
    assert "drop system versioning" in error["message"]


def test_versioning_that_is_added_stops_the_stream(from_my, culvert):
    from_my.sql("create table t (id int primary key, v varchar(20)); insert into t values (1, 'a')")
    c = culvert(from_my.config()).start()
    c.wait(lag=0)
    from_my.sql("alter table t add system versioning; update t set v = 'b'; delete from t where id = 1; "
                "insert into t values (2, 'c')")
    c.wait_error("t")
    c.ctl("resume")
    c.wait(lag=0)
    assert from_my.compare() == 1
