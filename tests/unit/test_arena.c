#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void test_pieces_do_not_overlap(void **state)
{
        struct arena *a = arena_new();
        unsigned char *p[400];
        size_t size[400];

        (void)state;
        for (unsigned i = 0; i < 400; i++) {
                size[i] = i % 7 == 0 ? 0 : (i * 37) % 900 + (i % 50 == 0 ? 300000 : 0);
                p[i] = arena_alloc(a, size[i]);
                assert_int_equal((uintptr_t)p[i] % 8, 0);
                memset(p[i], (int)(i & 255), size[i]);
        }
        for (unsigned i = 0; i < 400; i++)
                for (size_t k = 0; k < size[i]; k++)
                        assert_int_equal(p[i][k], i & 255);
        arena_free(a);
}

static void test_zero_and_text(void **state)
{
        struct arena *a = arena_new();
        char *z;

        (void)state;
        memset(arena_alloc(a, 64), 'x', 64);
        z = arena_zero(a, 1000);
        for (int i = 0; i < 1000; i++)
                assert_int_equal(z[i], 0);
        assert_string_equal(arena_text(a, "abcdef", 3), "abc");
        assert_string_equal(arena_text(a, NULL, 0), "");
        assert_memory_equal(arena_text(a, "a\0b", 3), "a\0b", 4);
        arena_free(a);
}

static void test_bytes_are_counted(void **state)
{
        struct arena *a = arena_new();
        size_t before = arena_bytes(a), first;

        (void)state;
        assert_in_range(before, 1, 100);
        arena_alloc(a, 1);
        first = arena_bytes(a);
        assert_in_range(first, 2048, 4096);
        arena_alloc(a, 100); /* same block */
        assert_int_equal(arena_bytes(a), first);
        arena_alloc(a, 1 << 20); /* a block of its own, no larger than needed */
        assert_in_range(arena_bytes(a), first + (1 << 20), first + (1 << 20) + 100);
        first = arena_bytes(a);
        arena_alloc(a, 100); /* the first block kept its room */
        assert_int_equal(arena_bytes(a), first);
        arena_free(a);
}

static void test_large_first_piece(void **state)
{
        struct arena *a = arena_new();

        (void)state;
        memset(arena_alloc(a, 1000000), 1, 1000000);
        memset(arena_alloc(a, 10), 2, 10);
        assert_in_range(arena_bytes(a), 1000000, 1300000);
        assert_null(arena_free(a));
        assert_null(arena_free(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pieces_do_not_overlap),
                cmocka_unit_test(test_zero_and_text),
                cmocka_unit_test(test_bytes_are_counted),
                cmocka_unit_test(test_large_first_piece),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
