#include "model/config_private.h"

#include <stddef.h>

#define AT(field) offsetof(struct config, field)
#define SECONDS INT64_C(1000000)
#define DAY (86400 * SECONDS)
#define KI INT64_C(1024)
#define MI (KI * KI)
#define GI (KI * MI)
#define TI (KI * GI)

/* Section, key, type, min, max, choices, default, built, reload, field, sentence: in the order of
 * the reference. An option with a list in `built` refuses every other value as not built yet. */
const struct option config_options[] = {
        {"pipeline", "name", OPTION_NAME, 1, 40, NULL, NULL, NULL, NEEDS_RESTART, AT(pipeline.name),
                "Name of the pipeline; by default the file's name without .conf."},
        {"pipeline", "state_dir", OPTION_PATH, 1, 4000, NULL, "/var/lib/culvert/NAME", NULL,
                NEEDS_RESTART, AT(pipeline.state_dir), "Folder for what the pipeline remembers."},
        {"pipeline", "control_socket", OPTION_PATH, 1, 107, NULL, "/run/culvert/NAME.sock", NULL,
                NEEDS_RESTART, AT(pipeline.control_socket), "Socket that culvertctl talks to."},

        {"source", "uri", OPTION_URI, 0, 0, NULL, NULL, NULL, NEEDS_RESTART, AT(source.uri),
                "The database to migrate, without a password: any libpq URI, or mysql:// "
                "(mariadb://) "
                "user@host:port/database with the parameters socket, ssl-mode, ssl-ca, ssl-cert, "
                "ssl-key; or segments:/path, an archive to replay. Required."},
        {"source", "password_file", OPTION_PATH, 1, 4000, NULL, NULL, NULL, NEEDS_RESTART,
                AT(source.password_file),
                "File with the password and nothing else, closed to others (chmod o=); without it "
                "a "
                "systemd credential named source-password, else libpq's own passfile."},
        {"source", "slot", OPTION_NAME, 1, 63, NULL, "culvert_NAME", NULL, NEEDS_RESTART,
                AT(pg.slot), "Replication slot on a PostgreSQL source; created if missing."},
        {"source", "publication", OPTION_TEXT, 1, 63, NULL, "culvert_NAME", NULL, NEEDS_RESTART,
                AT(pg.publication), "Publication on a PostgreSQL source; created if missing."},
        {"source", "server_id", OPTION_INTEGER, 0, INT64_C(4294967295), NULL, "0", NULL,
                NEEDS_RESTART, AT(my.server_id),
                "Replica id towards a MySQL-family source; 0: one that is free."},
        {"source", "heartbeat", OPTION_DURATION, SECONDS, DAY, NULL, "10s", NULL, NEEDS_RESTART,
                AT(pg.heartbeat),
                "How often the source is asked where its log ends and what the slot holds."},

        {"target", "uri", OPTION_URI, 0, 0, NULL, NULL, NULL, NEEDS_RESTART, AT(target.uri),
                "The database to migrate to, like [source] uri; or segments:/path, a folder in "
                "which the "
                "changes are archived. Required."},
        {"target", "password_file", OPTION_PATH, 1, 4000, NULL, NULL, NULL, NEEDS_RESTART,
                AT(target.password_file),
                "Like [source] password_file; the credential's name is target-password."},

        {"tables", "include", OPTION_PATTERNS, 1, 10000, NULL, "*.*", NULL, NEEDS_RESTART,
                AT(tables.include),
                "Patterns of source tables, separated by commas; system schemas never match. From "
                "a "
                "MySQL-family source the default is all of the URI's database."},
        {"tables", "exclude", OPTION_PATTERNS, 0, 10000, NULL, "", NULL, NEEDS_RESTART,
                AT(tables.exclude), "Patterns of source tables to leave out; exclude wins."},
        {"tables", "create", OPTION_BOOL, 0, 1, NULL, "yes", NULL, NEEDS_RESTART, AT(tables.create),
                "Create missing target tables from the source's definition."},
        {"tables", "existing", OPTION_CHOICE, 0, 0, "refuse|truncate|append", "refuse", NULL,
                NEEDS_RESTART, AT(tables.existing),
                "What to do with target tables that have rows."},
        {"tables", "ddl", OPTION_CHOICE, 0, 0, "stop|apply|ignore", "stop", "stop", NEEDS_RESTART,
                AT(tables.ddl),
                "What to do when a migrated table changes its shape on the source."},
        {"tables", "on_truncate", OPTION_CHOICE, 0, 0, "apply|stop|ignore", "apply", NULL,
                NEEDS_RESTART, AT(tables.on_truncate), "What to do with TRUNCATE on the source."},
        {"tables", "pg_dump", OPTION_PROGRAM, 1, 4000, NULL, "pg_dump", NULL, NEEDS_RESTART,
                AT(tables.pg_dump), "The pg_dump to use; at least as new as the source server."},
        {"tables", "pg_restore", OPTION_PROGRAM, 1, 4000, NULL, "pg_restore", NULL, NEEDS_RESTART,
                AT(tables.pg_restore), "The pg_restore to use; as new as pg_dump."},

        {"schemas", "SOURCE", OPTION_FREE, 0, 0, "target schema", NULL, NULL, NEEDS_RESTART,
                OPTION_NOWHERE,
                "A source schema becomes that target schema; others keep their names. The database "
                "of a mysql:// URI stands for the other URI's, or for public."},

        {"table SCHEMA.TABLE", "to", OPTION_FREE, 0, 0, "table or schema.table", NULL, NULL,
                NEEDS_RESTART, OPTION_NOWHERE, "Name of the target table."},
        {"table SCHEMA.TABLE", "columns.exclude", OPTION_FREE, 0, 0, "names, separated by commas",
                NULL, NULL, NEEDS_RESTART, OPTION_NOWHERE, "Columns to leave out."},
        {"table SCHEMA.TABLE", "column.NAME.to", OPTION_FREE, 0, 0, "name", NULL, NULL,
                NEEDS_RESTART, OPTION_NOWHERE, "Name of that column on the target."},
        {"table SCHEMA.TABLE", "where", OPTION_FREE, 0, 0, "column operator literal and ...", NULL,
                NULL, NEEDS_RESTART, OPTION_NOWHERE,
                "Rows to migrate: = <> != < <= > >=, [NOT] IN (...), IS [NOT] NULL, joined by "
                "AND."},
        {"table SCHEMA.TABLE", "on_conflict", OPTION_CHOICE, 0, 0, "stop|quarantine|overwrite",
                "stop", NULL, NEEDS_RESTART, OPTION_NOWHERE,
                "What to do with a change that the target refuses for its row, or of which a value "
                "has no place there: stop; or put it into culvert.quarantine on the target, with "
                "all later changes of that row, and go on. overwrite: where its key is there "
                "already, or not there any more, the target's row becomes what the source says; "
                "all else stops."},

        {"values", "zero_date", OPTION_TEXT, 1, 40, "error|null|a date", "error", NULL,
                NEEDS_RESTART, AT(convert.zero_date),
                "What becomes in PostgreSQL of MySQL's zero and partial dates; the date is "
                "YYYY-MM-DD."},
        {"values", "enum_error", OPTION_CHOICE, 0, 0, "error|null|empty", "error", NULL,
                NEEDS_RESTART, AT(convert.enum_error),
                "What becomes in an enum of PostgreSQL of the empty text that MySQL stores for "
                "what "
                "is none of an ENUM's members; empty: itself, where the type has that label."},

        {"snapshot", "mode", OPTION_CHOICE, 0, 0, "bulk|trickle|none", "bulk", "bulk|none",
                NEEDS_RESTART, AT(snapshot.mode),
                "How existing rows are copied; none: not at all."},
        {"snapshot", "workers", OPTION_INTEGER, 1, 64, NULL, "2", NULL, NEEDS_RESTART,
                AT(snapshot.workers), "Connections that copy side by side, at both ends."},
        {"snapshot", "slot_timeout", OPTION_DURATION, SECONDS, 7 * DAY, NULL, "5m", NULL,
                NEEDS_RESTART, AT(snapshot.slot_timeout),
                "How long creating the slot may wait for transactions that are open on the "
                "source."},

        {"apply", "batch_rows", OPTION_INTEGER, 1, 1000000, NULL, "10000", NULL, RELOADABLE,
                AT(apply.batch_rows), "Changed rows after which a batch is committed."},
        {"apply", "batch_bytes", OPTION_SIZE, 64 * KI, GI, NULL, "8MiB", NULL, RELOADABLE,
                AT(apply.batch_bytes), "Size after which a batch is committed."},
        {"apply", "answer_timeout", OPTION_DURATION, 0, DAY, NULL, "60s", NULL, RELOADABLE,
                AT(apply.answer_timeout),
                "After how long without an answer of the target a second connection asks it "
                "whether "
                "it works on ours; if not, or if nobody answers there either, ours is given up. 0: "
                "nobody asks."},
        {"apply", "batch_delay", OPTION_DURATION, 0, 60 * SECONDS, NULL, "0ms", NULL, RELOADABLE,
                AT(apply.batch_delay),
                "How long a batch may wait for more; 0: apply as soon as a transaction is there."},
        {"apply", "lanes", OPTION_INTEGER, 1, 64, NULL, "1", "1", NEEDS_RESTART, AT(apply.lanes),
                "Transactions that are applied side by side."},
        {"apply", "error_threshold", OPTION_TEXT, 1, 40, "0 to 1", "0.01", NULL, RELOADABLE,
                AT(apply.error_threshold),
                "Share of the last 10,000 changed rows above which quarantined ones pause the "
                "pipeline; 0: the first does, 1: never."},
        {"apply", "retry_attempts", OPTION_INTEGER, 0, 1000, NULL, "10", NULL, NEEDS_RESTART,
                AT(apply.retry_attempts),
                "Replays of one transaction after a transient error; lost connections are retried "
                "for ever, 1 s to 30 s apart."},

        {"queue", "memory", OPTION_SIZE, MI, 64 * GI, NULL, "32MiB", NULL, NEEDS_RESTART,
                AT(queue.memory), "Changes held in memory before the source is told to wait."},
        {"queue", "disk", OPTION_SIZE, 0, 1024 * TI, NULL, "20GiB", NULL, NEEDS_RESTART,
                AT(queue.disk), "Changes held in segments on disk; 0: none are."},
        {"queue", "acknowledge", OPTION_CHOICE, 0, 0, "applied|queued|auto", "auto", NULL,
                NEEDS_RESTART, AT(queue.acknowledge),
                "What the source may forget: what the target holds, or what is on our disk; auto: "
                "the "
                "latter past acknowledge_above."},
        {"queue", "acknowledge_above", OPTION_SIZE, 0, 1024 * TI, NULL, "4GiB", NULL, NEEDS_RESTART,
                AT(queue.acknowledge_above),
                "With auto: held by the source before fsynced segments are acknowledged."},

        {"segments", "size", OPTION_SIZE, 64 * KI, GI, NULL, "64MiB", NULL, NEEDS_RESTART,
                AT(queue.segment), "Size at which a segment file of an archive is closed."},

        {"throttle", "rows_per_second", OPTION_INTEGER, 0, INT64_C(1000000000), NULL, "0", "0",
                NEEDS_RESTART, OPTION_NOWHERE, "Limit while copying; 0: none."},
        {"throttle", "window", OPTION_TEXT, 0, 40, "HH:MM-HH:MM", "", "", NEEDS_RESTART,
                OPTION_NOWHERE, "Copy in these hours only, local time; the stream never waits."},

        {"verify", "sample", OPTION_INTEGER, 1, 100, NULL, "100", NULL, NEEDS_RESTART,
                AT(verify.sample),
                "Percentage of rows that verify start compares, by chunks of them. Less than 100 "
                "is a quick look, and reported as a sample."},
        {"verify", "rate", OPTION_INTEGER, 0, INT64_C(1000000000), NULL, "0", NULL, NEEDS_RESTART,
                AT(verify.rate), "Limit in rows of the source a second; 0: none."},

        {"cutover", "max_lag", OPTION_DURATION, 0, DAY, NULL, "5s", NULL, RELOADABLE,
                AT(cutover.max_lag), "Lag above which a cutover does not begin."},
        {"cutover", "fence", OPTION_CHOICE, 0, 0, "read-only|hook|manual", "read-only", NULL,
                RELOADABLE, AT(cutover.fence),
                "How writes to the side that leads are stopped: by culvert; by hook.before, which "
                "is run with the argument fence, and with release to undo it; or by the operator, "
                "who confirms it."},
        {"cutover", "hook.before", OPTION_TEXT, 0, 4000, "path of a program", "", NULL, RELOADABLE,
                AT(cutover.hook_before),
                "Program to run before the fence, with the argument before; a cutover goes on when "
                "it ends with 0."},
        {"cutover", "hook.gate", OPTION_TEXT, 0, 4000, "path of a program", "", NULL, RELOADABLE,
                AT(cutover.hook_gate),
                "Program that must end with 0 before a cutover, a rehearsal or a rollback begins; "
                "its argument is gate."},
        {"cutover", "check.NAME", OPTION_FREE, 0, 0, "SQL query", NULL, NULL, NEEDS_RESTART,
                OPTION_NOWHERE,
                "Query that gives the same on both sides, one SELECT; verify runs it at its end."},
        {"cutover", "check.NAME.source", OPTION_FREE, 0, 0, "SQL query", NULL, NULL, NEEDS_RESTART,
                OPTION_NOWHERE, "In its place on the source, where names differ, say."},
        {"cutover", "check.NAME.target", OPTION_FREE, 0, 0, "SQL query", NULL, NULL, NEEDS_RESTART,
                OPTION_NOWHERE, "In its place on the target."},

        {"metrics", "listen", OPTION_TEXT, 0, 300, "host:port", "", "", NEEDS_RESTART,
                AT(metrics.listen), "Address for OpenMetrics over HTTP; empty: none."},

        {"log", "level", OPTION_CHOICE, 0, 0, "error|warning|info|debug", "info", NULL, RELOADABLE,
                AT(log_level), "What is logged; --log-level wins."},
        {"log", "keys", OPTION_BOOL, 0, 1, NULL, "no", NULL, RELOADABLE, AT(log_keys),
                "Log keys of rows as they are, not hashed."},
        {0},
};
