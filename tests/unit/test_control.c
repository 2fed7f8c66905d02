/* The control socket on a real loop with a fake handler, and clients that behave badly. */
#include "base/loop.h"
#include "base/memory.h"
#include "ops/control.h"
#include "ops/control_limits.h"
#include "ops/control_wire.h"

#include "control.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENT_LIMIT (10 * SECOND) /* of a test that goes wrong */

static struct {
        struct loop *loop;
        struct control *control;
        char folder[64], path[96];
        struct control_call *held;
        int gone;
        unsigned handled;
} t;

static void on_gone(void *context)
{
        (void)context;
        t.held = NULL;
        t.gone++;
}

/* "echo" answers its argument; "hold" keeps the call; "big" answers so many bytes; "no" refuses. */
static void handle(void *context, struct control_call *call)
{
        const char *command = control_call_command(call);
        cJSON *body = cJSON_CreateObject();

        assert_ptr_equal(context, &t);
        t.handled++;
        if (!strcmp(command, "echo")) {
                cJSON_AddStringToObject(body, "text", control_call_argument(call, "text"));
        } else if (!strcmp(command, "big")) {
                size_t size = (size_t)atol(control_call_argument(call, "size"));
                AUTO_STRING text = memory_new(size + 1);

                memset(text, 'x', size);
                cJSON_AddStringToObject(body, "text", text);
        } else {
                cJSON_Delete(body);
                if (!strcmp(command, "hold")) {
                        t.held = call;
                        control_call_on_gone(call, on_gone, NULL);
                } else {
                        control_call_refuse(call, CONTROL_REFUSED, "no: '%s'", command);
                }
                return;
        }
        control_call_answer(call, CONTROL_DONE, body);
}

static int setup(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        memset(&t, 0, sizeof t);
        strcpy(t.folder, "/tmp/culvert-control-XXXXXX");
        assert_non_null(mkdtemp(t.folder));
        snprintf(t.path, sizeof t.path, "%s/shop.sock", t.folder);
        t.loop = loop_new(&e);
        assert_non_null(t.loop);
        t.control = control_new(t.loop, t.path, handle, &t, &e);
        assert_string_equal(e.message, "");
        assert_non_null(t.control);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        t.control = control_free(t.control);
        t.loop = loop_free(t.loop);
        assert_int_equal(access(t.path, F_OK), -1); /* the socket's file went with it */
        assert_int_equal(rmdir(t.folder), 0);
        return 0;
}

static void set_limits(unsigned connections, int64_t half, int64_t idle, int64_t stuck)
{
        struct control_limits limits = {connections, half, idle, stuck};

        control_set_limits(t.control, &limits);
}

static int client(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strcpy(address.sun_path, t.path);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        return fd;
}

static void nothing(void *context)
{
        (void)context;
}

/* One round that ends soon even when nothing happens. */
static void turn(void)
{
        struct timer timer;

        timer_init(&timer, t.loop, nothing, NULL);
        timer_set(&timer, 5 * MILLISECOND);
        loop_run_once(t.loop);
        timer_cancel(&timer);
}

#define turn_until(condition)                                                                      \
        do {                                                                                       \
                int64_t end = loop_now(t.loop) + CLIENT_LIMIT;                                     \
                while (!(condition)) {                                                             \
                        assert_true(loop_now(t.loop) < end);                                       \
                        turn();                                                                    \
                }                                                                                  \
        } while (0)

