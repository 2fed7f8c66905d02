"""Foreign keys by which InnoDB changes rows that the binary log does not tell of (HAZARDS A14): on the
target the same happens, in the same transaction, in the source's order."""
import random
import re

import pymysql
import pytest

from harness.servers_my import MySQL
from harness.until import until
from integration.conftest import Cross

RULES = """
create table p (id int primary key, code varchar(20) character set utf8mb4 collate utf8mb4_bin unique, v int);
create table c (id int primary key, p int, v int, foreign key (p) references p (id) on delete cascade on update cascade);
create table n (id int primary key, p int, v int, foreign key (p) references p (id) on delete set null on update set null);
create table w (id int primary key, code varchar(20) character set utf8mb4 collate utf8mb4_bin,
                foreign key (code) references p (code) on delete set null on update cascade);
insert into p select seq, concat('code ', seq), 0 from seq_1_to_20; insert into p values (21, null, 0);
insert into c select seq, 1 + seq % 21, 0 from seq_1_to_60; insert into n select id, p, v from c;
insert into w select seq, concat('code ', 1 + seq % 20) from seq_1_to_60; insert into w values (99, null)"""

# A key over two columns; a child's key that is another's parent, three deep; NULL in a part.
DEEP = """
create table o (id int, region int, v int, primary key (region, id));
create table line (region int, o int, n int, v int, primary key (region, o, n),
                   foreign key (region, o) references o (region, id) on delete cascade on update cascade);
create table part (region int, o int, n int, k int, primary key (region, o, n, k),
                   foreign key (region, o, n) references line (region, o, n) on delete cascade on update cascade);
create table note (id int primary key, region int, o int, n int, k int,
                   foreign key (region, o, n, k) references part (region, o, n, k) on delete set null on update cascade);
create table loose (id int primary key, region int, o int,
                    foreign key (region, o) references o (region, id) on delete cascade on update cascade);
insert into o select seq % 8, seq div 8, 0 from seq_0_to_39;
insert into line select region, id, seq, 0 from o join seq_1_to_3;
insert into part select region, o, n, seq from line join seq_1_to_2;
insert into note select row_number() over (order by region, o, n, k), region, o, n, k from part;
insert into loose select row_number() over (order by region, id), region, id from o;
insert into loose select 1000 + id, region, null from loose where o is not null and id <= 10"""

# Trees, a ring of two tables, two ways to one row.
GRAPH = """
create table tree (id int primary key, up int, foreign key (up) references tree (id) on delete cascade);
create table leaf (id int primary key, t int, foreign key (t) references tree (id) on delete cascade);
create table bird (id int primary key, l int, foreign key (l) references leaf (id) on delete set null);
create table staff (id int primary key, boss int, foreign key (boss) references staff (id) on delete set null);
create table x (id int primary key, y int);
create table y (id int primary key, x int, foreign key (x) references x (id) on delete cascade);
alter table x add foreign key (y) references y (id) on delete cascade;
create table top (id int primary key);
create table l (id int primary key, t int, foreign key (t) references top (id) on delete cascade on update cascade);
create table r (id int primary key, t int, foreign key (t) references top (id) on delete cascade on update cascade);
create table bottom (id int primary key, l int, r int, t int,
                     foreign key (l) references l (id) on delete cascade on update cascade,
                     foreign key (r) references r (id) on delete cascade on update cascade,
                     foreign key (t) references top (id) on delete set null on update cascade);
insert into tree values (0, null); insert into tree select seq, (seq - 1) div 3 from seq_1_to_200;
insert into leaf select seq, seq from seq_1_to_200; insert into bird select seq, seq from seq_1_to_200;
insert into staff select seq, null from seq_1_to_50; update staff set boss = 1 + id div 3 where id > 1;
insert into x select seq, null from seq_1_to_30; insert into y select seq, seq from seq_1_to_30;
update x set y = id - 1 where id > 1 and id % 7 <> 0;
insert into top select seq from seq_1_to_12;
insert into l select seq, 1 + seq % 12 from seq_1_to_40; insert into r select seq, 1 + seq % 11 from seq_1_to_40;
insert into bottom select seq, 1 + seq % 40, 1 + (seq * 7) % 40, 1 + (seq * 5) % 12 from seq_1_to_150"""


