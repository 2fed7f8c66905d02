#pragma once
/*
 * What a MySQL-family target remembers of the copy: the same records as ops/copy_record.h, which
 * defines them, in culvert.copy and culvert.tables of db/my_meta.h. Every writer proves the epoch:
 * the next start decides by these rows. Blocking; the connection is in autocommit.
 */
#include "db/my_meta.h"
#include "ops/copy_record.h"

/* The connection and the right to write. */
struct my_book {
        MYSQL *target;
        const char *pipeline;
        uint64_t epoch;
};

int my_record_read(const struct my_book *b, struct copy_record *r, struct error *e);
/* table_records_free, table_records_find and copy_record_done serve these too. */
struct table_records *my_records_read(const struct my_book *b, struct error *e);

/* A transaction that proves the epoch first; ends with my_book_commit or a lost connection. */
int my_book_begin(const struct my_book *b, struct error *e);
int my_book_commit(const struct my_book *b, struct error *e);
/* Takes back what has failed, so that the connection can be used again. */
void my_book_rollback(const struct my_book *b);

/* Inside of such a transaction. */
int my_record_write(const struct my_book *b, const struct copy_record *r, struct error *e);
int my_records_clear(const struct my_book *b, struct error *e);
int my_records_write(const struct my_book *b, const struct table_record *t, struct error *e);
int my_record_checkpoint(const struct my_book *b, const struct copy_record *r, struct error *e);
int my_record_gtids(const struct my_book *b, char **gtids, struct error *e);
/* The end: the stage is done, and the checkpoint says where the stream begins. */
int my_record_finish(const struct my_book *b, const struct copy_record *r, struct error *e);