static void put(int fd, const void *data, size_t len)
{
        assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void put_request(
        int fd, uint32_t version, const char *command, const char *name, const char *value)
{
        struct control_argument a = {name, value};
        AUTO_BUF out = BUF_INIT;
        struct error e = ERROR_INIT;

        assert_int_equal(control_write_request(&out, version, command, &a, name ? 1 : 0, &e), 0);
        put(fd, out.data, out.len);
}

/* 1: a byte more; 0: closed; never blocks longer than the test's limit. */
static int get_some(int fd, struct buf *in)
{
        int64_t end = loop_now(t.loop) + CLIENT_LIMIT;
        char chunk[65536];

        while (loop_now(t.loop) < end) {
                ssize_t n = recv(fd, chunk, sizeof chunk, 0);

                if (n > 0) {
                        buf_add(in, chunk, (size_t)n);
                        return 1;
                }
                if (n == 0 || errno != EAGAIN)
                        return 0;
                turn();
        }
        fail_msg("the daemon neither answers nor closes");
        return 0;
}

/* The next reply; the bytes after it stay in `in`. */
static control_reply *get(int fd, struct buf *in)
{
        struct error e = ERROR_INIT;
        control_reply *r;
        uint32_t len;

        while (control_frame(in->data, in->len, CONTROL_REPLY_MAX, &len, &e) == 0)
                assert_int_equal(get_some(fd, in), 1);
        r = control_parse_reply(in->data + CONTROL_HEADER, len, &e);
        assert_non_null(r);
        in->len -= CONTROL_HEADER + len;
        memmove(in->data, in->data + CONTROL_HEADER + len, in->len);
        return r;
}

static void expect_body(int fd, struct buf *in, const char *body)
{
        control_reply *r = get(fd, in);

        assert_int_equal(r->code, CONTROL_DONE);
        assert_null(r->error);
        assert_string_equal(r->body, body);
        control_reply_free(r);
}

static void expect_error(int fd, unsigned code, const char *part)
{
        AUTO_BUF in = BUF_INIT;
        control_reply *r = get(fd, &in);

        assert_int_equal(r->code, code);
        assert_null(r->body);
        assert_non_null(strstr(r->error, part));
        control_reply_free(r);
}

static void expect_closed(int fd)
{
        AUTO_BUF in = BUF_INIT;

        while (get_some(fd, &in))
                ;
        assert_int_equal(in.len, 0);
        close(fd);
}

/* Whatever others did: this one is served. */
static void expect_served(void)
{
        AUTO_BUF in = BUF_INIT;
        int fd = client();

        put_request(fd, CONTROL_VERSION, "echo", "text", "good");
        expect_body(fd, &in, "{\"text\":\"good\"}");
        close(fd);
        turn_until(control_connections(t.control) == 0);
}

static void test_call(void **state)
{
        AUTO_BUF in = BUF_INIT;
        struct stat st;
        int fd = client();

        (void)state;
        assert_int_equal(stat(t.path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0660);
        put_request(fd, CONTROL_VERSION, "echo", "text", "one");
        expect_body(fd, &in, "{\"text\":\"one\"}");
        put_request(fd, CONTROL_VERSION, "echo", "text", "two");
        expect_body(fd, &in, "{\"text\":\"two\"}");
        put_request(fd, CONTROL_VERSION, "frob", NULL, NULL);
        expect_error(fd, CONTROL_REFUSED, "no: 'frob'");
        close(fd);
        turn_until(control_connections(t.control) == 0);
}

/* Requests that are sent without waiting are answered one by one, in order. */
static void test_pipelined(void **state)
{
        AUTO_BUF in = BUF_INIT;
        int fd = client();

        (void)state;
        for (int i = 0; i < 50; i++) {
                char text[16];

                snprintf(text, sizeof text, "%d", i);
                put_request(fd, CONTROL_VERSION, "echo", "text", text);
        }
        for (int i = 0; i < 50; i++) {
                char body[32];

                snprintf(body, sizeof body, "{\"text\":\"%d\"}", i);
                expect_body(fd, &in, body);
        }
        close(fd);
}

/* A client that closes its sending side still gets its answer. */
static void test_half_closed(void **state)
{
        AUTO_BUF in = BUF_INIT;
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "echo", "text", "bye");
        shutdown(fd, SHUT_WR);
        expect_body(fd, &in, "{\"text\":\"bye\"}");
        expect_closed(fd);
}

static void test_byte_by_byte(void **state)
{
        struct control_argument a = {"text", "slow"};
        AUTO_BUF out = BUF_INIT, in = BUF_INIT;
        struct error e = ERROR_INIT;
        int fd = client();

        (void)state;
        assert_int_equal(control_write_request(&out, CONTROL_VERSION, "echo", &a, 1, &e), 0);
        for (size_t i = 0; i < out.len; i++) {
                assert_int_equal(t.handled, 0);
                put(fd, out.data + i, 1);
                turn();
        }
        expect_body(fd, &in, "{\"text\":\"slow\"}");
        close(fd);
}

/* What version 1 has sent, byte by byte: read for ever. */
static void test_version_1_stays_readable(void **state)
{
        static const char asked[] = "\0\0\0\x1a\x08\x01\x12\x04wait\x1a\x08\x0a\x03lag\x12\x01"
                                    "0\x1a\x06\x0a\x04json";
        static const char told[] = "\0\0\0\x14\x08\x01\x10\x04\x1a\x05"
                                   "later\"\x07{\"a\":1}";
        struct error e = ERROR_INIT;
        AUTO_BUF out = BUF_INIT;
        const struct control_argument arguments[] = {{"lag", "0"}, {"json", NULL}};
        control_request *request = control_parse_request(
                asked + CONTROL_HEADER, sizeof asked - 1 - CONTROL_HEADER, &e);
        control_reply *reply;

        (void)state;
        assert_non_null(request);
        assert_string_equal(request->command, "wait");
        assert_int_equal(request->n_arguments, 2);
        assert_string_equal(request->arguments[0]->value, "0");
        assert_null(request->arguments[1]->value);
        control_request_free(request);
        assert_int_equal(control_write_request(&out, 1, "wait", arguments, 2, &e), 0);
        assert_int_equal(out.len, sizeof asked - 1);
        assert_memory_equal(out.data, asked, out.len);
        buf_clear(&out);
        assert_int_equal(control_write_reply(&out, 4, "later", "{\"a\":1}", false, &e), 0);
        reply = control_parse_reply(told + CONTROL_HEADER, sizeof told - 1 - CONTROL_HEADER, &e);
        assert_non_null(reply);
        assert_int_equal(reply->code, 4);
        assert_string_equal(reply->error, "later");
        assert_string_equal(reply->body, "{\"a\":1}");
        control_reply_free(reply);
        assert_int_equal(out.len, sizeof told - 1);
        assert_memory_equal(out.data, told, out.len);
}

static void test_other_version(void **state)
{
        int fd = client();

        (void)state;
        put_request(fd, 77, "echo", "text", "x");
        expect_error(fd, CONTROL_FAILED,
                "speaks version 1 of the control protocol, the client version 77");
        expect_closed(fd);
        assert_int_equal(t.handled, 0);
        expect_served();
}

static void test_garbage(void **state)
{
        static const char garbage[] = "\0\0\0\x08GET / HT";
        int fd = client();

        (void)state;
        put(fd, garbage, 12);
        expect_error(fd, CONTROL_FAILED, "not a message of culvert's control protocol");
        expect_closed(fd);
        fd = client();
        put(fd, "\0\0\0\0", 4); /* an empty message lacks its version */
        expect_error(fd, CONTROL_FAILED, "not a message");
        expect_closed(fd);
        assert_int_equal(t.handled, 0);
        expect_served();
}

static void test_oversize(void **state)
{
        int fd = client();

        (void)state;
        put(fd, "\0\1\0\1", 4); /* 65537: refused from its length alone */
        expect_error(fd, CONTROL_FAILED, "message of 65537 bytes; at most 65536 are taken");
        expect_closed(fd);
        fd = client();
        put(fd, "GET / HTTP/1.0\r\n", 16);
        expect_error(fd, CONTROL_FAILED, "at most 65536");
        expect_closed(fd);
        expect_served();
}

static void test_largest(void **state)
{
        AUTO_STRING value = memory_new(CONTROL_REQUEST_MAX);
        AUTO_BUF in = BUF_INIT;
        control_reply *r;
        int fd = client();

        (void)state;
        memset(value, 'v', CONTROL_REQUEST_MAX - 100);
        put_request(fd, CONTROL_VERSION, "echo", "text", value);
        r = get(fd, &in);
        assert_int_equal(strlen(r->body), strlen(value) + strlen("{\"text\":\"\"}"));
        control_reply_free(r);
        close(fd);
}

/* More than one buffer full of whole requests, sent at once. */
static void test_pipelined_largest(void **state)
{
        struct control_argument a = {"text", NULL};
        AUTO_STRING value = memory_new(CONTROL_REQUEST_MAX);
        AUTO_BUF out = BUF_INIT, in = BUF_INIT;
        struct error e = ERROR_INIT;
        int fd = client();

        (void)state;
        memset(value, 'v', CONTROL_REQUEST_MAX - 100);
        a.value = value;
        for (int i = 0; i < 3; i++)
                assert_int_equal(
                        control_write_request(&out, CONTROL_VERSION, "echo", &a, 1, &e), 0);
        for (size_t sent = 0; sent < out.len;) {
                ssize_t n = send(fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);

                assert_true(n > 0 || errno == EAGAIN);
                sent += n > 0 ? (size_t)n : 0;
                turn();
        }
        for (int i = 0; i < 3; i++) {
                control_reply *r = get(fd, &in);

                assert_int_equal(strlen(r->body), strlen(value) + strlen("{\"text\":\"\"}"));
                control_reply_free(r);
        }
        close(fd);
}

static void test_half_message(void **state)
{
        int64_t begin;
        int fd;

        (void)state;
        set_limits(64, 50 * MILLISECOND, 60 * SECOND, 60 * SECOND);
        fd = client();
        put(fd, "\0\0", 2);
        begin = loop_now(t.loop);
        expect_error(fd, CONTROL_FAILED, "did not end in time");
        assert_true(loop_now(t.loop) - begin >= 50 * MILLISECOND);
        expect_closed(fd);
        expect_served();
}

/* More bytes of one message buy no more time. */
static void test_trickle(void **state)
{
        char byte = 0;
        int64_t begin;
        int fd;

        (void)state;
        set_limits(64, 100 * MILLISECOND, 60 * SECOND, 60 * SECOND);
        fd = client();
        put(fd, "\0\0\xff\0", 4);
        begin = loop_now(t.loop);
        turn_until(control_connections(t.control) == 1);
        while (send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && control_connections(t.control) == 1) {
                assert_true(loop_now(t.loop) - begin < CLIENT_LIMIT);
                turn();
        }
        assert_true(loop_now(t.loop) - begin < 2 * SECOND);
        close(fd);
        expect_served();
}

static void test_silent(void **state)
{
        int fd;

        (void)state;
        set_limits(64, 60 * SECOND, 50 * MILLISECOND, 60 * SECOND);
        fd = client();
        expect_closed(fd);
        set_limits(64, 60 * SECOND, 60 * SECOND, 60 * SECOND);
        expect_served();
}

static void test_never_reads(void **state)
{
        int fd;

        (void)state;
        set_limits(64, 60 * SECOND, 60 * SECOND, 50 * MILLISECOND);
        fd = client();
        put_request(fd, CONTROL_VERSION, "big", "size", "8000000");
        turn_until(t.handled == 1);
        turn_until(control_connections(t.control) == 0);
        close(fd);
        expect_served();
}

/* Slow is not stuck: as long as something is read, the answer goes on. */
static void test_reads_slowly(void **state)
{
        AUTO_BUF in = BUF_INIT;
        control_reply *r;
        int fd;

        (void)state;
        set_limits(64, 60 * SECOND, 60 * SECOND, 100 * MILLISECOND);
        fd = client();
        put_request(fd, CONTROL_VERSION, "big", "size", "8000000");
        r = get(fd, &in);
        assert_int_equal(strlen(r->body), 8000000 + strlen("{\"text\":\"\"}"));
        control_reply_free(r);
        close(fd);
}

static void test_answer_too_large(void **state)
{
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "big", "size", "17000000");
        expect_error(fd, CONTROL_FAILED, "at most 16777216 can be sent");
        close(fd);
}

