/*
 * test_urb.c - what urb.h and transfer.h promise
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "support/punctual.h"

#define NO_LIMIT uw_never()
#define LONG     uw_msec(30000)
#define TIMEOUT  50000u /* us */

/* ---- time ---- */

struct in_vain {
    struct bed *bed;
    uint8_t endpoint;
};

static void
transfer_in_vain(void *arg)
{
    struct in_vain *v = (struct in_vain *)arg;
    uint8_t data[8] = {0};

    assert_int_equal(
        uw_transfer(v->bed->device, v->endpoint, data, sizeof(data), uw_usec(TIMEOUT), NULL, NULL),
        UW_ERROR_TIMEOUT);
}

static void
check_timeout(struct bed *bed, uint8_t endpoint)
{
    struct in_vain v = {bed, endpoint};

    assert_punctual(TIMEOUT, transfer_in_vain, &v);
}

static void
test_timeouts_are_exact(void **state)
{
    struct bed bed;

    bed_take(&bed, state, "faulty", NULL);
    check_timeout(&bed, 0x82); /* IN, which is left at the server */
    check_timeout(&bed, 0x02); /* OUT, which is taken back */
    bed_stop(&bed);
}

static void
test_timeouts_are_exact_when_nothing_is_answered(void **state)
{
    struct bed bed;

    bed_take(&bed, state, "esp", "drop:ep=0x81");
    check_timeout(&bed, 0x81);
    bed_stop(&bed);
}

/* ---- reads ---- */

/* What comes for a read whose time is up is the next read's. */
static void
test_a_read_that_times_out_loses_nothing(void **state)
{
    struct bed bed;
    char data[64] = "";
    size_t n = 0;

    bed_take(&bed, state, "esp", NULL);
    for (unsigned i = 0; i < 20; i++) {
        char sent[32];
        int length = snprintf(sent, sizeof(sent), "message %u", i);

        assert_int_equal(
            uw_transfer(bed.device, 0x81, data, sizeof(data), uw_msec(i % 3), &n, NULL),
            UW_ERROR_TIMEOUT);
        assert_int_equal(n, 0);
        assert_int_equal(uw_transfer(bed.device, 0x01, sent, (size_t)length, LONG, &n, NULL), 0);
        assert_int_equal(n, length);
        assert_int_equal(uw_transfer(bed.device, 0x81, data, sizeof(data), LONG, &n, NULL), 0);
        assert_int_equal(n, length);
        assert_memory_equal(data, sent, n);
    }
    bed_stop(&bed);
}

static void
test_reads_complete_in_order(void **state)
{
    enum { READS = 32, SIZE = 512 };
    struct bed bed;
    struct uw_urb *urbs[READS];
    static uint8_t data[READS][SIZE];
    uint8_t expected = 0;

    bed_take(&bed, state, "source-sink", NULL);
    for (unsigned i = 0; i < READS; i++)
        urbs[i] = bed_submit(&bed, 0x81, data[i], SIZE, LONG);
    for (unsigned i = 0; i < READS; i++) {
        assert_int_equal(bed_collect(&bed, urbs[i]), 0);
        assert_int_equal(uw_urb_actual_length(urbs[i]), SIZE);
        for (unsigned k = 0; k < SIZE; k++)
            assert_int_equal(data[i][k], expected++);
        uw_urb_free(urbs[i]);
    }
    bed_stop(&bed);
}

static void
test_a_packet_that_does_not_fit_is_an_overflow(void **state)
{
    struct bed bed;
    char data[64], sent[] = "0123456789";
    size_t n = 0;

    bed_take(&bed, state, "esp", NULL);
    assert_int_equal(uw_transfer(bed.device, 0x01, sent, 10, LONG, NULL, NULL), 0);
    assert_int_equal(uw_transfer(bed.device, 0x81, data, 4, LONG, &n, NULL), UW_ERROR_OVERFLOW);
    assert_int_equal(n, 4);
    assert_memory_equal(data, "0123", 4);
    bed_stop(&bed);
}

