-- What record_binlog runs on MySQL: differences of JSON values.
create database t;
use t;
create table p (id int primary key, x json, y json, n int);
insert into p values (1, '{"a": 1, "b": [1, 2, 3], "c": {"d": "text"}, "long key": "padding padding padding"}', '[1, 2]', 0),
    (2, null, '{"k": "padding padding padding"}', 0);
set session binlog_row_value_options = 'PARTIAL_JSON';
update p set x = json_set(x, '$.a', 22), n = 1 where id = 1;
update p set x = json_remove(x, '$.b[1]'), y = json_set(y, '$[2]', cast('{"z": [true]}' as json)) where id = 1;
update p set x = json_set(x, '$.c.e', 'added', '$.c.b', 1.5, '$."q\\"k"', null) where id = 1;
update p set x = json_replace(x, '$.b[0]', json_array(7, 'seven')) where id = 1;
update p set y = json_remove(y, '$.k'), x = json_object('new', 1) where id = 2;
update p set y = json_set(y, '$.k', 1, '$.kk', 2), n = null where id = 2;
update p set n = 5;
set session binlog_row_image = minimal;
update p set x = json_set(x, '$.a', 3) where id = 1;
