#include "model/config_private.h"
#include "base/file.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDS "[source]\nuri = postgresql://a@h/d\n[target]\nuri = postgresql://b@h/d\n"

static struct config *from(const char *text)
{
        return config_parse("/etc/culvert/shop.conf", text, strlen(text), false);
}

/* A configuration without problems. */
static struct config *good(const char *text)
{
        struct config *c = from(text);
        AUTO_BUF problems = BUF_INIT;

        config_print_problems(c, &problems);
        assert_string_equal(buf_text(&problems), "");
        return c;
}

/* ENDS takes lines 1 to 4; `text` begins on line 5. */
static void expect_problems(const char *text, const char *want)
{
        AUTO_STRING all = memory_printf(ENDS "%s", text);
        AUTO_BUF problems = BUF_INIT;
        struct config *c = from(all);

        config_print_problems(c, &problems);
        config_free(c);
        assert_string_equal(buf_text(&problems), want);
}

static void expect_problem(const char *text, const char *want)
{
        AUTO_STRING line = memory_printf("/etc/culvert/shop.conf:6: %s\n", want);

        expect_problems(text, line);
}

static void test_defaults(void **state)
{
        struct config *c = good(ENDS);

        (void)state;
        assert_string_equal(c->pipeline.name, "shop");
        assert_string_equal(c->pipeline.state_dir, "/var/lib/culvert/shop");
        assert_string_equal(c->pipeline.control_socket, "/run/culvert/shop.sock");
        assert_int_equal(c->source.kind, KIND_POSTGRESQL);
        assert_string_equal(c->source.uri, "postgresql://a@h/d");
        assert_null(c->source.password_file);
        assert_null(c->source.password);
        assert_string_equal(c->pg.slot, "culvert_shop");
        assert_string_equal(c->pg.publication, "culvert_shop");
        assert_int_equal(c->pg.heartbeat, 10000000);
        assert_int_equal(c->tables.include.n, 1);
        assert_string_equal(c->tables.include.items[0], "*.*");
        assert_int_equal(c->tables.exclude.n, 0);
        assert_true(c->tables.create);
        assert_int_equal(c->tables.existing, EXISTING_REFUSE);
        assert_int_equal(c->tables.ddl, DDL_STOP);
        assert_int_equal(c->tables.on_truncate, ON_TRUNCATE_APPLY);
        assert_string_equal(c->tables.pg_dump, "pg_dump");
        assert_string_equal(c->tables.pg_restore, "pg_restore");
        assert_int_equal(c->snapshot.mode, SNAPSHOT_BULK);
        assert_int_equal(c->snapshot.workers, 2);
        assert_int_equal(c->snapshot.slot_timeout, 300000000);
        assert_int_equal(c->apply.batch_rows, 10000);
        assert_int_equal(c->apply.batch_bytes, 8388608);
        assert_int_equal(c->apply.batch_delay, 0);
        assert_int_equal(c->apply.lanes, 1);
        assert_int_equal(c->apply.retry_attempts, 10);
        assert_int_equal(c->queue.memory, 33554432);
        assert_int_equal(c->queue.acknowledge, ACKNOWLEDGE_AUTO);
        assert_int_equal(c->queue.disk, INT64_C(20) << 30);
        assert_int_equal(c->queue.acknowledge_above, INT64_C(4) << 30);
        assert_string_equal(c->metrics.listen, "");
        assert_int_equal(c->log_level, LOG_LEVEL_INFO);
        assert_false(c->log_keys);
        config_free(c);
        assert_null(config_free(NULL));
}

static const char full[] =
        "[pipeline]\nname = x_1\nstate_dir = /s\ncontrol_socket = /c.sock\n"
        "[source]\nuri = postgres://a@[::1]:5432,h2:5433/d?sslmode=require&passfile=/p ; c\n"
        "slot = s1\npublication = \"P q\"\nheartbeat = 3s\n"
        "[target]\nuri = postgresql:///d?host=/run/pg\n"
        "[tables]\ninclude = public.*, \"Odd, x\".\"t*\"\nexclude = public.a_?\ncreate = no\n"
        "existing = append\non_truncate = ignore\npg_dump = /usr/bin/pg_dump\n"
        "[schemas]\npublic = shop\n\"O;d.d\" = \"n e w\"\n"
        "[table public.orders]\nto = shop.orders_2\ncolumns.exclude = legacy_note, \"B x\"\n"
        "column.state.to = status\ncolumn.\"a.b\".to = \"A B\"\n"
        "where = state in ('open ; x', 'paid') and \"q\"\"q\" > 5 ; c\non_conflict = stop\n"
        "[table \"Odd, x\".\"t*\"]\nto = plain\n"
        "[snapshot]\nmode = none\nworkers = 64\nslot_timeout = 90s\n"
        "[apply]\nbatch_rows = 1\nbatch_bytes = 64KiB\nbatch_delay = 1500us\nretry_attempts = 0\n"
        "[queue]\nmemory = 1GiB\n[log]\nlevel = debug\nkeys = on\n";

