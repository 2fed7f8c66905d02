"""What is carried of a schema, what stays behind, and what `plan` says before anything is done."""
import difflib
import json
import os
import re
import stat
import subprocess

import pytest

from harness.servers import BIN
from harness.until import until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGILA = os.path.join(os.environ.get("CULVERT_SAMPLES", "/nonexistent"), "pagila-postgresql.sql")

EDGE = """
create schema app; create schema lib; create schema other; create schema "Üb er";
create type lib.mood as enum ('sad', 'ok');
create domain lib.posint as int check (value > 0);
create type lib.pair as (a int, b lib.mood);
create function lib.norm(t text) returns text language sql immutable as 'select lower(t)';
create function app.helper() returns void language plpgsql as 'begin end';
create function app.touch() returns trigger language plpgsql as
    $$begin perform app.helper(); new.at := now(); return new; end$$;
create function other.stranger() returns int language sql as 'select 1';
create table app.skipped (id int primary key, m lib.mood);
create function app.rowfn(r app.skipped) returns int language sql as 'select 1';
create sequence app.free_seq start 5;
create table app.a (id int generated always as identity primary key,
    m lib.mood not null default 'ok', n lib.posint, p lib.pair, t text,
    low text generated always as (lib.norm(t)) stored, at timestamptz,
    f int default nextval('app.free_seq'), arr lib.mood[], span int4range,
    check (lib.norm(t) <> 'x'));
comment on table app.a is 'a table';
comment on column app.a.m is 'mood';
create index a_norm on app.a (lib.norm(t)) where id > 0;
create unique index a_u on app.a (f) include (m);
alter table app.a add constraint a_ex exclude using gist (span with &&);
create statistics app.a_st on id, f from app.a;
create trigger touch before update on app.a for each row execute function app.touch();
create table app.b (id bigserial primary key, a int references app.a on delete cascade,
    s int references app.skipped);
create rule ru as on delete to app.b do also select 1;
create table app."Quo""te d" (id int, "Spal te" text, primary key (id, "Spal te"));
create table "Üb er"."tä.bl" (id int primary key, v text);
create table app.root (id int, region text, v int, primary key (id, region))
    partition by list (region);
create table app.root_eu partition of app.root for values in ('eu') partition by range (id);
create table app.root_eu_1 partition of app.root_eu for values from (0) to (100);
create table lib.root_def partition of app.root default;
create index root_v on app.root (v);
create table app.reffing (id int primary key, rid int, rr text,
    foreign key (rid, rr) references app.root);
create table app.idx (x int not null, y int not null); create unique index idx_u on app.idx (y);
alter table app.idx replica identity using index idx_u;
create view app.av as select id, m from app.a;
create materialized view app.mv as select count(*) from app.a;
insert into app.a (n, m, t, span) values (1, 'sad', 'Q', '[1,2)'), (2, 'ok', 'Ä', '[2,4)');
insert into app.root values (1, 'eu', 1), (3, 'xx', 3);
insert into app.reffing values (1, 1, 'eu');
"""
EDGE_LEFT = {"av; Type: VIEW", "mv; Type: MATERIALIZED VIEW", "skipped; Type: TABLE",
             "skipped skipped_pkey; Type: CONSTRAINT", "rowfn(app.skipped); Type: FUNCTION",
             "b b_s_fkey; Type: FK CONSTRAINT", "stranger(); Type: FUNCTION", "other; Type: SCHEMA"}


def dumped(server, db):
    """pg_dump's text of each object, by what it says it is."""
    r = subprocess.run([os.path.join(BIN, "pg_dump"), "-s", "-O", "-x", "--no-publications", "-h",
                        "127.0.0.1", "-p", str(server.port), "-U", "postgres", db],
                       text=True, check=True, stdout=subprocess.PIPE)
    objects = {}
    for part in re.split(r"\n--\n-- Name: ", r.stdout)[1:]:
        head, _, body = part.partition("\n")
        body = re.sub(r"(?m)^(\\\S+ .*|SET default.*|--.*)$", "", body).strip()
        objects[head.split("; Schema")[0]] = body
    return objects


def assert_same_schema(pair, left=()):
    source, target = dumped(pair.source, pair.name), dumped(pair.target, pair.name)
    target = {k: v for k, v in target.items() if "culvert" not in k + v}
    assert set(source) - set(target) == set(left)
    assert set(target) - set(source) == set()
    for name, text in target.items():
        assert source[name] == text, "\n".join(
            difflib.unified_diff(source[name].split("\n"), text.split("\n"), lineterm=""))


def plan(c, status=0):
    r = c.ctl("plan", "--json", "-c", c.path, check=False)
    assert r.returncode == status, r.stdout + r.stderr
    return json.loads(r.stdout)