def begin(cross, culvert, sql, **sections):
    cross.sql(sql)
    c = culvert(cross.least(**sections)).start()
    c.wait(lag=0)
    return c


def same(cross, c):
    c.wait(lag=0)
    return cross.compare()


def test_each_rule(from_my, culvert):
    c = begin(from_my, culvert, RULES)
    from_my.sql("delete from p where id = 1")
    from_my.sql("update p set id = 200 where id = 2")
    from_my.sql("update p set code = 'other' where id = 3")
    from_my.sql("update p set v = 1")  # nothing that is referred to
    from_my.sql("update p set id = id + 1000, code = concat(code, '!'), v = 2 where id between 5 and 8 order by id desc")
    from_my.sql("update p set code = null where id = 9; update p set code = 'was null' where id = 21")
    from_my.sql("delete from p where id in (10, 11, 21)")
    same(from_my, c)
    assert from_my.target_sql("select count(*) from c where p = 200")[0][0] > 0
    assert from_my.target_sql("select count(*) from w where code = 'other'")[0][0] > 0


def test_keys_of_several_columns_three_levels_deep(from_my, culvert):
    c = begin(from_my, culvert, DEEP)
    from_my.sql("update o set region = 100 where region = 1")
    from_my.sql("update o set id = id + 50 where region = 2 order by id desc")
    from_my.sql("update line set n = n + 10 where o = 2 order by n desc")
    from_my.sql("update o set v = 5; update line set v = 6")
    from_my.sql("delete from o where id = 3")
    from_my.sql("delete from part where k = 2 and n = 1")
    from_my.sql("delete from line where n = 13; delete from o where region = 100")
    same(from_my, c)
    assert from_my.target_sql("select count(*) from loose where o is null") == [(10,)]


def test_trees_rings_and_diamonds(from_my, culvert):
    c = begin(from_my, culvert, GRAPH)
    from_my.sql("delete from tree where id = 5")
    from_my.sql("delete from tree where id in (2, 7, 40)")
    from_my.sql("delete from staff where id in (1, 4, 9)")
    from_my.sql("delete from x where id = 3; delete from y where id = 11")
    from_my.sql("update top set id = 112 where id = 12; update l set id = 140 where id = 40; delete from top where id = 5")
    from_my.sql("delete from l where id = 3; update top set id = id + 500 where id > 8 order by id desc")
    same(from_my, c)
    from_my.sql("delete from tree where id = 0; delete from x where id = 30; delete from top")
    same(from_my, c)
    assert from_my.target_sql("select count(*) from leaf") == [(0,)]


@pytest.mark.long
def test_sessions_without_checks(from_my, culvert):
    """Nothing followed from what they did, and nothing may on the target (A14.1)."""
    c = begin(from_my, culvert, RULES)
    from_my.sql("set foreign_key_checks = 0; delete from p where id = 1; update p set id = 200, code = 'x' where id = 2")
    from_my.sql("delete from p where id = 3")
    from_my.sql("set foreign_key_checks = 0; begin; delete from p where id = 4; set foreign_key_checks = 1; "
                "delete from p where id = 5; set foreign_key_checks = 0; delete from p where id = 6; "
                "insert into c values (500, 6, 0); commit")
    same(from_my, c)
    assert from_my.target_sql("select count(*) from c where p in (1, 2, 4, 6)")[0][0] >= 9
    assert from_my.target_sql("select count(*) from c where p in (3, 5)") == [(0,)]


