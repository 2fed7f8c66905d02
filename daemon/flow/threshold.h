#pragma once
/*
 * Threshold: how many of the last 10,000 applied rows, up to a hundred less, went to quarantine. Of
 * the rows of one commit it is not known which did, and they are taken to have been the last. Plain
 * data; pure.
 */
#include <stdbool.h>
#include <stdint.h>

#define THRESHOLD_ROWS 10000
#define THRESHOLD_SLOTS 100

struct threshold {
        uint32_t slots[THRESHOLD_SLOTS]; /* of 100 rows each; a ring */
        unsigned at;                     /* the newest */
        uint32_t filled;                 /* rows in it */
        uint64_t quarantined;            /* in all slots */
};

void threshold_clear(struct threshold *t);
/* `rows` were committed, and so many of them went to quarantine. */
void threshold_add(struct threshold *t, uint64_t rows, uint64_t quarantined);
/* Are they more than this share of 10,000? */
bool threshold_passed(const struct threshold *t, double share);