def checks(p, level):
    return {c["text"]: c["mend"] for c in p["checks"] if c["level"] == level}


def only(found, words):
    texts = [t for t in found if words in t]
    assert len(texts) == 1, found
    return texts[0], found[texts[0]]


def grant_roles(pair, schemas, publication):
    for server, side, more in ((pair.source, "source", ["-v", f"publication={publication}"]),
                               (pair.target, "target", [])):
        for _ in range(2):  # may be run again
            server.psql("postgres", "-v", "role=cvt", "-v", f"database={pair.name}", "-v",
                        f"schemas={schemas}", *more, "-f",
                        os.path.join(TOP, "conf", f"postgresql-{side}.sql"))


def fingerprint(server, db):
    return server.run("""
        select (select count(*) from pg_class), (select count(*) from pg_depend),
        (select count(*) from pg_publication), (select count(*) from pg_replication_slots),
        (select count(*) from pg_proc), (select count(*) from pg_namespace)""", db=db)


def test_pagila_as_least_privilege_role(pair, culvert):
    if not os.path.exists(PAGILA):
        pytest.skip("no CULVERT_SAMPLES")
    pair.source.psql(pair.name, "-f", PAGILA)
    grant_roles(pair, "public", "culvert_shop")
    c = culvert(pair.config(user="cvt"))
    p = plan(c)
    assert p["errors"] == 0
    views = [line for line in p["left"] if "VIEW " in line]
    assert len(views) == 8
    assert any(line.startswith("MATERIALIZED VIEW public.rental_by_category: ") for line in views)
    c.start()
    c.wait(state="streaming")
    c.stop()
    source = dumped(pair.source, pair.name)
    left = [k for k in source if re.search("Type: (MATERIALIZED )?VIEW$", k)]
    assert_same_schema(pair, left + ["rental_category; Type: INDEX"])


def test_what_goes_along_and_what_does_not(pair, culvert):
    pair.sql(EDGE)
    c = culvert(pair.config(tables={"exclude": "app.skipped"}))
    p = plan(c)
    lines = dict(line.split(": ", 1) for line in p["left"])
    assert "app.skipped" in lines["FK CONSTRAINT b_s_fkey on app.b"]
    assert "app.skipped" in lines["FUNCTION app.rowfn(app.skipped)"]
    assert lines["TABLE app.skipped"] == "not migrated"
    assert "no migrated table" in lines["FUNCTION other.stranger()"]
    assert "VIEW app.av" in lines and "MATERIALIZED VIEW app.mv" in lines
    made = set(p["made"])
    assert {"DOMAIN lib.posint", "TYPE lib.pair", "SEQUENCE app.free_seq",
            "FUNCTION app.helper()", "TABLE lib.root_def"} <= made
    assert not any("skipped" in line for line in made)
    c.start()
    c.wait(state="streaming")
    c.stop()
    assert_same_schema(pair, EDGE_LEFT)


def test_existing_objects_are_left_alone(pair, culvert):
    pair.sql(EDGE)
    pair.target_sql("""create schema app; create schema lib;
        create type lib.mood as enum ('sad', 'ok'); create sequence app.free_seq start 5;
        create function app.helper() returns void language plpgsql as 'begin end';
        comment on type lib.mood is 'theirs'""")
    c = culvert(pair.config(tables={"exclude": "app.skipped"}))
    made = plan(c)["made"]
    assert "TYPE lib.mood" not in made and "SCHEMA app" not in made
    assert "FUNCTION app.helper()" not in made and "DOMAIN lib.posint" in made
    c.start()
    c.wait(state="streaming")
    c.stop()
    assert pair.target_sql("select obj_description('lib.mood'::regtype, 'pg_type')") == [("theirs",)]
    pair.target_sql("comment on type lib.mood is null")
    assert_same_schema(pair, EDGE_LEFT)


def test_plan_touches_nothing(pair, culvert):
    pair.sql(EDGE)
    before = fingerprint(pair.source, pair.name), fingerprint(pair.target, pair.name)
    temporary = set(os.listdir("/tmp"))
    c = culvert(pair.config(tables={"exclude": "app.skipped"}))
    p = plan(c)
    text = c.ctl("plan", "-c", c.path).stdout
    assert (fingerprint(pair.source, pair.name), fingerprint(pair.target, pair.name)) == before
    assert not [f for f in set(os.listdir("/tmp")) - temporary if f.startswith("culvert-plan")]
    tables = {t["source"]: t for t in p["tables"]}
    assert tables["app.root"]["partitions"] == 2 and tables["app.root"]["create"]
    assert tables["app.idx"]["identity"] == "index"
    assert len(tables) == 7 and p["format"] == 1
    sql = [s["sql"] for s in p["statements"]]
    assert any(s.startswith('create publication "culvert_shop" for table only "app"."Quo""te d"')
               for s in sql)
    assert any(s.startswith('create_replication_slot "culvert_shop"') for s in sql)
    assert "Nothing is in the way of a start." in text and "app.root: " in text


