/* The spool with its thread, on a real loop and a real disk that can be held up and made to fail.
 */
#include "base/memory.h"
#include "spool/spool.h"
#include "tests/support/pieces.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define AT(n) ((struct position){.lsn = (n)})
#define SOURCE "42/1/slot"

/* The system's disk, whose syncs wait while `held`, and fail with `sync_errno`. */
struct gate {
        struct disk disk; /* first */
        struct disk_ops ops;
        pthread_mutex_t lock;
        pthread_cond_t opened;
        bool held;
        atomic_int sync_errno, write_errno;
};

static int gate_sync(struct disk *d, int fd)
{
        struct gate *g = (struct gate *)d;

        pthread_mutex_lock(&g->lock);
        while (g->held)
                pthread_cond_wait(&g->opened, &g->lock);
        pthread_mutex_unlock(&g->lock);
        errno = atomic_load(&g->sync_errno);
        return errno ? -1 : disk_real()->ops->sync(d, fd);
}

static int gate_write(struct disk *d, int fd, const void *from, size_t len, uint64_t at)
{
        errno = atomic_load(&((struct gate *)d)->write_errno);
        return errno ? -1 : disk_real()->ops->write(d, fd, from, len, at);
}

static void hold(struct gate *g, bool held)
{
        pthread_mutex_lock(&g->lock);
        g->held = held;
        pthread_cond_broadcast(&g->opened);
        pthread_mutex_unlock(&g->lock);
}

struct world {
        struct gate gate;
        char folder[80], top[64];
        struct loop *loop;
        struct spool *spool;
        struct relation *table;
        bool opened, any;
        struct recovered found; /* without texts that it owns */
        struct position durable;
        unsigned durables, readables, rooms, failures;
        struct error failed;
};

static void opened(void *context, const struct recovered *found)
{
        struct world *w = context;

        w->opened = true;
        w->found = *found;
        w->found.gtids = NULL;
}

static void durable(void *context, struct position p)
{
        struct world *w = context;

        assert_true(position_compare(p, w->durable) > 0);
        w->durable = p;
        w->durables++;
}

static void readable(void *context)
{
        ((struct world *)context)->readables++;
}

static void room(void *context)
{
        ((struct world *)context)->rooms++;
}

static void failed(void *context, const struct error *e)
{
        struct world *w = context;

        w->failures++;
        w->failed = *e;
}

static const struct spool_events events = {opened, durable, readable, room, failed};

static void open_spool(struct world *w, uint64_t memory)
{
        struct spool_setup setup = {.disk = &w->gate.disk,
                .folder = w->folder,
                .pipeline = "shop",
                .frame_bytes = 4096,
                .segment_bytes = 3000,
                .sync_bytes = 1 << 20,
                .sync_delay = 2 * MILLISECOND,
                .memory = memory};

        w->opened = false;
        w->spool = spool_open(w->loop, &setup, &events, w);
        while (!w->opened && !w->failures)
                loop_run_once(w->loop);
}

static void begin(struct world *w, bool fresh, uint64_t at)
{
        struct spool_begin b = {.source = SOURCE, .fresh = fresh, .position = AT(at), .gtids = "g"};

        w->durable = POSITION_NONE;
        spool_begin(w->spool, &b);
}

static int set_up(void **state)
{
        struct world *w = memory_new_of(struct world);
        const char *top = getenv("TMPDIR");
        struct error e = ERROR_INIT;

        snprintf(w->top, sizeof w->top, "%.40s/spool-XXXXXX", top ? top : "/tmp");
        if (!mkdtemp(w->top))
                return -1;
        snprintf(w->folder, sizeof w->folder, "%s/queue", w->top);
        w->gate.ops = *disk_real()->ops;
        w->gate.ops.sync = gate_sync;
        w->gate.ops.write = gate_write;
        w->gate.disk.ops = &w->gate.ops;
        pthread_mutex_init(&w->gate.lock, NULL);
        pthread_cond_init(&w->gate.opened, NULL);
        w->loop = loop_new(&e);
        w->table = piece_table("t");
        *state = w;
        return 0;
}

static int tear_down(void **state)
{
        struct world *w = *state;
        AUTO_STRING command = memory_printf("rm -rf '%s'", w->top);

        hold(&w->gate, false);
        spool_close(w->spool);
        loop_free(w->loop);
        assert_int_equal(w->table->references, 1); /* all pieces were freed */
        relation_unref(w->table);
        pthread_mutex_destroy(&w->gate.lock);
        pthread_cond_destroy(&w->gate.opened);
        free(w);
        return system(command);
}

static void push(struct world *w, uint64_t end)
{
        struct txn *t = piece_whole(w->table, end, 3, 100);

        while (spool_push(w->spool, &t) == SPOOL_FULL) {
                unsigned rooms = w->rooms;

                while (w->rooms == rooms)
                        loop_run_once(w->loop);
        }
        assert_null(t);
}

