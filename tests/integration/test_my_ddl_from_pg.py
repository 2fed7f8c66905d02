"""DDL of a PostgreSQL source with a MySQL-family target: the first row of another shape stops the
stream; the operator does alike on the target and resumes."""
import pytest

from integration.conftest import make_cross

SETUP = """create table plain (id int primary key, v varchar(50), n int);
insert into plain select i, 'row ' || i, i from generate_series(1, 50) i;
create table other (id int primary key)"""
ADD = ("alter table plain add column extra int not null default 5", None)
DROP = ("alter table plain drop column n", None)
TYPE = ("alter table plain alter column n type bigint", "alter table plain modify n bigint")
NUMERIC = ("alter table plain alter column n type numeric(12,3)", "alter table plain modify n decimal(12,3)")
RENAME = ("alter table plain rename column v to w", "alter table plain change v w varchar(50)")


@pytest.fixture
def shop(request, culvert):
    cross = make_cross(request, "pg-my")
    cross.sql(SETUP)
    cross.culvert = culvert(cross.config()).start()
    cross.culvert.wait(lag=0)
    yield cross
    cross.drop()


def alike(shop, ddl):
    shop.target_sql(ddl[1] or ddl[0])


def same(shop):
    shop.culvert.wait(lag=0)
    return shop.compare(only=[("public", "plain")])


def stops(shop, *ddl):
    shop.sql("insert into plain (id) values (8999)")
    for d in ddl:
        shop.sql(d[0])
    shop.sql("insert into plain (id) values (9000)")
    error = shop.culvert.wait_error("definition")
    assert error["table"] == "public.plain" and error["class"] == "data" and "default" in error["message"]
    assert shop.target_sql("select id from plain where id >= 8999") == [(8999,)]


@pytest.mark.parametrize("ddl", [ADD, RENAME, *(pytest.param(x, marks=pytest.mark.long) for x in (DROP, TYPE, NUMERIC))])
def test_resume_after_the_same_on_the_target(shop, ddl):
    stops(shop, ddl)
    alike(shop, ddl)
    shop.sql("insert into plain (id) values (9001); update plain set id = 9002 where id = 3; delete from plain where id = 4")
    shop.culvert.ctl("resume")
    assert same(shop) == 52
    shop.culvert.terminate()
    shop.sql("insert into plain (id) values (9003)")
    shop.culvert.start()
    assert same(shop) == 53


@pytest.mark.long
def test_two_in_a_row(shop):
    stops(shop, ADD, RENAME)
    alike(shop, ADD)
    alike(shop, RENAME)
    shop.culvert.ctl("resume")
    assert same(shop) == 52


@pytest.mark.long
def test_rows_between_two_of_them(shop):
    stops(shop, ADD, ("insert into plain (id, v, n, extra) values (8000, 'between', 1, 7)",), NUMERIC,
          ("insert into plain (id, v, n, extra) values (8001, 'between', 1.125, 7)",), RENAME)
    alike(shop, ADD)
    shop.culvert.ctl("resume")
    shop.culvert.wait_error("type of column n")
    alike(shop, NUMERIC)
    shop.culvert.ctl("resume")
    shop.culvert.wait_error("column w")
    alike(shop, RENAME)
    shop.culvert.ctl("resume")
    assert same(shop) == 54


@pytest.mark.long
def test_a_restart_between_stop_and_resume(shop):
    stops(shop, RENAME)
    shop.culvert.kill9()
    shop.sql("insert into plain (id) values (9001)")
    shop.culvert.start()
    shop.culvert.wait_error("definition")
    alike(shop, RENAME)
    shop.culvert.ctl("resume")
    assert same(shop) == 53


def test_resume_without_the_same_on_the_target(shop):
    stops(shop, RENAME)
    shop.culvert.ctl("resume")
    shop.culvert.wait_error("'w'")
    alike(shop, RENAME)
    shop.culvert.ctl("resume")
    assert same(shop) == 52


def test_truncate(shop):
    shop.sql("truncate plain; insert into plain values (1, 'after', 1)")
    assert same(shop) == 1


def test_dropped(shop):
    """It leaves the publication with that, which a look at it finds; without it the others go on."""
    shop.sql("insert into plain (id) values (8999); drop table plain")
    shop.culvert.ctl("reload")
    assert shop.culvert.wait_error("plain")["class"] == "data"
    shop.culvert.terminate()
    shop.culvert.config["tables"] = {"exclude": "public.plain"}
    shop.culvert.write()
    shop.culvert.start()
    shop.sql("insert into other values (1)")
    shop.culvert.wait(lag=0)
    assert shop.target_sql("select count(*) from other") == [(1,)]
