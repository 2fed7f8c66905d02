"""The stream with the MySQL family on either side: every kind of change."""
import pytest

SETUP = {
    "my": """
        create table plain (id int primary key, v varchar(50), n decimal(10,2));
        insert into plain select seq, concat('row ', seq), seq * 1.5 from seq_1_to_1000;
        create table composite (a int, b varchar(10), v text, primary key (a, b));
        insert into composite values (1, 'x', 'one'), (1, 'y', null), (2, 'x', '');
        create table byindex (id int, code varchar(20) not null, v text, unique key (code));
        insert into byindex values (1, 'one', 'x'), (2, 'two', 'y');
        create table parent (id int primary key);
        create table child (id int primary key, p int, foreign key (p) references parent (id));
        insert into parent values (1), (2); insert into child values (1, 1), (2, 2)""",
    "pg": """
        create table plain (id int primary key, v varchar(50), n numeric(10, 2));
        insert into plain select g, 'row ' || g, g * 1.5 from generate_series(1, 1000) g;
        create table composite (a int, b varchar(10), v text, primary key (a, b));
        insert into composite values (1, 'x', 'one'), (1, 'y', null), (2, 'x', '');
        create table byindex (id int, code varchar(20) not null, v text);
        create unique index byindex_code on byindex (code);
        alter table byindex replica identity using index byindex_code;
        insert into byindex values (1, 'one', 'x'), (2, 'two', 'y');
        create table parent (id int primary key);
        create table child (id int primary key, p int references parent (id));
        insert into parent values (1), (2); insert into child values (1, 1), (2, 2)""",
}


@pytest.fixture
def shop(cross, culvert):
    cross.sql(SETUP[cross.direction[:2]])
    cross.culvert = culvert(cross.least()).start()
    cross.culvert.wait(lag=0)
    return cross


def same(shop):
    shop.culvert.wait(lag=0)
    return shop.compare()


def ids(shop, where):
    return [r[0] for r in shop.target_sql(f"select id from plain where {where} order by id")]


def test_every_row_change(shop):
    shop.sql("insert into plain values (2000, 'é😀', -0.01), (2001, '', null)")
    shop.sql("update plain set v = 'changed' where id <= 10")
    shop.sql("update plain set id = -id where id between 20 and 25")
    shop.sql("delete from plain where id between 30 and 40")
    shop.sql("update plain set v = v where id < 100")  # changes nothing
    shop.sql("update plain set v = 'last' where id = 2001; delete from plain where id = 2000")
    assert same(shop) > 900


def test_composite_keys_and_unique_indexes(shop):
    shop.sql("update composite set b = 'z' where a = 1 and b = 'y'; update composite set v = 'new' where a = 2; "
             "delete from composite where b = 'x' and a = 1; insert into composite values (3, '', 'empty')")
    shop.sql("update byindex set code = 'uno', v = null where id = 1")
    shop.sql("delete from byindex where code = 'two'; insert into byindex values (null, 'drei', '')")
    same(shop)


def test_keys_swapped_in_one_transaction(shop):
    shop.sql("begin; update plain set id = -1 where id = 1; update plain set id = 1 where id = 2; "
             "update plain set id = 2 where id = -1; delete from plain where id = 3; "
             "insert into plain values (3, 'again', null); commit")
    same(shop)
    assert shop.target_sql("select v from plain where id in (1, 2, 3) order by id") == \
        [("row 2",), ("row 1",), ("again",)]


def test_savepoints_and_rollbacks(shop):
    shop.sql("""begin; insert into plain (id) values (3000); savepoint a; insert into plain (id) values (3001);
        rollback to savepoint a; insert into plain (id) values (3002); savepoint b; update plain set v = 'b'
        where id = 3000; release savepoint b; commit; begin; delete from plain; rollback""")
    same(shop)
    assert ids(shop, "id >= 3000") == [3000, 3002]


def test_a_transaction_over_several_tables(shop):
    shop.sql("begin; insert into parent values (10); insert into child values (10, 10); delete from child where id = 1; "
             "delete from parent where id = 1; update plain set n = 0 where id = 1; commit")
    same(shop)


def test_truncate(shop):
    shop.sql("truncate table plain")
    shop.sql("insert into plain values (1, 'after', null)")
    same(shop)
    assert shop.target_sql("select v from plain") == [("after",)]


def test_a_large_transaction_arrives_whole(shop):
    many = {"my": "select seq, repeat('x', 40), 1 from seq_10000_to_90000",
            "pg": "select g, repeat('x', 40), 1 from generate_series(10000, 90000) g"}[shop.direction[:2]]
    shop.sql(f"begin; insert into plain {many}; update plain set v = 'y' where id > 80000; commit")
    assert same(shop) > 80000
    assert shop.culvert.rss_kb() < 96 * 1024


