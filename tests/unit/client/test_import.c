/*
 * An import from the asking to the giving back: time-outs, a connection made anew, what stands
 * against an import, sending to a server that does not read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/client.h"
#include "support/punctual.h"

static const char DAP[] = "/sys/devices/pci0000:00/0000:00:01.2/usb1/1-1"; /* UW_PROF_REPLACE */

/* ---- giving it back ---- */

static void
act_hold(struct stage *stage, int fd, unsigned number)
{
    struct uw_pdu pdu;

    (void)number;
    if (!stage_import(fd, NULL))
        return;
    for (unsigned n = 1; stage_command(fd, &pdu, NULL, 0); n++)
        stage_reach(stage, pdu.command == UW_CMD_UNLINK ? 100 + n : n);
}

/* Must 17: what is in flight is unlinked and completes at once; the server sees the unlinks, then
 * the end. */
static void
test_free_in_flight(void **state)
{
    struct uw_urb *in, *out;
    struct client c;
    struct uw_usec start;

    (void)state;
    client_start(&c, act_hold, NULL);
    client_must_import(&c);
    in = client_submit(&c, 0x81, 64, 0);
    out = client_submit(&c, 0x01, 64, 0);
    stage_await(c.stage, 2);
    start = uw_now();
    uw_import_free(c.import);
    c.import = NULL;
    assert_true(client_since(start) < 5000000); /* any time-out of the server's is longer */
    assert_int_equal(client_finish(&c, out), UW_ERROR_CANCELLED);
    assert_int_equal(client_finish(&c, in), UW_ERROR_CANCELLED);
    stage_await(c.stage, 104);
    client_urb_free(in);
    client_urb_free(out);
    client_stop(&c);
}