@pytest.mark.long
def test_made_again_in_one_transaction(from_my, culvert):
    """A14.5: the children that came later stay."""
    c = begin(from_my, culvert, RULES)
    from_my.sql("begin; delete from p where id = 1; insert into p values (1, 'code 1', 7); "
                "insert into c values (1000, 1, 7), (1001, 1, 7); insert into n values (1000, 1, 7); "
                "insert into w values (1000, 'code 1'); commit")
    from_my.sql("replace into p values (2, 'code 2', 9); insert into c values (1002, 2, 9)")
    from_my.sql("begin; update p set id = 300 where id = 3; insert into p values (3, 'again', 1); "
                "insert into c values (1003, 3, 1); delete from p where id = 300; commit")
    from_my.sql("begin; delete from p where id = 4; rollback; begin; savepoint s; delete from p where id = 5; "
                "rollback to s; delete from p where id = 6; commit")
    same(from_my, c)
    assert from_my.target_sql("select id from c where p in (1, 2, 3) order by id") == [(1000,), (1001,), (1002,), (1003,)]


def test_a_thousand_parents_in_one_transaction(from_my, culvert):
    c = begin(from_my, culvert, RULES + "; insert into p select seq, seq, 1 from seq_1000_to_4000; "
              "insert into c select seq, seq div 3, 1 from seq_3000_to_12000; insert into n select id, p, v from c where id > 60")
    from_my.sql("delete from p where id between 1000 and 2000")
    from_my.sql("begin; update p set id = id + 10000 where id between 2001 and 2500; delete from p where id > 12000; "
                "insert into p select seq, seq, 2 from seq_1000_to_1100; insert into c select seq, 1000 + seq % 100, 3 "
                "from seq_20000_to_20500; commit")
    same(from_my, c)


def change(chance):
    """One random statement or transaction; some fail, and then nothing of it happened."""
    n = chance.randint
    one = [
        lambda: f"delete from p where id = {n(1, 25)}",
        lambda: f"update p set id = {n(1, 60)} where id = {n(1, 25)}",
        lambda: f"update p set code = 'code {n(1, 40)}' where id = {n(1, 25)}",
        lambda: f"insert into p values ({n(1, 60)}, 'code {n(1, 60)}', 1)",
        lambda: f"replace into p values ({n(1, 25)}, 'code {n(1, 40)}', 2)",
        lambda: f"insert into c values ({n(100, 999)}, {n(1, 25)}, 1)",
        lambda: f"update c set p = {n(1, 25)} where id = {n(1, 60)}",
        lambda: f"insert into w values ({n(100, 999)}, 'code {n(1, 40)}')",
        lambda: f"update o set region = {n(0, 12)} where region = {n(0, 8)} and id = {n(0, 5)}",
        lambda: f"update o set id = id + {n(1, 9)} where region = {n(0, 8)} order by id desc",
        lambda: f"delete from o where region = {n(0, 9)} and id = {n(0, 6)}",
        lambda: f"insert into o values ({n(0, 6)}, {n(0, 9)}, 1)",
        lambda: f"insert into line values ({n(0, 9)}, {n(0, 6)}, {n(1, 9)}, 0)",
        lambda: f"insert into part values ({n(0, 9)}, {n(0, 6)}, {n(1, 5)}, {n(1, 9)})",
        lambda: f"update line set n = n + 10 where region = {n(0, 9)} order by n desc",
        lambda: f"delete from line where region = {n(0, 9)} and o = {n(0, 6)}",
        lambda: f"delete from tree where id = {n(1, 200)}",
        lambda: f"insert into tree values ({n(1, 260)}, {n(0, 200)})",
        lambda: f"update tree set up = {n(0, 200)} where id = {n(1, 200)}",
        lambda: f"insert into leaf values ({n(1, 999)}, {n(0, 200)})",
        lambda: f"delete from staff where id = {n(1, 50)}",
        lambda: f"insert into staff values ({n(1, 60)}, {n(1, 50)})",
        lambda: f"delete from x where id = {n(1, 30)}",
        lambda: f"insert into x values ({n(1, 40)}, {n(1, 30)})",
        lambda: f"insert into y values ({n(1, 40)}, {n(1, 30)})",
        lambda: f"update top set id = {n(1, 30)} where id = {n(1, 14)}",
        lambda: f"delete from top where id = {n(1, 14)}",
        lambda: f"insert into top values ({n(1, 14)})",
        lambda: f"insert into l values ({n(1, 60)}, {n(1, 14)})",
        lambda: f"update l set id = {n(1, 60)} where id = {n(1, 40)}",
        lambda: f"insert into bottom values ({n(1, 400)}, {n(1, 40)}, {n(1, 40)}, {n(1, 12)})",
    ]
    many = [chance.choice(one)() for _ in range(chance.choice((1, 1, 1, 2, 5, 12)))]
    off = chance.random() < 0.05
    return off, many