def test_rows_of_many_shapes_in_one_batch(shop):
    """Alternating tables and kinds: order within the transaction counts."""
    statements = []
    for i in range(200):
        statements += [f"insert into plain values ({5000 + i}, 'a', {i})", f"insert into parent values ({5000 + i})",
                       f"update plain set v = 'b' where id = {5000 + i}", f"insert into child values ({5000 + i}, {5000 + i})",
                       f"update plain set id = {7000 + i} where id = {5000 + i}"]
        if i % 2:
            statements += [f"delete from child where id = {5000 + i}", f"delete from parent where id = {5000 + i}"]
    shop.sql("begin; " + "; ".join(statements) + "; commit")
    same(shop)


def test_missing_row_is_a_conflict(shop):
    shop.target_sql("delete from plain where id = 5")
    shop.sql("update plain set v = 'gone' where id = 5")
    error = shop.culvert.wait_error("the row is not there on the target")
    assert error["table"] in shop.names("plain") and error["key"] == "id=5" and error["class"] == "data"
    assert "id=5" not in shop.culvert.log_text()
    shop.target_sql("insert into plain values (5, 'row 5', 7.5)")
    shop.culvert.ctl("resume")
    same(shop)


def test_row_that_is_there_already(shop):
    shop.target_sql("insert into plain values (6000, 'mine', 0)")
    shop.sql("insert into plain values (6000, 'geheim', 1)")
    error = shop.culvert.wait_error("uplicate")
    assert error["table"] in shop.names("plain") and error["key"] == "id=6000" and error["class"] == "data"
    assert "geheim" not in error["message"] and "geheim" not in shop.culvert.log_text()
    assert shop.target_sql("select v from plain where id = 6000") == [("mine",)]
    shop.target_sql("delete from plain where id = 6000")
    shop.culvert.ctl("resume")
    same(shop)


@pytest.mark.long
def test_a_row_larger_than_the_queue(cross, culvert):
    text = {"my": "longtext", "pg": "text"}[cross.direction[:2]]
    cross.sql(f"create table fat (id int primary key, v {text})")
    c = culvert(cross.least(queue={"memory": "1MiB"}, apply={"batch_bytes": "1MiB"})).start()
    c.wait(lag=0)
    for i in range(3):
        cross.sql(f"insert into fat values ({i}, repeat('{i}abcdefg', 500000))")
    cross.sql("update fat set v = concat(v, 'x') where id = 2; delete from fat where id = 1")
    c.wait(lag=0)
    assert cross.compare() == 2


NOKEY = {
    "my": "create table nokey (a varchar(10), b int, c decimal(5,2))",
    "pg": "create table nokey (a varchar(10), b int, c numeric(5, 2)); alter table nokey replica identity full",
}


def test_rows_without_a_key_change_one_by_one(cross, culvert):
    cross.sql(NOKEY[cross.direction[:2]])
    cross.sql("insert into nokey values ('a', 1, 1.0), ('a', 1, 1.0), ('a', 1, 1.0), (null, null, null), ('b', null, 2)")
    c = culvert(cross.least()).start()
    c.wait(lag=0)
    one = {"my": "limit 1", "pg": "and ctid = (select min(ctid) from nokey where a = 'a')"}[cross.direction[:2]]
    cross.sql(f"delete from nokey where a = 'a' {one}")
    cross.sql("update nokey set b = 7 where a is null; insert into nokey values ('c', 3, null), ('c', 3, null)")
    c.wait(lag=0)
    assert cross.compare() == 6
    assert cross.target_sql("select count(*) from nokey where a = 'a'") == [(2,)]


def mixed_backlog(shop):
    """What a batch puts in another order: the same rows again and again, beside other tables."""
    shop.culvert.stop()
    for i in range(1, 40):
        shop.sql(f"update plain set v = 'u{i}' where id = {i + 1}; delete from plain where id = {i}; "
                 f"insert into composite values ({i + 10}, 'x', null)")
        shop.sql(f"insert into plain values ({i}, 'again {i}', {i}); update plain set id = {-i} where id = {i}")
        shop.sql(f"delete from plain where id = {-i}; insert into plain values ({i}, 'third {i}', null); "
                 f"insert into plain values ({3000 + i}, null, 0); delete from composite where a = {i + 5}")
        shop.sql(f"update byindex set v = '{i}' where code = 'one'; delete from plain where id = {3000 + i - 1}")


@pytest.mark.long
def test_a_backlog_of_the_same_rows(shop):
    mixed_backlog(shop)
    shop.culvert.start()
    assert same(shop) > 900


def test_a_row_of_a_backlog_that_is_missing(shop):
    """Many deletes are one statement there: the row is named, and once it is there all goes on."""
    mixed_backlog(shop)
    shop.target_sql("delete from plain where id = 17")
    shop.culvert.start()
    error = shop.culvert.wait_error("the row is not there")
    assert error["table"] in shop.names("plain")
    shop.target_sql("insert into plain values (17, 'row 17', 25.5)")
    shop.culvert.ctl("resume")
    assert same(shop) > 900