static void test_every_field(void **state)
{
        struct config *c = good(full);
        const struct config_table *t = config_table_of(c, "public", "orders");

        (void)state;
        assert_string_equal(c->pipeline.name, "x_1");
        assert_string_equal(
                c->source.uri, "postgres://a@[::1]:5432,h2:5433/d?sslmode=require&passfile=/p");
        assert_string_equal(c->pg.slot, "s1");
        assert_string_equal(c->pg.publication, "\"P q\"");
        assert_int_equal(c->pg.heartbeat, 3000000);
        assert_int_equal(c->tables.include.n, 2);
        assert_string_equal(c->tables.include.items[1], "\"Odd, x\".\"t*\"");
        assert_int_equal(c->tables.include.line, 13);
        assert_false(c->tables.create);
        assert_int_equal(c->tables.existing, EXISTING_APPEND);
        assert_int_equal(c->tables.on_truncate, ON_TRUNCATE_IGNORE);
        assert_string_equal(config_schema_of(c, "public"), "shop");
        assert_string_equal(config_schema_of(c, "O;d.d"), "n e w");
        assert_string_equal(config_schema_of(c, "other"), "other");
        assert_non_null(t);
        assert_string_equal(t->to_schema, "shop");
        assert_string_equal(t->to_name, "orders_2");
        assert_int_equal(t->columns_exclude.n, 2);
        assert_string_equal(t->columns_exclude.items[0], "legacy_note");
        assert_string_equal(t->columns_exclude.items[1], "B x");
        assert_int_equal(t->renames_n, 2);
        assert_string_equal(t->renames[0].from, "state");
        assert_string_equal(t->renames[0].to, "status");
        assert_string_equal(t->renames[1].from, "a.b");
        assert_string_equal(t->renames[1].to, "A B");
        assert_string_equal(t->where, "state in ('open ; x', 'paid') and \"q\"\"q\" > 5");
        assert_int_equal(t->on_conflict, CONFLICT_STOP);
        t = config_table_of(c, "Odd, x", "t*");
        assert_non_null(t);
        assert_null(t->to_schema);
        assert_string_equal(t->to_name, "plain");
        assert_null(config_table_of(c, "public", "order"));
        assert_int_equal(c->snapshot.mode, SNAPSHOT_NONE);
        assert_int_equal(c->apply.batch_delay, 1500);
        assert_int_equal(c->apply.retry_attempts, 0);
        assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
        assert_true(c->log_keys);
        assert_int_equal(config_line(c, "pipeline", "name"), 2);
        assert_int_equal(config_line(c, "table public.orders", "to"), 23);
        assert_int_equal(config_line(c, "table public.orders", ""), 22);
        assert_int_equal(config_line(c, "queue", "disk"), 0);
        config_free(c);
}

static void test_unknown_names(void **state)
{
        (void)state;
        expect_problem("[apply]\nbatch_row = 1\n",
                "unknown key 'batch_row' in [apply]; did you mean 'batch_rows'?");
        expect_problem("[apply]\nworkers = 1\n",
                "unknown key 'workers' in [apply]; it belongs in [snapshot]");
        expect_problem(
                "[apply]\nxyzzyxyzzyxyzzy = 1\n", "unknown key 'xyzzyxyzzyxyzzy' in [apply]");
        expect_problem("[table a.b]\nwhere_ = c = 1\n",
                "unknown key 'where_' in [table a.b]; did you mean 'where'?");
        expect_problem(
                "\n[aply]\nbatch_rows = x\n", "unknown section [aply]; did you mean [apply]?");
        expect_problem("\n[tabel public.x]\n",
                "unknown section [tabel public.x]; did you mean [table SCHEMA.TABLE]?");
        expect_problem("\n[qqqqqqqqqqqq]\n", "unknown section [qqqqqqqqqqqq]");
        expect_problem("[source]\npassword = sesame\n",
                "unknown key 'password' in [source]; did you mean 'password_file'?");
}

