-- The role that culvert uses on a MySQL or MariaDB source, with no more rights than it needs.
-- Run by an administrator, once for each database to migrate; safe to run again:
--
--   mysql --init-command="set @role = 'culvert', @host = '%', @database = 'shop'" < mysql-source.sql
--
--   @role      name of the role to make or to change
--   @host      where culvert connects from: '10.0.0.7', '10.0.0.%', '%'
--   @database  a database to migrate
--   @password  optional, and seen by other users of this host while the client runs. A role that is
--              made without one is locked until:
--              alter user 'culvert'@'%' identified by '...' account unlock
--
-- The server itself needs log_bin, binlog_format = ROW, binlog_row_image = FULL and a server_id;
-- binlog_row_metadata = FULL lets tables be altered while the migration runs.

set @account = concat(quote(@role), '@', quote(@host));
set @mariadb = version() like '%mariadb%';

set @sql = concat('create user if not exists ', @account,
                  if(@password is null, ' account lock', concat(' identified by ', quote(@password))));
prepare s from @sql;
execute s;
set @sql = if(@password is null, 'do 0',
              concat('alter user ', @account, ' identified by ', quote(@password)));
prepare s from @sql;
execute s;

-- Reading the binary log, and where it stands. MariaDB calls the second BINLOG MONITOR.
set @sql = concat('grant replication slave, replication client on *.* to ', @account);
prepare s from @sql;
execute s;

-- MySQL: seeing which XA transactions are prepared when the copy begins. MariaDB shows them to all.
set @sql = if(@mariadb or cast(substring_index(version(), '.', 1) as unsigned) < 8, 'do 0',
              concat('grant xa_recover_admin on *.* to ', @account));
prepare s from @sql;
execute s;

-- MySQL: writes wait for a moment while the copy's snapshots are opened. MariaDB tells a snapshot's
-- position without that.
set @sql = if(@mariadb, 'do 0',
              concat('grant ', if(cast(substring_index(version(), '.', 1) as unsigned) >= 8,
                                  'flush_tables', 'reload'), ' on *.* to ', @account));
prepare s from @sql;
execute s;

-- Reading the tables. In a grant, _ and % in a database's name would stand for any character.
set @name = concat('`', replace(replace(replace(@database, '`', '``'), '_', '\\_'), '%', '\\%'), '`');
set @sql = concat('grant select', if(@mariadb, '', ', lock tables'), ' on ', @name, '.* to ', @account);
prepare s from @sql;
execute s;
deallocate prepare s;
