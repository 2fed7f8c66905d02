"""Sequences and AUTO_INCREMENT at a cutover: past the source's and past the column's, never back, in every direction."""
import pytest

from harness.fencing import Fence
from integration.conftest import is_my

MANY = 200


class Counted:
    """Tables that are there on both sides, without a daemon in between."""

    def __init__(self, way, culvert, source, target, tables, more=None):
        self.way = way
        way.sql(source)
        way.target_sql(target)
        self.direction = getattr(way, "direction", "pg-pg")
        schema = way.name if is_my(way.source) else "public"
        self.config = culvert(way.config(**(more or {})))
        self.steps = Fence(self.config.path, [f"{schema}.{t}" for t in tables])

    def value(self, insert, column="id", table=None):
        """What an insert by default gets."""
        self.way.target_sql(insert)
        order = "max" if not getattr(self, "down", False) else "min"
        return self.way.target_sql(f"select {order}({column}) from {table or insert.split()[2]}")[0][0]


def definition(server, name, column="id", type="int"):
    if is_my(server):
        return f"create table {name} ({column} {type} auto_increment primary key, v int);"
    serial = {"int": "serial", "bigint": "bigserial"}[type]
    return f"create table {name} ({column} {serial} primary key, v int);"


def insert_by_default(way, table, column="id", side="target"):
    server = getattr(way, side)
    server.run(f"insert into {table} (v) values (12345)", db=way.name)
    return server.run(f"select {column} from {table} where v = 12345", db=way.name)[0][0]


@pytest.fixture
def three(way, culvert):
    """Ahead on the source by a gap; ahead on the target by a row; renamed."""
    names = ["ahead", "behind", "named"]
    source = "".join(definition(way.source, n) for n in names)
    target = "".join(definition(way.target, n, "nummer" if n == "named" else "id") for n in names)
    schema = way.name if is_my(way.source) else "public"
    c = Counted(way, culvert, source, target, names, {f"table {schema}.named": {"column.id.to": "nummer"}})
    return c


def test_past_the_source_and_past_the_column(three):
    way = three.way
    for table, column in (("ahead", "id"), ("behind", "id"), ("named", "nummer")):
        way.sql(f"insert into {table} (v) values (1), (2), (3)")
        way.target_sql(f"insert into {table} ({column}, v) values (1, 1), (2, 2), (3, 3)")
    if is_my(way.source):
        way.sql("alter table ahead auto_increment = 5000; alter table named auto_increment = 70")
    else:
        way.sql("select setval('ahead_id_seq', 4999), setval('named_id_seq', 69)")
    way.target_sql("insert into behind (id, v) values (900, 9)")
    assert three.steps.findings("error", "counters-check") == []
    three.steps.counters()
    moved, _ = three.steps.counters()
    assert moved == 0  # done already
    assert insert_by_default(way, "ahead") == 5000
    assert insert_by_default(way, "behind") == 901
    assert insert_by_default(way, "named", "nummer") == 70
    three.steps.counters()
    for table, column in (("ahead", "id"), ("behind", "id"), ("named", "nummer")):
        way.target_sql(f"delete from {table} where v = 12345")
    assert [insert_by_default(way, t, c) for t, c in (("ahead", "id"), ("behind", "id"), ("named", "nummer"))] == \
        [5001, 902, 71]  # never back


@pytest.mark.long
def test_two_hundred_tables(way, culvert):
    """It runs while nobody writes."""
    names = [f"t{i}" for i in range(MANY)]
    for side in ("source", "target"):
        server = getattr(way, side)
        server.run("".join(definition(server, n) for n in names) + "".join(
            f"insert into {n} (id, v) values (10, 1);" for n in names), db=way.name)
        if not is_my(server):
            server.run(";".join(f"select setval('{n}_id_seq', 10)" for n in names), db=way.name)
    c = Counted(way, culvert, "select 1", "select 1", names)
    assert c.steps.counters()[0] == 0
    way.sql("".join(f"alter table {n} auto_increment = 100;" for n in names) if is_my(way.source) else
            ";".join(f"select setval('{n}_id_seq', 99)" for n in names))
    moved, seconds = c.steps.counters()
    same, again = c.steps.counters()
    print(f"{c.direction}: {moved} set in {seconds:.3f} s, then {again:.3f} s")
    assert moved == MANY and same == 0
    assert insert_by_default(way, "t7") == 100