def scramble(cross, chance, n):
    done = 0
    connection = cross.source.connect(cross.name, autocommit=False)
    try:
        with connection.cursor() as cursor:
            for _ in range(n):
                off, many = change(chance)
                cursor.execute(f"set foreign_key_checks = {int(not off)}")
                for sql in many:
                    try:
                        done += cursor.execute(sql)
                    except pymysql.err.MySQLError:
                        pass  # a duplicate key, or no such parent
                connection.commit()
    finally:
        connection.close()
    assert done > n // 4


@pytest.mark.long
def test_random_changes_with_kills(from_my, culvert):
    chance = random.Random(14)
    c = begin(from_my, culvert, f"{RULES};{DEEP};{GRAPH}")
    for _ in range(4):
        scramble(from_my, chance, 150)
        c.kill9()
        scramble(from_my, chance, 50)
        c.start()
    same(from_my, c)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_random_changes(from_my, culvert, seed):
    chance = random.Random(seed)
    c = begin(from_my, culvert, f"{RULES};{DEEP};{GRAPH}")
    for _ in range(20):
        scramble(from_my, chance, 100)
        same(from_my, c)


@pytest.mark.long
def test_changes_during_the_copy(from_my, culvert):
    """A parent's change is in the copy of its children too, or in that of neither."""
    from_my.sql(f"{RULES};{DEEP};{GRAPH}; create table big (id int primary key, p int, v varchar(200), foreign key (p) "
                "references p (id) on delete cascade on update cascade); "
                "insert into big select seq, 1 + seq % 21, repeat('x', 200) from seq_1_to_60000")
    chance = random.Random(5)
    c = culvert(from_my.least(snapshot={"workers": "4"}))
    connection = from_my.source.connect(from_my.name)
    c.start()
    with connection.cursor() as cursor:
        for i in range(400):
            cursor.execute("insert ignore into p values (%s, %s, 1)", (chance.randint(1, 40), f"code {i}"))
            cursor.execute("insert ignore into c values (%s, %s, 1)", (1000 + i, chance.randint(1, 20)))
            cursor.execute("delete from p where id = %s", (chance.randint(1, 40),))
            cursor.execute("update ignore p set id = %s where id = %s", (chance.randint(1, 40), chance.randint(1, 40)))
    connection.close()
    same(from_my, c)


