"""A database of others: Pagila, with partitions, tsvector, arrays, domains, enum, triggers, views.
CULVERT_SAMPLES names the folder with pagila-postgresql.sql; it is not part of culvert."""
import os
import random

import pytest

from harness.compare import compare, compare_schema, sequences
from harness.verifying import nothing_differs

SQL = os.path.join(os.environ.get("CULVERT_SAMPLES", "/nonexistent"), "pagila-postgresql.sql")
pytestmark = pytest.mark.skipif(not os.path.exists(SQL), reason="no CULVERT_SAMPLES")

CHANGES = (
    "update actor set first_name = initcap(first_name) where actor_id % 3 = 0",
    "insert into actor (first_name, last_name) select 'É' || i, '😀 ' || i from generate_series(1, 50) i",
    "update film set title = title || ' II', special_features = special_features || array['Ünï', null], "
    "rating = 'NC-17' where film_id % 5 = 0",
    "update film set description = repeat(description, 200) where film_id % 7 = 0",
    "update film set release_year = 2155, rental_rate = rental_rate + 0.01, special_features = '{}' where film_id % 11 = 0",
    "insert into film (title, language_id, fulltext, release_year) values ('New é', 1, '', 1901), ('Null', 2, '', null)",
    "delete from film_actor where actor_id = 7",
    "insert into film_category select film_id, 1 from film where film_id > 1000",
    "update customer set email = lower(email), activebool = not activebool, create_date = 'infinity' where customer_id % 4 = 0",
    "update staff set picture = decode(repeat('00ff5c27', 10000), 'hex')",
    "update staff set username = 'same picture'",
    "update rental set return_date = null where rental_id % 9 = 0",
    "update payment set amount = amount + 1 where payment_id % 3 = 0",
    "update payment set payment_date = payment_date + '1 month' where payment_id % 10 = 1 and payment_date < '2022-06-01'",
    "delete from payment where payment_id % 17 = 0",
    "insert into payment (customer_id, staff_id, rental_id, amount, payment_date) "
    "select 1, 1, rental_id, 999.99, '2022-03-15 12:00+00' from rental order by rental_id limit 100",
    "update address set phone = '', address2 = null, postal_code = ' ' where address_id % 2 = 0",
    "begin; savepoint a; delete from inventory where inventory_id < 0; update city set city = city || '!'; rollback to a; "
    "update country set country = upper(country); commit",
    "update language set name = 'x' where language_id = 3; update language set language_id = 77 where language_id = 6",
    "truncate film_actor",
    "insert into film_actor select actor_id, 5 from actor limit 20",
)


def test_pagila(pair, culvert):
    pair.source.psql(pair.name, "-f", SQL)
    pair.sql("drop index rental_category")  # of a materialized view, which is not carried
    before = pair.sql("select count(*) from payment")[0][0]
    c = culvert(pair.config(snapshot={"workers": "2"})).start()
    c.wait(state="streaming", timeout=120)
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) > 40000
    assert pair.target_sql("select count(*) from payment") == [(before,)]
    compare_schema(pair.source, pair.target, pair.name)
    assert sequences(pair.source, pair.name) == sequences(pair.target, pair.name)
    chance = random.Random(3)
    for sql in CHANGES:
        pair.sql(sql)
        if chance.random() < 0.2:
            c.kill9()
            c.start()
    c.wait(lag=0)
    assert compare(pair.source, pair.target, pair.name) > 40000
    assert nothing_differs(c) > 40000
    leaves = "select tableoid::regclass::text, count(*) from payment group by 1 order by 1"
    assert pair.sql(leaves) == pair.target_sql(leaves) and len(pair.sql(leaves)) > 4
    assert "not carried" in c.log_text() and "actor_info" in c.log_text()  # a view, listed and not forgotten
