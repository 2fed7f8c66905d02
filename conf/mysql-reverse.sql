-- What the role of mysql-source.sql needs more for a cutover and the way back: to fence the server
-- off, and to be written to while the other side leads. Run behind that script by an administrator,
-- once for each database that is migrated; safe to run again:
--
--   mysql --init-command="set @role = 'culvert', @host = '%', @database = 'shop'" < mysql-reverse.sql
--
--   @role      name of the role, which is there
--   @host      where culvert connects from, as in mysql-source.sql
--   @database  a database that is migrated
--
-- The fence is of the whole server: read_only is on, all accounts but culvert's, the server's own,
-- root and those of replicas are locked, and no event runs, also of other databases.

set @account = concat(quote(@role), '@', quote(@host));
set @mariadb = version() like '%mariadb%';
set @version = cast(substring_index(version(), '.', 1) as unsigned) * 100
             + cast(substring_index(substring_index(version(), '.', 2), '.', -1) as unsigned);
-- Rights by their finer names, as MariaDB has them since 10.11 and MySQL since 8.0.
set @fine = @version >= if(@mariadb, 1011, 800);

-- culvert's own database: positions, and what was there before the fence.
set @sql = concat('grant select, insert, update, delete, create, alter, index, references, drop',
                  ' on culvert.* to ', @account);
prepare s from @sql;
execute s;

-- Writing what is changed on the other side. TRIGGER only shows which triggers would fire. In a
-- grant, _ and % in a database's name would stand for any character.
set @name = concat('`', replace(replace(replace(@database, '`', '``'), '_', '\\_'), '%', '\\%'), '`');
set @sql = concat('grant select, insert, update, delete, create, alter, index, references, drop,',
                  ' trigger on ', @name, '.* to ', @account);
prepare s from @sql;
execute s;

-- Locking accounts, ending sessions, the moment's lock under which the position is read, read_only
-- and writing while it is on.
set @sql = concat('grant create user, process, ',
                  if(not @fine, 'reload, super',
                     if(@mariadb, 'reload, connection admin, read_only admin',
                        'flush_tables, connection_admin, system_variables_admin, xa_recover_admin')),
                  ' on *.* to ', @account);
prepare s from @sql;
execute s;

-- MariaDB: events are switched off by who has SUPER only, and that needs to be where they are on.
set @sql = if(@mariadb and @fine and @@global.event_scheduler = 'ON',
              concat('grant super on *.* to ', @account), 'do 0');
prepare s from @sql;
execute s;

-- Which accounts there are, and which of them are locked already.
set @sql = if(@mariadb, concat('grant select on mysql.global_priv to ', @account),
              concat('grant select (User, Host, account_locked, Super_priv, Insert_priv,',
                     ' Repl_slave_priv) on mysql.user to ', @account));
prepare s from @sql;
execute s;
set @sql = if(@mariadb, 'do 0', concat('grant select on mysql.global_grants to ', @account));
prepare s from @sql;
execute s;

-- MySQL: accounts that have SYSTEM_USER are locked by such accounts only.
set @sql = if(@mariadb or not @fine, 'do 0', concat('grant system_user on *.* to ', @account));
prepare s from @sql;
execute s;
deallocate prepare s;
