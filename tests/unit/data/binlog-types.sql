-- What record_binlog runs: each type with its edge values. The first column gives the order.
create database t;
use t;
set time_zone = '+00:00', sql_mode = '';

create table integers (id int primary key, t1 tinyint, t2 smallint, t3 mediumint, t4 int, t8 bigint,
    u1 tinyint unsigned, u2 smallint unsigned, u3 mediumint unsigned, u4 int unsigned,
    u8 bigint unsigned, b bool, z int(6) zerofill, y year);
insert into integers values
    (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (2, -128, -32768, -8388608, -2147483648, -9223372036854775808, 0, 0, 0, 0, 0, true, 42, 1901),
    (3, 127, 32767, 8388607, 2147483647, 9223372036854775807, 255, 65535, 16777215, 4294967295,
     18446744073709551615, false, 4294967295, 2155),
    (4, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 2024),
    (5, null, null, null, null, null, null, null, null, null, null, null, null, null);

create table decimals (id int primary key, d1 decimal(1,0), d9 decimal(9,0), d10 decimal(10,0),
    d2 decimal(2,2), d18 decimal(18,9), d30 decimal(30,20), d65 decimal(65,30),
    du decimal(12,4) unsigned, dz decimal(8,2) zerofill, d0 decimal(65,0));
insert into decimals values
    (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (2, -9, -999999999, -9999999999, -0.99, -999999999.999999999, -9999999999.99999999999999999999,
     -99999999999999999999999999999999999.999999999999999999999999999999, 1.5, 1.5,
     -99999999999999999999999999999999999999999999999999999999999999999),
    (3, 9, 100000000, 1000000000, 0.01, 0.000000001, 0.00000000000000000001,
     0.000000000000000000000000000001, 99999999.9999, 999999.99, 1),
    (4, null, 1, -1, -0.01, -0.5, 12345.678, -1.000000000000000000000000000001, null, null, 10);

create table floats (id int primary key, f float, d double, fs float(7,3), ds double(12,4));
insert into floats values
    (1, 0, 0, 0, 0), (2, 1.5, -1.5, 1234.567, 12345678.1234), (3, 3.40282e38, 1.7976931348623157e308, -1, -1),
    (4, 1.17549e-38, 2.2250738585072014e-308, 0.001, 0.0001), (5, 0.1, 0.1, 0.1, 0.1),
    (6, 16777216, 9007199254740993, 9999.999, 1), (7, -0.333333333, 1/3, 1, 1),
    (8, 1e-10, 1e15, null, null), (9, 123456789, 123456789012345678, 1, 1);

create table bits (id int primary key, b1 bit(1), b7 bit(7), b9 bit(9), b64 bit(64));
insert into bits values (1, b'0', b'0', b'0', b'0'), (2, b'1', b'1010101', b'100000001',
    0xffffffffffffffff), (3, null, null, null, 0x0123456789abcdef);

create table times (id int primary key, d date, t0 time, t1 time(1), t3 time(3), t6 time(6),
    dt0 datetime, dt2 datetime(2), dt5 datetime(5), dt6 datetime(6),
    ts0 timestamp null, ts3 timestamp(3) null, ts6 timestamp(6) null);
insert into times values
    (1, '0000-00-00', '00:00:00', 0, 0, 0, '0000-00-00', '0000-00-00', '0000-00-00', '0000-00-00',
     '0000-00-00', '0000-00-00', '0000-00-00'),
    (2, '1000-01-01', '-838:59:59', '-838:59:58.9', '-00:00:00.001', '-00:00:00.000001',
     '1000-01-01 00:00:00', '1000-01-01 00:00:00.01', '1000-01-01 00:00:00.00001',
     '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01', '1970-01-01 00:00:01.001',
     '1970-01-01 00:00:01.000001'),
    (3, '9999-12-31', '838:59:59', '838:59:58.9', '12:34:56.789', '12:34:56.789012',
     '9999-12-31 23:59:59', '9999-12-31 23:59:59.99', '9999-12-31 23:59:59.99999',
     '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999',
     '2038-01-19 03:14:07.999999'),
    (4, '2024-02-29', '-00:00:01', '-00:00:01.5', '-01:02:03.456', '-01:00:00', '2024-02-29 12:34:56',
     '2024-02-29 12:34:56', '2024-02-29 12:34:56.5', '2024-02-29 12:34:56.123456',
     '2024-03-31 01:30:00', '2024-03-31 02:30:00', '2024-10-27 01:30:00.5'),
    (5, '2020-00-00', null, '-00:01:00.9', '-00:00:00.999', '-838:59:58.999999', '2020-00-00', '2020-01-00',
     null, null, null, null, null);

create table texts (id int primary key, c char(5), v varchar(20), v300 varchar(300), tt tinytext,
    tx text, mt mediumtext, lt longtext, l1 varchar(20) charset latin1,
    c1 char(10) charset latin1, g varchar(10) charset gbk, s varchar(10) charset sjis,
    u2 varchar(10) charset ucs2, u16 char(4) charset utf16, u3 varchar(10) charset utf8mb3,
    big char(200), a varchar(5) charset ascii, k8 varchar(10) charset koi8r);
insert into texts values
    (1, '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
    (2, 'ab', 'a  ', repeat('x', 300), 'tiny', 'text', 'medium', 'long', 'café', 'x', 'x', 'x', 'x',
     'x', 'x', 'big', 'x', 'x'),
    (3, 'é€😀', 'naïve 😀', 'ß', 'é', 'ü', '漢字', '😀', 'é€Œ', 'ÿþ', '漢字', '漢字', '漢é', 'é😀', 'é€', 'é😀', 'z', 'привет'),
    (4, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
    (5, 'a\tb\n', 'q''"\\', 'x', concat('n', char(0), 'l'), 'x', 'x', repeat('long ', 100), 'x', ' y', 'x', 'x', ' ', ' ', 'x', 'x', 'x', 'x');

create table bytes (id int primary key, b binary(4), b255 binary(255), vb varbinary(10), vl varbinary(300), tb tinyblob,
    bl blob, mb mediumblob, lb longblob);
insert into bytes values (1, '', '', '', '', '', '', '', ''),
    (2, 'ab', 'x', 0x00ff, repeat('v', 300), 0x00, 0xdeadbeef, 'm', 'l'),
    (3, 0x01000000, 0x00, 'a ', 'x', 'x', 0x0000, 0xff, 0x80),
    (4, null, null, null, null, null, null, null, null);

create table choices (id int primary key, e enum('a','b','it''s','é,x'), s set('x','y','z','w'),
    el enum('ä','ö') charset latin1, s9 set('1','2','3','4','5','6','7','8','9'));
insert into choices values (1, 'a', 'x', 'ä', '1'), (2, 'it''s', 'x,z,w', 'ö', '9'),
    (3, '', '', '', ''), (4, 'é,x', 'y,z', 'ä', '1,2,3,4,5,6,7,8,9'), (5, null, null, null, null);

create table shapes (id int primary key, g geometry, p point);
insert into shapes values (1, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(-1 2.5)')),
    (2, ST_GeomFromText('LINESTRING(0 0,1 1,2 0)'), null);

create table made (id int primary key, a int, v int as (a + 1) virtual, s int as (a * 2) stored,
    z int invisible default 7, w varchar(10));
insert into made (id, a, w) values (1, 1, 'one'), (2, null, 'two');

create table keyless (a int, b varchar(10));
insert into keyless values (1, 'one'), (2, 'two');

create table documents (id int primary key, j json);
insert into documents values (1, '{"a": 1, "b": [1, 2.5, "x", null, true, false], "long": {"c": {}}}'),
    (2, '[]'), (3, '"text \\" \\n \\u00e9 😀"'), (4, 'null'), (5, null), (6, '-12345678901'),
    (7, '[18446744073709551615, -9223372036854775808, 65535, -32768, 65536, 4294967295, 1.0, -0.5, 1e3]');

-- mariadb only
create table marias (id int primary key, u uuid, i4 inet4, i6 inet6,
    vc varchar(200) compressed, tc text compressed, bc blob compressed);
insert into marias values
    (1, '123e4567-e89b-12d3-a456-426655440000', '1.2.3.4', '2001:db8::1', 'short', 'x', 'y'),
    (2, 'f81d4fae-7dec-41d0-a765-00a0c91e6bf6', '1.2.3.0', '::ffff:1.2.3.4', repeat('v', 200),
     repeat('abc', 300), repeat('b', 1000)),
    (3, '018f3c3c-7e3b-7abc-8def-0123456789ab', '0.0.0.0', '::', '', '', ''),
    (4, '00000000-0000-0000-0000-000000000000', '255.255.255.255', 'fe80::1:0:0:1', 'é', null, null),
    (5, null, null, null, null, null, null);
-- end
-- mysql only
insert into documents values
    (10, json_object('d', cast(1.50 as decimal(10,2)), 'dt', timestamp '2024-02-29 12:34:56.789', 't', time '-12:34:56.5',
         'date', date '2024-02-29', 'bin', cast('abc' as binary), 'neg', cast(-0.05 as decimal(5,3)))),
    (11, json_array(cast(repeat('x', 100) as binary), b'1', 1e100, 1.5e-7, 0.1)),
    (12, json_object('k', repeat('v', 200), '', 'empty key', 'big', repeat('z', 70000))),
    (13, concat('[', repeat('1,', 9999), '1]'));
-- end
