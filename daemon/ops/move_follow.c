/*
 * The source is another server than the checkpoint belongs to. Its positions mean nothing there,
 * but GTIDs may prove that it has what the target has: then the stream goes on there, by GTID.
 */
#include "base/log.h"
#include "base/memory.h"
#include "ops/move_private.h"

#include <stdlib.h>
#include <string.h>

static bool is_in_stream(const struct table_record *k)
{
        return !strcmp(k->state, "copied") || !strcmp(k->state, "joining");
}

/* What has been copied as of a position of the old server that the stream has not come to, ends
 * somewhere in the new one's log, nobody knows where. */
static int check_copies(const struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->p->known->n; i++) {
                const struct table_record *k = &m->p->known->items[i];
                char text[POSITION_TEXT];

                if (is_in_stream(k) && position_compare(k->start, m->p->stored) > 0)
                        return error_set(e, ERROR_DATA,
                                "the copy of table %s.%s stands at %s of the old server, and the "
                                "stream had not come there",
                                k->schema, k->name, position_format(k->start, text));
        }
        return 0;
}

static int write_tables(struct move *m, struct error *e)
{
        for (unsigned i = 0; i < m->p->known->n; i++) {
                struct table_record *k = &m->p->known->items[i];

                if (position_is_none(k->start))
                        continue;
                k->start = strcmp(k->state, "joining") ? POSITION_NONE : POSITION_BY_GTID;
                if (m->to->write_table(m->destination, k, e) < 0)
                        return -1;
        }
        return 0;
}

static int rebind(struct move *m, const char *gtids, struct error *e)
{
        struct copy_record *r = &m->p->record;

        r->source = m->p->identity;
        r->start = POSITION_BY_GTID;
        free(r->gtids);
        r->gtids = memory_printf("%s%s", *gtids == '~' ? "" : "~", gtids);
        if (m->to->begin(m->destination, e) < 0 || m->to->write_record(m->destination, r, e) < 0 ||
                m->to->checkpoint(m->destination, r, e) < 0 || write_tables(m, e) < 0)
                return error_context(e, "target");
        return m->to->commit(m->destination, e);
}

/* A promoted standby: positions stay what they are, but belong to its timeline from now on. */
static int follow_branch(struct move *m, const struct source_identity *stored, struct error *e)
{
        struct copy_record *r = &m->p->record;
        struct position last = m->p->stored;
        int rc;

        for (unsigned i = 0; i < m->p->known->n; i++)
                if (is_in_stream(&m->p->known->items[i]))
                        last = position_max(last, m->p->known->items[i].start);
        if ((rc = m->from->branch(m->origin, stored, &m->p->identity, last, e)) <= 0)
                return rc;
        r->source = m->p->identity;
        r->start = m->p->stored;
        if (m->to->begin(m->destination, e) < 0 || m->to->write_record(m->destination, r, e) < 0 ||
                m->to->checkpoint(m->destination, r, e) < 0)
                return error_context(e, "target");
        if (m->to->commit(m->destination, e) < 0)
                return -1;
        identity_format(&m->p->identity, m->p->stored_source);
        return 0;
}

int move_follow(struct move *m, const struct source_identity *stored, struct error *e)
{
        struct prepare *p = m->p;
        struct error other = ERROR_INIT;
        AUTO_STRING gtids = NULL;

        if (identity_check(stored, &p->identity, &other) == 0)
                return 0;
        if (m->from->branch && p->config->target.kind != KIND_SEGMENTS)
                return follow_branch(m, stored, e);
        if (m->to->gtids(m->destination, &gtids, e) < 0)
                return error_context(e, "target");
        if (!m->from->follow || !gtids) {
                *e = other;
                return -1;
        }
        if (m->from->follow(m->origin, gtids, e) < 0 || check_copies(m, e) < 0)
                return error_context(e, "%s", other.message);
        if (rebind(m, gtids, e) < 0)
                return -1;
        log_event(LOG_LEVEL_WARNING, LOG_PLAIN, NULL,
                "the source is another server: it was %s (%s), it is %s (%s); it has all that the "
                "target has, so the stream goes on behind GTIDs %.400s",
                stored->system, stored->slot, p->identity.system, p->identity.slot, gtids);
        identity_format(&p->identity, p->stored_source);
        p->stored = POSITION_BY_GTID;
        p->result->moved = true;
        return 0;
}