@pytest.mark.long
def test_other_names_on_the_target(from_my, culvert):
    schema = from_my.name if from_my.direction == "my-my" else "shop"
    if schema == "shop":
        from_my.target_sql("create schema shop")
    q = from_my.qualified
    sections = {f"table {q('p')}": {"to": f"{schema}.parents", "column.id.to": "number"},
                f"table {q('c')}": {"to": f"{schema}.children", "column.p.to": "parent", "columns.exclude": "v"},
                f"table {q('n')}": {"to": f"{schema}.nulls"}, f"table {q('w')}": {"to": f"{schema}.words"}}
    from_my.sql(RULES)
    c = culvert(from_my.config(**sections)).start()
    c.wait(lag=0)
    from_my.sql("delete from p where id = 1; update p set id = 200 where id = 2; update p set code = 'y' where id = 3")
    c.wait(lag=0)
    rows = from_my.sql("select id, p from c order by id")
    assert from_my.target_sql(f"select id, parent from {schema}.children order by id") == rows
    assert from_my.target_sql(f"select id, p from {schema}.nulls order by id") == from_my.sql("select id, p from n order by id")
    assert from_my.target_sql(f"select id, code from {schema}.words order by id") == from_my.sql("select * from w order by id")


@pytest.mark.long
def test_rows_that_only_the_target_leaves_out(from_my, culvert):
    """`where` on a child: what is there is changed."""
    c = begin(from_my, culvert, RULES, **{f"table {from_my.qualified('c')}": {"where": "id > 30"}})
    from_my.sql("delete from p where id = 1; update p set id = 200 where id = 2")
    c.wait(lag=0)
    assert from_my.target_sql("select id, p from c order by id") == from_my.sql("select id, p from c where id > 30 order by id")


# ---- what a start refuses ----

def refused(cross, culvert, words, **sections):
    c = culvert(cross.least(**sections)).start()
    error = c.wait_error(words)
    assert error["class"] == "config"
    return error["message"]


def test_parent_that_is_not_migrated(from_my, culvert):
    from_my.sql(RULES)
    said = refused(from_my, culvert, "is not migrated", tables={"exclude": from_my.qualified("p")})
    assert from_my.qualified("p") in said and "c_ibfk_1" in said and "include" in said


def test_child_that_is_not_migrated(from_my, culvert):
    c = begin(from_my, culvert, RULES, tables={"exclude": ", ".join(map(from_my.qualified, ("c", "w")))})
    from_my.sql("delete from p where id = 1; update p set id = 200, code = 'x' where id = 2")
    c.wait(lag=0)
    from_my.compare(only=["p", "n"])


@pytest.mark.long
def test_filtered_parent(from_my, culvert):
    from_my.sql(RULES)
    refused(from_my, culvert, "where", **{f"table {from_my.qualified('p')}": {"where": "id > 5"}})


def test_short_row_images(from_my, culvert):
    """They have the primary key, and no more that could be referred to."""
    from_my.sql(RULES)
    from_my.source.setting("binlog_row_image", "MINIMAL")
    try:
        assert "binlog_row_image" in refused(from_my, culvert, "old values")
    finally:
        from_my.source.setting("binlog_row_image", "FULL")


@pytest.mark.long
def test_short_row_images_of_what_is_referred_to(from_my, culvert):
    from_my.source.setting("binlog_row_image", "MINIMAL")
    try:
        c = begin(from_my, culvert, DEEP)
        from_my.sql("update o set region = 100 where region = 1; update o set v = 3; delete from o where id = 3; "
                    "update line set n = n + 10 where o = 2 order by n desc")
        same(from_my, c)
    finally:
        from_my.source.setting("binlog_row_image", "FULL")


PLAIN = ("create table p (id int primary key, code varchar(20) unique, v int)", "create table c (id int primary key, p int, v int)",
         "create table n (id int primary key, p int, v int)", "create table w (id int primary key, code varchar(20))")


def test_target_tables_without_keys(from_my, culvert):
    """PostgreSQL needs none; on the MySQL family the target's own do the work."""
    from_my.sql(RULES)
    for sql in PLAIN:
        from_my.target_sql(sql)
    if from_my.direction == "my-my":
        said = refused(from_my, culvert, "no such foreign key")
        assert "add foreign key (`p`) references" in said
        return
    c = culvert(from_my.least()).start()
    c.wait(lag=0)
    assert "no index for foreign key" in c.log_text()
    from_my.sql("delete from p where id = 1; update p set id = 200, code = 'x' where id = 2")
    same(from_my, c)


