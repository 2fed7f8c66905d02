-- What the role of postgresql-source.sql needs more for a cutover and the way back: to fence the
-- database off, and to be written to while the other side leads. Run behind that script by a
-- superuser with psql; safe to run again:
--
--   psql -v role=culvert -v database=shop -v schemas=public -f postgresql-reverse.sql
--
--   role      name of the role, which is there
--   database  the database that is migrated
--   schemas   its schemas, comma-separated, no spaces: public,sales
--   origin    optional, any value: lets culvert keep its position in a replication origin
--   connect   optional, any value: makes the role a member of the database's owner, so that the
--             fence can take the right to connect away from applications. With it come all rights of
--             the owner. Without it the triggers alone stop their writes
\set ON_ERROR_STOP on
\set QUIET on
\connect -reuse-previous=on :"database"
select pg_catalog.current_setting('server_version_num')::int >= 150000 as can_grant_set \gset

-- Its own schema: positions, and what was there before the fence.
grant connect, create, temporary on database :"database" to :"role";
select pg_catalog.format('create schema culvert authorization %I', :'role')
where not exists (select from pg_catalog.pg_namespace where nspname = 'culvert') \gexec

-- Writing what is changed on the other side, and the fence's triggers, which are only created with
-- the right TRIGGER, and dropped with their functions, which are the role's own.
select pg_catalog.format(s, n.nspname, :'role')
from pg_catalog.pg_namespace n,
     (values ('grant usage on schema %I to %I'),
             ('grant select, insert, update, delete, truncate, trigger on all tables in schema %I to %I'),
             ('grant usage, select, update on all sequences in schema %I to %I')) v(s)
where n.nspname = any (pg_catalog.string_to_array(:'schemas', ',')) \gexec

-- Ending the sessions of applications, and seeing since when their transactions are open.
grant pg_signal_backend, pg_read_all_stats to :"role";

\if :{?connect}
select pg_catalog.format('grant %I to %I', pg_catalog.pg_get_userbyid(datdba), :'role')
from pg_catalog.pg_database
where datname = :'database' and pg_catalog.pg_get_userbyid(datdba) <> :'role' \gexec
\endif

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
