#include "decoders/binlog_ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_packet(struct binlog_ring *r, const char *want)
{
        struct binlog_packet p = {0};
        struct error e = ERROR_INIT;

        assert_int_equal(binlog_ring_take(r, &p, &e), BINLOG_PACKET);
        assert_int_equal(p.len, strlen(want));
        assert_memory_equal(p.data, want, p.len);
        free(p.data);
}

static void assert_nothing(struct binlog_ring *r)
{
        struct binlog_packet p = {0};
        struct error e = ERROR_INIT;

        assert_int_equal(binlog_ring_take(r, &p, &e), BINLOG_NOTHING);
}

static void test_order_and_waking(void **state)
{
        struct binlog_ring *r = binlog_ring_new(100, 3);

        (void)state;
        assert_int_equal(binlog_ring_push(r, "one", 3), BINLOG_PUSHED_WAKE);
        assert_int_equal(binlog_ring_push(r, "two", 3), BINLOG_PUSHED);
        assert_packet(r, "one");
        assert_int_equal(binlog_ring_push(r, "three", 5), BINLOG_PUSHED);
        assert_packet(r, "two");
        assert_packet(r, "three");
        assert_int_equal(binlog_ring_push(r, "four", 4), BINLOG_PUSHED);
        assert_packet(r, "four");
        assert_nothing(r);
        assert_int_equal(binlog_ring_push(r, "five", 4), BINLOG_PUSHED_WAKE);
        binlog_ring_free(r);
}

static void test_end_comes_last_and_stays(void **state)
{
        struct binlog_ring *r = binlog_ring_new(100, 3);
        struct binlog_packet p = {0};
        struct error why = ERROR_INIT, got = ERROR_INIT;

        (void)state;
        error_set(&why, ERROR_DATA, "purged");
        assert_int_equal(binlog_ring_push(r, "one", 3), BINLOG_PUSHED_WAKE);
        assert_int_equal(binlog_ring_end(r, &why), BINLOG_PUSHED);
        assert_packet(r, "one");
        for (unsigned i = 0; i < 2; i++) {
                error_clear(&got);
                assert_int_equal(binlog_ring_take(r, &p, &got), BINLOG_ENDED);
                assert_int_equal(got.class, ERROR_DATA);
                assert_string_equal(got.message, "purged");
        }
        binlog_ring_free(r);
}

static void test_end_wakes(void **state)
{
        struct binlog_ring *r = binlog_ring_new(100, 3);
        struct error why = ERROR_INIT;

        (void)state;
        assert_nothing(r);
        assert_int_equal(binlog_ring_end(r, &why), BINLOG_PUSHED_WAKE);
        binlog_ring_free(r);
}

struct producer {
        struct binlog_ring *ring;
        pthread_t thread;
        unsigned packets;
        size_t size;
        unsigned pushed; /* atomically */
        enum binlog_pushed last;
};

static void *produce(void *context)
{
        struct producer *p = context;
        uint8_t data[64] = {0};

        for (unsigned i = 0; i < p->packets; i++) {
                memcpy(data, &i, sizeof i);
                p->last = binlog_ring_push(p->ring, data, p->size);
                if (p->last == BINLOG_CLOSED)
                        break;
                __atomic_add_fetch(&p->pushed, 1, __ATOMIC_SEQ_CST);
        }
        return NULL;
}

static void start(struct producer *p)
{
        assert_int_equal(pthread_create(&p->thread, NULL, produce, p), 0);
}

/* Waits until the producer has pushed so many, and a little longer. */
static void settle(struct producer *p, unsigned want)
{
        for (unsigned i = 0; i < 5000 && __atomic_load_n(&p->pushed, __ATOMIC_SEQ_CST) < want; i++)
                usleep(1000);
        usleep(20000);
        assert_int_equal(__atomic_load_n(&p->pushed, __ATOMIC_SEQ_CST), want);
}

static void take_one(struct binlog_ring *r, unsigned want)
{
        struct binlog_packet p = {0};
        struct error e = ERROR_INIT;
        unsigned number;

        assert_int_equal(binlog_ring_take(r, &p, &e), BINLOG_PACKET);
        memcpy(&number, p.data, sizeof number);
        assert_int_equal(number, want);
        free(p.data);
}

static void test_waits_for_room(void **state)
{
        struct producer by_bytes = {.packets = 5, .size = 40};
        struct producer by_number = {.packets = 5, .size = 4};
        struct producer *all[] = {&by_bytes, &by_number};

        (void)state;
        by_bytes.ring = binlog_ring_new(100, 10);
        by_number.ring = binlog_ring_new(1000, 2);
        for (unsigned i = 0; i < 2; i++) {
                start(all[i]);
                settle(all[i], 2);
                take_one(all[i]->ring, 0);
                settle(all[i], 3);
                for (unsigned k = 1; k < 5; k++) {
                        settle(all[i], k + 2 < 5 ? k + 2 : 5);
                        take_one(all[i]->ring, k);
                }
                pthread_join(all[i]->thread, NULL);
                assert_nothing(all[i]->ring);
                binlog_ring_free(all[i]->ring);
        }
}

static void test_larger_packet_goes_alone(void **state)
{
        struct producer p = {.packets = 2, .size = 64};

        (void)state;
        p.ring = binlog_ring_new(10, 10);
        start(&p);
        settle(&p, 1);
        take_one(p.ring, 0);
        settle(&p, 2);
        take_one(p.ring, 1);
        pthread_join(p.thread, NULL);
        binlog_ring_free(p.ring);
}

static void test_close_releases_the_producer(void **state)
{
        struct producer p = {.packets = 9, .size = 4};
        struct error e = ERROR_INIT;

        (void)state;
        p.ring = binlog_ring_new(1000, 3);
        start(&p);
        settle(&p, 3);
        binlog_ring_close(p.ring);
        pthread_join(p.thread, NULL);
        assert_int_equal(p.pushed, 3);
        assert_int_equal(p.last, BINLOG_CLOSED);
        assert_int_equal(binlog_ring_end(p.ring, &e), BINLOG_CLOSED);
        assert_nothing(p.ring);
        binlog_ring_free(p.ring);
        assert_null(binlog_ring_free(NULL));
}

static void test_many_between_threads(void **state)
{
        struct producer p = {.packets = 50000, .size = 16};
        struct binlog_packet packet = {0};
        struct error e = ERROR_INIT;
        unsigned number;

        (void)state;
        p.ring = binlog_ring_new(1000, 7);
        start(&p);
        for (unsigned i = 0; i < p.packets;) {
                if (binlog_ring_take(p.ring, &packet, &e) == BINLOG_NOTHING) {
                        sched_yield();
                        continue;
                }
                memcpy(&number, packet.data, sizeof number);
                assert_int_equal(number, i++);
                free(packet.data);
        }
        pthread_join(p.thread, NULL);
        binlog_ring_free(p.ring);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order_and_waking),
                cmocka_unit_test(test_end_comes_last_and_stays),
                cmocka_unit_test(test_end_wakes),
                cmocka_unit_test(test_waits_for_room),
                cmocka_unit_test(test_larger_packet_goes_alone),
                cmocka_unit_test(test_close_releases_the_producer),
                cmocka_unit_test(test_many_between_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