def test_key_that_went_away_on_the_target(from_my, culvert):
    """A start that goes on looks again."""
    c = begin(from_my, culvert, RULES)
    key = "constraint" if from_my.direction == "my-pg" else "foreign key"
    from_my.target_sql(f"alter table c drop {key} c_ibfk_1")
    c.kill9()
    c.start()
    if from_my.direction == "my-my":
        c.wait_error("no such foreign key")
        from_my.target_sql("alter table c add foreign key (p) references p (id) on delete cascade on update cascade")
        c.ctl("resume")
    from_my.sql("delete from p where id = 1")
    same(from_my, c)


def test_plan_says_it(from_my, culvert):
    from_my.sql(RULES)
    c = culvert(from_my.least(tables={"exclude": from_my.qualified("p")}))
    plan = c.ctl("plan", "-c", c.path, check=False)
    assert "is not migrated" in plan.stdout + plan.stderr


# ---- triggers of the target ----

def test_triggers_can_tell_us(to_my, culvert):
    """HAZARDS A9: @culvert_apply is set in the sessions that load and apply."""
    to_my.sql("create table t (id int primary key, v int); insert into t values (1, 1), (2, 2)")
    to_my.target_sql("create table t (id int primary key, v int); create table fired (n int)")
    to_my.target_sql("create trigger g after insert on t for each row insert into fired select 1 from dual where @culvert_apply is null")
    c = culvert(to_my.config()).start()
    c.wait(lag=0)
    to_my.sql("insert into t values (3, 3)")
    c.wait(lag=0)
    assert to_my.target_sql("select count(*) from fired") == [(0,)] and to_my.target_sql("select count(*) from t") == [(3,)]
    to_my.target_sql("insert into t values (9, 9)")
    assert to_my.target_sql("select count(*) from fired") == [(1,)]


# ---- MySQL 9.7 ----

NUMBERS = ("create table {0} (seq int primary key); insert into {0} with recursive s(n) as (select {1} union all "
           "select n + 1 from s where n < {2}) select n from s")


def with_numbers(sql):
    """MariaDB's sequences as tables of numbers."""
    used = sorted(set(re.findall(r"seq_(\d+)_to_(\d+)", sql)))
    made = [(f"seq_{low}_to_{high}", low, high) for low, high in used]
    return ";".join([*(NUMBERS.format(*m) for m in made), sql, *(f"drop table {m[0]}" for m in made)])


@pytest.fixture(scope="module")
def mysqls(folder):
    if not MySQL.available():
        pytest.skip("no MySQL (tests/tools/mysql)")
    made = {native: MySQL(folder, f"m{native.lower()}", innodb_native_foreign_keys=native).start()
            for native in ("OFF", "ON")}
    yield made
    for server in made.values():
        server.destroy()


@pytest.mark.long
@pytest.mark.parametrize("native", ["OFF", "ON"])
@pytest.mark.parametrize("source,target", [("mysql", "pg_target"), ("mysql", "my_target"), ("my_source", "mysql")])
def test_mysql(mysqls, culvert, request, native, source, target):
    """OFF, the default: the server logs what its keys do, and nothing is done twice (A14.2)."""
    servers = [mysqls[native] if name == "mysql" else request.getfixturevalue(name) for name in (source, target)]
    cross = Cross(*servers, f"xm{native.lower()}{source[:2]}{target[:2]}")
    cross.direction = "my-pg" if target == "pg_target" else "my-my"
    sql = f"{RULES};{DEEP};{GRAPH}"
    try:
        cross.sql(with_numbers(sql) if source == "mysql" else sql)
        if target == "mysql" and native == "OFF":  # it does not do what InnoDB does
            c = culvert(cross.config(), "refused").start()
            assert "innodb_native_foreign_keys" in c.wait_error("is not followed as InnoDB does")["message"]
            c.terminate()
            cross.sql("drop table note, loose, part, line, o, bottom, l, r, top, bird, leaf, tree; "
                      "set foreign_key_checks = 0; drop table x, y")
        c = culvert(cross.config()).start()
        c.wait(lag=0)
        chance = random.Random(9)
        for _ in range(3):
            scramble(cross, chance, 150)
            c.kill9()
            c.start()
        same(cross, c)
    finally:
        cross.drop()


