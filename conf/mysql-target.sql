-- The role that culvert uses on a MySQL or MariaDB target, with no more rights than it needs.
-- Run by an administrator, once for each database to fill; safe to run again:
--
--   mysql --init-command="set @role = 'culvert', @host = '%', @database = 'shop'" < mysql-target.sql
--
--   @role      name of the role to make or to change
--   @host      where culvert connects from: '10.0.0.7', '10.0.0.%', '%'
--   @database  a database to fill; the one that [target] uri names has to exist, others are made by
--              culvert where they are missing
--   @password  optional, and seen by other users of this host while the client runs. A role that is
--              made without one is locked until:
--              alter user 'culvert'@'%' identified by '...' account unlock
--
-- Tables must be of an engine with transactions (InnoDB), and the server needs
-- innodb_flush_log_at_trx_commit = 1 and, where the binary log is on, sync_binlog = 1: otherwise a
-- crash could take back what culvert takes for safe, and it refuses to begin.

set @account = concat(quote(@role), '@', quote(@host));

set @sql = concat('create user if not exists ', @account,
                  if(@password is null, ' account lock', concat(' identified by ', quote(@password))));
prepare s from @sql;
execute s;
set @sql = if(@password is null, 'do 0',
              concat('alter user ', @account, ' identified by ', quote(@password)));
prepare s from @sql;
execute s;

-- culvert's own database.
set @sql = concat('grant select, insert, update, delete, create, alter, index, references, drop',
                  ' on culvert.* to ', @account);
prepare s from @sql;
execute s;

-- The tables: filling them, and creating those that are missing. TRIGGER only shows which triggers
-- would fire. In a grant, _ and % in a database's name would stand for any character.
set @name = concat('`', replace(replace(replace(@database, '`', '``'), '_', '\\_'), '%', '\\%'), '`');
set @sql = concat('grant select, insert, update, delete, create, alter, index, references, drop,',
                  ' trigger on ', @name, '.* to ', @account);
prepare s from @sql;
execute s;
deallocate prepare s;
