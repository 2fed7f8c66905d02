"""Databases of others, with the MySQL family on either side, changed while they stream: Sakila
(enum, set, year, blob, full text, triggers, views), Employees (composite keys, cascades,
dates to 9999), Pagila. CULVERT_SAMPLES names their folder; they are not part of culvert."""
import os
import random
import re

import pytest

from harness.compare_cross import compare_across
from integration.conftest import make_cross

SAMPLES = os.environ.get("CULVERT_SAMPLES", "/nonexistent")
pytestmark = pytest.mark.skipif(not os.path.isdir(SAMPLES), reason="no CULVERT_SAMPLES")

SAKILA = (
    "update actor set first_name = lower(first_name) where actor_id % 3 = 0",
    "insert into actor (first_name, last_name) select concat('É', seq), concat('😀 ', seq) from seq_1_to_50",
    "update film set title = concat(title, ' II'), special_features = 'Trailers,Commentaries', rating = 'NC-17' where film_id % 5 = 0",
    "update film set description = repeat(coalesce(description, ''), 100) where film_id % 7 = 0",
    "update film set release_year = 2155, rental_rate = rental_rate + 0.01, special_features = '' where film_id % 11 = 0",
    "insert into film (title, language_id, release_year) values ('New é', 1, 1901), ('Null', 2, null)",
    "delete from film_actor where actor_id = 7",
    "insert into film_category (film_id, category_id) select film_id, 1 from film where film_id > 1000",
    "update customer set email = lower(email), active = not active where customer_id % 4 = 0",
    "update staff set picture = repeat(x'00ff5c27', 10000)", "update staff set username = 'same picture'",
    "update rental set return_date = null where rental_id % 9 = 0",
    "update payment set amount = amount + 1 where payment_id % 3 = 0", "delete from payment where payment_id % 17 = 0",
    "update address set phone = '', address2 = null, postal_code = ' ' where address_id % 2 = 0",
    "begin; savepoint a; delete from film_text; rollback to savepoint a; update country set country = upper(country); commit",
    "update language set name = 'x' where language_id = 3",
    "set foreign_key_checks = 0; truncate film_actor",
    "insert into film_actor (actor_id, film_id) select actor_id, 5 from actor limit 20",
)
EMPLOYEES = (
    "update employee set first_name = 'Zoë', last_name = '日本' where emp_no % 5 = 0",
    "update salary set amount = amount + 1 where emp_no % 7 = 0", "delete from salary where emp_no % 31 = 0",
    "update title set title = 'Ünï', to_date = '9999-12-31' where emp_no % 9 = 0",
    "update salary set from_date = from_date - interval 1 day where emp_no % 13 = 0 order by from_date limit 500",
    "insert into employee values (700000, '1000-01-01', 'a', 'b', 'M', '9999-12-31')",
    "insert into salary values (700000, 1, '2000-01-01', '2001-01-01')",
    "update dept_emp set to_date = '2020-02-29' where emp_no % 11 = 0",
)
OWN_DATABASE = re.compile(r"(?im)^(drop|create) (database|schema) .*;$|^use .*;$")


def load(cross, *files):
    """The dumps name a database of their own: theirs is read as the test's."""
    for file in files:
        with open(os.path.join(SAMPLES, file), encoding="utf-8") as f:
            sql = OWN_DATABASE.sub("", f.read())
        cross.source.client(cross.name, input=re.sub(r"\bsakila\.", "", sql))


def move(cross, culvert, changes, rows):
    c = culvert(cross.config(snapshot={"workers": "2"})).start()
    c.wait(state="streaming", timeout=120)
    c.wait(lag=0)
    assert cross.compare() > rows
    chance = random.Random(3)
    for sql in changes:
        cross.sql(sql)
        if chance.random() < 0.2:
            c.kill9()
            c.start()
    c.wait(lag=0)
    assert cross.compare() > rows
    return c


def test_sakila(from_my, culvert):
    load(from_my, "sakila-mysql-1-schema.sql", "sakila-mysql-2-data.sql")
    c = move(from_my, culvert, SAKILA, 40000)
    assert "actor_info" in c.log_text()  # a view, listed and not forgotten


def test_employees(from_my, culvert):
    load(from_my, "employees-mysql.sql")
    move(from_my, culvert, EMPLOYEES, 90000)


def test_pagila(request, culvert):
    from integration.test_pagila import CHANGES
    cross = make_cross(request, "pg-my")
    try:
        cross.source.psql(cross.name, "-f", os.path.join(SAMPLES, "pagila-postgresql.sql"))
        changes = [s for s in CHANGES if "infinity" not in s]
        move(cross, culvert, changes, 40000)
    finally:
        cross.drop()


@pytest.mark.long
def test_two_databases_of_one_server(request, culvert):
    """Two pipelines to one target, each with its own rows in schema culvert."""
    one, two = make_cross(request, "my-my"), make_cross(request, "my-my")
    try:
        load(one, "sakila-mysql-1-schema.sql", "sakila-mysql-2-data.sql")
        load(two, "employees-mysql.sql")
        a, b = culvert(one.config(), "one").start(), culvert(two.config(), "two").start()
        for c, cross, changes in ((a, one, SAKILA), (b, two, EMPLOYEES)):
            c.wait(state="streaming", timeout=120)
            for sql in changes:
                cross.sql(sql)
        for c, cross in ((a, one), (b, two)):
            c.wait(lag=0)
            assert compare_across(cross.source, cross.target, cross.name) > 30000
    finally:
        one.drop()
        two.drop()