static void test_gone_before_answer(void **state)
{
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "hold", NULL, NULL);
        turn_until(t.held);
        close(fd);
        turn_until(t.gone == 1);
        assert_null(t.held);
        turn_until(control_connections(t.control) == 0);
        expect_served();
        assert_int_equal(t.gone, 1);
}

static void test_late_answer(void **state)
{
        AUTO_BUF in = BUF_INIT;
        cJSON *body = cJSON_CreateObject();
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "hold", NULL, NULL);
        put_request(fd, CONTROL_VERSION, "echo", "text", "after");
        turn_until(t.held);
        for (int i = 0; i < 3; i++)
                turn();
        assert_int_equal(t.handled, 1); /* one at a time */
        cJSON_AddNumberToObject(body, "n", 1);
        control_call_answer(t.held, CONTROL_DONE, body);
        expect_body(fd, &in, "{\"n\":1}");
        expect_body(fd, &in, "{\"text\":\"after\"}");
        close(fd);
        turn_until(control_connections(t.control) == 0);
        assert_int_equal(t.gone, 0);
}

static void test_sends_on_during_call(void **state)
{
        AUTO_STRING rubbish = memory_new(CONTROL_REQUEST_MAX * 2);
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "hold", NULL, NULL);
        turn_until(t.held);
        for (size_t sent = 0; sent < CONTROL_REQUEST_MAX * 2 && t.gone == 0;) {
                ssize_t n = send(fd, rubbish, CONTROL_REQUEST_MAX * 2 - sent, MSG_NOSIGNAL);

                if (n > 0)
                        sent += (size_t)n;
                turn();
        }
        turn_until(t.gone == 1);
        close(fd);
        expect_served();
}

