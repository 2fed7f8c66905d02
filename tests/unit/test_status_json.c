/* The JSON of `status` and `tables`: every key always, exact numbers, null for unknown. */
#include "ops/status_json.h"
#include "base/loop.h"
#include "ops/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_json(cJSON *o, const char *text)
{
        char *got = cJSON_PrintUnformatted(o);

        assert_string_equal(got, text);
        free(got);
        cJSON_Delete(o);
}

static struct status full(void)
{
        static struct error e = {.class = ERROR_DATA,
                .message = "row not found",
                .table = "public.orders",
                .key = "id=7",
                .position = "0/16B3748"};

        return (struct status){.pipeline = "shop",
                .state = STATE_STOPPED,
                .phase = STATE_STREAMING,
                .since = INT64_C(1795405632123456),
                .error = &e,
                .source = {"postgresql", true, {0x16B374D848}, {0x16B3740000}, "15.20"},
                .target = {"postgresql", false, {0x100}, {0xFF}, "16.1"},
                .lag = {1234, 0.4, 3},
                .queue = {1048576, 0, 3, "auto"},
                .applied = {10, 9007199254740993, 1500.25},
                .snapshot = {"bulk", 2, 5, 100, 400, 12.5},
                .retention = {777, 35.5},
                .verify = {"done", 300, 2, 301, INT64_C(1795405632123456)},
                .next = "culvertctl shop resume"};
}

static void test_full(void **state)
{
        struct status s = full();
        struct health h = {HEALTH_CRITICAL, "stopped on an error"};

        (void)state;
        expect_json(status_json(&s, &h),
                "{\"format\":1,\"pipeline\":\"shop\",\"state\":\"stopped-on-error\","
                "\"phase\":\"streaming\",\"direction\":\"forward\","
                "\"since\":\"2026-11-23T03:47:12.123Z\","
                "\"error\":{\"class\":\"data\",\"message\":\"row not found\","
                "\"table\":\"public.orders\",\"key\":\"id=7\",\"position\":\"0/16B3748\"},"
                "\"source\":{\"kind\":\"postgresql\",\"connected\":true,"
                "\"position\":\"16/B374D848\",\"acknowledged\":\"16/B3740000\","
                "\"server_version\":\"15.20\"},"
                "\"target\":{\"kind\":\"postgresql\",\"connected\":false,"
                "\"position\":\"0/100\",\"acknowledged\":\"0/FF\",\"server_version\":\"16.1\"},"
                "\"lag\":{\"bytes\":1234,\"seconds\":0.400,\"transactions\":3},"
                "\"queue\":{\"memory_bytes\":1048576,\"disk_bytes\":0,\"transactions\":3,"
                "\"acknowledge\":\"auto\"},"
                "\"applied\":{\"transactions\":10,\"rows\":9007199254740993,"
                "\"rows_per_second\":1500.250},"
                "\"snapshot\":{\"mode\":\"bulk\",\"tables_done\":2,\"tables_total\":5,"
                "\"rows_done\":100,\"rows_estimated\":400,\"eta_seconds\":12.500},"
                "\"verify\":{\"state\":\"done\",\"rows_compared\":300,\"rows_total\":301,"
                "\"differences\":2,\"finished_at\":\"2026-11-23T03:47:12.123Z\"},"
                "\"quarantined\":0,\"overwritten\":0,"
                "\"retention\":{\"bytes_held_at_source\":777,\"hours_left\":35.500},"
                "\"check\":{\"level\":\"critical\",\"reason\":\"stopped on an error\"},"
                "\"next\":\"culvertctl shop resume\"}");
}