static void wait_durable(struct world *w, uint64_t p)
{
        while (w->durable.lsn < p && !w->failures)
                loop_run_once(w->loop);
        assert_string_equal(w->failed.message, "");
}

/* The next transaction, waited for if need be. */
static void expect(struct world *w, uint64_t end)
{
        struct segment_read got;
        struct error e = ERROR_INIT;
        int rc;

        while ((rc = spool_read(w->spool, &got, &e)) != SEGMENT_PIECE) {
                unsigned readables = w->readables;

                if (rc < 0 || rc > SEGMENT_WORKED)
                        fail_msg("%d instead of %d: %s", rc, (int)end, e.message);
                while (rc == SEGMENT_NOTHING && w->readables == readables)
                        loop_run_once(w->loop);
        }
        assert_int_equal(got.piece->end.lsn, end);
        assert_int_equal(got.piece->changes_n, 3);
        txn_free(got.piece);
}

static void test_in_and_out(void **state)
{
        struct world *w = *state;
        struct spool_status s;
        struct stat st;
        uint64_t before;

        open_spool(w, 1 << 20);
        assert_false(w->found.any);
        spool_seek(w->spool, AT(100));
        begin(w, false, 100);
        for (uint64_t end = 200; end <= 100000; end += 100) {
                push(w, end);
                if (end % 1000 == 0)
                        expect(w, 100 + end / 10); /* beside the writing */
        }
        wait_durable(w, 100000);
        spool_status(w->spool, &s);
        assert_int_equal(s.transactions, 899);
        assert_int_equal(s.written.lsn, 100000);
        assert_int_equal(s.durable.lsn, 100000);
        assert_int_equal(s.begin.lsn, 100);
        for (uint64_t end = 10200; end <= 100000; end += 100)
                expect(w, end);
        spool_status(w->spool, &s);
        assert_int_equal(s.transactions, 0);
        before = s.disk_bytes;
        spool_forget(w->spool, AT(50000));
        push(w, 100100);
        wait_durable(w, 100100);
        spool_status(w->spool, &s);
        assert_true(s.disk_bytes < before * 2 / 3);
        assert_true(s.begin.lsn <= 50000 && s.begin.lsn > 40000);
        expect(w, 100100);
        assert_int_equal(stat(w->folder, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_again(void **state)
{
        struct world *w = *state;
        char queue[QUEUE_ID];

        open_spool(w, 1 << 20);
        begin(w, false, 100);
        for (uint64_t end = 200; end <= 20000; end += 100)
                push(w, end);
        spool_passed(w->spool, AT(30000), "g30000");
        wait_durable(w, 30000);
        snprintf(queue, sizeof queue, "%s", spool_queue(w->spool));
        assert_int_equal(strlen(queue), QUEUE_ID - 1);
        w->spool = spool_close(w->spool);

        open_spool(w, 1 << 20);
        assert_true(w->found.any);
        assert_int_equal(w->found.begin.lsn, 100);
        assert_int_equal(w->found.end.lsn, 30000);
        assert_string_equal(w->found.queue, queue);
        assert_string_equal(w->found.source, SOURCE);
        begin(w, false, 0);
        spool_seek(w->spool, AT(15000));
        push(w, 30100);
        expect(w, 15100);
        for (uint64_t end = 15200; end <= 20000; end += 100)
                expect(w, end);
        wait_durable(w, 30100);
        assert_string_equal(spool_queue(w->spool), queue);
        w->spool = spool_close(w->spool);

        open_spool(w, 1 << 20); /* and all is made anew */
        begin(w, true, 70000);
        spool_seek(w->spool, AT(70000));
        push(w, 70100);
        wait_durable(w, 70100);
        assert_string_not_equal(spool_queue(w->spool), queue);
        w->spool = spool_close(w->spool);
        open_spool(w, 1 << 20);
        assert_int_equal(w->found.begin.lsn, 70000);
        assert_int_equal(w->found.end.lsn, 70100);
}

/* What comes after a time without the queue: nothing in between is here. */
static void test_begun_anew(void **state)
{
        struct world *w = *state;
        char queue[QUEUE_ID];
        struct spool_status s;

        open_spool(w, 1 << 20);
        begin(w, false, 100);
        spool_seek(w->spool, AT(100));
        for (uint64_t round = 0; round < 3; round++) {
                uint64_t from = 100 + 50000 * round;

                for (uint64_t end = from + 100; end <= from + 20000; end += 100)
                        push(w, end);
                for (uint64_t end = from + 100; end <= from + 20000; end += 100)
                        expect(w, end);
                wait_durable(w, from + 20000);
                snprintf(queue, sizeof queue, "%s", spool_queue(w->spool));
                begin(w, true, from + 50000);
                spool_seek(w->spool, AT(from + 50000));
        }
        push(w, 160000);
        expect(w, 160000);
        wait_durable(w, 160000);
        assert_string_not_equal(spool_queue(w->spool), queue);
        spool_status(w->spool, &s);
        assert_int_equal(s.begin.lsn, 150100);
        assert_int_equal(s.transactions, 0);
        w->spool = spool_close(w->spool);
        open_spool(w, 1 << 20);
        assert_int_equal(w->found.begin.lsn, 150100);
        assert_int_equal(w->found.end.lsn, 160000);
}

/* Nothing else comes that would fill a frame, and the disk takes its time. */
static void test_read_before_it_is_synced(void **state)
{
        struct world *w = *state;

        open_spool(w, 1 << 20);
        begin(w, false, 100);
        spool_seek(w->spool, AT(100));
        push(w, 200);
        wait_durable(w, 200);
        expect(w, 200);
        hold(&w->gate, true);
        push(w, 300);
        expect(w, 300);
        assert_int_equal(w->durable.lsn, 200);
        hold(&w->gate, false);
        wait_durable(w, 300);
}

static void test_files_are_private(void **state)
{
        struct world *w = *state;
        AUTO_STRING path = NULL;
        struct stat st;

        open_spool(w, 1 << 20);
        begin(w, false, 100);
        push(w, 200);
        wait_durable(w, 200);
        path = memory_printf("%s/0000000000000001.segment", w->folder);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
}

/* A sync that takes for ever holds up neither the loop nor more memory than allowed. */
static void test_slow_disk(void **state)
{
        struct world *w = *state;
        struct txn *t;
        struct spool_status s;
        uint64_t end = 200;

        open_spool(w, 50000);
        begin(w, false, 100);
        push(w, end);
        wait_durable(w, 200);
        hold(&w->gate, true);
        do {
                t = piece_whole(w->table, end += 100, 3, 100);
        } while (spool_push(w->spool, &t) == SPOOL_PUSHED);
        spool_status(w->spool, &s);
        assert_true(s.memory_bytes > 40000 && s.memory_bytes <= 50000);
        assert_int_equal(w->durable.lsn, 200);
        assert_int_equal(w->rooms, 0);
        txn_free(t);
        hold(&w->gate, false);
        while (!w->rooms)
                loop_run_once(w->loop);
        wait_durable(w, end - 100);
        spool_status(w->spool, &s);
        assert_int_equal(s.memory_bytes, 0);
}

static void test_larger_than_memory(void **state)
{
        struct world *w = *state;
        struct txn *t = piece_whole(w->table, 200, 3, 100000);

        open_spool(w, 1000);
        begin(w, false, 100);
        assert_int_equal(spool_push(w->spool, &t), SPOOL_PUSHED);
        wait_durable(w, 200);
        txn_free(t);
}

static void test_failed_sync(void **state)
{
        struct world *w = *state;

        open_spool(w, 1 << 20);
        begin(w, false, 100);
        push(w, 200);
        wait_durable(w, 200);
        atomic_store(&w->gate.sync_errno, EIO);
        push(w, 300);
        while (!w->failures)
                loop_run_once(w->loop);
        assert_non_null(strstr(w->failed.message,
                "queue/0000000000000001.segment: cannot be synced: Input/output error"));
        assert_string_equal(w->failed.code, "");
        atomic_store(&w->gate.sync_errno, 0);
        for (uint64_t end = 400; end < 2000; end += 100)
                push(w, end);
        for (struct spool_status s = {.memory_bytes = 1}; s.memory_bytes > 0;) {
                loop_run_once(w->loop);
                spool_status(w->spool, &s);
        }
        assert_int_equal(w->durable.lsn, 200);
        assert_int_equal(w->failures, 1);
}

static void test_disk_full(void **state)
{
        struct world *w = *state;

        open_spool(w, 1 << 20);
        begin(w, false, 100);
        push(w, 200);
        wait_durable(w, 200);
        atomic_store(&w->gate.write_errno, ENOSPC);
        push(w, 300);
        while (!w->failures)
                loop_run_once(w->loop);
        assert_string_equal(w->failed.code, DISK_FULL_CODE);
        assert_int_equal(w->failed.class, ERROR_RETRY);
        w->spool = spool_close(w->spool);
        atomic_store(&w->gate.write_errno, 0);
        w->failures = 0;
        open_spool(w, 1 << 20);
        assert_int_equal(w->found.end.lsn, 200);
}

static void test_close_at_once(void **state)
{
        struct world *w = *state;

        open_spool(w, 1 << 20);
        begin(w, false, 100);
        for (uint64_t end = 200; end < 20000; end += 100)
                push(w, end);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_in_and_out, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_begun_anew, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_read_before_it_is_synced, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_files_are_private, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_slow_disk, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_larger_than_memory, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_failed_sync, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_disk_full, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_close_at_once, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
