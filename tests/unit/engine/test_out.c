/*
 * OUT and control transfers (src/engine/out.c)
 */
#include <string.h>

#include <usbwire/urb.h>

#include "support/peer.h"

#define CHUNK 131072 /* max_out of the Linux profile */

static struct peer p;

static int
start(void **state)
{
    (void)state;
    peer_start(&p, "linux");
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    peer_stop(&p);
    return 0;
}

/* Ends the connection, and with it a transfer that is still under way. */
static void
end(struct job *j)
{
    peer_stop(&p);
    job_free(j);
    peer_start(&p, "linux");
}

static void
restart(const char *profile)
{
    peer_stop(&p);
    peer_start(&p, profile);
}

static void
write_bulk(struct job *j, size_t length, uint64_t timeout_us, unsigned flags)
{
    assert_int_equal(peer_submit(&p, j, 0x01, UW_BULK, 64, length, timeout_us, flags), 0);
}

static void
test_write(void **state)
{
    struct job j;
    struct peer_message *m;

    (void)state;
    write_bulk(&j, 100, 0, 0);
    m = peer_message(&p, 0);
    assert_int_equal(m->pdu.direction, UW_DIR_OUT);
    assert_int_equal(m->pdu.seqnum & 1, 0);
    assert_int_equal(m->size, 100);
    assert_memory_equal(m->payload, counting(), 100);
    peer_acknowledge(&p, 0, 0, 100);
    assert_done(&j, UW_OK, 100);
    job_free(&j);
}

/* Must 4: status 0 with an actual_length of 0 is full success. */
static void
test_length_zero_is_success(void **state)
{
    struct job j;

    (void)state;
    write_bulk(&j, 100, 0, 0);
    peer_take(&p);
    peer_acknowledge(&p, 0, 0, 0);
    assert_done(&j, UW_OK, 100);
    job_free(&j);
}

static void
test_write_nothing(void **state)
{
    struct job j;

    (void)state;
    write_bulk(&j, 0, 0, 0);
    assert_int_equal(peer_message(&p, 0)->pdu.length, 0);
    peer_acknowledge(&p, 0, 0, 0);
    assert_done(&j, UW_OK, 0);
    job_free(&j);
}

/* Must 11: chunks at multiples of the packet size, all under way at once. */
static void
test_chunks(void **state)
{
    struct job j;

    (void)state;
    write_bulk(&j, 3 * CHUNK + 10, 0, 0);
    assert_int_equal(peer_take(&p), 4);
    assert_int_equal(peer_message(&p, 3)->size, 10);
    assert_memory_equal(peer_message(&p, 1)->payload, counting() + CHUNK, CHUNK);
    peer_acknowledge(&p, 1, 0, CHUNK); /* in any order */
    assert_int_equal(j.x.actual, 0);
    peer_acknowledge(&p, 0, 0, CHUNK);
    assert_int_equal(j.x.actual, 2 * CHUNK);
    peer_acknowledge(&p, 2, 0, CHUNK);
    assert_int_equal(j.done, 0);
    peer_acknowledge(&p, 3, 0, 10);
    assert_done(&j, UW_OK, 3 * CHUNK + 10);
    job_free(&j);
}

static void
test_window(void **state)
{
    struct job j;
    size_t size = 1 << 20;

    (void)state;
    restart("hq"); /* 512 bytes a URB, one at a time */
    write_bulk(&j, 2048, 0, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(peer_take(&p), i + 1);
        assert_int_equal(peer_message(&p, i)->size, 512);
        peer_acknowledge(&p, i, 0, 512);
    }
    assert_done(&j, UW_OK, 2048);
    job_free(&j);
    restart("esp-bridge-8"); /* 4096 bytes a URB, 8 at a time */
    write_bulk(&j, size, 0, 0);
    assert_int_equal(peer_take(&p), 8);
    peer_acknowledge(&p, 0, 0, 0);
    assert_int_equal(peer_take(&p), 9);
    end(&j);
}