def test_plan_exit_status(pair, culvert):
    pair.sql("create table t (id int primary key)")
    c = culvert(pair.config())
    plan(c, 0)
    c.config["tables"] = {"include": "public.nosuch"}
    c.write()
    text, _ = only(checks(plan(c, 1), "error"), "matches no table")
    assert "public.nosuch" in text and re.search(r"shop\.conf:\d+: ", text)
    c.config["tables"] = {"inclde": "public.t"}
    c.write()
    r = c.ctl("plan", "-c", c.path, check=False)
    assert r.returncode == 2 and "inclde" in r.stderr
    del c.config["tables"]
    c.config["target"]["uri"] = "postgresql://postgres@127.0.0.1:1/x"
    c.write()
    r = c.ctl("plan", "-c", c.path, check=False)
    assert r.returncode == 1 and "target" in r.stderr


def test_identities_that_cannot_be_carried(pair, culvert):
    pair.sql("""create table nokey (x int); create table def (id int primary key deferrable);
        create table nothing (id int primary key); alter table nothing replica identity nothing;
        create table gen (x int, k int generated always as (x * 2) stored primary key);
        create table fine (x int); alter table fine replica identity full;
        create table root (id int primary key) partition by range (id);
        create table leaf partition of root for values from (0) to (9);
        alter table leaf replica identity nothing""")
    errors = checks(plan(culvert(pair.config()), 1), "error")
    assert only(errors, "public.nokey")[1].startswith(
        'alter table "public"."nokey" replica identity full')
    assert "deferrable" in only(errors, "public.def")[0]
    assert "NOTHING" in only(errors, "public.nothing")[0]
    assert "generated" in only(errors, "public.gen")[0]
    assert only(errors, "public.leaf")[1] == 'alter table "public"."leaf" replica identity full'
    assert not any("public.fine" in t for t in errors)
    assert len(errors) == 5


def test_rights_with_the_grants_that_mend_them(pair, culvert):
    pair.sql("""create schema s; create table s.t (id int primary key);
        create table u (id int primary key); alter table u enable row level security""")
    pair.target_sql("create table u (id int primary key); revoke create on schema public from public")
    for server in (pair.source, pair.target):
        server.run("do $$begin if not exists (select from pg_roles where rolname = 'bare') then "
                   "create role bare login; end if; end$$")
    c = culvert(pair.config(user="bare"))
    errors = checks(plan(c, 1), "error")
    mends = " ;; ".join(m or "" for m in errors.values())
    for mend in ('alter role "bare" replication', 'grant usage on schema "s" to "bare"',
                 'grant select on "public"."u", "s"."t" to "bare"',
                 'create publication "culvert_shop" for table only "public"."u", only "s"."t" with',
                 'create schema culvert authorization "bare"',
                 'grant select, insert, update, delete, truncate on "public"."u" to "bare"'):
        assert mend in mends, mend
    # each statement works and takes its error away
    for text, mend in errors.items():
        server = pair.target if text.startswith("target") else pair.source
        server.run(mend.split(" -- ")[0] if "create on database" not in mend
                   else f'grant create on database {pair.name} to bare', db=pair.name)
    errors = checks(plan(c, 1), "error")
    text, mend = only(errors, "row-level security")
    assert len(errors) == 1 and mend == 'alter role "bare" bypassrls'
    pair.sql("alter table u disable row level security")
    warnings = checks(plan(c, 0), "warning")
    assert only(warnings, "session_replication_role")[1] == \
        'grant set on parameter session_replication_role to "bare"'


