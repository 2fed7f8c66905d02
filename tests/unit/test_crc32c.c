#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720, B.4, and the usual check value. */
static void test_known_sums(void **state)
{
        uint8_t bytes[32];

        (void)state;
        assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
        assert_int_equal(crc32c(0, "", 0), 0);
        memset(bytes, 0, sizeof bytes);
        assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
        memset(bytes, 0xff, sizeof bytes);
        assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
        for (unsigned i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)i;
        assert_int_equal(crc32c(0, bytes, sizeof bytes), 0x46dd794e);
}

static void test_in_parts(void **state)
{
        const char *text = "The quick brown fox jumps over the lazy dog";
        uint32_t whole = crc32c(0, text, strlen(text));

        (void)state;
        for (size_t i = 0; i <= strlen(text); i++)
                assert_int_equal(crc32c(crc32c(0, text, i), text + i, strlen(text) - i), whole);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_sums),
                cmocka_unit_test(test_in_parts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