static void test_bad_values(void **state)
{
        static const struct {
                const char *text, *want;
        } bad[] = {
                {"[apply]\nbatch_rows = 0", "[apply] batch_rows: out of range: 1 to 1000000"},
                {"[apply]\nbatch_rows = ten", "[apply] batch_rows: not a whole number"},
                {"[apply]\nbatch_rows =", "[apply] batch_rows: not a whole number"},
                {"[apply]\nbatch_bytes = 1KiB", "[apply] batch_bytes: out of range: 64KiB to 1GiB"},
                {"[apply]\nbatch_delay = 5",
                        "[apply] batch_delay: not a duration such as 150ms, 10s, 5m, 2h or 1d"},
                {"[tables]\ncreate = maybe", "[tables] create: neither yes nor no"},
                {"[tables]\nexisting = keep",
                        "[tables] existing: one of refuse | truncate | append is wanted"},
                {"[tables]\ninclude =", "[tables] include: a pattern is wanted"},
                {"[tables]\ninclude = a.b,,c.d", "[tables] include: an item of the list is empty"},
                {"[tables]\nexclude = orders",
                        "[tables] exclude: pattern 'orders': schema.table is wanted"},
                {"[tables]\npg_dump = bin/pg_dump",
                        "[tables] pg_dump: a name or an absolute path is wanted"},
                {"[pipeline]\nname = Shop", "[pipeline] name: only a-z, 0-9 and _ are allowed"},
                {"[pipeline]\nstate_dir = var", "[pipeline] state_dir: an absolute path is wanted"},
                {"[source]\nslot =", "[source] slot: a value is wanted"},
                {"[schemas]\na.b = c", "[schemas] a.b: one name without a dot is wanted"},
                {"[schemas]\na =", "[schemas] a: a name is empty"},
                {"[schemas]\na = culvert",
                        "schema 'culvert' on the target takes no migrated table"},
                {"[table a.b]\nto = x.*", "[table a.b] to: a name without * and ? is wanted"},
                {"[table a.b]\nto = a.b.c", "[table a.b] to: more than schema.table"},
                {"[table a.b]\ncolumns.exclude = x,",
                        "[table a.b] columns.exclude: an item of the list is empty"},
                {"[table a.b]\ncolumn.x.to = y.z",
                        "[table a.b] column.x.to: one name without a dot is wanted"},
                {"[table a.b]\nwhere = x like 'y'",
                        "[table a.b] where: character 3: = <> != < <= > >=, IN, NOT IN, IS NULL or "
                        "IS NOT NULL is wanted here"},
                {"[table a.b]\non_conflict = no",
                        "[table a.b] on_conflict: one of stop | quarantine | overwrite is wanted"},
                {"\n[table a]", "[table]: [table schema.name] is wanted"},
                {"\n[table]", "[table]: a name is empty"},
                {"\n[table a.*]", "[table]: a name without * and ? is wanted"},
                {"\n[table culvert.x]",
                        "[table culvert.x]: include and exclude leave this table out"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                expect_problem(bad[i].text, bad[i].want);
}

static void test_duplicates(void **state)
{
        (void)state;
        expect_problems("[apply]\nbatch_rows = 1\n[queue]\n[apply]\nlanes = 1\nbatch_rows = 2\n",
                "/etc/culvert/shop.conf:10: duplicate key 'batch_rows' in [apply]; it is on line 6 "
                "too\n");
        expect_problems("[table a.b]\n[table \"a\".b]\nto = c\n",
                "/etc/culvert/shop.conf:6: [table \"a\".b] is already on line 5\n");
        expect_problems("[table a.b]\nto = pg_catalog.b\n",
                "/etc/culvert/shop.conf:5: schema 'pg_catalog' on the target takes no migrated "
                "table\n");
        expect_problems("[schemas]\na = b\n\"a\" = c\n",
                "/etc/culvert/shop.conf:7: [schemas]: 'a' is already on line 6\n");
        expect_problems("[table a.b]\ncolumn.x.to = z\ncolumn.\"x\".to = y\ncolumn.y.to = "
                        "z\ncolumns.exclude = x\n",
                "/etc/culvert/shop.conf:6: column 'x' is renamed and excluded (line 9)\n"
                "/etc/culvert/shop.conf:7: [table a.b] column.\"x\".to: already on line 6\n"
                "/etc/culvert/shop.conf:8: two columns become 'z', here and on line 6\n");
}

static void test_queue_disk(void **state)
{
        (void)state;
        expect_problem(
                "[queue]\ndisk = 1000KiB", "[queue] disk: out of range: 0, or 1MiB to 1024TiB");
        expect_problem("[queue]\nacknowledge = queued\ndisk = 0",
                "[queue] acknowledge = queued needs a disk above 0");
        expect_problems("[queue]\ndisk = 0\nacknowledge = auto\n", "");
        expect_problems("[queue]\ndisk = 1MiB\nacknowledge = queued\n", "");
}

static void test_error_threshold(void **state)
{
        static const char *const bad[] = {"2", "1.01", "-1", "x", "0.1x", "1e-3", ".", "0..1"};
        static const struct {
                const char *text;
                double value;
        } good[] = {{"0", 0}, {"1", 1}, {"0.01", 0.01}, {".5", 0.5}};

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                AUTO_STRING text = memory_printf("[apply]\nerror_threshold = %s", bad[i]);

                expect_problem(text, "[apply] error_threshold: a number from 0 to 1 is wanted");
        }
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                struct config c = {.apply = {.error_threshold = memory_string(good[i].text)}};

                assert_true(config_error_threshold(&c) == good[i].value);
                free(c.apply.error_threshold);
        }
}

