#include "base/memory.h"
#include "db/pg_array.h"
#include "db/pg_check.h"

#include <stdlib.h>
#include <string.h>

#define SERVER_SQL                                                                                 \
        "select current_setting('wal_level'), current_setting('max_replication_slots')::int,"      \
        " (select count(*) from pg_catalog.pg_replication_slots),"                                 \
        " exists (select from pg_catalog.pg_replication_slots where slot_name = $1),"              \
        " current_setting('max_wal_senders')::int,"                                                \
        " (select count(*) from pg_catalog.pg_stat_get_wal_senders()),"                            \
        " pg_catalog.pg_is_in_recovery(), r.rolreplication or r.rolsuper, current_user,"           \
        " pg_catalog.pg_encoding_to_char(d.encoding)"                                              \
        " from pg_catalog.pg_roles r, pg_catalog.pg_database d"                                    \
        " where r.rolname = current_user and d.datname = pg_catalog.current_database()"

static void check_room(const PGresult *r, struct checks *out)
{
        int slots = atoi(pg_text(r, 0, 1)), senders = atoi(pg_text(r, 0, 4));

        if (!pg_true(r, 0, 3) && atoi(pg_text(r, 0, 2)) >= slots) {
                AUTO_STRING mend = memory_printf(
                        "alter system set max_replication_slots = %d; "
                        "-- then restart the server, or drop a slot that nobody needs",
                        slots + 4);

                checks_add(out, CHECK_ERROR, mend, "source: all %d replication slots are taken",
                        slots);
        }
        if (!pg_true(r, 0, 3) && atoi(pg_text(r, 0, 5)) >= senders) {
                AUTO_STRING mend = memory_printf("alter system set max_wal_senders = %d; -- then "
                                                 "restart the server",
                        senders + 4);

                checks_add(out, CHECK_ERROR, mend, "source: all %d WAL senders are taken", senders);
        }
}

static void check_role(const PGresult *r, struct checks *out)
{
        AUTO_BUF mend = BUF_INIT;

        if (pg_true(r, 0, 7))
                return;
        buf_str(&mend, "alter role ");
        pg_ident(&mend, pg_text(r, 0, 8));
        buf_str(&mend, " replication");
        checks_add(out, CHECK_ERROR, buf_text(&mend), "source: role %s may not replicate",
                pg_text(r, 0, 8));
}

static void say_slot(const char *slot, struct checks *out)
{
        AUTO_BUF sql = BUF_INIT;

        buf_str(&sql, "create_replication_slot ");
        pg_ident(&sql, slot);
        buf_str(&sql, " logical pgoutput");
        checks_add(out, CHECK_STATEMENT, buf_text(&sql), "source");
}

static int check_server(
        PGconn *c, const struct check_input *in, struct checks *out, struct error *e)
{
        const char *slot = in->config->pg.slot;
        AUTO_RESULT r = pg_query(c, e, SERVER_SQL, 1, &slot);

        if (!r)
                return -1;
        if (PQserverVersion(c) < 100000)
                checks_add(out, CHECK_ERROR, NULL, "source: PostgreSQL 10 or newer is needed");
        if (strcmp(pg_text(r, 0, 0), "logical") != 0)
                checks_add(out, CHECK_ERROR,
                        "alter system set wal_level = 'logical'; -- then restart the server",
                        "source: wal_level is %s", pg_text(r, 0, 0));
        if (pg_true(r, 0, 6))
                checks_add(out, CHECK_ERROR, NULL,
                        "source: the server is a standby; connect to its primary");
        if (!strcmp(pg_text(r, 0, 9), "SQL_ASCII"))
                checks_add(out, CHECK_WARNING, NULL,
                        "source: encoding SQL_ASCII: text that is not UTF-8 cannot be carried and "
                        "will stop the copy");
        check_room(r, out);
        check_role(r, out);
        if (!pg_true(r, 0, 3))
                say_slot(slot, out);
        return 0;
}

static const char *identity_reason(const struct pg_table_info *t)
{
        for (unsigned i = 0; i < t->columns_n; i++)
                if (t->columns[i].key && t->columns[i].generated)
                        return "its replica identity has a generated column, which the stream "
                               "leaves out";
        if (t->identity == IDENTITY_NOTHING)
                return "its replica identity is NOTHING";
        if (t->identity == IDENTITY_INDEX)
                return "the index of its replica identity is gone or not valid";
        return "it has no primary key that identifies its rows (a deferrable one does not)";
}

static void check_identities(const struct check_input *in, struct checks *out)
{
        for (unsigned i = 0; i < in->n; i++) {
                const struct pg_table_info *t = in->tables[i].source;
                AUTO_BUF mend = BUF_INIT;

                if (t->has_identity)
                        continue;
                buf_str(&mend, "alter table ");
                pg_table(&mend, t->schema, t->name);
                buf_str(&mend, " replica identity full; -- or: alter table ");
                pg_table(&mend, t->schema, t->name);
                buf_str(&mend, " add primary key (...)");
                if (t->identity != IDENTITY_DEFAULT)
                        buf_str(&mend, ", replica identity default");
                checks_add(out, CHECK_ERROR, buf_text(&mend),
                        "source table %s.%s: updates and deletes cannot be carried: %s", t->schema,
                        t->name, identity_reason(t));
        }
}

static void check_kinds(PGconn *c, const struct check_input *in, struct checks *out)
{
        for (unsigned i = 0; i < in->n; i++) {
                const struct pg_table_info *t = in->tables[i].source;

                if (t->inherits)
                        checks_add(out, CHECK_WARNING, NULL,
                                "source table %s.%s takes part in inheritance: each table is "
                                "migrated by itself, with its own rows only",
                                t->schema, t->name);
                if (t->kind == 'p' && PQserverVersion(c) < 130000)
                        checks_add(out, CHECK_ERROR, NULL,
                                "source table %s.%s is partitioned: that takes PostgreSQL 13 or "
                                "newer on the source",
                                t->schema, t->name);
        }
}

int pg_check_source(
        PGconn *source, const struct check_input *in, struct checks *out, struct error *e)
{
        AUTO_BUF oids = BUF_INIT;

        for (unsigned i = 0; i < in->n; i++)
                pg_array_number(&oids, in->tables[i].source->oid);
        pg_array_close(&oids);
        if (pg_check_session(source, "source", out, e) < 0)
                return -1;
        if (check_server(source, in, out, e) < 0)
                return error_context(e, "source");
        check_identities(in, out);
        check_kinds(source, in, out);
        if (pg_check_source_tables(source, in, buf_text(&oids), out, e) < 0 ||
                pg_check_publication(source, in, buf_text(&oids), out, e) < 0 ||
                pg_check_retention(source, in, out, e) < 0)
                return error_context(e, "source");
        return 0;
}