static cJSON *numbered(int n)
{
        cJSON *body = cJSON_CreateObject();

        cJSON_AddNumberToObject(body, "n", n);
        return body;
}

/* While the client is behind, messages are left out, not piled up; then newer ones come. */
static void test_progress(void **state)
{
        AUTO_BUF in = BUF_INIT;
        control_reply *r;
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "hold", NULL, NULL);
        turn_until(t.held);
        control_call_progress(t.held, numbered(1));
        control_call_progress(t.held, numbered(2)); /* the first is not sent yet */
        r = get(fd, &in);
        assert_string_equal(r->body, "{\"n\":1}");
        assert_true(r->more);
        assert_false(r->has_code);
        control_reply_free(r);
        for (int i = 3; i < 1000; i++)
                control_call_progress(t.held, numbered(i));
        r = get(fd, &in);
        assert_string_equal(r->body, "{\"n\":3}");
        control_reply_free(r);
        control_call_answer(t.held, CONTROL_DONE, numbered(4));
        r = get(fd, &in);
        assert_string_equal(r->body, "{\"n\":4}");
        assert_false(r->more);
        control_reply_free(r);
        close(fd);
}

/* Those who wait for nothing make room; those with a call in flight stay. */
static void test_many_idle(void **state)
{
        int fds[12], busy;

        (void)state;
        set_limits(4, 60 * SECOND, 60 * SECOND, 60 * SECOND);
        busy = client();
        put_request(busy, CONTROL_VERSION, "hold", NULL, NULL);
        turn_until(t.held);
        for (int i = 0; i < 12; i++)
                fds[i] = client();
        turn_until(control_connections(t.control) == 4);
        for (int i = 0; i < 9; i++)
                expect_closed(fds[i]);
        assert_int_equal(t.gone, 0);
        for (int i = 9; i < 12; i++)
                close(fds[i]);
        close(busy);
        turn_until(control_connections(t.control) == 0);
        expect_served();
}

