/* culvertctl's parts that need no daemon: its command line, its text, what it prints. */
#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Splits at spaces; the words stay until the next call. */
static int parse(struct options *o, const char *line, struct error *e)
{
        static char copy[256];
        char *argv[16] = {copy}, *rest = NULL;
        int argc = 0;

        strcpy(copy, line);
        for (char *w = strtok_r(copy, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
                argv[argc++] = w;
        argv[argc] = NULL;
        return options_parse(o, argc, argv, e);
}

static void expect_refused(const char *line, const char *message)
{
        struct error e = ERROR_INIT;
        struct options o;

        assert_int_equal(parse(&o, line, &e), -1);
        assert_string_equal(e.message, message);
}

static struct options expect_parsed(const char *line, const char *command)
{
        struct error e = ERROR_INIT;
        struct options o;

        assert_int_equal(parse(&o, line, &e), 0);
        assert_string_equal(o.command->name, command);
        return o;
}

static void test_options(void **state)
{
        struct options o = expect_parsed("ctl shop wait --lag=0 --timeout 5 --json", "wait");

        (void)state;
        assert_string_equal(o.name, "shop");
        assert_null(o.socket);
        assert_true(o.json);
        assert_int_equal(o.n, 2);
        assert_string_equal(options_argument(&o, "lag"), "0");
        assert_string_equal(options_argument(&o, "timeout"), "5");
        assert_null(options_argument(&o, "state"));
        o = expect_parsed("ctl -s /run/a.sock show config", "show config");
        assert_string_equal(o.socket, "/run/a.sock");
        assert_null(o.name);
        o = expect_parsed("ctl --socket=/b status --check", "status");
        assert_string_equal(o.socket, "/b");
        assert_string_equal(options_argument(&o, "check"), "");
        o = expect_parsed("ctl status -s /late", "status");
        assert_string_equal(o.socket, "/late");
        o = expect_parsed("ctl plan -c /etc/culvert/shop.conf", "plan");
        assert_string_equal(options_argument(&o, "config"), "/etc/culvert/shop.conf");
        o = expect_parsed("ctl cat a.segment --json b/c", "cat");
        assert_int_equal(o.files_n, 2);
        assert_string_equal(o.files[0], "a.segment");
        assert_string_equal(o.files[1], "b/c");
        o = expect_parsed("ctl shop quarantine retry 3 --table a.b 5", "quarantine retry");
        assert_int_equal(o.files_n, 2);
        assert_string_equal(o.files[1], "5");
        assert_string_equal(options_argument(&o, "table"), "a.b");
        o = expect_parsed("ctl wait --help", "wait");
        assert_true(o.help);
}

/* INTERFACE's commands that are still to come: known by name, whatever follows. */
static void test_unbuilt(void **state)
{
        static const char *const names[] = {"throttle", "report"};

        (void)state;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                char line[64];
                struct options o;

                snprintf(line, sizeof line, "ctl shop %s start --sample 5", names[i]);
                o = expect_parsed(line, names[i]);
                assert_int_equal(o.command->kind, COMMAND_UNBUILT);
                assert_false(o.help);
        }
        assert_true(expect_parsed("ctl report start --help", "report").help);
}

static void test_refused(void **state)
{
        (void)state;
        expect_refused("ctl", "a command is missing");
        expect_refused("ctl Frob", "there is no command 'Frob'");
        expect_refused("ctl shop frob", "there is no command 'frob'");
        expect_refused(
                "ctl statu", "there is no command 'statu', or none after that name of a pipeline");
        expect_refused("ctl show", "there is no command 'show', or none after that name of a "
                                   "pipeline");
        expect_refused("ctl status now", "status does not take 'now'");
        expect_refused("ctl quarantine",
                "there is no command 'quarantine', or none after that name of a "
                "pipeline");
        expect_refused("ctl quarantine list 7", "quarantine list does not take '7'");
        expect_refused("ctl cat", "cat needs a FILE");
        expect_refused("ctl status --frob", "status has no option '--frob'");
        expect_refused("ctl status --lag 1", "status has no option '--lag'");
        expect_refused("ctl --lag 1 wait", "culvertctl has no option '--lag'");
        expect_refused("ctl wait", "wait needs --state or --lag");
        expect_refused("ctl shop wait --timeout 5 --json", "wait needs --state or --lag");
        expect_refused("ctl wait --lag", "--lag takes SECONDS");
        expect_refused("ctl wait --lag 1 --lag 2", "--lag is given twice");
        expect_refused("ctl status --check=yes", "--check takes no value");
        expect_refused("ctl status -s", "-s takes the path of a socket");
        expect_refused("ctl shop status -s /a", "give a NAME or -s SOCKET, not both");
        expect_refused("ctl plan", "plan needs -c FILE");
}

static void expect_safe(const char *from, bool lines, const char *to)
{
        AUTO_BUF out = BUF_INIT;

        text_safe(&out, from, lines);
        assert_string_equal(buf_text(&out), to);
}

static void test_safe(void **state)
{
        (void)state;
        expect_safe("plain \xc3\xa9 \xf0\x9f\x98\x80", false, "plain \xc3\xa9 \xf0\x9f\x98\x80");
        expect_safe("\033]0;title\007\r\b\t", false, "?]0;title????");
        expect_safe("\x7f\xc2\x9b"
                    "2J\xc2\xa9",
                false, "??2J\xc2\xa9"); /* DEL, C1's CSI */
        expect_safe("\x9b"
                    "2J",
                false, "?2J"); /* CSI outside UTF-8 */
        expect_safe("a\nb", false, "a?b");
        expect_safe("a\nb\033", true, "a\nb?");
}

static void expect_text(void (*add)(struct buf *out, double v), double v, const char *text)
{
        AUTO_BUF out = BUF_INIT;

        add(&out, v);
        assert_string_equal(buf_text(&out), text);
}

static void test_text(void **state)
{
        AUTO_BUF out = BUF_INIT;

        (void)state;
        expect_text(text_bytes, 0, "0 B");
        expect_text(text_bytes, 1023, "1023 B");
        expect_text(text_bytes, 1536, "1.5 KiB");
        expect_text(text_bytes, 5e18, "4440.9 PiB");
        expect_text(text_duration, 0.44, "0.4 s");
        expect_text(text_duration, 185, "3 min 5 s");
        expect_text(text_duration, 7800, "2 h 10 min");
        expect_text(text_duration, 360000, "4 d 4 h");
        text_bar(&out, 0.5, 4);
        text_bar(&out, 7, 2);
        text_bar(&out, -1, 2);
        assert_string_equal(out.data, "[##--][##][--]");
        assert_int_equal(text_fit("\xc3\xa9\xc3\xa9z", 2), 4);
        assert_int_equal(text_fit("ab\ncd", 10), 2);
}

static const char status_text[] =
        "{\"pipeline\":\"shop\",\"state\":\"streaming\",\"phase\":\"streaming\",\"error\":null,"
        "\"source\":{\"kind\":\"postgresql\",\"connected\":true,\"position\":\"16/B374D848\","
        "\"acknowledged\":\"16/B3740000\",\"server_version\":\"15.20\"},"
        "\"target\":{\"kind\":\"postgresql\",\"connected\":false,\"position\":null,"
        "\"acknowledged\":null,\"server_version\":null},"
        "\"lag\":{\"bytes\":1536,\"seconds\":0.4,\"transactions\":3},"
        "\"queue\":{\"memory_bytes\":2048,\"disk_bytes\":0,\"transactions\":3,"
        "\"acknowledge\":\"auto\"},"
        "\"applied\":{\"transactions\":10,\"rows\":20,\"rows_per_second\":5.5},"
        "\"snapshot\":{\"mode\":\"bulk\",\"tables_done\":5,\"tables_total\":5,\"rows_done\":300000,"
        "\"rows_estimated\":299000,\"eta_seconds\":null},"
        "\"verify\":{\"state\":\"idle\",\"differences\":0},\"quarantined\":0,"
        "\"retention\":{\"bytes_held_at_source\":1048576,\"hours_left\":36},"
        "\"check\":{\"level\":\"ok\",\"reason\":null},\"next\":\"culvertctl shop verify start\"}";

static void test_status(void **state)
{
        cJSON *body = cJSON_Parse(status_text);
        AUTO_BUF out = BUF_INIT;

        (void)state;
        assert_non_null(body);
        render_status(&out, body);
        assert_string_equal(out.data,
                "shop  streaming  lag 0.4 s  OK\n"
                "source     postgresql 15.20  connected  position 16/B374D848  acknowledged "
                "16/B3740000\n"
                "target     postgresql  NOT CONNECTED  position unknown  durable unknown\n"
                "copy       bulk  done: 5 of 5 tables, 300000 rows\n"
                "lag        0.4 s, 1.5 KiB, 3 transactions\n"
                "queue      memory 2.0 KiB, disk 0 B, 3 transactions, acknowledge auto\n"
                "applied    10 transactions, 20 rows, 6 rows/s\n"
                "retention  1.0 MiB held at the source, 1 d 12 h until its limit\n"
                "verify     idle, 0 differences, 0 changes in quarantine\n"
                "next       culvertctl shop verify start\n");
        buf_clear(&out);
        assert_int_equal(render_check(&out, body), 0);
        assert_string_equal(out.data, "OK: shop streaming, lag 0.4 s\n");
        cJSON_Delete(body);
}

/* A daemon of another version, or one that lies, is shown as unknown and breaks nothing. */
static void test_strange_answers(void **state)
{
        static const char *const texts[] = {"{}", "[]", "null", "7", "{\"lag\":7,\"error\":[]}",
                "{\"tables\":[{},7,null],\"keys\":[7,{}],\"snapshot\":{\"rows_done\":\"x\"}}"};
        void (*const renders[])(struct buf * out, const cJSON *body) = {render_status,
                render_watch_line, render_tables, render_reload, render_state, render_wait,
                render_text, render_progress};

        (void)state;
        for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
                cJSON *body = i ? cJSON_Parse(texts[i - 1]) : NULL;
                AUTO_BUF out = BUF_INIT;

                for (size_t k = 0; k < sizeof renders / sizeof *renders; k++)
                        renders[k](&out, body);
                assert_int_equal(render_check(&out, body), 2);
                cJSON_Delete(body);
        }
}

static void test_reload(void **state)
{
        cJSON *body = cJSON_Parse("{\"keys\":[{\"key\":\"apply.lanes\",\"result\":\"needs "
                                  "restart\",\"reason\":null},{\"key\":\"line 7\","
                                  "\"result\":\"refused\",\"reason\":\"no such\\u001b key\"}]}");
        AUTO_BUF out = BUF_INIT;

        (void)state;
        render_reload(&out, body);
        assert_string_equal(
                out.data, "apply.lanes: needs restart\nline 7: refused: no such? key\n");
        cJSON_Delete(body);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_options),
                cmocka_unit_test(test_unbuilt),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_safe),
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_strange_answers),
                cmocka_unit_test(test_reload),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
