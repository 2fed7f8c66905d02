#pragma once
/* What the two files of ops/checks share: checks_ask.c gets one side's answer, checks.c judges. */
#include "base/arena.h"
#include "base/buf.h"
#include "model/txn.h"
#include "ops/checks.h"

/* All rows one behind the other, each of so many columns, in canonical form. */
struct check_answer {
        unsigned columns_n, rows_n;
        char **names;
        struct buf rows; /* verify_keep */
};

/* 0; 1: the side refuses, and `e` says why; -1: it is away, or the caller has asked to stop. */
int check_ask(const struct check_context *x, const char *query, bool target, struct check_answer *a,
        struct error *e);
void check_answer_done(struct check_answer *a);

/* What a value is, for its canonical form. */
enum check_kind {
        CHECK_TEXT,
        CHECK_NUMBER,
        CHECK_BOOLEAN,
        CHECK_TIME,
        CHECK_BYTES,
        CHECK_BITS,
        CHECK_JSON
};
void check_canonical(enum check_kind kind, struct arena *a, struct value *v);