/* After a chunk failed the later ones are taken back, and the transfer waits for that. */
static void
test_stall_in_the_middle(void **state)
{
    struct job j;

    (void)state;
    write_bulk(&j, 4 * CHUNK, 0, 0);
    assert_int_equal(peer_take(&p), 4);
    peer_acknowledge(&p, 0, 0, CHUNK);
    peer_acknowledge(&p, 1, -32, 512);
    assert_int_equal(j.done, 0);
    assert_int_equal(peer_take(&p), 6);
    assert_int_equal(peer_message(&p, 4)->pdu.target, peer_message(&p, 2)->pdu.seqnum);
    assert_int_equal(peer_message(&p, 5)->pdu.target, peer_message(&p, 3)->pdu.seqnum);
    peer_unlinked(&p, 4, -104);
    assert_int_equal(j.done, 0);
    peer_acknowledge(&p, 3, 0, CHUNK); /* went through all the same: does not count */
    assert_done(&j, UW_ERROR_STALL, CHUNK + 512);
    peer_unlinked(&p, 5, 0);
    assert_int_equal(peer_stats(&p).in_flight, 0);
    job_free(&j);
}

/* CLEAR_HALT is held back until they are answered, or long enough. */
static void
test_clear_halt_waits(void **state)
{
    struct job j, c;

    (void)state;
    write_bulk(&j, 2 * CHUNK, 0, 0);
    peer_take(&p);
    peer_acknowledge(&p, 0, -32, 0);
    peer_take(&p);
    assert_int_equal(peer_control(&p, &c, 0x02, 0x01, 0, 0x01, 0, 0), 0);
    assert_int_equal(peer_take(&p), 3);
    peer_unlinked(&p, 2, -104);
    assert_done(&j, UW_ERROR_STALL, 0);
    assert_int_equal(peer_message(&p, 3)->pdu.ep, 0);
    peer_acknowledge(&p, 3, 0, 0);
    assert_done(&c, UW_OK, 0);
    job_free(&j);
    job_free(&c);
}

static void
test_clear_halt_waits_not_for_ever(void **state)
{
    struct job j, c;

    (void)state;
    write_bulk(&j, 2 * CHUNK, 0, 0);
    peer_take(&p);
    peer_acknowledge(&p, 0, -32, 0);
    assert_int_equal(peer_control(&p, &c, 0x02, 0x01, 0, 0x01, 0, 0), 0);
    assert_int_equal(peer_take(&p), 3);
    peer_wait(&p, UW_UNLINK_PATIENCE_US);
    assert_done(&j, UW_ERROR_STALL, 0);
    assert_int_equal(peer_take(&p), 4);
    peer_acknowledge(&p, 3, 0, 0);
    assert_done(&c, UW_OK, 0);
    job_free(&j);
    job_free(&c);
}

static void
test_zero_packet(void **state)
{
    struct job j;

    (void)state;
    write_bulk(&j, CHUNK + 128, 0, UW_URB_ZERO_PACKET);
    assert_int_equal(peer_take(&p), 2);
    assert_int_equal(peer_message(&p, 0)->pdu.flags & UW_WIRE_ZERO_PACKET, 0);
    assert_int_equal(peer_message(&p, 1)->pdu.flags, UW_WIRE_ZERO_PACKET);
    end(&j);
    write_bulk(&j, 100, 0, UW_URB_ZERO_PACKET); /* no whole packets: not needed */
    assert_int_equal(peer_message(&p, 0)->pdu.flags, 0);
    end(&j);
    restart("esp-bridge-8"); /* ignores the flag: a URB of its own */
    write_bulk(&j, 128, 0, UW_URB_ZERO_PACKET);
    assert_int_equal(peer_take(&p), 2);
    assert_int_equal(peer_message(&p, 0)->pdu.flags, 0);
    assert_int_equal(peer_message(&p, 1)->pdu.length, 0);
    peer_acknowledge(&p, 0, 0, 0);
    assert_int_equal(j.done, 0);
    peer_acknowledge(&p, 1, 0, 0);
    assert_done(&j, UW_OK, 128);
    job_free(&j);
    restart("usbipdcpp-esp32"); /* appends one by itself */
    write_bulk(&j, 128, 0, UW_URB_ZERO_PACKET);
    assert_int_equal(peer_take(&p), 1);
    assert_int_equal(peer_message(&p, 0)->pdu.flags, 0);
    end(&j);
}

