-- The role that culvert uses on a PostgreSQL source, with no more rights than it needs.
-- Run by an administrator (a superuser, or a role with CREATEROLE and REPLICATION that owns the
-- tables), with psql; safe to run again:
--
--   psql -v role=culvert -v database=shop -v schemas=public -f postgresql-source.sql
--
--   role         name of the role to make or to change
--   database     the database to migrate
--   schemas      its schemas, comma-separated, no spaces: public,sales
--   publication  optional; default culvert_DATABASE. Must be what the configuration says
--                ([source] publication, default culvert_ and the pipeline's name)
--   password     optional, and seen by other users of this host while psql runs: rather leave it
--                out and run \password in psql afterwards
--
-- The server itself needs wal_level = logical and room in max_replication_slots and
-- max_wal_senders; pg_hba.conf must let the role in, for the database (no line for "replication"
-- is needed).
\set ON_ERROR_STOP on
\set QUIET on
\if :{?publication}
\else
\set publication culvert_ :database
\endif
\connect -reuse-previous=on :"database"

select pg_catalog.format('create role %I', :'role')
where not exists (select from pg_catalog.pg_roles where rolname = :'role') \gexec
alter role :"role" login replication;
\if :{?password}
alter role :"role" password :'password';
\endif

-- Reading the tables and the sequences' values. Tables made later need the same:
-- alter default privileges for role THEIR_OWNER in schema S grant select on tables to ROLE;
grant connect on database :"database" to :"role";
select pg_catalog.format(s, n, :'role')
from pg_catalog.unnest(pg_catalog.string_to_array(:'schemas', ',')) n,
     (values ('grant usage on schema %I to %I'),
             ('grant select on all tables in schema %I to %I'),
             ('grant select on all sequences in schema %I to %I')) v(s) \gexec

-- The publication: only who owns a table can put it into one, so the administrator does it here.
-- culvert then checks it and leaves it alone. Without partitions (their root publishes for them),
-- extensions' own tables, unlogged and temporary ones, and without tables that have no replica
-- identity: the server would refuse every update and delete of theirs from then on.
select pg_catalog.format('create publication %I with (publish_via_partition_root = true)',
                         :'publication')
where not exists (select from pg_catalog.pg_publication where pubname = :'publication') \gexec
-- Only where it is not so already: culvert takes a publication that was changed for one that may
-- have published less in between.
select pg_catalog.format('alter publication %I set (publish = %L, publish_via_partition_root = true)',
                         pubname, 'insert, update, delete, truncate')
from pg_catalog.pg_publication
where pubname = :'publication'
  and not (pubinsert and pubupdate and pubdelete and pubtruncate and pubviaroot) \gexec
select pg_catalog.format('alter publication %I set table %s', :'publication',
         pg_catalog.string_agg(pg_catalog.format('%s%I.%I',
           case when c.relkind = 'r' then 'only ' else '' end, n.nspname, c.relname), ', '
           order by n.nspname, c.relname))
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where (n.nspname = any (pg_catalog.string_to_array(:'schemas', ','))
       or n.nspname = 'culvert' and c.relname = 'checkpoint')
  and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
  and not exists (select from pg_catalog.pg_depend d
                  where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid
                    and d.deptype = 'e')
  and (c.relreplident = 'f' or exists
       (select from pg_catalog.pg_index i
        where i.indrelid = c.oid and i.indisvalid and i.indimmediate and i.indisunique
          and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)))
having count(*) > 0 \gexec

\unset QUIET
\echo Tables that are not in the publication for want of a replica identity (add a primary key, or
\echo alter table ... replica identity full, and run this again):
select pg_catalog.format('%I.%I', n.nspname, c.relname) as "table"
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (pg_catalog.string_to_array(:'schemas', ','))
  and c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
  and c.relreplident <> 'f' and not exists
       (select from pg_catalog.pg_index i
        where i.indrelid = c.oid and i.indisvalid and i.indimmediate and i.indisunique
          and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident))
order by 1;