def test_state_is_put_back_after_an_error(from_my, culvert):
    """The target's keys are on for the parent's statement alone, also when that one fails."""
    c = begin(from_my, culvert, RULES)
    from_my.target_sql("delete from c where p = 1; delete from n where p = 1; delete from w where code = 'code 1'; delete from p where id = 1")
    from_my.sql("delete from p where id = 1")
    c.wait_error("the row is not there on the target")
    from_my.target_sql("insert into p values (1, 'code 1', 0)")
    c.ctl("resume")
    from_my.sql("set foreign_key_checks = 0; insert into c values (900, 12345, 0)")
    c.wait(lag=0)
    until(lambda: from_my.target_sql("select count(*) from c where id = 900") == [(1,)], 20, "the orphan")


# ---- keys that change ----

CHAIN = """
create table p (id int primary key, v int);
create table c (id int primary key, p int, v int, constraint c_p foreign key (p) references p (id) on delete cascade on update cascade);
create table m (id int primary key, c int, constraint m_c foreign key (c) references c (id) on delete cascade);
insert into p select seq, 0 from seq_1_to_30; insert into c select seq, 1 + seq % 30, 0 from seq_1_to_90;
insert into m select seq, seq from seq_1_to_90"""


def alter_target(cross, old="c_p", rule="on delete set null"):
    """The operator does alike."""
    key = "constraint" if cross.direction == "my-pg" else "foreign key"
    cross.target_sql(f"alter table c drop {key} {old}")
    if rule:
        cross.target_sql(f"alter table c add constraint c_new foreign key (p) references p (id) {rule}")


@pytest.mark.parametrize("rule", ["on delete set null", pytest.param("on delete restrict", marks=pytest.mark.long),
                                  pytest.param(None, marks=pytest.mark.long)])
@pytest.mark.parametrize("down", [True, False])
def test_keys_altered_while_the_pipeline_lags(from_my, culvert, rule, down):
    """What came before the ALTER was done under the old key, whatever the catalogue says by now."""
    c = begin(from_my, culvert, CHAIN)
    if down:
        c.terminate()
    else:
        c.ctl("pause")
    from_my.sql("delete from p where id in (1, 2); update p set id = 300 where id = 3")
    also = f", add constraint c_new foreign key (p) references p (id) {rule}" if rule else ""
    from_my.sql(f"alter table c drop foreign key c_p{also}")
    from_my.sql("insert into c values (1000, 4, 1); delete from m where id = 50")
    from_my.sql("delete from p where id = 5" if rule == "on delete set null" else "delete from c where p = 5; delete from p where id = 5")
    if not down:
        c.kill9()
    c.start()
    if not down:
        c.ctl("resume")
    error = c.wait_error("was altered")
    assert error["table"] == from_my.qualified("c")
    assert from_my.target_sql("select count(*) from c where p in (1, 2)") == [(0,)]
    assert from_my.target_sql("select count(*) from c where p = 300") == [(3,)]
    assert from_my.target_sql("select count(*) from m where c not in (select id from c)") == [(0,)]
    c.kill9()  # the decision is still to be made
    c.start()
    c.wait_error("was altered")
    alter_target(from_my, rule=rule)
    c.ctl("resume")
    same(from_my, c)
    assert "foreign keys changed" in c.log_text()
    c.kill9()
    from_my.sql("delete from p where id = 6" if rule == "on delete set null" else "delete from c where p = 6; delete from p where id = 6")
    c.start()
    same(from_my, c)


