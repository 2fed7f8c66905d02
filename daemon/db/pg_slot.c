#include "db/pg_slot.h"

#include <string.h>

int pg_slot_usable(const char *slot, const char *wal_status, const char *reason, struct error *e)
{
        bool lost = !strcmp(wal_status, "lost");

        if (!lost && !*reason)
                return 0;
        if (!*reason || !strcmp(reason, "wal_removed"))
                return error_set(e, ERROR_DATA,
                        "resync required: slot %s is lost: the source has removed WAL that it "
                        "needs (max_slot_wal_keep_size)",
                        slot);
        if (!strcmp(reason, "idle_timeout"))
                return error_set(e, ERROR_DATA,
                        "resync required: slot %s is lost: nothing was connected to it for longer "
                        "than the source's idle_replication_slot_timeout",
                        slot);
        return error_set(
                e, ERROR_DATA, "resync required: slot %s is invalidated (%.100s)", slot, reason);
}

int pg_slot_server_ready(const PGconn *c, struct error *e)
{
        const char *standby = PQparameterStatus(c, "in_hot_standby");

        if (!standby || strcmp(standby, "on") != 0)
                return 0;
        return error_set(e, ERROR_RETRY,
                "source: the server is a standby; it is waited for until it is promoted, or the "
                "address leads to the primary");
}
