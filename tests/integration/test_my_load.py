"""Rows go into a MySQL-family target by LOAD DATA LOCAL where it is allowed, which makes warnings of
errors: nothing of that may be in the tables (HAZARDS A12)."""
import pytest

ODD = {"my": r"""(1, 'a\tb\nc\\d\0e\r', x'00095c0aff'), (2, '\\N', x''), (3, '', null), (4, null, x'5c4e'),
              (5, 'NULL', 'NULL'), (6, ' é😀 ', x'27')""",
       "pg": r"""(1, E'a\tb\nc\\\\d\r', '\x00095c0aff'), (2, '\N', '\x'), (3, '', null), (4, null, '\x5c4e'),
              (5, 'NULL', 'NULL'), (6, ' é😀 ', '\x27')"""}
BYTES = {"my": "varbinary(20)", "pg": "bytea"}


@pytest.fixture
def table(to_my):
    engine = to_my.direction[:2]
    to_my.sql(f"create table t (id int primary key, v varchar(50), b {BYTES[engine]}); "
              f"insert into t values {ODD[engine]}")
    return to_my


def loads(table):
    return int(table.target.run("show global status like 'Com_load'")[0][1])


@pytest.fixture(params=["1", "0"])
def local(request, table):
    table.target.setting("local_infile", request.param)
    yield request.param == "1"
    table.target.setting("local_infile", "1")


def test_both_ways_write_the_same(table, culvert, local):
    before = loads(table)
    culvert(table.config()).start().wait(lag=0)
    assert table.compare() == 6
    assert (loads(table) > before) == local


@pytest.mark.parametrize("column", ["v varchar(3)", "v varchar(50) not null", "v varchar(50) check (v <> 'NULL')"])
def test_rows_that_do_not_fit(table, culvert, local, column):
    """Nothing is cut, changed or left out."""
    table.target_sql(f"create table t (id int primary key, {column}, b varbinary(20))")
    error = culvert(table.config(tables={"create": "no"})).start().wait_error("t")
    assert error["table"].endswith(".t")
    assert table.target_sql("select count(*) from t") == [(0,)]


def test_a_row_that_is_there(table, culvert, local):
    table.target_sql("create table t (id int primary key, v varchar(50), b varbinary(20)); "
                     "insert into t values (5, 'mine', null)")
    config = table.config(tables={"create": "no", "existing": "append"})
    culvert(config).start().wait_error("Duplicate entry")
    assert table.target_sql("select id, v from t") == [(5, "mine")]