def test_resume_does_not_accept_for_what_a_pause_holds_back(from_my, culvert):
    """The statement is met while earlier changes wait: they come first, then the decision."""
    c = begin(from_my, culvert, CHAIN)
    c.ctl("pause")
    from_my.sql("delete from p where id in (1, 2)")
    from_my.sql("alter table c drop foreign key c_p, add constraint c_new foreign key (p) references p (id) on delete set null")
    from_my.sql("delete from p where id = 5")
    c.wait_error("not on the target yet")
    c.ctl("resume")
    error = c.wait_error("its definition was altered")
    assert "not on the target yet" not in error["message"]
    assert from_my.target_sql("select count(*) from c where p in (1, 2)") == [(0,)]
    alter_target(from_my)
    c.ctl("resume")
    same(from_my, c)


@pytest.mark.long
def test_a_kill_while_new_keys_are_accepted(from_my, culvert):
    """The statement is accepted in the state file first, then on the target."""
    c = begin(from_my, culvert, CHAIN)
    from_my.sql("delete from p where id = 1")
    from_my.sql("alter table c drop foreign key c_p, add constraint c_new foreign key (p) references p (id) on delete set null")
    from_my.sql("delete from p where id = 5")
    c.wait_error("was altered")
    alter_target(from_my)
    from_my.target.stop()
    c.ctl("resume")
    c.kill9()
    from_my.target.start()
    c.start()
    same(from_my, c)
    assert from_my.target_sql("select count(*) from c where p is null") == [(3,)]


@pytest.mark.long
def test_keys_that_are_altered_twice(from_my, culvert):
    """Nobody knows what held between the two, if rows went in between."""
    c = begin(from_my, culvert, CHAIN)
    c.terminate()
    from_my.sql("alter table c drop foreign key c_p")
    from_my.sql("alter table c add constraint c_new foreign key (p) references p (id) on delete set null")
    from_my.sql("insert into c values (1000, 4, 1)")
    c.start()
    c.wait_error("its definition was altered")
    alter_target(from_my)
    c.ctl("resume")
    c.wait_error("its definition was altered")
    c.ctl("resume")
    same(from_my, c)
    c.terminate()
    from_my.sql("alter table c drop foreign key c_new; set foreign_key_checks = 0; delete from p where id = 7; "
                "insert into p values (7, 1); set foreign_key_checks = 1; delete from p where id = 8; insert into p values (8, 1); "
                "alter table c add constraint c_p foreign key (p) references p (id) on delete cascade")
    c.start()
    c.wait_error("its definition was altered")
    alter_target(from_my, "c_new", None)
    from_my.target_sql("alter table c add constraint c_p foreign key (p) references p (id) on delete cascade")
    c.ctl("resume")
    c.wait_error("was changed again before its foreign keys were read")
    for row in from_my.sql("select id, p, v from c where p = 8"):
        from_my.target_sql("insert into c values (%s, %s, %s)", *row)
    for row in from_my.sql("select id, c from m where c in (select id from c where p = 8)"):
        from_my.target_sql("insert into m values (%s, %s)", *row)
    c.ctl("resume")
    same(from_my, c)


@pytest.mark.long
def test_a_parent_that_is_renamed_takes_its_keys_along(from_my, culvert):
    c = begin(from_my, culvert, CHAIN)
    c.terminate()
    from_my.sql("delete from p where id = 1; rename table p to elsewhere; delete from elsewhere where id = 2")
    c.config["tables"] = {"include": ", ".join(map(from_my.qualified, ("p", "c", "m")))}
    c.write()
    c.start()
    c.wait_error("was renamed")
    assert from_my.target_sql("select count(*) from c where p = 1") == [(0,)]
    c.ctl("resume")
    assert from_my.qualified("elsewhere") in c.wait_error("is not migrated")["message"]