static void
act_serve(struct stage *stage, int fd, unsigned number)
{
    (void)stage;
    (void)number;
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

/* As Linux's usbip-vudc does: what the last client did not stay for comes first, or amidst. */
static void
act_leftovers(struct stage *stage, int fd, unsigned number)
{
    static const struct uw_pdu submit = {.command = UW_RET_SUBMIT, .seqnum = 7, .length = 18};
    static const struct uw_pdu unlink = {.command = UW_RET_UNLINK, .seqnum = 9, .status = -104};
    unsigned more = *(const unsigned *)stage_arg(stage);
    uint8_t bytes[UW_PDU_SIZE + 18] = {0};
    char busid[UW_OP_BUSID_SIZE];
    int amidst = number % 2;

    if (stage_request(fd, busid) != UW_OP_REQ_IMPORT)
        return;
    if (number < more) {
        uw_encode_pdu(bytes, amidst ? &unlink : &submit);
        if (amidst)
            stage_write(fd, "\x01\x11\0\3\0\0\0\0", UW_OP_HEADER_SIZE);
        stage_write(fd, bytes, amidst ? UW_PDU_SIZE : sizeof(bytes));
    }
    if (stage_accept_import(fd, NULL, busid))
        stage_serve(fd);
}

static void
test_leftovers(void **state)
{
    unsigned two = 2, many = 100;
    struct client c;

    (void)state;
    client_start(&c, act_leftovers, &two);
    client_must_import(&c);
    assert_int_equal(stage_connections(c.stage), 3);
    assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
    client_stop(&c);
    client_start(&c, act_leftovers, &many);
    assert_int_equal(client_import(&c, NULL), UW_ERROR_BUSY);
    client_stop(&c);
}

/* Must 16: one import a device in a loop; another device of the server is another one. */
static void
test_second_import(void **state)
{
    struct uw_import *other = NULL;
    struct client c;

    (void)state;
    client_start(&c, act_serve, NULL);
    client_must_import(&c);
    assert_int_equal(uw_import_new(c.server, "1-1", uw_msec(10000), &other, NULL), 1);
    assert_null(other);
    assert_int_equal(uw_import_new(c.server, "1-2", uw_msec(10000), &other, NULL), 0);
    uw_loop_lock(c.loop);
    assert_ptr_equal(uw_server_find_import_locked(c.server, "1-1"), c.import);
    assert_ptr_equal(uw_server_find_import_locked(c.server, "1-2"), other);
    assert_null(uw_server_find_import_locked(c.server, "1-3"));
    assert_ptr_equal(uw_server_next_import_locked(c.server, NULL), c.import);
    assert_ptr_equal(uw_server_next_import_locked(c.server, c.import), other);
    assert_null(uw_server_next_import_locked(c.server, other));
    uw_loop_unlock(c.loop);
    uw_import_free(other);
    assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
    client_stop(&c);
}

/* ---- timeouts ---- */

#define TIMEOUT_US 100000u

struct silence {
    struct client c;
    uint8_t endpoint;
};

static void
time_out(void *arg)
{
    struct silence *s = (struct silence *)arg;

    assert_int_equal(client_run(&s->c, s->endpoint, 64, TIMEOUT_US), UW_ERROR_TIMEOUT);
}

/* Exact to the caller, whatever the server does: it does nothing at all here. */
static void
test_timeouts_are_exact(void **state)
{
    static const uint8_t endpoints[] = {0x81, 0x01, 0x80, 0x00};
    struct silence s;

    (void)state;
    client_start(&s.c, act_hold, NULL);
    client_must_import(&s.c);
    for (unsigned i = 0; i < sizeof(endpoints); i++) {
        s.endpoint = endpoints[i];
        assert_punctual(TIMEOUT_US, time_out, &s);
    }
    client_stop(&s.c);
}

/* ---- a new connection ---- */

/* The first connection leaves control transfers unanswered; the next one serves. */
static void
act_wedge(struct stage *stage, int fd, unsigned number)
{
    if (!stage_import(fd, DAP))
        return;
    stage_reach(stage, number + 1);
    if (number == 0)
        stage_drain(fd);
    else
        stage_serve(fd);
}

static void
count_replaced(void *arg)
{
    ++*(int *)arg;
}

/* Must 8: after an unanswered control transfer a server of that kind gets a new connection; what
 * was submitted meanwhile goes over that one. */
static void
test_replaced(void **state)
{
    struct uw_urb *late;
    struct client c;
    int replaced = 0;

    (void)state;
    client_start(&c, act_wedge, NULL);
    client_must_import(&c);
    uw_import_on_replaced(c.import, count_replaced, &replaced);
    assert_int_equal(client_run(&c, 0x80, 18, 50000), UW_ERROR_TIMEOUT);
    assert_int_equal(client_status(&c), UW_OK);
    late = client_submit(&c, 0x80, 18, 0);
    assert_int_equal(client_finish(&c, late), UW_OK);
    assert_int_equal(uw_urb_actual_length(late), 18);
    assert_int_equal(replaced, 1);
    uw_loop_lock(c.loop);
    assert_int_equal(uw_import_generation_locked(c.import), 1);
    uw_loop_unlock(c.loop);
    assert_int_equal(stage_connections(c.stage), 2);
    assert_non_null(strstr(c.log, "new connection"));
    client_urb_free(late);
    client_stop(&c);
}

/* The new connection is refused: postponed URBs can time out, be cancelled, and end with it all. */
static void
act_wedge_for_good(struct stage *stage, int fd, unsigned number)
{
    char busid[UW_OP_BUSID_SIZE];

    if (number == 0) {
        act_wedge(stage, fd, number);
        return;
    }
    if (stage_request(fd, busid))
        stage_refuse_import(fd, UW_OP_ST_DEV_BUSY);
}

static void
test_not_replaced(void **state)
{
    struct uw_urb *times_out, *cancelled, *ends;
    struct client c;

    (void)state;
    client_start(&c, act_wedge_for_good, NULL);
    client_must_import(&c);
    assert_int_equal(client_run(&c, 0x80, 18, 20000), UW_ERROR_TIMEOUT);
    ends = client_submit(&c, 0x81, 64, 0);
    cancelled = client_submit(&c, 0x81, 64, 0);
    times_out = client_submit(&c, 0x81, 64, 20000);
    assert_int_equal(client_cancel(&c, cancelled), 0);
    assert_int_equal(client_cancel(&c, cancelled), UW_ERROR_NOT_FOUND);
    assert_int_equal(client_finish(&c, cancelled), UW_ERROR_CANCELLED);
    assert_int_equal(client_finish(&c, times_out), UW_ERROR_TIMEOUT);
    assert_int_equal(client_finish(&c, ends), UW_ERROR_WEDGED);
    assert_int_equal(client_status(&c), UW_ERROR_WEDGED);
    assert_int_equal(stage_connections(c.stage), 4); /* three tries */
    client_urb_free(ends);
    client_urb_free(cancelled);
    client_urb_free(times_out);
    client_stop(&c);
}

/* Freed while its new connection is being made. */
static void
test_freed_while_replaced(void **state)
{
    struct uw_urb *urb;
    struct client c;

    (void)state;
    client_start(&c, act_wedge_for_good, NULL);
    client_must_import(&c);
    assert_int_equal(client_run(&c, 0x80, 18, 20000), UW_ERROR_TIMEOUT);
    urb = client_submit(&c, 0x81, 64, 0);
    uw_import_free(c.import);
    c.import = NULL;
    assert_int_equal(client_finish(&c, urb), UW_ERROR_CANCELLED);
    client_urb_free(urb);
    client_stop(&c);
}

/* ---- what stands against an import ---- */

/* Must 19: a server that gives a device up when any connection closes gets no second one, and its
 * list is the one that is known. */
static void
act_list_then_serve(struct stage *stage, int fd, unsigned number)
{
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_DEVLIST, 0};
    struct uw_device_info info = {.path = "/sys/devices/1-1", .busid = "1-1", .speed = 3};
    uint8_t list[UW_OP_HEADER_SIZE + 4 + UW_OP_DEVICE_SIZE] = {0};
    char busid[UW_OP_BUSID_SIZE];

    if (number > 0) {
        act_serve(stage, fd, number);
        return;
    }
    uw_encode_op(list, &op);
    list[UW_OP_HEADER_SIZE + 3] = 1;
    uw_encode_device(list + UW_OP_HEADER_SIZE + 4, &info);
    if (stage_request(fd, busid) == UW_OP_REQ_DEVLIST)
        stage_write(fd, list, sizeof(list));
}