static void test_unknown(void **state)
{
        struct status s = {.pipeline = "shop",
                .source = {.kind = "postgresql"},
                .target = {.kind = "postgresql"},
                .lag = {-1, -1, -1},
                .queue = {.acknowledge = "auto"},
                .snapshot = {"none", 0, 0, 0, -1, -1},
                .retention = {-1, -1},
                .verify = {.state = "idle", .rows_total = -1}};
        struct health h = {HEALTH_OK, ""};

        (void)state;
        expect_json(status_json(&s, &h),
                "{\"format\":1,\"pipeline\":\"shop\",\"state\":\"starting\","
                "\"phase\":\"starting\",\"direction\":\"forward\",\"since\":null,\"error\":null,"
                "\"source\":{\"kind\":\"postgresql\",\"connected\":false,\"position\":null,"
                "\"acknowledged\":null,\"server_version\":null},"
                "\"target\":{\"kind\":\"postgresql\",\"connected\":false,\"position\":null,"
                "\"acknowledged\":null,\"server_version\":null},"
                "\"lag\":{\"bytes\":null,\"seconds\":null,\"transactions\":null},"
                "\"queue\":{\"memory_bytes\":0,\"disk_bytes\":0,\"transactions\":0,"
                "\"acknowledge\":\"auto\"},"
                "\"applied\":{\"transactions\":0,\"rows\":0,\"rows_per_second\":0.000},"
                "\"snapshot\":{\"mode\":\"none\",\"tables_done\":0,\"tables_total\":0,"
                "\"rows_done\":0,\"rows_estimated\":null,\"eta_seconds\":null},"
                "\"verify\":{\"state\":\"idle\",\"rows_compared\":0,\"rows_total\":null,"
                "\"differences\":0,\"finished_at\":null},\"quarantined\":0,\"overwritten\":0,"
                "\"retention\":{\"bytes_held_at_source\":null,\"hours_left\":null},"
                "\"check\":{\"level\":\"ok\",\"reason\":null},\"next\":null}");
}

static void test_error_without_place(void **state)
{
        struct error e = {.class = ERROR_RETRY, .message = "gone"};
        struct status s = full();
        struct health h = {HEALTH_OK, ""};
        cJSON *o;

        (void)state;
        s.error = &e;
        s.reversed = true;
        o = status_json(&s, &h);
        assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(o, "direction")), "reverse");
        expect_json(cJSON_DetachItemFromObject(o, "error"),
                "{\"class\":\"retry\",\"message\":\"gone\",\"table\":null,\"key\":null,"
                "\"position\":null}");
        cJSON_Delete(o);
}

static void test_table(void **state)
{
        struct status_table t = {
                "public.a", "shop.a", "copied", UINT64_MAX, -1, {1, 1, 3}, {0, 1, 0}};

        (void)state;
        expect_json(status_table_json(&t),
                "{\"source\":\"public.a\",\"target\":\"shop.a\",\"state\":\"copied\","
                "\"rows_copied\":18446744073709551615,\"rows_estimated\":null,\"inserts\":1,"
                "\"updates\":2,\"deletes\":3}");
}

static void test_seconds(void **state)
{
        cJSON *o = cJSON_CreateObject();

        (void)state;
        json_seconds(o, "nan", NAN);
        json_seconds(o, "infinite", INFINITY);
        json_seconds(o, "small", 0.0004);
        json_seconds(o, "large", 1234567890.125);
        expect_json(o, "{\"nan\":null,\"infinite\":null,\"small\":0.000,\"large\":1234567890.125}");
}