/* Must 11: "too large" is learnt from, and the transfer goes on with half. */
static void
test_learns_the_limit(void **state)
{
    struct job j;

    (void)state;
    write_bulk(&j, 4096, 0, 0);
    peer_take(&p);
    peer_acknowledge(&p, 0, -90, 0);
    assert_int_equal(j.done, 0);
    assert_int_equal(peer_stats(&p).max_out, 2048);
    assert_int_equal(peer_take(&p), 3);
    assert_int_equal(peer_message(&p, 1)->size, 2048);
    assert_memory_equal(peer_message(&p, 2)->payload, counting() + 2048, 2048);
    peer_acknowledge(&p, 1, 0, 2048);
    peer_acknowledge(&p, 2, 0, 2048);
    assert_done(&j, UW_OK, 4096);
    job_free(&j);
    write_bulk(&j, 512, 0, 0); /* small already: an error */
    peer_take(&p);
    peer_acknowledge(&p, 3, -90, 0);
    assert_done(&j, UW_ERROR_LIMIT, 0);
    job_free(&j);
}

/* If something behind it was accepted, starting again would repeat it. */
static void
test_no_second_try_after_later_data(void **state)
{
    struct job j, k;

    (void)state;
    write_bulk(&j, 4096, 0, 0);
    write_bulk(&k, 64, 0, 0);
    peer_take(&p);
    peer_acknowledge(&p, 0, -90, 0);
    assert_done(&j, UW_ERROR_LIMIT, 0);
    peer_acknowledge(&p, 1, 0, 64);
    assert_done(&k, UW_OK, 64);
    job_free(&j);
    job_free(&k);
}

/* Idea 2: what a caller gets back is not looked at any more, half-sent included. */
static void
test_half_sent_is_copied(void **state)
{
    struct job j, k;

    (void)state;
    write_bulk(&j, 4096, 1000, 0);
    p.tx_step = 500;
    peer_take(&p);
    peer_wait(&p, 1000);                  /* CMD_UNLINK is queued */
    peer_wait(&p, UW_UNLINK_GRACE_US);    /* nobody answers */
    assert_done(&j, UW_ERROR_TIMEOUT, 0); /* and the buffer is freed */
    p.tx_step = 0;
    write_bulk(&k, 64, 0, 0);
    assert_int_equal(peer_take(&p), 3);
    assert_int_equal(peer_message(&p, 0)->size, 4096);
    assert_memory_equal(peer_message(&p, 0)->payload, counting(), 4096);
    assert_int_equal(peer_message(&p, 1)->pdu.command, UW_CMD_UNLINK);
    end(&k);
    job_free(&j);
}

static void
test_unsent_is_dropped(void **state)
{
    struct job j;

    (void)state;
    write_bulk(&j, 4096, 1000, 0);
    peer_wait(&p, 1000);
    assert_done(&j, UW_ERROR_TIMEOUT, 0);
    assert_int_equal(peer_take(&p), 0);
    job_free(&j);
}

/* An answer before all was sent: the rest is still sent, from a copy. */
static void
test_answered_before_sent(void **state)
{
    struct job j, k;
    struct uw_pdu pdu = {.command = UW_RET_SUBMIT, .status = -32};
    uint8_t header[UW_PDU_SIZE];

    (void)state;
    write_bulk(&j, 4096, 0, 0);
    p.tx_step = 500;
    peer_take(&p);
    p.tx_step = 0;
    pdu.seqnum = 200; /* uw_seq_init(100), OUT */
    uw_encode_pdu(header, &pdu);
    peer_feed(&p, header, sizeof(header));
    assert_done(&j, UW_ERROR_STALL, 0);
    write_bulk(&k, 64, 0, 0);
    assert_int_equal(peer_take(&p), 2);
    assert_memory_equal(peer_message(&p, 0)->payload, counting(), 4096);
    end(&k);
    job_free(&j);
}

/* ---- control ---- */

static void
test_control_in(void **state)
{
    struct job j;
    struct peer_message *m;

    (void)state;
    assert_int_equal(peer_control(&p, &j, 0x80, 0x06, 0x0100, 0, 18, 0), 0);
    m = peer_message(&p, 0);
    assert_int_equal(m->pdu.direction, UW_DIR_IN); /* Must 1 */
    assert_int_equal(m->pdu.length, 18);
    assert_int_equal(m->pdu.interval, 0);
    assert_int_equal(m->pdu.setup[6], 18);
    peer_answer(&p, 0, 0, counting(), 18);
    assert_done(&j, UW_OK, 18);
    assert_counts(&j, 18, 0);
    job_free(&j);
}

