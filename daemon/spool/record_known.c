#include "spool/record_known.h"
#include "base/memory.h"
#include "model/cascade.h"

#include "change.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 4096   /* of a table on MySQL */
#define CASCADES_MAX 65536 /* keys of a list */

struct known_shape {
        struct relation *relation;
        uint8_t *bytes; /* of its definition, without numbers */
        size_t len;
};

struct known_cascades {
        struct cascades *cascades;
        uint8_t *bytes;
        size_t len;
};

int record_damaged(struct error *e, const char *what)
{
        return error_set(e, ERROR_DATA, "%s", what);
}

const struct relation *known_relation(const struct known *k, uint32_t number)
{
        return number > 0 && number <= k->relations_n ? k->relations[number - 1].relation : NULL;
}

void known_done(struct known *k)
{
        for (uint32_t i = 0; i < k->relations_n; i++) {
                relation_unref(k->relations[i].relation);
                free(k->relations[i].bytes);
        }
        for (uint32_t i = 0; i < k->cascades_n; i++) {
                cascades_unref(k->cascades[i].cascades);
                free(k->cascades[i].bytes);
        }
        free(k->relations);
        free(k->cascades);
        *k = (struct known){0};
}

/* The definition's bytes as the writer's are, to be compared. */
static uint8_t *pack(const ProtobufCMessage *m, size_t *len)
{
        uint8_t *bytes;

        *len = protobuf_c_message_get_packed_size(m);
        bytes = memory_new(*len + 1);
        protobuf_c_message_pack(m, bytes);
        return bytes;
}

static struct cascades *make_cascades(const Culvert__Cascades *m)
{
        struct cascades *c = cascades_new();

        for (size_t i = 0; i < m->n_keys; i++) {
                const Culvert__CascadeKey *from = m->keys[i];
                struct cascade_key *k = cascades_add(c, (unsigned)from->n_columns);

                k->name = memory_string(from->name);
                k->schema = memory_string(from->schema);
                k->table = memory_string(from->table);
                k->to_schema = memory_string(from->to_schema);
                k->to_table = memory_string(from->to_table);
                k->on_delete = (enum cascade_rule)from->on_delete;
                k->on_update = (enum cascade_rule)from->on_update;
                for (size_t j = 0; j < from->n_columns; j++) {
                        k->columns[j] = memory_string(from->columns[j]);
                        k->to_columns[j] = memory_string(from->to_columns[j]);
                }
        }
        return c;
}

static int check_cascades(const struct known *k, const Culvert__Cascades *m, struct error *e)
{
        if (m->number != k->cascades_n + 1 || m->n_keys > CASCADES_MAX)
                return record_damaged(e, "a list of foreign keys has the wrong number");
        for (size_t i = 0; i < m->n_keys; i++)
                if (m->keys[i]->n_columns != m->keys[i]->n_to_columns ||
                        m->keys[i]->n_columns > COLUMNS_MAX ||
                        m->keys[i]->on_delete > RULE_SET_NULL ||
                        m->keys[i]->on_update > RULE_SET_NULL)
                        return record_damaged(e, "a foreign key is malformed");
        return 0;
}

int known_take_cascades(
        struct known *now, const struct known *before, struct Culvert__Cascades *m, struct error *e)
{
        struct known_cascades new = {0};

        if (check_cascades(now, m, e) < 0)
                return -1;
        m->number = 0;
        new.bytes = pack(&m->base, &new.len);
        for (uint32_t i = 0; i < before->cascades_n && !new.cascades; i++)
                if (before->cascades[i].len == new.len &&
                        !memcmp(before->cascades[i].bytes, new.bytes, new.len))
                        new.cascades = cascades_ref(before->cascades[i].cascades);
        if (!new.cascades)
                new.cascades = make_cascades(m);
        if (now->cascades_n == now->cascades_room) {
                now->cascades_room = now->cascades_room * 2 + 4;
                now->cascades = memory_grow(now->cascades, now->cascades_room * sizeof new);
        }
        now->cascades[now->cascades_n++] = new;
        return 0;
}

static struct relation *make_relation(const Culvert__Relation *m, const struct cascades *c)
{
        struct relation *to = relation_new(m->has_id ? m->id : 0, m->schema, m->name,
                (enum replica_identity)m->identity, (uint16_t)m->n_columns);

        to->unnamed = m->has_unnamed && m->unnamed;
        if (c)
                relation_set_cascades(to, c);
        for (uint16_t i = 0; i < m->n_columns; i++) {
                const Culvert__Column *from = m->columns[i];

                relation_set_column(to, i, from->name, from->has_type ? from->type : 0,
                        from->has_modifier ? from->modifier : 0, from->has_key && from->key);
                if (from->native)
                        relation_set_native(to, i, from->native);
                if (from->has_absent_known && from->absent_known)
                        relation_set_absent(to, i, from->absent);
        }
        return to;
}

static int check_relation(const struct known *k, const Culvert__Relation *m, struct error *e)
{
        if (m->number != k->relations_n + 1)
                return record_damaged(e, "a table has the wrong number");
        if (m->n_columns > COLUMNS_MAX || m->identity > 'z' || !m->identity ||
                !strchr("difn", (int)m->identity))
                return record_damaged(e, "a table is malformed");
        if (m->has_cascades && (m->cascades == 0 || m->cascades > k->cascades_n))
                return record_damaged(e, "a table names foreign keys that are not defined");
        return 0;
}

static struct relation *same_before(
        const struct known *k, const struct known_shape *new, const struct cascades *c)
{
        for (uint32_t i = 0; i < k->relations_n; i++)
                if (k->relations[i].len == new->len && k->relations[i].relation->cascades == c &&
                        !memcmp(k->relations[i].bytes, new->bytes, new->len))
                        return relation_ref(k->relations[i].relation);
        return NULL;
}

int known_take_relation(
        struct known *now, const struct known *before, struct Culvert__Relation *m, struct error *e)
{
        struct known_shape new = {0};
        const struct cascades *c;

        if (check_relation(now, m, e) < 0)
                return -1;
        c = m->has_cascades ? now->cascades[m->cascades - 1].cascades : NULL;
        m->number = 0;
        m->has_cascades = false;
        new.bytes = pack(&m->base, &new.len);
        new.relation = same_before(before, &new, c);
        if (!new.relation)
                new.relation = make_relation(m, c);
        if (now->relations_n == now->relations_room) {
                now->relations_room = now->relations_room * 2 + 16;
                now->relations = memory_grow(now->relations, now->relations_room * sizeof new);
        }
        now->relations[now->relations_n++] = new;
        return 0;
}
