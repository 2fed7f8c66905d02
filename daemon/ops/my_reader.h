#pragma once
/*
 * Reader of a MySQL-family source: the rows of one table after another, in a snapshot that its
 * owner (ops/my_origin.c) has opened.
 *
 * Characters are asked for as the bytes that they are, and read as the stream reads them, with the
 * same tables (model/charset.h): the server would make '?' of what is no character of its set,
 * without a word. Here it is an error that names column and key.
 *
 * Blocking; belongs to the thread that took it.
 */
#include "db/my.h"
#include "model/position.h"
#include "model/table_def.h"
#include "model/txn.h"

/* What its session needs, before the snapshot. */
#define MY_READER_SESSION "set session character_set_results = null;"

/* A column of characters that are not UTF-8 already, and its value of the row that is read. */
struct characters {
        const struct charset *charset; /* NULL: it comes as it is */
        struct buf text;
};

struct origin_reader { /* zero, but for what the owner sets: conn, at, what */
        MYSQL *conn;
        MYSQL_RES *rows;
        struct position at;
        const char *what;              /* of errors; NULL: "source" */
        const struct relation *shape;  /* borrowed, of the table that is read */
        struct characters *characters; /* of each column */
        uint16_t columns_n;
};

int my_reader_read(struct origin_reader *r, const struct table_def *t, struct error *e);
/* Appends what is asked for of a column, as `read` does. */
void my_reader_column(struct buf *sql, enum engine engine, const struct column *c);
/* The same with a query of one's own, whose columns are those of the shape. */
int my_reader_query(struct origin_reader *r, const struct relation *shape, const struct buf *sql,
        struct error *e);
/* 1: a row, valid until the next call; 0: there are no more; -1. */
int my_reader_next(struct origin_reader *r, struct value *row, struct error *e);
void my_reader_done(struct origin_reader *r); /* all but the connection */
