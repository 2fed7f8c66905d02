#pragma once
/*
 * For tests of the binlog decoder: the shapes that it is told, and what it says, as text.
 */
#include "decoders/binlog.h"

#define HEARD_SHAPES 40

struct heard {
        const struct relation *shapes[HEARD_SHAPES], *later[HEARD_SHAPES];
        unsigned shapes_n;
        struct buf text;
        unsigned pieces;
        bool rows_only; /* one line for each row: "row TABLE|VALUE|..." */
        bool states;    /* say the state behind each last piece */
        bool cascades;  /* say " cascades" of changes that do */
        bool refuse;    /* relation() refuses a shape that it does not know */
        enum engine engine;
};

/* "table S.T" and "column [*]NAME NATIVE" (a star: key) lines; the rest of the text is returned. */
const char *heard_shapes(struct heard *h, const char *text);
void heard_done(struct heard *h);
struct binlog *heard_decoder(struct heard *h, uint64_t piece_bytes);
/* `setup`: but for engine, begin and bytes of a piece. */
struct binlog *heard_decoder_with(struct heard *h, uint64_t piece_bytes, struct binlog_setup setup);
/* Gives a binlog file's events, from behind its magic, up to an error. */
int heard_file(struct binlog *b, const char *file, size_t len, struct error *e);
/* A file of tests/unit/data; the caller frees. */
char *heard_read(const char *name, size_t *len);