static void test_not_built(void **state)
{
        static const struct {
                const char *text, *want;
        } bad[] = {
                {"[snapshot]\nmode = trickle",
                        "[snapshot] mode: trickle is not built yet; today: bulk | none"},
                {"[apply]\nlanes = 2", "[apply] lanes: not built yet; leave it at 1"},
                {"[throttle]\nrows_per_second = 5",
                        "[throttle] rows_per_second: not built yet; leave it at 0"},
                {"[throttle]\nwindow = 22:00-06:00",
                        "[throttle] window: not built yet; leave it out"},
                {"[tables]\nddl = apply", "[tables] ddl: apply is not built yet; today: stop"},
                {"[tables]\nddl = ignore", "[tables] ddl: ignore is not built yet; today: stop"},
                {"[metrics]\nlisten = 127.0.0.1:9187",
                        "[metrics] listen: not built yet; leave it out"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                expect_problem(bad[i].text, bad[i].want);
        expect_problems(
                "[apply]\nlanes = 1\n"
                "error_threshold = 0.01\n[values]\nzero_date = error\n[throttle]\nwindow =\n"
                "[cutover]\nmax_lag = 5000ms\nfence = read-only\n[metrics]\nlisten = ; x\n",
                "");
}

static void test_checks(void **state)
{
        struct config *c = good(ENDS "[cutover]\n"
                                     "check.revenue = select sum(total) from orders ; a remark\n"
                                     "check.names.source = select count(*) from old\n"
                                     "check.names.target = select count(*) from new\n"
                                     "check.last = select 1\ncheck.last.target = select 2\n");
        AUTO_BUF shown = BUF_INIT;

        (void)state;
        assert_int_equal(c->checks_n, 3);
        assert_string_equal(c->checks[0].name, "revenue");
        assert_string_equal(
                config_check_query(&c->checks[0], true), "select sum(total) from orders");
        assert_string_equal(config_check_query(&c->checks[1], false), "select count(*) from old");
        assert_string_equal(config_check_query(&c->checks[1], true), "select count(*) from new");
        assert_string_equal(config_check_query(&c->checks[2], false), "select 1");
        assert_string_equal(config_check_query(&c->checks[2], true), "select 2");
        config_show(c, &shown);
        assert_non_null(strstr(buf_text(&shown), "check.revenue = select sum(total) from orders\n"
                                                 "check.names.source = select count"));
        config_free(c);
        expect_problem("[cutover]\ncheck.a b = select 1",
                "[cutover] check: the name has to be of letters, digits, _ and -, at most 40, with "
                "nothing or .source or .target behind it");
        expect_problem("[cutover]\ncheck.a.b = select 1",
                "[cutover] check: the name has to be of letters, digits, _ and -, at most 40, with "
                "nothing or .source or .target behind it");
        expect_problem("[cutover]\ncheck.a.source = select 1",
                "[cutover] check.a, on the target: a query is wanted");
        expect_problem("[cutover]\ncheck.a.target = delete from t\ncheck.a = select 1",
                "[cutover] check.a, on the target: it does not begin with SELECT, WITH, VALUES or "
                "TABLE");
}

static void expect_uri(const char *uri, const char *want)
{
        const char *problem = config_uri_problem(uri);

        if (!want != !problem || (want && !strstr(problem, want)))
                fail_msg("%s: %s", uri, problem ? problem : "accepted");
}

static void test_uris(void **state)
{
        static const char *const fine[] = {"postgresql://", "postgresql:///d",
                "postgres://u@h:5432/d", "postgresql://u@h1:1,h2:2/d?target_session_attrs=any",
                "postgresql://[::1]/d", "postgresql://u@[2001:db8::1]:5432",
                "postgresql://h:5432?sslmode=require",
                "postgresql://h/d?passfile=/x&require_auth=scram-sha-256", "postgresql://u%3Ax@h/d",
                "postgresql://h/d?options=-c%20x%3Dpassword", "postgresql://u@h/d@x:y",
                "mysql://u@h/d", "mariadb://u%40x@[::1]:3306/d?ssl-mode=DISABLED",
                "mysql://u@/d?socket=/run/mysqld/mysqld.sock"};
        static const char *const secret[] = {"postgresql://u:sesame@h/d", "postgres://u:@h/d",
                "postgresql://u:se?same@h/d", "postgresql://u:se/same@h/d",
                "postgresql://u:ses@me@h/d", "postgresql://h/d?password=sesame",
                "postgresql://?password=sesame", "postgresql://h/d?sslmode=require&password=sesame",
                "postgresql://h?pass%77ord=sesame", "postgresql://h?sslpassword=sesame",
                "mysql://u:sesame@h/d", "mysql://u:sesame@[::1]:3306/d", "mysql://u:se/same@h/d",
                "mariadb://u@h/d?ssl-mode=REQUIRED&password=sesame"};

        (void)state;
        for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
                expect_uri(fine[i], NULL);
        for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
                expect_uri(secret[i], "a password in a URI is not allowed");
        expect_uri("mysql://u@h", "the database is missing");
        expect_uri("mariadb://h/d", "the user is missing");
        expect_uri("mysql://u@h/d?sslmode=require", "unknown parameter in the URI");
        expect_uri("segments:/var/archive/shop", NULL);
        expect_uri("segments:archive", "is an absolute path");
        expect_uri("segments:", "is an absolute path");
        expect_uri("segments://", "the folder is missing");
        expect_uri("host=h password=sesame", "not a URI");
        expect_uri("", "not a URI");
        expect_uri("Postgresql://h", "not a URI");
}

static void expect_ends(const char *text, const char *want)
{
        AUTO_BUF problems = BUF_INIT;
        struct config *c = from(text);

        config_print_problems(c, &problems);
        config_free(c);
        if (*want ? !strstr(buf_text(&problems), want) : problems.len > 0)
                fail_msg("%s: %s", text, buf_text(&problems));
}

#define TO_ARCHIVE "[source]\nuri = postgresql://a@h/d\n[target]\nuri = segments:/a\n"
#define FROM_ARCHIVE "[source]\nuri = segments:/a\n[target]\nuri = postgresql://b@h/d\n"
#define NO_COPY "[snapshot]\nmode = none\n"

/* An archive has the stream alone, under the source's names. */
static void test_archives(void **state)
{
        (void)state;
        expect_ends(TO_ARCHIVE NO_COPY, "");
        expect_ends(TO_ARCHIVE NO_COPY "[table a.c]\non_conflict = quarantine\n",
                ":7: [table] on_conflict: no change conflicts with an archive");
        expect_ends(FROM_ARCHIVE NO_COPY "[table a.c]\non_conflict = quarantine\n", "");
        expect_ends(FROM_ARCHIVE NO_COPY "[schemas]\na = b\n[table a.c]\nto = d\n", "");
        expect_ends(FROM_ARCHIVE, "conf:2: [snapshot] mode = none is needed where [source] uri is");
        expect_ends("[source]\nuri = segments:/a\n[target]\nuri = segments:/b\n" NO_COPY,
                ":4: [target] uri: one of the two sides has to be a database");
        expect_ends(TO_ARCHIVE, "conf:4: [snapshot] mode = none is needed where [target] uri is");
        expect_ends(TO_ARCHIVE "password_file = /p\n" NO_COPY, ":5: [target] password_file: segm");
        expect_ends(TO_ARCHIVE NO_COPY "[schemas]\na = b\n", ":8: [schemas]: an archive keeps");
        expect_ends(TO_ARCHIVE NO_COPY "[table a.c]\nto = d\n", ": [table] to: an archive keeps");
        expect_ends(TO_ARCHIVE NO_COPY "[table a.c]\ncolumn.x.to = d\n", ": [table] column.*.to: ");
        expect_ends(TO_ARCHIVE NO_COPY "[table a.c]\ncolumns.exclude = x\nwhere = y = 1\n", "");
}

/* Wherever a password ends up in the file by mistake, no message repeats it. */
static void test_no_secret_in_messages(void **state)
{
        static const char *const leaks[] = {"[source]\nuri = postgresql://u:sesame@h/d",
                "[source]\nuri = host=h password=sesame",
                "[source]\nuri = postgresql://h?password=sesame", "[source]\npassword = sesame",
                "[source]\npassword_file = sesame", "[source]\npostgresql://u:sesame@h/d?a=b",
                "[postgresql://u:sesame@h/d]", "[schemas]\npostgresql://u:sesame@h/d?a=b",
                "[metrics]\nlisten = sesame", "[source]\nsesame", "sesame = x",
                "[target]\nuri = sesame://x", "[target]\nslot_uri'sesame' = x"};

        (void)state;
        for (size_t i = 0; i < sizeof leaks / sizeof *leaks; i++) {
                struct config *c = from(leaks[i]);
                AUTO_BUF out = BUF_INIT;

                config_print_problems(c, &out);
                config_show(c, &out);
                assert_true(c->problems_n > 0);
                if (strstr(buf_text(&out), "sesame"))
                        fail_msg("%s", buf_text(&out));
                config_free(c);
        }
}

static void test_all_problems_in_one_pass(void **state)
{
        static const char text[] =
                "[apply]\nbatch_rows = x\n[source]\nbogus = 1\n[oops\n[queue]\nmemory = 1\n";
        struct config *c = config_parse("/tmp/Bad Name.conf", text, strlen(text), false);
        AUTO_BUF out = BUF_INIT;

        (void)state;
        config_complain(c, 4, "found %s", "later");
        config_print_problems(c, &out);
        assert_string_equal(buf_text(&out),
                "/tmp/Bad Name.conf: [pipeline] name is missing: the file's name does not give "
                "one\n"
                "/tmp/Bad Name.conf: [target] uri is missing\n"
                "/tmp/Bad Name.conf:2: [apply] batch_rows: not a whole number\n"
                "/tmp/Bad Name.conf:3: [source] uri is missing\n"
                "/tmp/Bad Name.conf:4: unknown key 'bogus' in [source]\n"
                "/tmp/Bad Name.conf:4: found later\n"
                "/tmp/Bad Name.conf:5: the section's name does not end with ]\n"
                "/tmp/Bad Name.conf:7: [queue] memory: out of range: 1MiB to 64GiB\n");
        config_free(c);
}

static void test_many_problems(void **state)
{
        AUTO_BUF text = BUF_INIT;
        struct config *c;

        (void)state;
        buf_str(&text, ENDS "[apply]\n");
        for (int i = 0; i < 5000; i++)
                buf_str(&text, "no\n");
        c = from(buf_text(&text));
        assert_int_equal(c->problems_n, 101);
        config_free(c);
}

static void test_long_names(void **state)
{
        AUTO_STRING ok = memory_printf(ENDS "[schemas]\na = %063d\n", 1);
        AUTO_STRING text = memory_printf("[schemas]\na = %064d\n", 1);

        (void)state;
        config_free(good(ok));
        expect_problem(text, "a name on the target is longer than 63 bytes");
        AUTO_STRING path = memory_printf("/%0110d/x.conf", 1);
        AUTO_STRING socket = memory_printf("[pipeline]\ncontrol_socket = %s\n", path);
        expect_problem(socket, "[pipeline] control_socket: longer than 107 bytes");
}

static void test_selects(void **state)
{
        struct config *c = good(
                ENDS "[tables]\ninclude = *.*, pg_temp_1.x\nexclude = public.audit_*, s?.\"t*\"\n");

        (void)state;
        assert_true(config_selects(c, "public", "orders"));
        assert_false(config_selects(c, "public", "audit_2020"));
        assert_true(config_selects(c, "other", "audit_2020"));
        assert_false(config_selects(c, "s1", "t*"));
        assert_true(config_selects(c, "s1", "tx"));
        assert_false(config_selects(c, "information_schema", "tables"));
        assert_false(config_selects(c, "pg_catalog", "pg_class"));
        assert_false(config_selects(c, "pg_toast", "x"));
        assert_false(config_selects(c, "pg_toast_temp_2", "x"));
        assert_false(config_selects(c, "pg_temp_1", "x"));
        assert_false(config_selects(c, "culvert", "checkpoint"));
        assert_true(config_selects(c, "culvert2", "checkpoint"));
        config_free(c);
        c = good(ENDS "[tables]\ninclude = a.*\n");
        assert_true(config_selects(c, "a", "b"));
        assert_false(config_selects(c, "b", "b"));
        config_free(c);
}

static void on_diff(void *context, const char *key, bool reloadable)
{
        buf_printf(context, "%s%s\n", key, reloadable ? " +" : "");
}

static void expect_diff(const struct config *a, const struct config *b, const char *want)
{
        AUTO_BUF said = BUF_INIT;

        config_diff(a, b, on_diff, &said);
        assert_string_equal(buf_text(&said), want);
}

/* What is shown is a file that means the same, and each default is marked. */
static void test_show(void **state)
{
        static const char *const texts[] = {ENDS, full};

        (void)state;
        for (int i = 0; i < 2; i++) {
                struct config *c = good(texts[i]), *again;
                AUTO_BUF first = BUF_INIT;
                AUTO_BUF second = BUF_INIT;

                config_show(c, &first);
                again = good(buf_text(&first));
                expect_diff(c, again, "");
                config_show(again, &second);
                assert_null(strstr(buf_text(&second), "; default"));
                config_free(again);
                config_free(c);
        }
        struct config *c = good(full);
        AUTO_BUF out = BUF_INIT;
        c->source.password = memory_string("sesame");
        config_show(c, &out);
        assert_null(strstr(buf_text(&out), "sesame"));
        assert_non_null(strstr(buf_text(&out), "\nexclude = public.a_?\n"));
        assert_non_null(strstr(buf_text(&out), "\nddl = stop ; default\n"));
        assert_non_null(strstr(buf_text(&out),
                "\npg_restore = pg_restore ; default\n\n[schemas]\npublic = shop\n"));
        assert_non_null(strstr(buf_text(&out), "\nbatch_delay = 1500us\n"));
        assert_non_null(strstr(buf_text(&out), "\nlanes = 1 ; default\n"));
        assert_non_null(strstr(buf_text(&out), "\nlisten = ; default\n"));
        assert_non_null(strstr(buf_text(&out), "[table public.orders]\nto = shop.orders_2\n"));
        config_free(c);
}

static void test_diff(void **state)
{
        struct config *a = good(
                ENDS "[apply]\nbatch_rows = 5\n[tables]\nexclude = a.b\n[schemas]\nx = y\nz = z\n"
                     "[table a.c]\nwhere = a = 1\nto = d\n[table a.e]\nto = e2\n");
        struct config *b = good(ENDS
                "[apply]\nbatch_rows = 6\nbatch_delay = 1s\n[log]\nkeys = yes\n[schemas]\nx = w\n"
                "[table a.c]\nwhere = a = 2\ncolumns.exclude = q\n[snapshot]\nworkers = 2\n");

        (void)state;
        b->target.password = memory_string("new");
        expect_diff(a, b,
                "tables.exclude\napply.batch_rows +\napply.batch_delay +\nlog.keys +\n"
                "schemas.x\nschemas.z\ntable a.c.where\ntable a.c.to\ntable a.e\ntable a.e.to\n"
                "table a.c.columns.exclude\ntarget.password\n");
        expect_diff(a, a, "");
        config_free(a);
        config_free(b);
}

static void expect_shown(const struct config *c, const char *line)
{
        AUTO_BUF out = BUF_INIT;

        config_show(c, &out);
        assert_non_null(strstr(buf_text(&out), line));
}

/* What is shown as a default follows what reload took over. */
static void test_reload(void **state)
{
        struct config *running = good(ENDS "[table a.c]\nto = d\n[apply]\nbatch_bytes = 1MiB\n"
                                           "[table a.e]\nto = e2\n[queue]\nmemory = 2MiB\n");
        struct config *loaded = good(ENDS "[apply]\nbatch_rows = 5\n[queue]\nmemory = 4MiB\n");

        (void)state;
        expect_shown(running, "\nbatch_rows = 10000 ; default\nbatch_bytes = 1MiB\n");
        config_reload(running, loaded);
        expect_shown(running, "\nbatch_rows = 5\nbatch_bytes = 8MiB ; default\n");
        expect_shown(running, "\nmemory = 2MiB\n");
        expect_shown(running, "\n[table a.c]\nto = d\n\n[table a.e]\nto = e2\n");
        config_free(running);
        config_free(loaded);
}

static char *top_file(const char *name)
{
        const char *top = getenv("CULVERT_TOP");

        return memory_printf("%s/%s", top ? top : ".", name);
}

static void test_reference(void **state)
{
        AUTO_STRING path = top_file("conf/reference.conf");
        AUTO_BUF out = BUF_INIT;
        struct error e = ERROR_INIT;

        (void)state;
        config_reference(&out);
        AUTO_STRING file = file_read(path, 1 << 20, &e);
        if (!file)
                fail_msg("%s", e.message);
        assert_string_equal(file, buf_text(&out));
        for (const struct option *o = config_options; o->section; o++) {
                AUTO_STRING line = memory_printf("\n;%s =", o->key);

                assert_non_null(strstr(buf_text(&out), line));
        }
}

/* The reference is a good file, and so is every default in it once it is set. */
static void test_reference_is_valid(void **state)
{
        AUTO_BUF reference = BUF_INIT;
        AUTO_BUF set = BUF_INIT;
        struct config *a, *b;

        (void)state;
        config_reference(&reference);
        for (char *line = strtok(reference.data, "\n"); line; line = strtok(NULL, "\n")) {
                const char *value = strstr(line, " = ");

                if (!strncmp(line, "[source]", 8))
                        buf_str(&set, "[source]\nuri = postgresql://a@h/d\n");
                else if (!strncmp(line, "[target]", 8))
                        buf_str(&set, "[target]\nuri = postgresql://b@h/d\n");
                else if (*line == '[')
                        buf_printf(&set, "%s\n", line);
                else if (*line == ';' && line[1] != ' ' && line[1] != '[' && value &&
                         !strstr(value, "NAME"))
                        buf_printf(&set, "%s\n",
                                strcmp(line + 1, "on_conflict = stop") ? line + 1 : "");
        }
        a = good(ENDS);
        b = good(buf_text(&set));
        expect_diff(a, b, "");
        assert_true(b->values_n > 35);
        config_free(a);
        config_free(b);
}

static void test_examples(void **state)
{
        static const char *const names[] = {"conf/minimal.conf",
                "conf/postgresql-to-postgresql.conf", "conf/mariadb-to-postgresql.conf",
                "conf/mysql-to-mysql.conf", "conf/postgresql-to-mysql.conf"};

        (void)state;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                AUTO_STRING path = top_file(names[i]);
                struct error e = ERROR_INIT;
                AUTO_STRING text = file_read(path, 1 << 20, &e);

                if (!text)
                        fail_msg("%s", e.message);
                config_free(good(text));
        }
}

/* Files. */

static char folder[] = "/tmp/culvert-test-config-XXXXXX";

static int make_folder(void **state)
{
        (void)state;
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
        static const char *const names[] = {
                "shop.conf", "pw", "source-password", "target-password"};

        (void)state;
        unsetenv("CREDENTIALS_DIRECTORY");
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                AUTO_STRING path = memory_printf("%s/%s", folder, names[i]);

                unlink(path);
        }
        return rmdir(folder);
}

