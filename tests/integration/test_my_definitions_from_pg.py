"""Definitions of PostgreSQL that a MySQL-family target has not, or has otherwise: `schema` and `assess`
say what is lost, the target takes all that is made, and changes that need what was lost arrive."""
import pytest

from integration.conftest import make_cross

SETUP = """
create table par (id int primary key, v int unique, w int not null);
create unique index par_part on par (w) where w > 10;
create unique index par_sum on par ((v + w));
create index par_desc on par ((v * 2) desc, id);
create index par_cast on par ((v::text));
create table kid (id int generated always as identity primary key check (id > 0), p int references par deferrable initially deferred,
    q int references par on delete set null check (q <> 77), r int references par on delete cascade,
    s int generated always as (r + 1) stored,
    u int not null references par on delete set null);
create table made (id serial primary key, t int generated always as (id + 1) stored);
create table pair (a int, b int, c int, primary key (a, b), foreign key (b, c) references pair (a, b) match full);
create table place (id int primary key, pos int unique deferrable initially deferred, bits bit varying(5) default '101', words text);
create index "PRIMARY" on place (id, pos); create index "Ix" on place (pos); create index ix on place (pos, id);
create index place_words on place using gin (to_tsvector('english', words));
create table parts (a varchar(700), b varchar(700), id int primary key, unique (a, b), check (a !~ E'x
drop table parts;'));
create table of_parts (a varchar(700), b varchar(700), id int primary key, foreign key (a, b) references parts (a, b));
insert into par values (1, 1, 1), (2, 2, 2), (77, 77, 3);
insert into kid (p, q, r, u) values (1, 2, 1, 1);
insert into place values (1, 1), (2, 2), (3, null);
insert into parts values (repeat('a', 700), repeat('b', 700), 1); insert into of_parts table parts;
"""
LOST = [
    "par: index par_part: partial (where (w > 10)), so it is not made; nothing on the target keeps its values unique",
    "kid: foreign key kid_p_fkey: DEFERRABLE is lost",
    "kid: check kid_id_check ((id > 0)): not carried: none may look at a column that counts",
    "kid: foreign key kid_q_fkey: a check looks at a column of it",
    "kid: foreign key kid_r_fkey: a generated column is made of a column of it",
    "kid: foreign key kid_u_fkey: SET NULL of a column that is NOT NULL",
    "made: column t: generated as (id + 1), which has no equal",
    "pair: foreign key pair_b_c_fkey: MATCH FULL is lost",
    "place: key place_pos_key is DEFERRABLE",
    "place: index place_words on to_tsvector('english'::regconfig, words): gin, so it is not made",
    "parts: index parts_a_b_key: it would be longer than 3072 bytes",
    "of_parts: foreign key of_parts_a_b_fkey: its index would be longer than 3072 bytes",
]
OF_MARIADB = ["par: index par_sum on ((v + w)): MariaDB has no indexes on expressions, so it is not made; nothing on the"]
OF_MYSQL = ["par: index par_cast on ((v)::text): it has no equal, so it is not made"]
CHANGES = [
    "begin; insert into kid (p, q, r, u) values (500, 2, 1, 1); insert into par values (500, 500, 500); commit",
    "update place set pos = 3 - pos where pos < 3",
    "insert into place (id, pos) values (4, 9)",
    "delete from par where id = 77; delete from kid where id = 1",
    "insert into par values (600, 20, 600), (601, 21, 700); update par set v = 22 where id = 601",
]


def lines(c, command):
    r = c.ctl(command, "-c", c.path, check=False)
    assert r.returncode == 0, r.stdout + r.stderr
    return r.stdout


def says(c, cross, more):
    schema, assess = lines(c, "schema"), lines(c, "assess")
    for line in LOST + more:
        assert f"-- not carried: public.{line}" in schema, schema
        assert f"public.{line}" in assess, assess
    assert not [line for line in schema.splitlines() if line.startswith("drop")]
    cross.target.run(f"drop database `{cross.name}`; create database `{cross.name}`")
    cross.target.client(cross.name, input=schema)  # it is SQL as it stands
    cross.target.run(f"drop database `{cross.name}`; create database `{cross.name}`")


def moves(c, cross):
    c.start()
    c.wait(lag=0)
    for sql in CHANGES:
        cross.sql(sql)
    c.wait(lag=0)
    tables = ("par", "kid", "pair", "place", "parts", "of_parts")
    assert cross.compare(only=[("public", t) for t in tables]) == 5 + 1 + 4 + 2
    assert cross.target_sql("select id, pos from place order by id") == [(1, 2), (2, 1), (3, None), (4, 9)]
    assert cross.target_sql("select count(*) from kid where p = 500") == [(1,)]


def indexes(cross, table):
    rows = cross.target_sql(f"select distinct index_name from information_schema.statistics "
                            f"where table_schema = '{cross.name}' and table_name = '{table}'")
    return {str(r[0]) for r in rows}


@pytest.fixture
def shop(request):
    cross = make_cross(request, "pg-my")
    cross.sql(SETUP)
    yield cross
    cross.drop()


def test_mariadb(shop, culvert):
    c = culvert(shop.config())
    says(c, shop, OF_MARIADB)
    moves(c, shop)
    assert indexes(shop, "par") == {"PRIMARY", "par_v_key"}
    assert indexes(shop, "place") == {"PRIMARY", "PRIMARY_1", "Ix", "ix_1", "place_pos_key"}
    shop.target_sql("insert into place (id) values (9)")
    assert shop.target_sql("select bits from place where id = 9") == [("101",)]
