#pragma once
/*
 * Move: what ops/prepare does where the two sides are not both PostgreSQL; through the tables of
 * functions of ops/origin.h and ops/destination.h, row by row through the converters. Preparing
 * thread.
 */
#include "base/error.h"

struct prepare;

int move_run(struct prepare *p, struct error *e);