static void put(const char *name, const char *text, size_t len, mode_t mode)
{
        AUTO_STRING path = memory_printf("%s/%s", folder, name);
        FILE *f;

        unlink(path);
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, len, f), len);
        fclose(f);
        assert_int_equal(chmod(path, mode), 0);
}

static struct config *load_with(const char *lines)
{
        AUTO_STRING path = memory_printf("%s/shop.conf", folder);
        AUTO_STRING text = memory_printf(
                "[source]\nuri = postgresql://a@h/d\n%s\n[target]\nuri = postgresql://b@h/d\n",
                lines);

        put("shop.conf", text, strlen(text), 0600);
        return config_load(path);
}

static void expect_password(
        const char *content, size_t len, mode_t mode, const char *password, const char *problem)
{
        AUTO_STRING lines = memory_printf("password_file = %s/pw", folder);
        AUTO_BUF out = BUF_INIT;
        AUTO_STRING want =
                problem ? memory_printf("%s/shop.conf:3: [source] password file %s/pw: %s\n",
                                  folder, folder, problem)
                        : memory_string("");
        struct config *c;

        put("pw", content, len, mode);
        c = load_with(lines);
        config_print_problems(c, &out);
        assert_string_equal(buf_text(&out), want);
        if (password)
                assert_string_equal(c->source.password, password);
        else
                assert_null(c->source.password);
        config_show(c, &out);
        assert_null(strstr(buf_text(&out), "sesame"));
        config_free(c);
}