/* What a server says may be in any encoding; what we cut may end inside a character. */
static void test_utf8(void **state)
{
        static const struct {
                const char *from, *to;
                size_t size;
        } cases[] = {
                {"plain", "plain", 16},
                {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9", 16},
                {"\xe9t\xe9", "?t?", 16},              /* Latin-1 */
                {"a\xe2\x82", "a??", 16},              /* cut euro sign */
                {"\xc0\xaf\xed\xa0\x80", "?????", 16}, /* overlong, surrogate */
                {"\xf0\x9f\x98\x80!", "\xf0\x9f\x98\x80!", 16},
                {"\xf5\x80\x80\x80", "????", 16}, /* above U+10FFFF */
                {"ab\xc3\xa9", "ab", 4},          /* never half a character */
                {"ab\xc3\xa9", "ab\xc3\xa9", 5},
        };
        char to[16];

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
                assert_string_equal(json_utf8(to, cases[i].size, cases[i].from), cases[i].to);
}

static void expect_health(const struct status *s, const struct health_ends *ends, int64_t now,
        enum health_level level, const char *reason)
{
        struct health h = health_of(s, ends, now);

        assert_int_equal(h.level, level);
        assert_string_equal(h.reason, reason);
}

static struct status healthy(void)
{
        struct status s = full();

        s.state = STATE_STREAMING;
        s.error = NULL;
        s.target.connected = true;
        return s;
}

static void test_health_levels(void **state)
{
        struct health_ends ends = {0};
        struct status s = healthy();

        (void)state;
        expect_health(&s, &ends, 0, HEALTH_OK, "");
        s.lag.seconds = 300;
        expect_health(&s, &ends, 0, HEALTH_OK, "");
        s.lag.seconds = 301;
        expect_health(&s, &ends, 0, HEALTH_WARNING, "lag is 301 s");
        s.retention.hours_left = 23.9;
        expect_health(&s, &ends, 0, HEALTH_WARNING,
                "23.9 hours until the source drops changes that were not read; lag is 301 s");
        s.retention.hours_left = 1.9;
        expect_health(&s, &ends, 0, HEALTH_CRITICAL,
                "1.9 hours until the source drops changes that were not read");
        s = healthy();
        s.silent = 59;
        expect_health(&s, &ends, 0, HEALTH_OK, "");
        s.silent = 60;
        expect_health(&s, &ends, 0, HEALTH_WARNING, "the target has not answered for 60 s");
        s = healthy();
        s.state = STATE_PAUSED;
        expect_health(&s, &ends, 0, HEALTH_WARNING, "paused");
        s = healthy();
        s.error = full().error;
        expect_health(&s, &ends, 0, HEALTH_WARNING, "tries again after: row not found");
        s.state = STATE_STOPPED;
        expect_health(&s, &ends, 0, HEALTH_CRITICAL, "stopped on an error: row not found");
}

static void test_health_retention(void **state)
{
        struct health_ends ends = {0};
        struct status s = healthy();
        struct error lost = ERROR_INIT;

        (void)state;
        s.retention.share = 0.5;
        expect_health(&s, &ends, 0, HEALTH_OK, "");
        s.retention.limit = "max_slot_wal_keep_size";
        expect_health(&s, &ends, 0, HEALTH_WARNING,
                "50 % of what the source keeps is used (max_slot_wal_keep_size)");
        error_set(&lost, ERROR_DATA, "resync required: gone");
        s.retention.lost = &lost;
        expect_health(&s, &ends, 0, HEALTH_CRITICAL, "resync required: gone");
        s.state = STATE_STOPPED;
        s.error = &lost; /* says so already */
        expect_health(&s, &ends, 0, HEALTH_CRITICAL, "stopped on an error: resync required: gone");
        s.error = full().error;
        expect_health(&s, &ends, 0, HEALTH_CRITICAL,
                "stopped on an error: row not found; resync required: gone");
}

static void test_health_away(void **state)
{
        struct health_ends ends = {0};
        struct status s = healthy();

        (void)state;
        health_observe(&ends, &s, 1000 * SECOND);
        s.source.connected = false;
        health_observe(&ends, &s, 1001 * SECOND);
        health_observe(&ends, &s, 1100 * SECOND); /* the first sight counts */
        expect_health(&s, &ends, 1300 * SECOND, HEALTH_WARNING, "source not connected for 299 s");
        expect_health(&s, &ends, 1301 * SECOND, HEALTH_CRITICAL, "source not connected for 300 s");
        s.source.connected = true;
        health_observe(&ends, &s, 1302 * SECOND);
        expect_health(&s, &ends, 1302 * SECOND, HEALTH_OK, "");
        s.target.connected = false;
        health_observe(&ends, &s, 1303 * SECOND);
        expect_health(&s, &ends, 1304 * SECOND, HEALTH_WARNING, "target not connected for 1 s");
        s.state = STATE_PAUSED; /* which needs no target */
        health_observe(&ends, &s, 1305 * SECOND);
        expect_health(&s, &ends, 9999 * SECOND, HEALTH_WARNING, "paused");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_unknown),
                cmocka_unit_test(test_error_without_place),
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_seconds),
                cmocka_unit_test(test_utf8),
                cmocka_unit_test(test_health_levels),
                cmocka_unit_test(test_health_retention),
                cmocka_unit_test(test_health_away),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
