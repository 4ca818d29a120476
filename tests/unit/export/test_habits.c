/*
 * test_habits.c - what servers do differently, byte for byte
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "offer.h"

static void
test_one_at_a_time(void **state)
{
    struct offer *o = offer_start_imported(UW_HABIT_ONE_AT_A_TIME);

    (void)state;
    assert_int_equal(offer_feed_read(o, 1, 4), 0);
    assert_false(uw_session_wants_read(o->session));
    assert_int_equal(offer_feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(offer_feed_unlink(o, 3, 1), 0); /* not even read */
    assert_int_equal(o->count, 1);
    assert_int_equal(uw_session_resume(o->session), 0);
    assert_int_equal(o->count, 1);
    offer_answer(o, o->requests[0]);
    assert_int_equal(uw_session_resume(o->session), 0);
    assert_int_equal(o->count, 2);
    assert_memory_equal(o->requests[1]->buffer, "abc", 3);
    assert_int_equal(o->unlinks, 0);
    offer_end(o);
}

static void
test_max_requests(void **state)
{
    const struct uw_habits habits = {.max_requests = 2, .too_many = -5};
    struct offer *o = offer_start_imported_as(&habits);
    size_t at = 0;
    struct uw_pdu pdu;

    (void)state;
    for (uint32_t n = 1; n <= 3; n++)
        assert_int_equal(offer_feed_read(o, n, 4), 0);
    assert_int_equal(o->count, 2);
    offer_drain(o, SIZE_MAX);
    pdu = offer_next_reply(o, &at);
    assert_int_equal(pdu.seqnum, 3);
    assert_int_equal(pdu.status, -5);
    offer_end(o);
}