static void
test_a_short_packet_ends_a_read(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    char data[256] = {0};

    bed_take(&bed, state, "esp", NULL);
    assert_int_equal(uw_transfer(bed.device, 0x01, data, 70, LONG, NULL, NULL), 0);
    urb = bed_submit(&bed, 0x81, data, sizeof(data), LONG);
    assert_int_equal(bed_collect(&bed, urb), 0);
    assert_int_equal(uw_urb_actual_length(urb), 70);
    /* The same with the demand for all of it. */
    assert_int_equal(uw_transfer(bed.device, 0x01, data, 70, LONG, NULL, NULL), 0);
    uw_urb_set_flags(urb, UW_URB_SHORT_NOT_OK);
    assert_int_equal(uw_urb_run(urb), UW_ERROR_SHORT);
    assert_int_equal(uw_urb_actual_length(urb), 70);
    uw_urb_free(urb);
    bed_stop(&bed);
}

static void
test_a_zero_length_packet_ends_a_write(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    uint8_t data[128] = {0};

    bed_take(&bed, state, "loopback", NULL);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, bed.device, 0x01, data, 0);
    uw_urb_set_timeout(urb, LONG);
    assert_int_equal(uw_urb_run(urb), 0);
    uw_urb_set_transfer(urb, bed.device, 0x81, data, sizeof(data));
    assert_int_equal(uw_urb_run(urb), 0);
    assert_int_equal(uw_urb_actual_length(urb), 0);
    uw_urb_free(urb);
    bed_stop(&bed);
}

/* ---- the caller's buffer ---- */

