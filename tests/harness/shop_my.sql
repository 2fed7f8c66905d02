-- The sample shop of shop.sql for MariaDB: the same tables, with the types that it has. Filled by
-- shop_my.py, which sets @scale (1: about 300,000 rows). Made by arithmetic, so two runs hold the
-- same rows.
set sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO';
set names utf8mb4;

create table customers (
        id bigint unsigned not null auto_increment,
        name varchar(200) not null,
        email varchar(120) character set latin1 collate latin1_bin not null,
        country char(2),
        born date,
        tags set('vip', 'new', 'a "quoted" one', '日本 ✓') not null default '',
        settings json not null default '{}',
        token uuid,
        joined_at timestamp not null default current_timestamp,
        updated_at timestamp(6) null on update current_timestamp(6),
        primary key (id),
        unique key (email),
        constraint born_lately check (born > '1900-01-01')
) comment 'people who buy; имена, 名前, أسماء';

create table products (
        id int not null auto_increment,
        sku varchar(20) not null,
        title text not null,
        price decimal(12, 4) not null,
        weight double,
        stock mediumint not null default 0,
        flags bit(12),
        attributes json,
        photo varbinary(64),
        since year,
        manual mediumtext comment 'some of them long',
        primary key (id),
        unique key `products: one SKU` (sku)
);

create table orders (
        id bigint not null auto_increment,
        customer_id bigint unsigned not null,
        state enum('open', 'paid', 'packed', 'sent', 'returned ↩') not null default 'open',
        placed_at datetime(3) not null,
        delivered_on date,
        note text,
        total decimal(16, 4),
        `Gift?` boolean not null default false,
        updated_at timestamp(6) null on update current_timestamp(6),
        primary key (id),
        key orders_customer (customer_id, placed_at),
        foreign key (customer_id) references customers (id)
);

create table items (
        order_id bigint not null,
        line int not null,
        product_id int not null,
        quantity smallint unsigned not null,
        unit_price decimal(12, 4) not null,
        amount decimal(20, 4) as (quantity * unit_price) stored,
        options json,
        primary key (order_id, line),
        key items_product (product_id),
        constraint some_of_it check (quantity > 0),
        foreign key (order_id) references orders (id)
);

create table payments (
        id bigint not null auto_increment,
        order_id bigint not null,
        paid_on date not null,
        amount decimal(14, 2) not null,
        method varchar(30) not null default 'card',
        reference text,
        primary key (id, paid_on),
        key payments_order (order_id)
) partition by range columns (paid_on) (
        partition q1 values less than ('2026-04-01'),
        partition q2 values less than ('2026-07-01'),
        partition q3 values less than ('2026-10-01'),
        partition other values less than (maxvalue)
);

-- No key, NULLs in every column, and exact duplicates.
create table visits (
        page varchar(100),
        customer_id bigint,
        address inet6,
        took time(3),
        at timestamp null
);

set @n = greatest(20, floor(30000 * @scale)), @products = greatest(20, floor(5000 * @scale)),
    @orders = greatest(20, floor(60000 * @scale)), @payments = greatest(20, floor(45000 * @scale)),
    @visits = greatest(20, floor(9000 * @scale));

insert into customers (id, name, email, country, born, tags, settings, token, joined_at)
select seq, concat(elt(1 + seq % 10, 'Ada', 'Zoë', 'Jürgen', '李小龍', 'Мария', 'محمد', 'さくら',
                'Björk 🎸', 'O''Neil', 'Ève\nτέλος'), ' ', seq),
        concat('usér', seq, '@example.', elt(1 + seq % 3, 'org', 'com', 'net')),
        elt(1 + seq % 5, 'de', 'fr', 'jp', 'eg', null), date '1930-01-01' + interval (seq * 7919) % 28000 day,
        elt(1 + seq % 4, '', 'vip', 'new,a "quoted" one', 'vip,日本 ✓'),
        json_object('theme', elt(1 + seq % 2, 'dark', 'light'), 'n', seq, 'emoji', '🛒',
                'nested', json_array(seq % 7, null, true, 1.50)),
        insert(insert(md5(concat('t', seq)), 13, 1, '4'), 17, 1, 'a'), timestamp '2020-01-01 00:00:00' + interval seq * 97 minute
from seq_1_to_1000000 where seq <= @n;

insert into products (id, sku, title, price, weight, stock, flags, attributes, photo, since, manual)
select seq, concat('SKU-', lpad(seq, 8, '0')),
        concat(elt(1 + seq % 5, 'Kettle', 'Чайник', '急須 🍵', 'Théière', 'قدر'), ' ', seq),
        crc32(concat('c', seq)) % 10000000 / 10000, if(seq % 11, crc32(concat('w', seq)) / 1e8, null),
        crc32(concat('s', seq)) % 500, if(seq % 3, seq % 4096, null),
        json_object('colour', elt(1 + seq % 3, 'red', 'グリーン', 'bleu 💙'), 'size', seq % 50),
        if(seq % 4, null, unhex(md5(concat('p', seq)))), 1990 + seq % 40,
        case when seq % 10 = 0 then repeat(concat(md5(concat('m', seq)), ' '), 280 + seq % 300)
                when seq % 10 < 4 then null else concat('see the box of ', seq) end
from seq_1_to_1000000 where seq <= @products;

insert into orders (id, customer_id, state, placed_at, delivered_on, note, `Gift?`)
select seq, 1 + crc32(concat('o', seq)) % @n, 1 + seq % 5,
        timestamp '2025-12-20 00:00:00' + interval seq * 6000 microsecond + interval seq * 6 minute,
        if(seq % 3, null, date '2026-01-01' + interval seq % 300 day),
        case seq % 6 when 0 then '' when 1 then 'left\tat the door\nthanks 🙏' when 2 then '  spaces  ' end,
        seq % 9 = 0
from seq_1_to_1000000 where seq <= @orders;

insert into items (order_id, line, product_id, quantity, unit_price, options)
select o.seq, l.seq, 1 + crc32(concat('i', o.seq, '/', l.seq)) % @products,
        1 + crc32(concat('q', o.seq, l.seq)) % 8, crc32(concat('u', o.seq, l.seq)) % 3000000 / 10000,
        if(l.seq = 2, json_object('engraving', concat('♥ ', o.seq)), null)
from seq_1_to_1000000 o join seq_1_to_4 l on l.seq <= 1 + o.seq % 4 where o.seq <= @orders;

update orders o join (select order_id, sum(amount) as total from items group by 1) t on t.order_id = o.id
set o.total = t.total;

insert into payments (id, order_id, paid_on, amount, method, reference)
select seq, seq, date '2026-01-01' + interval seq % 400 day, crc32(concat('a', seq)) % 100000 / 100,
        elt(1 + seq % 4, 'card', 'cash', '支付宝', 'SEPA'), if(seq % 3, null, md5(concat('r', seq)))
from seq_1_to_1000000 where seq <= @payments;

insert into visits
select if(seq % 13, concat('/p/', seq % 300), null), nullif(seq % 90, 0),
        concat('::ffff:10.0.0.', seq % 200), sec_to_time((seq % 500) / 1000),
        timestamp '2026-01-01 00:00:00' + interval seq % 5000 second
from seq_1_to_1000000 where seq <= @visits;
insert into visits select * from visits where at < '2026-01-01 00:03:20';
insert into visits select null, null, null, null, null from seq_1_to_3;
create view revenue as select last_day(paid_on) as month, sum(amount) as amount from payments group by 1;
analyze table customers, products, orders, items, payments, visits;