static void
test_one_connection(void **state)
{
    struct uw_device_list *list = NULL;
    struct uw_import *other = NULL;
    struct uw_fault fault = {0};
    struct client c;
    char text[UW_FAULT_TEXT_MAX];

    (void)state;
    client_start(&c, act_list_then_serve, NULL);
    assert_int_equal(uw_server_set_profile(c.server, "p4"), 0);
    assert_int_equal(uw_server_list(c.server, uw_msec(10000), &list, NULL), 0);
    uw_device_list_free(list);
    client_must_import(&c);
    assert_int_equal(uw_import_new(c.server, "1-2", uw_msec(10000), &other, &fault),
                     UW_ERROR_NOT_SUPPORTED);
    assert_non_null(strstr(uw_fault_text(&fault, text, sizeof(text)), "anything else is imported"));
    assert_int_equal(uw_server_list(c.server, uw_msec(10000), &list, NULL), 0);
    assert_int_equal(uw_device_list_count(list), 1);
    uw_device_list_free(list);
    assert_int_equal(stage_connections(c.stage), 2);
    client_stop(&c);
}

/* One imports 1-1, and another asks for that or another device of the same server. */
static void
check_lock(const char *profile, const char *busid, const char *said)
{
    static char text[UW_FAULT_TEXT_MAX];
    struct uw_fault fault = {0};
    struct client c, second;

    client_start(&c, act_serve, NULL);
    assert_int_equal(uw_server_set_profile(c.server, profile), 0);
    client_must_import(&c);
    client_start_at(&second, stage_address(c.stage)); /* another loop stands for another process */
    assert_int_equal(uw_server_set_profile(second.server, profile), 0);
    assert_int_equal(uw_import_new(second.server, busid, uw_msec(10000), &second.import, &fault),
                     UW_ERROR_BUSY);
    assert_non_null(strstr(uw_fault_text(&fault, text, sizeof(text)), said));
    uw_import_free(c.import);
    c.import = NULL;
    client_must_import(&second);
    client_stop(&second);
    client_stop(&c);
}

