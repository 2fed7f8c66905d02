#include "base/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

/* From any place in it, what is there keeps its order. */
static void test_order(void **state)
{
        (void)state;
        for (uint64_t first = 0; first < 64; first++) {
                uint64_t at = 0, room = 0;
                uint32_t *ring = ring_grow(NULL, sizeof *ring, &at, 0, &room);

                assert_int_equal(room, 64);
                at = first;
                for (uint32_t i = 0; i < 64; i++)
                        ring[(at + i) % room] = i;
                ring = ring_grow(ring, sizeof *ring, &at, 64, &room);
                assert_int_equal(room, 128);
                assert_int_equal(at, 0);
                for (uint32_t i = 0; i < 64; i++)
                        assert_int_equal(ring[i], i);
                free(ring);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
