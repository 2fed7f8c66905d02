"""Names and selections with the MySQL family: renamed tables, schemas and columns, columns left out,
row filters, and names that need quotes."""
import pytest

from harness.compare_cross import compare_across
from integration.conftest import is_my

ORDERS = """create table orders (id int primary key, state varchar(10), total decimal(10,2), note varchar(100), at date);
insert into orders values (1, 'open', 1.50, 'x', '2019-12-31'), (2, 'paid', 2.50, null, '2020-01-01'),
(3, 'closed', 3, 'é', '2021-05-05'), (4, null, null, '', null)"""


def table(cross, name="orders"):
    return f"table {cross.qualified(name)}"


def test_table_and_columns_by_other_names(cross, culvert):
    cross.sql(ORDERS)
    to = cross.qualified("orders_2", "target")
    c = culvert(cross.config(**{table(cross): {"to": to, "column.state.to": "status", "columns.exclude": "note"}})).start()
    c.wait(lag=0)
    cross.sql("insert into orders values (5, 'new', 5, 'hidden', '2024-01-01'); update orders set state = 'done' where id = 2; "
              "update orders set note = 'only this' where id = 1; update orders set id = 33 where id = 3; "
              "delete from orders where id = 4")
    c.wait(lag=0)
    source = (cross.name if is_my(cross.source) else "public", "orders")
    target = tuple(to.split("."))
    columns = {"id": "id", "state": "status", "total": "total", "at": "at"}
    assert cross.compare(names={source: (*target, columns)}) == 4
    assert "hidden" not in str(cross.target_sql("select * from orders_2"))


def test_a_filter(cross, culvert):
    """An update that crosses the filter becomes an insert or a delete."""
    cross.sql(ORDERS)
    if not is_my(cross.source):
        cross.sql("alter table orders replica identity full")
    where = "at >= '2020-01-01' and state in ('open', 'paid', 'closed')"
    c = culvert(cross.config(**{table(cross): {"where": where}})).start()
    c.wait(lag=0)
    ids = "select id from orders order by id"
    assert cross.target_sql(ids) == [(2,), (3,)]
    cross.sql("update orders set at = '2020-02-02' where id = 1; update orders set state = 'gone' where id = 2; "
              "insert into orders values (5, 'open', 1, null, '2022-02-02'), (6, 'open', 1, null, '2002-02-02'); "
              "update orders set total = 9 where id in (3, 6); update orders set id = 50 where id = 5; delete from orders where id = 6")
    c.wait(lag=0)
    assert cross.target_sql(ids) == [(1,), (3,), (50,)]
    assert cross.target_sql("select total from orders where id = 3")[0][0] == 9


def test_another_database_name(cross, culvert):
    cross.sql(ORDERS)
    there = cross.name + "_there"
    if not is_my(cross.target):
        pytest.skip("a schema of PostgreSQL is in test_schemas")
    cross.target.run(f"create database {there}")
    try:
        config = cross.config()
        config["target"]["uri"] = cross.target.uri(there)
        c = culvert(config).start()
        c.wait(lag=0)
        cross.sql("update orders set total = 7")
        c.wait(lag=0)
        assert compare_across(cross.source, cross.target, cross.name, there) == 4
    finally:
        cross.target.run(f"drop database {there}")


def test_schemas(from_my, culvert):
    from_my.sql(ORDERS)
    there = "elsewhere" if not is_my(from_my.target) else from_my.name + "_else"
    from_my.target.run(f"create {'database' if is_my(from_my.target) else 'schema'} {there}",
                       db=None if is_my(from_my.target) else from_my.name)
    try:
        c = culvert(from_my.config(schemas={from_my.name: there})).start()
        c.wait(lag=0)
        from_my.sql("insert into orders values (9, 'x', 1, null, null)")
        c.wait(lag=0)
        assert from_my.compare(names={(from_my.name, "orders"): (there, "orders", None)}) == 5
    finally:
        if is_my(from_my.target):
            from_my.target.run(f"drop database {there}")


def test_include_and_exclude(cross, culvert):
    for name in ("a_one", "a_two", "b_one", "audit_log"):
        cross.sql(f"create table {name} (id int primary key); insert into {name} values (1)")
    q = cross.qualified
    c = culvert(cross.config(tables={"include": f"{q('a_*')}, {q('audit_*')}", "exclude": q("audit_*")})).start()
    c.wait(lag=0)
    for name in ("a_one", "a_two", "b_one", "audit_log"):
        cross.sql(f"insert into {name} values (2)")
    c.wait(lag=0)
    home = cross.name if is_my(cross.source) else "public"
    assert cross.compare(only=[(home, "a_one"), (home, "a_two")]) == 4
    home = cross.name if is_my(cross.target) else "public"
    tables = "select table_name from information_schema.tables where table_schema = %s order by 1"
    assert [r[0] for r in cross.target_sql(tables, home)] == ["a_one", "a_two"]


ODD = ['T "q" ü', "dot.ted", "back\\slash", "a" * 64, "select", "UPPER", "$1", "a;b'c", "schlüssel 日本", "per%cent %s"]


def test_names_that_need_quotes(from_my, culvert):
    """64 bytes are too long for PostgreSQL: that one goes by another name."""
    to_pg = not is_my(from_my.target)
    names = [n for n in ODD if len(n) < 64 or not to_pg]

    def q(n):
        return "`" + n.replace("`", "``") + "`"
    for n in names:
        from_my.sql(f"create table {q(n)} ({q(n)} int primary key, {q('v ' + n[:50])} varchar(20))")
        from_my.sql(f"insert into {q(n)} values (1, 'copied')")
    c = culvert(from_my.config()).start()
    c.wait(lag=0)
    for n in names:
        from_my.sql(f"insert into {q(n)} values (2, 'streamed'), (3, 'x'); update {q(n)} set {q('v ' + n[:50])} = 'y' "
                    f"where {q(n)} = 1; update {q(n)} set {q(n)} = 4 where {q(n)} = 3; delete from {q(n)} where {q(n)} = 2")
    c.wait(lag=0)
    assert from_my.compare() == 2 * len(names)


def test_a_name_too_long_for_postgresql(from_my, culvert):
    if is_my(from_my.target):
        pytest.skip("64 characters have their place there")
    from_my.sql(f"create table `{'a' * 64}` (id int primary key)")
    c = culvert(from_my.config()).start()
    error = c.wait_error("aaaa")
    assert error["class"] == "config"