PG_SOURCE = """
create sequence alone start 100 increment 7 cache 20;
create sequence shared;
create sequence falling increment -1 start -1;
create table owned (id int generated always as identity (cache 10) primary key, v int);
create table one (id bigint default nextval('shared') primary key, v int);
create table two (id bigint default nextval('shared') primary key, v int);
create table down (id int default nextval('falling') primary key, v int);
create table parts (id bigserial, at date, v int, primary key (id, at)) partition by range (at);
create table parts_1 partition of parts default;
create table turns (id int generated by default as identity (minvalue 1 maxvalue 3 cycle), v int);
create table "Od'd" ("I""d" serial primary key, v int);
"""
PG_TABLES = ["owned", "one", "two", "down", "parts", "turns", "Od'd"]


def test_every_kind_of_sequence(pair, culvert):
    c = Counted(pair, culvert, PG_SOURCE, PG_SOURCE, PG_TABLES)
    with pair.source.connect(pair.name) as session:
        cursor = session.cursor()
        for _ in range(3):
            cursor.execute("select nextval('alone'), nextval('shared')")
            cursor.execute("insert into owned (v) values (1); insert into down (v) values (1);"
                           "insert into parts (at, v) values ('2020-01-01', 1); insert into turns (v) values (1);"
                           "insert into \"Od'd\" (v) values (1)")
    pair.target_sql("insert into two values (50, 1); insert into down values (-40, 1)")
    assert c.steps.findings("error", "counters-check") == []
    assert c.steps.findings("warning", "counters-check") == []
    assert c.steps.counters()[0] == 7  # not the one that turns, which is back at its beginning
    assert c.steps.counters()[0] == 0
    # 20 values are taken at once: the 21st is the first that nobody has; and as many more
    assert pair.target_sql("select nextval('alone')")[0][0] >= 100 + 20 * 7
    assert pair.target_sql("select mod(nextval('alone') - 100, 7)")[0][0] == 0
    assert insert_by_default(pair, "owned") == 20
    assert insert_by_default(pair, "one") == 51 and insert_by_default(pair, "two") == 52
    assert insert_by_default(pair, "down") == -41
    pair.target_sql("insert into parts (at, v) values ('2020-01-01', 9)")
    assert pair.target_sql("select id from parts where v = 9") == [(4,)]
    assert insert_by_default(pair, "turns") == 1  # round, as on the source
    assert insert_by_default(pair, "\"Od'd\"", '"I""d"') == 4


def test_a_sequence_that_was_never_used(pair, culvert):
    tables = "create table t (id serial primary key, v int); alter sequence t_id_seq restart with 500;"
    c = Counted(pair, culvert, tables, "create table t (id serial primary key, v int)", ["t"])
    c.steps.counters()
    assert insert_by_default(pair, "t") == 500


@pytest.mark.parametrize("direction", ["my-my", "my-pg"])
def test_no_room_is_a_clear_error(request, culvert, direction):
    from integration.conftest import make_cross
    cross = make_cross(request, direction)
    c = Counted(cross, culvert, "create table big (id bigint unsigned auto_increment primary key, v int)",
                "create table big (id bigint unsigned auto_increment primary key, v int)" if direction == "my-my" else
                "create table big (id numeric(20) primary key default 0, v int); create sequence big_s owned by big.id;"
                "alter table big alter id set default nextval('big_s')", ["big"])
    try:
        cross.sql("insert into big values (9223372036854775807, 1)")
        if direction == "my-my":
            c.steps.counters()
            assert insert_by_default(cross, "big") == 2 ** 63
            cross.sql("insert into big values (18446744073709551614, 1)")
            c.steps.counters()
            cross.target_sql("insert into big values (18446744073709551615, 1)")
            error = c.steps.refused("counters")
            assert "it would go on at 18446744073709551616" in error and "ends at 18446744073709551615" in error
            return
        error = c.steps.refused("counters")
        assert error.startswith("data: ") and "column id" in error and "9223372036854775808" in error, error
        assert any("ends at 9223372036854775807" in text for _, text, _ in c.steps.findings("error", "counters-check"))
    finally:
        cross.drop()


def test_what_the_check_finds(three):
    way = three.way
    if is_my(way.target):
        way.target_sql("alter table behind modify id int")
    else:
        way.target_sql("alter table behind alter id drop default; drop sequence if exists behind_id_seq")
    found = three.steps.findings("error", "counters-check")
    assert len(found) == 1 and "column id of table" in found[0][1] and "behind" in found[0][1]
    assert "has none on the target" in found[0][1]
    three.steps.counters()