static void test_many_busy(void **state)
{
        int fds[2], more;

        (void)state;
        set_limits(2, 60 * SECOND, 60 * SECOND, 60 * SECOND);
        for (int i = 0; i < 2; i++) {
                fds[i] = client();
                put_request(fds[i], CONTROL_VERSION, "hold", NULL, NULL);
                turn_until(t.handled == (unsigned)i + 1);
        }
        more = client();
        expect_error(more, CONTROL_FAILED, "too many connections");
        expect_closed(more);
        close(fds[0]);
        close(fds[1]);
        turn_until(t.gone == 2);
        expect_served();
}

/* The answer to `stop` reaches its client although the loop ends at once. */
static void test_free_sends_rest(void **state)
{
        AUTO_BUF in = BUF_INIT;
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "hold", NULL, NULL);
        turn_until(t.held);
        control_call_answer(t.held, CONTROL_DONE, numbered(9));
        t.control = control_free(t.control);
        expect_body(fd, &in, "{\"n\":9}");
        expect_closed(fd);
}

static void test_free_tells_owner(void **state)
{
        int fd = client();

        (void)state;
        put_request(fd, CONTROL_VERSION, "hold", NULL, NULL);
        turn_until(t.held);
        t.control = control_free(t.control);
        assert_int_equal(t.gone, 1);
        expect_closed(fd);
}