def test_triggers_keys_and_foreign_keys_of_the_target(pair, culvert):
    """HAZARDS A3 and A15."""
    ddl = """create table p (id int primary key);
        create table c (id int primary key, p int {fk});
        create table d (id int primary key {deferrable})"""
    pair.sql(ddl.format(fk="", deferrable=""))
    pair.target_sql(ddl.format(fk="references p on delete cascade", deferrable="deferrable"))
    pair.target_sql("""create function f() returns trigger language plpgsql as 'begin return new; end';
        create trigger plain before insert on p for each row execute function f();
        create trigger always before insert on p for each row execute function f();
        alter table p enable always trigger always""")
    for server in (pair.source, pair.target):
        server.run("do $$begin if not exists (select from pg_roles where rolname = 'lesser') then "
                   "create role lesser login replication; end if; end$$")
        server.run("grant all on all tables in schema public to lesser", db=pair.name)
    pair.target_sql("create schema culvert authorization lesser")
    pair.sql("create publication culvert_shop for table p, c, d "
             "with (publish_via_partition_root = true)")
    p = plan(culvert(pair.config()), 1)  # may set session_replication_role
    errors, warnings = checks(p, "error"), checks(p, "warning")
    assert len(errors) == 1
    text, mend = only(errors, "deferrable")
    assert "d_pkey on public.d" in text and mend.startswith(
        'alter table "public"."d" drop constraint "d_pkey"')
    assert "trigger always on public.p" in only(warnings, "trigger")[0]
    p = plan(culvert(pair.config(user="lesser")), 1)
    errors, warnings = checks(p, "error"), checks(p, "warning")
    assert "c_p_fkey on public.c" in only(errors, "CASCADE")[0]
    assert any("trigger plain on public.p" in t for t in warnings)
    only(warnings, "may not set session_replication_role")


def test_target_tables_that_do_not_fit(pair, culvert):
    pair.sql("create table t (id int primary key, a text, b int, g int generated always as (1) stored)")
    pair.target_sql("""create table t (id int primary key, b bigint, extra int not null,
        more int default 3, g int)""")
    p = plan(culvert(pair.config()), 1)
    errors = checks(p, "error")
    assert only(errors, "no column a")[1] == 'alter table "public"."t" add column "a" text'
    assert only(errors, "extra")[1] == 'alter table "public"."t" alter column "extra" drop not null'
    warnings = checks(p, "warning")
    assert "bigint" in only(warnings, "column b ")[0]
    only(warnings, "generated on the source")
    only(checks(p, "note"), "column more ")


def test_rows_and_renames(pair, culvert):
    pair.sql("create table t (id int primary key); create table r (id int primary key)")
    pair.target_sql("create table t (id int primary key); insert into t values (1)")
    c = culvert(pair.config(**{"table public.r": {"to": "public.r2"}}))
    p = plan(c, 1)
    only(checks(p, "error"), "public.t has rows")
    assert "TABLE public.r as public.r2" in p["made"]
    c.config["tables"] = {"existing": "truncate"}
    c.write()
    assert {"side": "target", "sql": 'truncate "public"."t"'} in plan(c, 0)["statements"]


def test_server_settings(pair, culvert, pg_target):
    pair.sql("create table t (id int primary key)")
    pg_target.run("alter system set fsync = off")
    try:
        pg_target.run("select pg_reload_conf()")
        until(lambda: pg_target.run("show fsync") == [("off",)], 20, "the new setting")
        c = culvert(pair.config())
        errors = checks(plan(c, 1), "error")
        assert only(errors, "fsync is off")[1].startswith("alter system set fsync = on")
    finally:
        pg_target.run("alter system reset fsync")
        pg_target.run("select pg_reload_conf()")
        until(lambda: pg_target.run("show fsync") == [("on",)], 20, "the old setting")


def script(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def test_programs_that_are_too_old_or_missing(pair, culvert):
    pair.sql("create table t (id int primary key)")
    c = culvert(pair.config())
    old = script(c.folder, "old", "echo 'pg_dump (PostgreSQL) 11.22'\n")
    c.config["tables"] = {"pg_dump": old}
    c.write()
    text = only(checks(plan(c, 1), "error"), "version 11")[0]
    assert "tables.pg_dump" in text and "15" in text
    c.config["tables"] = {"pg_dump": "/nowhere/pg_dump"}
    c.write()
    assert "/nowhere/pg_dump" in only(checks(plan(c, 1), "error"), "tables.pg_dump")[0]


def test_the_password_is_in_no_argument(pair, culvert):
    pair.sql("create table t (id int primary key)")
    c = culvert(pair.config())
    seen = os.path.join(c.folder, "seen")
    for program in ("pg_dump", "pg_restore"):
        path = script(c.folder, program, f'echo "$0 $*" >> {seen}; echo "env $PGPASSWORD" >> {seen}.env\n'
                      f'exec {os.path.join(BIN, program)} "$@"\n')
        c.config.setdefault("tables", {})[program] = path
    c.password_file("source", "s3cr3t-source")
    c.password_file("target", "s3cr3t-target")
    c.start()
    c.wait(state="streaming")
    c.stop()
    with open(seen) as f:
        arguments = f.read()
    with open(seen + ".env") as f:
        environment = f.read()
    assert "--schema-only" in arguments and "--use-list" in arguments
    assert "s3cr3t" not in arguments + c.log_text()
    assert "env s3cr3t-source" in environment and "env s3cr3t-target" in environment
    assert pair.target_sql("select count(*) from t") == [(0,)]
