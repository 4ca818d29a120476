/*
 * An import against servers that end, in whatever state and way: every URB completes, once, with a
 * status and a reason.
 */
#include <stdlib.h>
#include <string.h>

#include "support/client.h"

struct ending {
    const char *name;
    void (*last)(int fd, const struct uw_pdu *pdu); /* what is done about the first URB */
    int status;
    const char *why;
};

static void
end_silently(int fd, const struct uw_pdu *pdu)
{
    (void)fd;
    (void)pdu;
}

static void
end_in_header(int fd, const struct uw_pdu *pdu)
{
    uint8_t bytes[UW_PDU_SIZE];
    struct uw_pdu reply = {.command = UW_RET_SUBMIT, .seqnum = pdu->seqnum};

    uw_encode_pdu(bytes, &reply);
    stage_write(fd, bytes, 20);
}

static void
end_in_payload(int fd, const struct uw_pdu *pdu)
{
    uint8_t bytes[UW_PDU_SIZE + 5] = {0};
    struct uw_pdu reply = {.command = UW_RET_SUBMIT, .seqnum = pdu->seqnum, .length = 64};

    uw_encode_pdu(bytes, &reply);
    stage_write(fd, bytes, sizeof(bytes));
}

static void
end_with_reset(int fd, const struct uw_pdu *pdu)
{
    (void)pdu;
    stage_reset(fd);
}

static void
end_in_nonsense(int fd, const struct uw_pdu *pdu)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nServer: somebody else\r\n\r\n";

    (void)pdu;
    stage_write(fd, http, sizeof(http));
    stage_drain(fd);
}

static void
end_too_long(int fd, const struct uw_pdu *pdu)
{
    uint8_t bytes[UW_PDU_SIZE];
    struct uw_pdu reply = {.command = UW_RET_SUBMIT, .seqnum = pdu->seqnum, .length = 0x7fffffff};

    uw_encode_pdu(bytes, &reply);
    stage_write(fd, bytes, sizeof(bytes));
    stage_drain(fd);
}

static const struct ending endings[] = {
    {"end of the stream", end_silently, UW_ERROR_CONNECTION_LOST, "the server closed"},
    {"half a header", end_in_header, UW_ERROR_CONNECTION_LOST, "in the middle of a message"},
    {"half a payload", end_in_payload, UW_ERROR_CONNECTION_LOST, "in the middle of a message"},
    {"reset", end_with_reset, UW_ERROR_CONNECTION_LOST, "reset"},
    {"another protocol", end_in_nonsense, UW_ERROR_PROTOCOL, "no USB/IP message"},
    {"2 GiB announced", end_too_long, UW_ERROR_PROTOCOL, "no USB/IP message"},
};

static void
act_end(struct stage *stage, int fd, unsigned number)
{
    const struct ending *e = (const struct ending *)stage_arg(stage);
    struct uw_pdu pdu;

    (void)number;
    if (!stage_import(fd, NULL))
        return;
    for (int i = 0; i < 3; i++)
        if (!stage_command(fd, &pdu, NULL, 0))
            return;
    e->last(fd, &pdu);
}

static void
test_endings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        struct uw_urb *urbs[3];
        struct client c;

        client_start(&c, act_end, (void *)(uintptr_t)&endings[i]);
        client_must_import(&c);
        urbs[0] = client_submit(&c, 0x01, 64, 0);
        urbs[1] = client_submit(&c, 0x80, 18, 0);
        urbs[2] = client_submit(&c, 0x81, 64, 0); /* the last: the one that is answered in part */
        for (unsigned k = 0; k < 3; k++) {
            struct uw_urb *urb;

            assert_int_equal(uw_queue_wait(c.queue, uw_msec(30000)), 1);
            urb = uw_queue_pop(c.queue);
            if (uw_urb_status(urb) != endings[i].status)
                fail_msg("%s: %s", endings[i].name, uw_error_name(uw_urb_status(urb)));
        }
        assert_null(uw_queue_pop(c.queue));
        assert_int_equal(client_status(&c), endings[i].status);
        if (!strstr(client_why(&c), endings[i].why))
            fail_msg("%s: '%s'", endings[i].name, client_why(&c));
        assert_int_equal(client_run(&c, 0x81, 64, 0), endings[i].status); /* refused from now on */
        for (unsigned k = 0; k < 3; k++)
            client_urb_free(urbs[k]);
        client_stop(&c);
    }
}

struct cut {
    unsigned served;
};

static void
act_cut(struct stage *stage, int fd, unsigned number)
{
    static const uint8_t data[64];
    const struct cut *cut = (const struct cut *)stage_arg(stage);
    struct uw_pdu pdu;

    (void)number;
    if (!stage_import(fd, NULL))
        return;
    for (unsigned i = 0; i < cut->served; i++)
        if (!stage_command(fd, &pdu, NULL, 0) || !stage_reply(fd, &pdu, 0, data, 64))
            return;
}

/* The connection ends after every URB in turn: those that were answered are done, the others are
 * lost, and each comes out of the queue once. */
static void
test_cut_at_every_urb(void **state)
{
    static const uint8_t endpoints[] = {0x80, 0x01, 0x81, 0x00, 0x82, 0x02, 0x81, 0x01};
    enum { URBS = sizeof(endpoints) };

    (void)state;
    for (struct cut cut = {0}; cut.served <= URBS; cut.served++) {
        struct uw_urb *urbs[URBS];
        struct client c;
        unsigned good = 0, lost = 0;

        client_start(&c, act_cut, &cut);
        client_must_import(&c);
        for (unsigned i = 0; i < URBS; i++)
            urbs[i] = client_submit(&c, endpoints[i], 64, 0);
        for (unsigned i = 0; i < URBS; i++) {
            int status;

            if (urbs[i]->detached) { /* refused: the connection had ended already */
                lost++;
                continue;
            }
            assert_int_equal(uw_queue_wait(c.queue, uw_msec(30000)), 1);
            status = uw_urb_status(uw_queue_pop(c.queue));
            good += status == UW_OK;
            lost += status == UW_ERROR_CONNECTION_LOST;
        }
        assert_null(uw_queue_pop(c.queue));
        assert_int_equal(good, cut.served);
        assert_int_equal(lost, URBS - cut.served);
        for (unsigned i = 0; i < URBS; i++)
            client_urb_free(urbs[i]);
        client_stop(&c);
    }
}

/* Must 15: "no such device" again and again ends the import, with the connection still open. */
static void
act_gone(struct stage *stage, int fd, unsigned number)
{
    struct uw_pdu pdu;

    (void)stage;
    (void)number;
    if (!stage_import(fd, NULL))
        return;
    while (stage_command(fd, &pdu, NULL, 0))
        stage_reply(fd, &pdu, -19, NULL, 0);
}

static void
test_gone(void **state)
{
    struct client c;
    unsigned n = 0;

    (void)state;
    client_start(&c, act_gone, NULL);
    client_must_import(&c);
    while (client_status(&c) == UW_OK && n++ < 10)
        assert_int_equal(client_run(&c, 0x81, 64, 0), UW_ERROR_NO_DEVICE);
    assert_int_equal(n, 3);
    assert_int_equal(client_status(&c), UW_ERROR_NO_DEVICE);
    assert_non_null(strstr(client_why(&c), "no such device"));
    client_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_cut_at_every_urb),
        cmocka_unit_test(test_gone),
    };

    return client_run_tests(tests);
}