static void
test_control_out(void **state)
{
    struct job j;

    (void)state;
    assert_int_equal(peer_control(&p, &j, 0x40, 1, 0, 0, 5, 0), 0);
    assert_memory_equal(peer_message(&p, 0)->payload, counting(), 5);
    peer_acknowledge(&p, 0, 0, 5);
    assert_done(&j, UW_OK, 5);
    job_free(&j);
    assert_int_equal(peer_control(&p, &j, 0xc0, 1, 0, 0, 0, 0), 0); /* no data: OUT */
    assert_int_equal(peer_message(&p, 1)->pdu.direction, UW_DIR_OUT);
    peer_acknowledge(&p, 1, -32, 0);
    assert_done(&j, UW_ERROR_STALL, 0);
    job_free(&j);
}

static void
test_control_overlong(void **state)
{
    struct job j;

    (void)state;
    assert_int_equal(peer_control(&p, &j, 0x80, 6, 0x0100, 0, 8, 0), 0);
    peer_take(&p);
    peer_answer(&p, 0, 0, counting(), 18);
    assert_done(&j, UW_ERROR_OVERFLOW, 8);
    job_free(&j);
    restart("dap"); /* ignores wLength */
    assert_int_equal(peer_control(&p, &j, 0x80, 6, 0x0100, 0, 8, 0), 0);
    peer_take(&p);
    peer_answer(&p, 0, 0, counting(), 18);
    assert_done(&j, UW_OK, 8);
    job_free(&j);
}

/* Must 8: an unanswered control transfer on a server that does one thing at a time. */
static void
test_wedged(void **state)
{
    struct job j, k;

    (void)state;
    assert_int_equal(peer_control(&p, &j, 0x80, 6, 0x0100, 0, 8, 1000), 0);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_wait(&p, UW_UNLINK_GRACE_US);
    assert_done(&j, UW_ERROR_TIMEOUT, 0);
    assert_int_equal(uw_engine_status(p.engine), UW_OK);
    job_free(&j);
    restart("dap");
    assert_int_equal(peer_control(&p, &j, 0x80, 6, 0x0100, 0, 8, 1000), 0);
    peer_take(&p);
    peer_wait(&p, 1000);
    peer_wait(&p, UW_UNLINK_GRACE_US);
    assert_done(&j, UW_ERROR_TIMEOUT, 0);
    assert_int_equal(uw_engine_status(p.engine), UW_ERROR_WEDGED);
    assert_int_equal(peer_control(&p, &k, 0x80, 6, 0x0100, 0, 8, 1000), UW_ERROR_WEDGED);
    job_free(&j);
    job_free(&k);
}

static void
test_checks(void **state)
{
    struct job j;

    (void)state;
    memset(&j, 0, sizeof(j));
    assert_int_equal(peer_submit(&p, &j, 0x01, UW_CONTROL, 64, 8, 0, 0), UW_ERROR_INVALID);
    job_free(&j);
    assert_int_equal(peer_submit(&p, &j, 0x00, UW_BULK, 64, 8, 0, 0), UW_ERROR_INVALID);
    job_free(&j);
    assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 0, 8, 0, 0), UW_ERROR_INVALID);
    job_free(&j);
    assert_int_equal(peer_take(&p), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write, start, stop),
        cmocka_unit_test_setup_teardown(test_length_zero_is_success, start, stop),
        cmocka_unit_test_setup_teardown(test_write_nothing, start, stop),
        cmocka_unit_test_setup_teardown(test_chunks, start, stop),
        cmocka_unit_test_setup_teardown(test_window, start, stop),
        cmocka_unit_test_setup_teardown(test_stall_in_the_middle, start, stop),
        cmocka_unit_test_setup_teardown(test_clear_halt_waits, start, stop),
        cmocka_unit_test_setup_teardown(test_clear_halt_waits_not_for_ever, start, stop),
        cmocka_unit_test_setup_teardown(test_zero_packet, start, stop),
        cmocka_unit_test_setup_teardown(test_learns_the_limit, start, stop),
        cmocka_unit_test_setup_teardown(test_no_second_try_after_later_data, start, stop),
        cmocka_unit_test_setup_teardown(test_half_sent_is_copied, start, stop),
        cmocka_unit_test_setup_teardown(test_unsent_is_dropped, start, stop),
        cmocka_unit_test_setup_teardown(test_answered_before_sent, start, stop),
        cmocka_unit_test_setup_teardown(test_control_in, start, stop),
        cmocka_unit_test_setup_teardown(test_control_out, start, stop),
        cmocka_unit_test_setup_teardown(test_control_overlong, start, stop),
        cmocka_unit_test_setup_teardown(test_wedged, start, stop),
        cmocka_unit_test_setup_teardown(test_checks, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