/* OUT beyond the limit is read and refused, or cut and the rest taken for a header. */
static void
test_max_transfer(void **state)
{
    const struct uw_habits refusing = {.max_transfer = 2, .too_large = -122};
    const struct uw_habits cutting = {.max_transfer = 2};
    struct offer *o = offer_start_imported_as(&refusing);
    size_t at = 0;

    (void)state;
    assert_int_equal(offer_feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(offer_feed_read(o, 9, 2), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_next_reply(o, &at).status, -122);
    assert_int_equal(o->count, 1);
    offer_end(o);

    o = offer_start_imported_as(&cutting);
    assert_int_equal(offer_feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(o->count, 1);
    assert_int_equal(o->requests[0]->length, 2);
    assert_int_equal(offer_feed_read(o, 9, 2), UW_ERROR_PROTOCOL); /* begins with 'c' */
    offer_end(o);
}

static void
test_echo(void **state)
{
    static const unsigned habits[] = {UW_HABIT_ECHO, UW_HABIT_ECHO | UW_HABIT_INVERTED};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct offer *o = offer_start_imported(habits[i]);
        size_t at = 0;
        struct uw_pdu pdu;

        o->at_once = 1;
        assert_int_equal(offer_feed_read(o, 1, 0), 0);
        offer_drain(o, SIZE_MAX);
        pdu = offer_next_reply(o, &at);
        assert_int_equal(pdu.devid, DEVID);
        assert_int_equal(pdu.ep, 1);
        assert_int_equal(pdu.direction, i ? UW_DIR_OUT : UW_DIR_IN);
        offer_end(o);
    }
}

static void
test_out_length_0(void **state)
{
    struct offer *o = offer_start_imported(UW_HABIT_OUT_LENGTH_0);
    size_t at = 0;

    (void)state;
    o->at_once = 1;
    assert_int_equal(offer_feed(o, bulk_out, sizeof(bulk_out)), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_next_reply(o, &at).length, 0);
    assert_int_equal(at, o->size);
    offer_end(o);
}

static void
test_devid_habits(void **state)
{
    struct uw_pdu pdu = {.command = UW_CMD_SUBMIT,
                         .seqnum = 1,
                         .devid = 99,
                         .direction = UW_DIR_IN,
                         .ep = 1,
                         .length = 4};
    struct offer *o = offer_start_imported(UW_HABIT_ANY_DEVID);
    size_t at = 0;

    (void)state;
    assert_int_equal(offer_feed_pdu(o, &pdu), 0);
    assert_int_equal(o->count, 1);
    offer_end(o);
    o = offer_start_imported(UW_HABIT_DEVID_GONE);
    assert_int_equal(offer_feed_pdu(o, &pdu), 0);
    assert_int_equal(o->count, 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_next_reply(o, &at).status, -19);
    offer_end(o);
}

static void
test_strict_seqnum(void **state)
{
    struct offer *o = offer_start_imported(UW_HABIT_STRICT_SEQNUM);

    (void)state;
    assert_int_equal(offer_feed_read(o, 1, 4), 0);
    offer_answer(o, o->requests[0]);
    assert_int_equal(offer_feed_read(o, 1, 4), 0); /* not pending any more */
    assert_int_equal(offer_feed_read(o, 1, 4), UW_ERROR_PROTOCOL);
    offer_end(o);
}

static void
test_packets_0(void **state)
{
    const struct uw_pdu pdu = {.command = UW_CMD_SUBMIT,
                               .seqnum = 1,
                               .devid = DEVID,
                               .direction = UW_DIR_IN,
                               .ep = 1,
                               .length = 4,
                               .packets = -1};
    struct offer *o = offer_start_imported(0);

    (void)state;
    assert_int_equal(offer_feed_pdu(o, &pdu), 0);
    assert_int_equal(o->requests[0]->iso_count, 0);
    offer_end(o);
    o = offer_start_imported(UW_HABIT_PACKETS_0);
    assert_int_equal(offer_feed_pdu(o, &pdu), UW_ERROR_PROTOCOL);
    offer_end(o);
}

static void
test_table_unread(void **state)
{
    struct offer *o = offer_start_imported(UW_HABIT_TABLE_UNREAD);
    size_t at = 0;

    (void)state;
    assert_int_equal(offer_feed(o, iso_in, sizeof(iso_in)), 0);
    assert_int_equal(o->count, 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_next_reply(o, &at).status, -95);
    /* 32 bytes of table and 16 of the next request make a header. */
    assert_true(offer_feed_read(o, 1, 4) < 0);
    offer_end(o);
}

static void
test_one_a_segment(void **state)
{
    struct offer *o = offer_start_imported(UW_HABIT_ONE_A_SEGMENT);
    uint8_t two[2 * sizeof(bulk_out)];

    (void)state;
    memcpy(two, bulk_out, sizeof(bulk_out));
    memcpy(two + sizeof(bulk_out), bulk_out, sizeof(bulk_out));
    assert_int_equal(offer_feed(o, two, sizeof(two)), 0);
    assert_int_equal(o->count, 1); /* the second is lost */
    assert_int_equal(offer_feed(o, bulk_out, 48), 0);
    assert_int_equal(offer_feed(o, "abc", 3), 0);
    assert_int_equal(o->count, 1); /* so is one in two pieces */
    assert_int_equal(offer_feed(o, bulk_out, sizeof(bulk_out)), 0);
    assert_int_equal(o->count, 2);
    offer_end(o);
}

static void
test_many_ops(void **state)
{
    static const uint8_t devlist[8] = {0x01, 0x11, 0x80, 0x05};
    struct offer *o = offer_start(UW_HABIT_MANY_OPS);
    uint8_t wrong[40];

    (void)state;
    memcpy(wrong, import_request, sizeof(wrong));
    wrong[8] = '9';
    assert_int_equal(offer_feed(o, devlist, sizeof(devlist)), 0);
    assert_int_equal(offer_feed(o, devlist, sizeof(devlist)), 0);
    assert_int_equal(offer_feed(o, wrong, sizeof(wrong)), 0);
    assert_int_equal(offer_feed(o, import_request, sizeof(import_request)), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(o->size, 2 * (12 + 312 + 8) + 8 + 320);
    assert_true(uw_session_is_imported(o->session));
    offer_end(o);
}

static void
test_list_habits(void **state)
{
    static const uint8_t devlist[8] = {0x00, 0x00, 0x80, 0x05};
    struct offer *o =
        offer_start(UW_HABIT_ANY_VERSION | UW_HABIT_ONE_INTERFACE | UW_HABIT_DIRTY_STRINGS);
    struct uw_device_info info;

    (void)state;
    assert_int_equal(offer_feed(o, devlist, sizeof(devlist)), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(o->size, 12 + 312 + 4);
    assert_int_equal(o->out[12 + 256 + 3], 0);
    assert_int_not_equal(o->out[12 + 256 + 4], 0);
    assert_int_not_equal(o->out[12 + 255], 0);
    uw_decode_device(o->out + 12, &info);
    assert_string_equal(info.path, offer_board.path);
    assert_string_equal(info.busid, offer_board.busid);
    assert_int_equal(info.num_interfaces, 2);
    offer_end(o);
}

static void
test_import_habits(void **state)
{
    struct offer *o = offer_start(UW_HABIT_NO_RECORD);
    struct uw_device_info info;

    (void)state;
    assert_int_equal(offer_feed(o, import_request, sizeof(import_request)), 0);
    offer_drain(o, SIZE_MAX);
    uw_decode_device(o->out + 8, &info);
    assert_int_equal(info.vid, 0);
    assert_int_equal(info.pid, 0);
    assert_int_equal(info.devnum, 2);
    offer_end(o);

    o = offer_start(UW_HABIT_EXTRA_IMPORT | UW_HABIT_MANY_OPS);
    assert_int_equal(offer_feed(o, import_request, sizeof(import_request)), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(o->size, 8 + 312 + 8);
    assert_memory_equal(o->out + 320, "\x01\x11\x00\x03\x00\x00\x00\x01", 8);
    assert_false(uw_session_is_imported(o->session));
    offer_end(o);
}

/* Payload with its gaps, all offsets 0. */
static void
test_not_compact(void **state)
{
    struct offer *o = offer_start_imported(UW_HABIT_NOT_COMPACT);
    struct uw_iso_packet packets[2];
    size_t at = 0;

    (void)state;
    o->at_once = 1;
    assert_int_equal(offer_feed(o, iso_in, sizeof(iso_in)), 0);
    offer_drain(o, SIZE_MAX);
    assert_int_equal(offer_next_reply(o, &at).length, 8);
    assert_memory_equal(o->out + 48, "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7", 8);
    uw_decode_iso(o->out + 56, packets, 2);
    assert_int_equal(packets[0].offset, 0);
    assert_int_equal(packets[1].offset, 0);
    assert_int_equal(packets[1].actual, 2);
    offer_end(o);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time), cmocka_unit_test(test_max_requests),
        cmocka_unit_test(test_max_transfer),  cmocka_unit_test(test_echo),
        cmocka_unit_test(test_out_length_0),  cmocka_unit_test(test_devid_habits),
        cmocka_unit_test(test_strict_seqnum), cmocka_unit_test(test_packets_0),
        cmocka_unit_test(test_table_unread),  cmocka_unit_test(test_one_a_segment),
        cmocka_unit_test(test_many_ops),      cmocka_unit_test(test_list_habits),
        cmocka_unit_test(test_import_habits), cmocka_unit_test(test_not_compact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
