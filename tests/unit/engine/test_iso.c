/*
 * Isochronous transfers
 */
#include <string.h>

#include <usbwire/urb.h>

#include "support/peer.h"

static struct peer p;

/* IN: the payload comes compacted and is put where the packets belong. */
static void
test_in_is_spread(void **state)
{
    const struct uw_iso_packet got[] = {
        {0, 100, 10, 0}, {100, 100, 0, -18}, {200, 100, 100, 0}, {300, 100, 1, 0}};
    struct job j;

    (void)state;
    for (int direct = 0; direct < 2; direct++) {
        peer_start(&p, "linux");
        p.rx_direct = direct;
        assert_int_equal(peer_iso(&p, &j, 0x83, 4, 100), 0);
        assert_int_equal(peer_message(&p, 0)->pdu.packets, 4);
        assert_int_equal(peer_message(&p, 0)->pdu.interval, 1);
        assert_int_equal(peer_message(&p, 0)->iso[3].offset, 300);
        peer_answer_iso(&p, 0, got, counting(), 111);
        assert_done(&j, UW_OK, 111);
        assert_memory_equal(j.copy, counting(), 10);
        assert_memory_equal(j.copy + 200, counting() + 10, 100);
        assert_memory_equal(j.copy + 300, counting() + 110, 1);
        assert_int_equal(j.copy[301], 0xee);
        assert_int_equal(j.x.iso[1].status, UW_ERROR_IO);
        assert_int_equal(j.x.iso[2].actual, 100);
        assert_int_equal(j.x.error_count, 1);
        assert_int_equal(j.x.start_frame, 77);
        job_free(&j);
        peer_stop(&p);
    }
}

/* p4 leaves the gaps in. */
static void
test_in_place(void **state)
{
    const struct uw_iso_packet got[] = {{0, 100, 10, 0}, {0, 100, 20, 0}};
    struct job j;
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .packets = 2, .length = 200};
    uint8_t bytes[UW_PDU_SIZE + 200 + 32];

    (void)state;
    peer_start(&p, "p4");
    assert_int_equal(peer_iso(&p, &j, 0x83, 2, 100), 0);
    pdu.seqnum = peer_message(&p, 0)->pdu.seqnum;
    uw_encode_pdu(bytes, &pdu);
    memcpy(bytes + UW_PDU_SIZE, counting(), 200);
    uw_encode_iso(bytes + UW_PDU_SIZE + 200, got, 2);
    peer_feed(&p, bytes, sizeof(bytes));
    assert_int_equal(j.done, 1);
    assert_int_equal(j.x.status, UW_OK);
    assert_memory_equal(j.copy + 100, counting() + 100, 20);
    assert_int_equal(j.x.iso[1].actual, 20);
    job_free(&j);
    peer_stop(&p);
}

static void
test_out(void **state)
{
    const struct uw_iso_packet got[] = {{0, 100, 100, 0}, {100, 100, 50, 0}};
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x03, 2, 100), 0);
    assert_memory_equal(peer_message(&p, 0)->payload, counting(), 200);
    assert_int_equal(peer_message(&p, 0)->iso[1].length, 100);
    peer_answer_iso(&p, 0, got, NULL, 0);
    assert_done(&j, UW_OK, 150);
    assert_int_equal(j.x.iso[1].actual, 50);
    job_free(&j);
    peer_stop(&p);
}

static void
test_refused(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "esp-bridge");
    assert_int_equal(peer_iso(&p, &j, 0x83, 4, 100), UW_ERROR_NOT_SUPPORTED);
    job_free(&j);
    peer_stop(&p);
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x83, 0, 100), UW_ERROR_INVALID);
    job_free(&j);
    peer_stop(&p);
}

/* A table that contradicts the request or itself. */
static void
test_nonsense(void **state)
{
    const struct uw_iso_packet longer[] = {{0, 100, 101, 0}, {100, 100, 0, 0}};
    struct job j;
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .packets = 3};
    uint8_t bytes[UW_PDU_SIZE];

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x83, 2, 100), 0);
    peer_take(&p);
    peer_answer_iso(&p, 0, longer, counting(), 101);
    assert_int_equal(j.done, 1);
    assert_int_equal(j.x.status, UW_ERROR_PROTOCOL);
    job_free(&j);
    assert_int_equal(peer_iso(&p, &j, 0x83, 2, 100), 0);
    pdu.seqnum = peer_message(&p, 1)->pdu.seqnum;
    uw_encode_pdu(bytes, &pdu);
    peer_feed(&p, bytes, sizeof(bytes));
    assert_int_equal(p.rx_error, UW_ERROR_PROTOCOL);
    assert_int_equal(j.done, 1);
    job_free(&j);
    peer_stop(&p);
}

/* Given up and answered late: the table is drained as well. */
static void
test_late(void **state)
{
    const struct uw_iso_packet got[] = {{0, 100, 10, 0}, {100, 100, 20, 0}};
    struct job j, k;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x83, 2, 100), 0);
    peer_take(&p);
    peer_cancel(&p, &j);
    peer_wait(&p, UW_UNLINK_PATIENCE_US);
    assert_done(&j, UW_ERROR_CANCELLED, 0);
    peer_answer_iso(&p, 0, got, counting(), 30);
    assert_int_equal(peer_submit(&p, &k, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_answer(&p, peer_take(&p) - 1, 0, counting(), 64);
    assert_done(&k, UW_OK, 64);
    job_free(&j);
    job_free(&k);
    peer_stop(&p);
}

/* ---- more than one message may have ---- */

#define MANY 2500u

/* What a server says of `count` packets of `length` each, of which every other one is half full. */
static size_t
half_full(struct uw_iso_packet *got, uint32_t count, uint32_t length)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        got[i] = (struct uw_iso_packet){i * length, length, i % 2 ? length / 2 : length, 0};
        sum += got[i].actual;
    }
    return sum;
}

