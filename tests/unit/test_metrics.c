/* OpenMetrics text: its grammar line by line, and single values. */
#include "ops/metrics.h"

#include <stdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct error broken = {.class = ERROR_CONFIG, .message = "no right"};

static const struct status sample = {.pipeline = "shop",
        .state = STATE_STREAMING,
        .phase = STATE_STREAMING,
        .since = INT64_C(1795405632500000),
        .source = {.kind = "postgresql", .connected = true},
        .target = {.kind = "postgresql"},
        .lag = {1234, 0.4, 3},
        .queue = {1048576, 0, 7, "auto"},
        .applied = {10, 123456789012, 5},
        .snapshot = {"bulk", 2, 5, 100, 400, -1},
        .retention = {.bytes_held_at_source = 777, .hours_left = 1.5, .share = 0.25}};

static const struct status_table tables[] = {
        {"public.a", "public.a", "streaming", 10, 12, {1, 2, 3}, {0, 0, 0}},
        {"public.we\"ird\\ta\nble", "public.b", "waiting", 0, -1, {0, 0, 0}, {0, 0, 0}},
};

static void expect_line(const struct buf *text, const char *line)
{
        const char *at = strstr(text->data, line);

        while (at && !((at == text->data || at[-1] == '\n') && at[strlen(line)] == '\n'))
                at = strstr(at + 1, line);
        if (!at)
                fail_msg("no line: %s\n%s", line, text->data);
}

static void test_values(void **state)
{
        AUTO_BUF out = BUF_INIT;

        (void)state;
        metrics_write(&out, &sample, tables, 2);
        expect_line(
                &out, "culvert_build_info{pipeline=\"shop\",version=\"" CULVERT_VERSION "\"} 1");
        expect_line(&out, "culvert_state{pipeline=\"shop\",culvert_state=\"streaming\"} 1");
        expect_line(&out, "culvert_state{pipeline=\"shop\",culvert_state=\"stopped-on-error\"} 0");
        expect_line(&out, "culvert_error{pipeline=\"shop\",culvert_error=\"config\"} 0");
        expect_line(&out, "culvert_source_connected{pipeline=\"shop\"} 1");
        expect_line(&out, "culvert_target_connected{pipeline=\"shop\"} 0");
        expect_line(&out, "culvert_lag_bytes{pipeline=\"shop\"} 1234");
        expect_line(&out, "culvert_lag_seconds{pipeline=\"shop\"} 0.4");
        expect_line(&out, "culvert_applied_rows_total{pipeline=\"shop\"} 123456789012");
        expect_line(&out, "culvert_retention_left_seconds{pipeline=\"shop\"} 5400");
        expect_line(&out, "culvert_retention_used_ratio{pipeline=\"shop\"} 0.25");
        expect_line(
                &out, "culvert_state_entered_timestamp_seconds{pipeline=\"shop\"} 1795405632.5");
        expect_line(&out, "culvert_table_updates_total{pipeline=\"shop\",table=\"public.a\"} 2");
        expect_line(&out, "culvert_table_inserts_total{pipeline=\"shop\","
                          "table=\"public.we\\\"ird\\\\ta\\nble\"} 0");
        expect_line(&out, "# UNIT culvert_lag_seconds seconds");
        expect_line(&out, "# TYPE culvert_applied_rows counter");
}

static void test_unknown(void **state)
{
        struct status s = sample;
        AUTO_BUF out = BUF_INIT;

        (void)state;
        s.lag.seconds = -1;
        s.lag.bytes = -1;
        s.retention.hours_left = -1;
        s.retention.share = -1;
        s.error = &broken;
        metrics_write(&out, &s, NULL, 0);
        assert_null(strstr(out.data, "\nculvert_lag_seconds{"));
        assert_null(strstr(out.data, "\nculvert_lag_bytes{"));
        assert_null(strstr(out.data, "\nculvert_retention_left_seconds{"));
        assert_null(strstr(out.data, "\nculvert_retention_used_ratio{"));
        assert_null(strstr(out.data, "nan"));
        assert_null(strstr(out.data, "\nculvert_table_inserts_total{"));
        expect_line(&out, "culvert_error{pipeline=\"shop\",culvert_error=\"config\"} 1");
}

/* A sample belongs to the family whose TYPE came last; a unit ends the family's name. */
static void check_sample(const char *line, const char *family, const char *type)
{
        size_t n = strlen(family);
        const char *suffix = line + n;
        char *end;

        assert_memory_equal(line, family, n);
        if (!strcmp(type, "counter"))
                suffix += strlen("_total");
        if (!strcmp(type, "info"))
                suffix += strlen("_info");
        assert_int_equal(*suffix, '{');
        strtod(strrchr(line, ' '), &end);
        assert_int_equal(*end, '\0');
}

static void check_unit(const char *line, const char *family)
{
        char name[128], unit[32];

        assert_int_equal(sscanf(line, "# UNIT %127s %31s", name, unit), 2);
        assert_string_equal(name, family);
        assert_string_equal(name + strlen(name) - strlen(unit), unit);
        assert_int_equal(name[strlen(name) - strlen(unit) - 1], '_');
}

static void test_grammar(void **state)
{
        AUTO_BUF out = BUF_INIT;
        char family[128] = "", type[32] = "", *line, *rest = NULL;
        unsigned families = 0, samples = 0;

        (void)state;
        metrics_write(&out, &sample, tables, 2);
        assert_string_equal(out.data + out.len - 6, "# EOF\n");
        out.data[out.len - 6] = '\0';
        for (line = strtok_r(out.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                if (!strncmp(line, "# TYPE ", 7)) {
                        char before[128];

                        strcpy(before, family);
                        assert_int_equal(sscanf(line, "# TYPE %127s %31s", family, type), 2);
                        assert_string_not_equal(before, family);
                        assert_int_equal(strncmp(family, "culvert_", 8), 0);
                        families++;
                } else if (!strncmp(line, "# UNIT ", 7)) {
                        check_unit(line, family);
                } else if (!strncmp(line, "# HELP ", 7)) {
                        assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
                } else {
                        check_sample(line, family, type);
                        samples++;
                }
        }
        assert_true(families > 20);
        assert_true(samples > families);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_unknown),
                cmocka_unit_test(test_grammar),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