static void test_password_files(void **state)
{
        char big[5000];

        (void)state;
        memset(big, 'x', sizeof big);
        expect_password("sesame", 6, 0600, "sesame", NULL);
        expect_password("sesame\n", 7, 0640, "sesame", NULL);
        expect_password(" ses;ame \r\n", 11, 0400, " ses;ame ", NULL);
        expect_password("sesame", 6, 0604, NULL, "others may use it: chmod o= is needed");
        expect_password("sesame", 6, 0602, NULL, "others may use it: chmod o= is needed");
        expect_password("sesame", 6, 0601, NULL, "others may use it: chmod o= is needed");
        expect_password("", 0, 0600, NULL, "empty");
        expect_password("\n", 1, 0600, NULL, "empty");
        expect_password("sesame\nopen\n", 12, 0600, NULL, "holds more than one line");
        expect_password("ses\0me", 6, 0600, NULL, "holds a NUL byte");
        expect_password(big, sizeof big, 0600, NULL, "longer than 4096 bytes");
        expect_password(big, 4097, 0600, NULL, "longer than 4096 bytes");
}

static void test_missing_password_file(void **state)
{
        AUTO_STRING lines = memory_printf("password_file = %s/nothing", folder);
        AUTO_STRING lines2 = memory_printf("password_file = %s", folder);
        struct config *c = load_with(lines);

        (void)state;
        assert_int_equal(c->problems_n, 1);
        assert_int_equal(c->problems[0].line, 3);
        assert_non_null(strstr(c->problems[0].text, "/nothing: No such file or directory"));
        config_free(c);
        c = load_with(lines2);
        assert_int_equal(c->problems_n, 1);
        assert_non_null(strstr(c->problems[0].text, ": not a file"));
        config_free(c);
}