/* Answered in any order, a packet's bytes are where they belong. */
static void
test_many_packets_in(void **state)
{
    static struct uw_iso_packet got[MANY];
    const uint32_t counts[] = {1024, 1024, MANY - 2048};
    const unsigned order[] = {1, 0, 2};
    size_t sum = 0;
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x83, MANY, 100), 0);
    assert_int_equal(peer_take(&p), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(peer_message(&p, i)->pdu.packets, counts[i]);
        assert_int_equal(peer_message(&p, i)->pdu.length, counts[i] * 100);
        assert_int_equal(peer_message(&p, i)->pdu.start_frame, i * 1024); /* interval 1 */
        assert_int_equal(peer_message(&p, i)->iso[0].offset, 0);
        assert_int_equal(peer_message(&p, i)->iso[1].offset, 100);
    }
    for (unsigned i = 0; i < 3; i++) {
        size_t size = half_full(got, counts[order[i]], 100);

        assert_int_equal(j.done, 0);
        got[0].status = -18;
        peer_answer_iso(&p, order[i], got, counting() + order[i], size);
        sum += size;
    }
    assert_done(&j, UW_OK, sum);
    assert_int_equal(j.x.error_count, 3);
    assert_int_equal(j.x.start_frame, 77);
    for (unsigned i = 0; i < 3; i++) { /* the third packet of each message: 150 bytes go before */
        uint32_t n = i * 1024 + 2;

        assert_int_equal(j.x.iso[n - 2].status, UW_ERROR_IO);
        assert_int_equal(j.x.iso[n].offset, n * 100);
        assert_int_equal(j.x.iso[n].actual, 100);
        assert_memory_equal(j.copy + n * 100, counting() + i + 150, 100);
    }
    job_free(&j);
    peer_stop(&p);
}

/* Nor more bytes than the server takes. */
static void
test_many_bytes_out(void **state)
{
    static struct uw_iso_packet got[MANY];
    const uint32_t counts[] = {655, 655, 655, MANY - 3 * 655}; /* of 131072 / 200 */
    size_t sum = 0;
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x03, MANY, 200), 0);
    assert_int_equal(peer_take(&p), 4);
    for (unsigned i = 0; i < 4; i++) {
        const struct peer_message *m = peer_message(&p, i);

        assert_int_equal(m->pdu.packets, counts[i]);
        assert_int_equal(m->iso[counts[i] - 1].offset, (counts[i] - 1) * 200);
        assert_int_equal(m->size, counts[i] * 200);
        assert_memory_equal(m->payload, counting() + i * 655 * 200, m->size);
    }
    for (unsigned i = 0; i < 4; i++) {
        sum += half_full(got, counts[i], 200);
        peer_answer_iso(&p, i, got, NULL, 0);
    }
    assert_done(&j, UW_OK, sum);
    assert_int_equal(j.x.iso[655].actual, 200);
    assert_int_equal(j.x.iso[656].actual, 100);
    job_free(&j);
    peer_stop(&p);
}

/* All that is under way is taken back, and what had been answered stays. */
static void
test_many_packets_cancelled(void **state)
{
    static struct uw_iso_packet got[MANY];
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x83, MANY, 100), 0);
    peer_answer_iso(&p, 0, got, counting(), half_full(got, 1024, 100));
    assert_int_equal(j.done, 0);
    peer_cancel(&p, &j);
    assert_int_equal(peer_take(&p), 5);
    assert_int_equal(peer_message(&p, 3)->pdu.target, peer_message(&p, 1)->pdu.seqnum);
    assert_int_equal(peer_message(&p, 4)->pdu.target, peer_message(&p, 2)->pdu.seqnum);
    peer_unlinked(&p, 3, -104);
    assert_int_equal(j.done, 0);
    peer_unlinked(&p, 4, -104);
    assert_done(&j, UW_ERROR_CANCELLED, 1024 * 75);
    assert_int_equal(j.x.iso[1023].actual, 50);
    assert_int_equal(j.x.iso[1024].actual, 0);
    job_free(&j);
    peer_stop(&p);
}

/* One that fails as a whole ends the others; a time-out ends all. */
static void
test_many_packets_fail(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x83, MANY, 100), 0);
    peer_answer(&p, 1, -71, NULL, 0);
    assert_int_equal(j.done, 0);
    peer_unlinked(&p, 3, -104);
    peer_unlinked(&p, 4, -104);
    assert_done(&j, UW_ERROR_IO, 0);
    job_free(&j);
    peer_stop(&p);
}

/* "Too large" is not asked again: packets have their size. */
static void
test_too_large(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "linux");
    assert_int_equal(peer_iso(&p, &j, 0x03, 8, 1000), 0);
    peer_acknowledge(&p, 0, -90, 0);
    assert_int_equal(peer_take(&p), 1);
    assert_done(&j, UW_ERROR_LIMIT, 0);
    job_free(&j);
    peer_stop(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_is_spread),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_many_packets_in),
        cmocka_unit_test(test_many_bytes_out),
        cmocka_unit_test(test_many_packets_cancelled),
        cmocka_unit_test(test_many_packets_fail),
        cmocka_unit_test(test_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
