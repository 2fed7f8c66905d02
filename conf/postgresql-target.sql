-- The role that culvert uses on a PostgreSQL target, with no more rights than it needs.
-- Run by a superuser with psql; safe to run again:
--
--   psql -v role=culvert -v database=shop -v schemas=public -f postgresql-target.sql
--
--   role      name of the role to make or to change
--   database  the database to fill
--   schemas   its schemas, comma-separated, no spaces: public,sales; those that are missing here
--             are made by culvert
--   origin    optional, any value: lets culvert keep its position in a replication origin
--   password  optional, and seen by other users of this host while psql runs: rather leave it out
--             and run \password in psql afterwards
--
-- What culvert creates belongs to this role. Functions with SECURITY DEFINER then run with its
-- rights, too: give them to their owner when the migration is complete.
\set ON_ERROR_STOP on
\set QUIET on
\connect -reuse-previous=on :"database"
select pg_catalog.current_setting('server_version_num')::int >= 150000 as can_grant_set \gset

select pg_catalog.format('create role %I', :'role')
where not exists (select from pg_catalog.pg_roles where rolname = :'role') \gexec
alter role :"role" login;
\if :{?password}
alter role :"role" password :'password';
\endif

-- Its own schema, and creating what is missing (schemas, trusted extensions).
grant connect, create, temporary on database :"database" to :"role";
select pg_catalog.format('create schema culvert authorization %I', :'role')
where not exists (select from pg_catalog.pg_namespace where nspname = 'culvert') \gexec

-- Tables in schemas that are there already.
select pg_catalog.format(s, n.nspname, :'role')
from pg_catalog.pg_namespace n,
     (values ('grant usage, create on schema %I to %I'),
             ('grant select, insert, update, delete, truncate on all tables in schema %I to %I'),
             ('grant usage, select, update on all sequences in schema %I to %I')) v(s)
where n.nspname = any (pg_catalog.string_to_array(:'schemas', ',')) \gexec

-- Applying without firing triggers and foreign keys a second time. Before PostgreSQL 15 only a
-- superuser may.
\if :can_grant_set
grant set on parameter session_replication_role to :"role";
\else
\warn 'this server cannot grant session_replication_role: foreign keys and triggers stay on'
\endif

\if :{?origin}
grant execute on function pg_catalog.pg_replication_origin_create(text),
  pg_catalog.pg_replication_origin_drop(text),
  pg_catalog.pg_replication_origin_oid(text),
  pg_catalog.pg_replication_origin_progress(text, boolean),
  pg_catalog.pg_replication_origin_session_reset(),
  pg_catalog.pg_replication_origin_session_setup(text),
  pg_catalog.pg_replication_origin_xact_setup(pg_lsn, timestamptz) to :"role";
\endif