static void test_credentials(void **state)
{
        AUTO_STRING lines = memory_printf("password_file = %s/pw", folder);
        struct config *c;

        (void)state;
        put("source-password", "from-systemd\n", 13, 0400);
        put("pw", "from-file\n", 10, 0400);
        c = load_with("");
        assert_null(c->source.password);
        config_free(c);
        setenv("CREDENTIALS_DIRECTORY", folder, 1);
        c = load_with("");
        assert_int_equal(c->problems_n, 0);
        assert_string_equal(c->source.password, "from-systemd");
        assert_null(c->target.password);
        config_free(c);
        c = load_with(lines);
        assert_string_equal(c->source.password, "from-file");
        config_free(c);
        put("target-password", "", 0, 0400);
        c = load_with("");
        assert_int_equal(c->problems_n, 1);
        assert_non_null(strstr(c->problems[0].text, "/target-password: empty"));
        config_free(c);
        unsetenv("CREDENTIALS_DIRECTORY");
}

static void test_unreadable_files(void **state)
{
        AUTO_STRING path = memory_printf("%s/nothing.conf", folder);
        AUTO_STRING big = memory_new((1 << 20) + 2);
        AUTO_STRING big_path = memory_printf("%s/shop.conf", folder);
        struct config *c = config_load(path);
        AUTO_BUF out = BUF_INIT;
        AUTO_STRING want = memory_printf("%s: No such file or directory\n", path);

        (void)state;
        config_print_problems(c, &out);
        assert_string_equal(buf_text(&out), want);
        config_free(c);
        c = config_load(folder);
        assert_int_equal(c->problems_n, 1);
        config_free(c);
        memset(big, '\n', (1 << 20) + 1);
        put("shop.conf", big, (1 << 20) + 1, 0600);
        c = config_load(big_path);
        assert_int_equal(c->problems_n, 1);
        assert_string_equal(c->problems[0].text, "the file is larger than 1 MiB");
        config_free(c);
}

