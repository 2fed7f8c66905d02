#pragma once
/*
 * Turn: the part of the checkpoint row's key that keeps it cheap to find while a long snapshot on
 * the target holds on to its old versions (HAZARDS B3). The row changes with every commit. As long
 * as the server may prune, all of its versions stay within one page. When it may not, the page
 * fills up and the next version goes to another one, which the answer's ctid shows; entries of the
 * index that have one key would then grow in number, and each update would walk them all. So the
 * update after that gives the row the next turn: it is found by a key that has no history.
 *
 * The row is updated, not replaced: whoever waits for it (a new connection that raises the epoch)
 * finds the version that comes next.
 *
 * Plain data of the apply connection.
 */
#include <stdbool.h>
#include <stdint.h>

struct pg_turn {
        uint64_t now;  /* of the row, behind all statements that were sent */
        uint64_t next; /* what the next statement makes of it */
        uint64_t taken;
        uint32_t block; /* where the row's last version known is, if `placed` */
        bool placed;
};

void pg_turn_start(struct pg_turn *t, uint64_t now);
/* A statement that makes `next` of `now` was sent. */
void pg_turn_sent(struct pg_turn *t);
/* Where it put the row: "(12,3)". */
void pg_turn_answer(struct pg_turn *t, const char *ctid);