static void test_living_daemon(void **state)
{
        struct error e = ERROR_INIT;

        (void)state;
        assert_null(control_new(t.loop, t.path, handle, &t, &e));
        assert_non_null(strstr(e.message, "another daemon answers there"));
        assert_int_equal(access(t.path, F_OK), 0);
        turn_until(control_connections(t.control) == 0);
        expect_served();
}

/* What kill -9 leaves: a socket's file that nobody listens to. */
static void test_stale_file(void **state)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct error e = ERROR_INIT;
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        (void)state;
        t.control = control_free(t.control);
        strcpy(address.sun_path, t.path);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        close(fd);
        t.control = control_new(t.loop, t.path, handle, &t, &e);
        assert_non_null(t.control);
        expect_served();
}

static void test_not_a_socket(void **state)
{
        struct error e = ERROR_INIT;
        char path[256];
        FILE *f;

        (void)state;
        snprintf(path, sizeof path, "%s/file", t.folder);
        f = fopen(path, "w");
        fclose(f);
        assert_null(control_new(t.loop, path, handle, &t, &e));
        assert_non_null(strstr(e.message, "there is another file"));
        assert_int_equal(unlink(path), 0); /* still there */
        memset(path, 'p', 200);
        path[200] = '\0';
        assert_null(control_new(t.loop, path, handle, &t, &e));
        assert_non_null(strstr(e.message, "200 bytes"));
}

/* A file that another daemon has put there meanwhile is not ours to remove. */
static void test_file_of_another(void **state)
{
        struct error e = ERROR_INIT;
        struct control *first = t.control;

        (void)state;
        assert_int_equal(unlink(t.path), 0);
        t.control = control_new(t.loop, t.path, handle, &t, &e);
        assert_non_null(t.control);
        control_free(first);
        expect_served();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_call),
                TEST(test_pipelined),
                TEST(test_half_closed),
                TEST(test_byte_by_byte),
                TEST(test_version_1_stays_readable),
                TEST(test_other_version),
                TEST(test_garbage),
                TEST(test_oversize),
                TEST(test_largest),
                TEST(test_pipelined_largest),
                TEST(test_half_message),
                TEST(test_trickle),
                TEST(test_silent),
                TEST(test_never_reads),
                TEST(test_reads_slowly),
                TEST(test_answer_too_large),
                TEST(test_gone_before_answer),
                TEST(test_late_answer),
                TEST(test_sends_on_during_call),
                TEST(test_progress),
                TEST(test_many_idle),
                TEST(test_many_busy),
                TEST(test_free_sends_rest),
                TEST(test_free_tells_owner),
                TEST(test_living_daemon),
                TEST(test_stale_file),
                TEST(test_not_a_socket),
                TEST(test_file_of_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