/* The MySQL family: what is its own database here is the other side's home there. */
static void test_homes(void **state)
{
        static const struct {
                const char *source, *target, *more, *schema, *becomes;
        } cases[] = {
                {"mysql://a@h/shop", "postgresql://a@h/x", "", "shop", "public"},
                {"postgresql://a@h/x", "mariadb://a@h/shop", "", "public", "shop"},
                {"mysql://a@h/shop", "mysql://a@h/store", "", "shop", "store"},
                {"mysql://a@h/shop", "mysql://a@h/store", "", "other", "other"},
                {"mysql://a@h/shop", "postgresql://a@h/x", "[schemas]\nshop = s\n", "shop", "s"},
                {"postgresql://a@h/x", "postgresql://a@h/y", "", "public", "public"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                AUTO_STRING text = memory_printf("[source]\nuri = %s\n[target]\nuri = %s\n%s",
                        cases[i].source, cases[i].target, cases[i].more);
                struct config *c = config_parse("/shop.conf", text, strlen(text), false);

                assert_int_equal(c->problems_n, 0);
                assert_string_equal(config_schema_of(c, cases[i].schema), cases[i].becomes);
                config_free(c);
        }
}

/* Of a MySQL-family server, only the URI's database is migrated unless the file says otherwise. */
static void test_own_database_only(void **state)
{
        static const char text[] =
                "[source]\nuri = mysql://a@h/my%2Ashop\n[target]\nuri = postgresql://a@h/x\n";
        static const char more[] = "[source]\nuri = mysql://a@h/shop\n[target]\nuri = "
                                   "postgresql://a@h/x\n[tables]\ninclude = *.*\n";
        struct config *c = config_parse("/shop.conf", text, sizeof text - 1, false);

        (void)state;
        assert_int_equal(c->problems_n, 0);
        assert_true(config_selects(c, "my*shop", "t"));
        assert_false(config_selects(c, "my_shop", "t")); /* no wildcard */
        config_free(c);
        c = config_parse("/shop.conf", more, sizeof more - 1, false);
        assert_true(config_selects(c, "other", "t"));
        assert_false(config_selects(c, "mysql", "user"));
        assert_false(config_selects(c, "sys", "t"));
        assert_false(config_selects(c, "culvert", "state"));
        config_free(c);
}

static void test_zero_date(void **state)
{
        static const char *const good[] = {"error", "null", "1970-01-01", "2024-02-29"};
        static const char *const bad[] = {
                "0000-00-00", "2023-02-29", "2023-13-01", "1970-1-1", "yesterday", "1970-01-01x"};

        (void)state;
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                AUTO_STRING text = memory_printf("[source]\nuri = mysql://a@h/x\n[target]\nuri = "
                                                 "postgresql://a@h/x\n[values]\nzero_date = %s\n",
                        good[i]);
                struct config *c = config_parse("/shop.conf", text, strlen(text), false);

                assert_int_equal(c->problems_n, 0);
                assert_int_equal(config_convert_policy(c).zero_date, i == 0   ? ZERO_DATE_ERROR
                                                                     : i == 1 ? ZERO_DATE_NULL
                                                                              : ZERO_DATE_VALUE);
                config_free(c);
        }
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                AUTO_STRING text = memory_printf("[values]\nzero_date = %s", bad[i]);

                expect_problem(text, "[values] zero_date is none of error, null and a date "
                                     "(YYYY-MM-DD)");
        }
}

static void test_enum_error(void **state)
{
        static const char text[] = "[source]\nuri = mysql://a@h/x\n[target]\nuri = "
                                   "postgresql://a@h/x\n[values]\nenum_error = null\n";
        struct config *c = config_parse("/shop.conf", text, strlen(text), false);

        (void)state;
        assert_int_equal(config_convert_policy(c).enum_error, ENUM_ERROR_NULL);
        config_free(c);
        c = config_parse("/shop.conf", text, strlen(text) - strlen("enum_error = null\n"), false);
        assert_int_equal(config_convert_policy(c).enum_error, ENUM_ERROR_REFUSE);
        config_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_homes),
                cmocka_unit_test(test_checks),
                cmocka_unit_test(test_own_database_only),
                cmocka_unit_test(test_zero_date),
                cmocka_unit_test(test_enum_error),
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_every_field),
                cmocka_unit_test(test_unknown_names),
                cmocka_unit_test(test_bad_values),
                cmocka_unit_test(test_duplicates),
                cmocka_unit_test(test_queue_disk),
                cmocka_unit_test(test_not_built),
                cmocka_unit_test(test_error_threshold),
                cmocka_unit_test(test_uris),
                cmocka_unit_test(test_archives),
                cmocka_unit_test(test_no_secret_in_messages),
                cmocka_unit_test(test_all_problems_in_one_pass),
                cmocka_unit_test(test_many_problems),
                cmocka_unit_test(test_long_names),
                cmocka_unit_test(test_selects),
                cmocka_unit_test(test_show),
                cmocka_unit_test(test_diff),
                cmocka_unit_test(test_reload),
                cmocka_unit_test(test_reference),
                cmocka_unit_test(test_reference_is_valid),
                cmocka_unit_test(test_examples),
                cmocka_unit_test(test_password_files),
                cmocka_unit_test(test_missing_password_file),
                cmocka_unit_test(test_credentials),
                cmocka_unit_test(test_unreadable_files),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