/* Nothing is written into it after its URB came out, whatever the server still sends. */
static void
test_the_buffer_is_the_callers_after_completion(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    uint8_t data[64], untouched[64], other[64];
    char late[] = "late";
    size_t n;

    bed_take(&bed, state, "esp", NULL);
    urb = bed_submit(&bed, 0x81, data, sizeof(data), uw_msec(1));
    assert_int_equal(bed_collect(&bed, urb), UW_ERROR_TIMEOUT);
    memset(data, 0xee, sizeof(data));
    memset(untouched, 0xee, sizeof(untouched));
    assert_int_equal(uw_transfer(bed.device, 0x01, late, 4, LONG, NULL, NULL), 0);
    assert_int_equal(uw_transfer(bed.device, 0x81, other, sizeof(other), LONG, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(data, untouched, sizeof(data));
    uw_urb_free(urb);
    bed_stop(&bed);
}

/* ---- submit and cancel ---- */

static void
test_cancel(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    uint8_t data[64] = {0};

    bed_take(&bed, state, "esp", NULL);
    urb = bed_submit(&bed, 0x81, data, sizeof(data), NO_LIMIT);
    assert_int_equal(uw_urb_submit(urb, bed.queue), UW_ERROR_BUSY);
    assert_int_equal(uw_urb_cancel(urb), 0);
    assert_int_equal(bed_collect(&bed, urb), UW_ERROR_CANCELLED);
    assert_int_equal(uw_urb_actual_length(urb), 0);
    assert_int_equal(uw_urb_cancel(urb), UW_ERROR_NOT_FOUND);
    assert_null(uw_queue_pop(bed.queue));
    /* It may be used again. */
    assert_int_equal(uw_transfer(bed.device, 0x01, data, 5, LONG, NULL, NULL), 0);
    assert_int_equal(uw_urb_submit(urb, bed.queue), 0);
    assert_int_equal(bed_collect(&bed, urb), 0);
    assert_int_equal(uw_urb_actual_length(urb), 5);
    uw_urb_free(urb);
    bed_stop(&bed);
}

static void
test_what_cannot_be_submitted(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    struct uw_fault fault;
    uint8_t data[8];

    bed_take(&bed, state, "loopback", NULL);
    assert_int_equal(uw_urb_new(1, &urb), 0);
    assert_int_equal(uw_urb_set_iso_lengths(urb, 2, 8), UW_ERROR_INVALID);
    uw_urb_set_transfer(urb, bed.device, 0x8f, data, sizeof(data));
    assert_int_equal(uw_urb_submit(urb, bed.queue), UW_ERROR_NOT_FOUND);
    uw_urb_fault(urb, &fault);
    assert_int_equal(fault.code, UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(fault.on, "1209:0003"));
    assert_non_null(strstr(fault.tried, "0x8f"));
    /* Of an alternate setting that is not in force. */
    uw_urb_set_transfer(urb, bed.device, 0x83, data, sizeof(data));
    assert_int_equal(uw_urb_submit(urb, bed.queue), UW_ERROR_NOT_FOUND);
    assert_null(uw_queue_pop(bed.queue));
    uw_urb_free(urb);
    bed_stop(&bed);
}

static void
test_status_and_fault_of_a_stall(void **state)
{
    struct bed bed;
    struct uw_urb *urb;
    struct uw_fault fault;
    uint8_t data[8];

    bed_take(&bed, state, "faulty", NULL);
    urb = bed_submit(&bed, 0x81, data, sizeof(data), LONG);
    assert_int_equal(bed_collect(&bed, urb), UW_ERROR_STALL);
    assert_int_equal(uw_urb_raw_status(urb), -32);
    uw_urb_fault(urb, &fault);
    assert_int_equal(fault.raw, -32);
    assert_non_null(strstr(fault.came, "-32"));
    uw_urb_free(urb);
    bed_stop(&bed);
}

/* ---- control ---- */

static void
test_control(void **state)
{
    struct bed bed;
    uint8_t data[8] = {0}, sent[300], got[300] = {0};
    size_t n = 99;

    bed_take(&bed, state, "esp", NULL);
    assert_int_equal(uw_control(bed.device, 0xc0, 2, 0x1234, 0x5678, data, 8, LONG, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(data, "\x34\x12\x78\x56", 4);
    for (unsigned i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)i;
    assert_int_equal(uw_control(bed.device, 0x40, 1, 0, 0, sent, sizeof(sent), LONG, &n, NULL), 0);
    assert_int_equal(n, sizeof(sent));
    assert_int_equal(uw_control(bed.device, 0xc0, 1, 0, 0, got, sizeof(got), LONG, &n, NULL), 0);
    assert_int_equal(n, sizeof(got));
    assert_memory_equal(sent, got, sizeof(got));
    assert_int_equal(uw_control(bed.device, 0xc0, 99, 0, 0, data, 8, LONG, &n, NULL),
                     UW_ERROR_STALL);
    assert_int_equal(n, 0);
    bed_stop(&bed);
}

/* ---- isochronous ---- */

#define EACH         100
#define MANY_PACKETS 3000u /* in several messages */

static void
echo_packets(struct uw_device *device, unsigned packets)
{
    static uint8_t out[MANY_PACKETS * EACH], in[MANY_PACKETS * EACH];
    size_t size = packets * EACH;
    struct uw_urb *urb;

    for (unsigned i = 0; i < size; i++) {
        out[i] = (uint8_t)(i * 7);
        in[i] = 0;
    }
    assert_int_equal(uw_urb_new(packets, &urb), 0);
    uw_urb_set_flags(urb, UW_URB_ISO_ASAP);
    uw_urb_set_timeout(urb, LONG);
    uw_urb_set_transfer(urb, device, 0x03, out, size);
    assert_int_equal(uw_urb_set_iso_lengths(urb, packets, EACH), 0);
    assert_int_equal(uw_urb_set_iso_length(urb, packets, 1), UW_ERROR_INVALID);
    assert_int_equal(uw_urb_run(urb), 0);
    assert_int_equal(uw_urb_actual_length(urb), size);
    uw_urb_set_transfer(urb, device, 0x83, in, size);
    assert_int_equal(uw_urb_run(urb), 0);
    assert_int_equal(uw_urb_iso_count(urb), packets);
    assert_int_equal(uw_urb_error_count(urb), 0);
    for (unsigned i = 0; i < packets; i++) {
        const struct uw_iso_packet *p = uw_urb_iso_packet(urb, i);

        assert_int_equal(p->status, 0);
        assert_int_equal(p->offset, i * EACH);
        assert_int_equal(p->actual, EACH);
    }
    assert_memory_equal(in, out, size);
    uw_urb_free(urb);
}

static void
test_isochronous_packets_come_back(void **state)
{
    struct bed bed;

    bed_take(&bed, state, "loopback", NULL);
    assert_int_equal(uw_device_set_altsetting(bed.device, 1, 1, LONG, NULL), 0);
    echo_packets(bed.device, 8);
    echo_packets(bed.device, MANY_PACKETS);
    bed_stop(&bed);
}

/* ---- a device that goes ---- */

static void
test_every_urb_completes_once_when_the_device_goes(void **state)
{
    enum { READS = 16 };
    struct bed bed;
    struct uw_urb *urbs[READS], *urb;
    uint8_t data[READS][8];
    unsigned done = 0;

    bed_take(&bed, state, "faulty", NULL);
    for (unsigned i = 0; i < READS; i++)
        urbs[i] = bed_submit(&bed, 0x82, data[i], 8, NO_LIMIT);
    uw_control(bed.device, 0x40, 0x10, 0, 0, NULL, 0, LONG, NULL, NULL); /* vanish */
    while (done < READS) {
        assert_int_equal(uw_queue_wait(bed.queue, LONG), 1);
        while ((urb = uw_queue_pop(bed.queue))) {
            assert_int_equal(uw_urb_status(urb), UW_ERROR_NO_DEVICE);
            done++;
        }
    }
    assert_int_equal(uw_queue_wait(bed.queue, uw_msec(1)), 0);
    assert_int_equal(uw_device_status(bed.device), UW_ERROR_NO_DEVICE);
    assert_int_equal(uw_transfer(bed.device, 0x81, data[0], 8, LONG, NULL, NULL),
                     UW_ERROR_NO_DEVICE);
    for (unsigned i = 0; i < READS; i++)
        uw_urb_free(urbs[i]);
    bed_stop(&bed);
}

/* ---- threads ---- */

static void *
read_once(void *arg)
{
    struct bed *bed = (struct bed *)arg;
    uint8_t data[64];
    size_t n = 0;
    int r = uw_transfer(bed->device, 0x81, data, sizeof(data), uw_never(), &n, NULL);

    return (void *)(intptr_t)(r < 0 ? r : (int)n);
}

/* While one thread waits for data, others get on with writes and control transfers. */
static void
test_a_blocked_read_delays_nobody(void **state)
{
    struct bed bed;
    pthread_t reader;
    uint8_t data[16] = {0};
    void *result;

    bed_take(&bed, state, "esp", NULL);
    assert_int_equal(pthread_create(&reader, NULL, read_once, &bed), 0);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(uw_control(bed.device, 0xc0, 2, 0, 0, data, 4, LONG, NULL, NULL), 0);
    assert_int_equal(uw_transfer(bed.device, 0x01, data, 16, LONG, NULL, NULL), 0);
    assert_int_equal(pthread_join(reader, &result), 0);
    assert_int_equal((int)(intptr_t)result, 16);
    bed_stop(&bed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(test_timeouts_are_exact),
        WITH_BOTH(test_timeouts_are_exact_when_nothing_is_answered),
        WITH_BOTH(test_a_read_that_times_out_loses_nothing),
        WITH_BOTH(test_reads_complete_in_order),
        WITH_BOTH(test_a_packet_that_does_not_fit_is_an_overflow),
        WITH_BOTH(test_a_short_packet_ends_a_read),
        WITH_BOTH(test_a_zero_length_packet_ends_a_write),
        WITH_BOTH(test_the_buffer_is_the_callers_after_completion),
        WITH_BOTH(test_cancel),
        WITH_BOTH(test_what_cannot_be_submitted),
        WITH_BOTH(test_status_and_fault_of_a_stall),
        WITH_BOTH(test_control),
        WITH_BOTH(test_isochronous_packets_come_back),
        WITH_BOTH(test_every_urb_completes_once_when_the_device_goes),
        WITH_BOTH(test_a_blocked_read_delays_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