/* Must 16: where the server lets two clients in, a lock on this machine does not. */
static void
test_lock(void **state)
{
    char folder[] = "/tmp/usbwire-test-XXXXXX", command[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
    check_lock("esp-bridge", "1-1", "of this machine has it");
    check_lock("p4", "1-1", "has a device of this server");
    check_lock("p4", "1-2", "has a device of this server");
    unsetenv("XDG_RUNTIME_DIR");
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- sending never blocks ---- */

static void
act_deaf(struct stage *stage, int fd, unsigned number)
{
    (void)number;
    if (!stage_import(fd, NULL))
        return;
    stage_await(stage, 1);
    stage_serve(fd);
}

/* A server that does not read before it is told to: submitting 64 MiB comes back all the same, and
 * all of it arrives later. */
static void
test_sending_does_not_block(void **state)
{
    struct uw_urb *urbs[8];
    struct client c;

    (void)state;
    client_start(&c, act_deaf, NULL);
    client_must_import(&c);
    for (unsigned i = 0; i < 8; i++)
        urbs[i] = client_submit(&c, 0x01, 8u << 20, 0);
    stage_reach(c.stage, 1);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(client_finish(&c, urbs[i]), UW_OK);
        assert_int_equal(uw_urb_actual_length(urbs[i]), 8u << 20);
        client_urb_free(urbs[i]);
    }
    client_stop(&c);
}

/* A buffer that is half sent when its URB ends is the caller's: it is freed, and what the server
 * still gets of it is what was in it. */
static void
act_check_halves(struct stage *stage, int fd, unsigned number)
{
    static uint8_t payload[131072];
    struct uw_pdu pdu;

    (void)number;
    if (!stage_import(fd, NULL))
        return;
    stage_await(stage, 1);
    while (stage_command(fd, &pdu, payload, sizeof(payload))) {
        if (pdu.command == UW_CMD_UNLINK) {
            stage_unlinked(fd, &pdu, 0);
            continue;
        }
        for (int32_t i = 0; i < pdu.length && pdu.direction == UW_DIR_OUT; i++)
            if (payload[i] != (uint8_t)i)
                return; /* and the client sees the end */
        stage_reply(fd, &pdu, 0, payload, (size_t)pdu.length);
    }
}

static void
test_half_sent(void **state)
{
    struct client c;

    (void)state;
    client_start(&c, act_check_halves, NULL);
    client_must_import(&c);
    for (unsigned i = 0; i < 100; i++)
        (void)client_submit(&c, 0x01, 131072, 20000);
    for (unsigned i = 0; i < 100; i++) {
        struct uw_urb *urb;

        assert_int_equal(uw_queue_wait(c.queue, uw_msec(30000)), 1);
        urb = uw_queue_pop(c.queue);
        assert_int_equal(uw_urb_status(urb), UW_ERROR_TIMEOUT);
        memset(urb->x.buffer, 0xdd, 131072);
        client_urb_free(urb);
    }
    stage_reach(c.stage, 1);
    assert_int_equal(client_run(&c, 0x80, 18, 0), UW_OK); /* behind all that was left over */
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_in_flight),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_second_import),
        cmocka_unit_test(test_timeouts_are_exact),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_not_replaced),
        cmocka_unit_test(test_freed_while_replaced),
        cmocka_unit_test(test_one_connection),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_sending_does_not_block),
        cmocka_unit_test(test_half_sent),
    };

    return client_run_tests(tests);
}
