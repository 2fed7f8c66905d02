-- What record_binlog runs: transactions of all kinds, and statements. Tables a, m (without
-- transactions), k (without key) and part are migrated, the others are not.
create database t;
create database other;
use t;
create table a (id int primary key, v varchar(20), n int, g int as (n + 1) virtual);
create table m (id int primary key, v varchar(10)) engine = myisam;
create table k (a int, b varchar(10));
create table other.o (id int primary key);
create table part (id int primary key) partition by range (id) (partition p0 values less than (10),
    partition p1 values less than (20));

insert into a (id, v, n) values (1, 'one', 10), (2, 'two', 20);
update a set v = 'uno' where id = 1;
delete from a where id = 2;
insert into other.o values (1);
begin; insert into a (id, v) values (3, 'three'); insert into other.o values (2); update a set id = 30 where id = 3; commit;
begin; insert into a (id) values (4); rollback;
insert into m values (1, 'x');
insert into k values (1, 'a'), (1, 'a');
update k set b = 'c' limit 1;
delete from k limit 1;

begin; insert into a (id) values (5); savepoint s; insert into a (id) values (6); rollback to s;
    insert into a (id) values (7); commit;
begin; savepoint s; insert into a (id) values (8); savepoint `q q`; insert into a (id) values (9);
    insert into m values (2, 'in between'); rollback to `Q Q`; insert into a (id) values (10); commit;
begin; insert into a (id) values (11); insert into m values (3, 'stays'); rollback;

xa start 'x'; insert into a (id) values (12); xa end 'x'; xa commit 'x' one phase;
xa start 'y'; insert into other.o values (3); xa end 'y'; xa prepare 'y'; xa commit 'y';
xa start 'z'; insert into other.o values (4); xa end 'z'; xa prepare 'z'; xa rollback 'z';

set session binlog_row_image = minimal;
update a set n = 100 where id = 1;
delete from a where id = 12;
insert into a (id, v) values (13, 'thirteen');
set session binlog_row_image = noblob;
update a set v = 'image' where id = 13;
set session binlog_row_image = full;

set session binlog_format = statement;
insert into a (id) values (100);
update a, other.o set a.v = 'x' where a.id = o.id;
set @x = 5; insert into a (id, v) values (101, @x);
insert into other.o values (200);
set session binlog_format = row;

create index i on a (v);
alter table a add index i2 (n), comment = 'harmless';
/* first */ alter table a add column extra int; -- then
insert into a (id, extra) values (14, 1);
create table if not exists a (id int);
create table copy as select id, v from a;
truncate table k;
truncate other.o;
alter table part truncate partition p1;
rename table a to a2, other.o to other.o2;
rename table a2 to a;
drop table if exists copy, `k`;
create table k (a int);
create temporary table part (id int);
drop temporary table part;
-- mariadb only
set statement max_statement_time = 10 for alter table a drop column extra;
create or replace table m (id int);
-- end
-- mysql only
alter table a drop column extra;
drop table m;
-- end
drop database other;
drop database t;
