/*
 * test_bounds.c - many clients of a broker, and those that take more than they give
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "rig.h"
#include "wire/cmd.h"
#include "wire/op.h"

#define CROWD    200
#define MIB      ((size_t)1 << 20)
#define REPLY    (UW_OP_HEADER_SIZE + 312)
#define READ     65536
#define MUCH     (4 * MIB)
#define AT_ONCE  200
#define QUIET_MS 300

/* A client that speaks the protocol by itself. */
static int
dial(struct setup *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", uw_broker_address(s->broker) + 5);
    assert_int_equal(connect(fd, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
    return fd;
}

static uint32_t
number_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Returns the devid. */
static uint32_t
import(struct setup *s, int fd)
{
    uint8_t request[40] = {0x01, 0x11, 0x80, 0x03}, reply[REPLY];
    const char *busid = uw_device_info(s->holder.device)->busid;
    size_t have = 0;

    memcpy(request + 8, busid, strlen(busid));
    assert_int_equal(send(fd, request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
    while (have < sizeof(reply)) {
        ssize_t n = recv(fd, reply + have, sizeof(reply) - have, 0);

        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_int_equal(number_at(reply + 4), UW_OP_ST_OK);
    return number_at(reply + 8 + 288) << 16 | number_at(reply + 8 + 292);
}

static size_t
held(struct setup *s)
{
    size_t used;

    uw_loop_lock(s->holder.loop);
    used = s->broker->budget.used;
    uw_loop_unlock(s->holder.loop);
    return used;
}

static void
await_clients(struct setup *s, unsigned count)
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(20000));

    while (uw_broker_clients(s->broker) != count) {
        assert_true(uw_now().us < until.us);
        (void)poll(NULL, 0, 1);
    }
}

static void
assert_serves(struct program *p)
{
    uint8_t bytes[512];
    size_t actual;

    assert_int_equal(rig_read(p, 0x81, bytes, sizeof(bytes), LONG, &actual), 0);
    assert_int_equal(actual, sizeof(bytes));
}

static void
test_crowd(void **state)
{
    struct setup *s = rig_start_joined("source-sink");
    int fds[CROWD];

    (void)state;
    for (unsigned i = 0; i < CROWD; i++) {
        fds[i] = dial(s);
        (void)import(s, fds[i]);
    }
    assert_int_equal(uw_broker_clients(s->broker), CROWD + 2);
    assert_serves(&s->one);
    assert_int_equal(uw_device_claim(s->one.device, 0, s), 0);
    assert_int_equal(uw_device_claim(s->two.device, 0, s), UW_ERROR_BUSY);
    for (unsigned i = 0; i < CROWD; i++)
        close(fds[i]);
    await_clients(s, 2);
    assert_serves(&s->one);
    rig_end(s);
}

/* Sends reads until much is kept for them and nobody has taken any for a while; returns how many
 * were sent. */
static uint32_t
ask_and_ask(struct setup *s, int fd, uint32_t devid)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    uint8_t bytes[UW_PDU_SIZE * AT_ONCE];
    struct uw_pdu pdu = {
        .command = UW_CMD_SUBMIT, .devid = devid, .direction = UW_DIR_IN, .ep = 1, .length = READ};
    size_t sent = sizeof(bytes);

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (poll(&p, 1, QUIET_MS) == 1 || held(s) < MUCH) {
        ssize_t n;

        if (!p.revents)
            continue;
        if (sent == sizeof(bytes)) {
            for (unsigned i = 0; i < AT_ONCE; i++) {
                pdu.seqnum += 2;
                uw_encode_pdu(bytes + (size_t)i * UW_PDU_SIZE, &pdu);
            }
            sent = 0;
        }
        n = send(fd, bytes + sent, sizeof(bytes) - sent, MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    return pdu.seqnum / 2;
}

/* Who never reads is not read from either: what is kept for it has a bound, and is given back when
 * it goes. Others have the device meanwhile. */
static void
test_never_reads(void **state)
{
    struct setup *s = rig_start_joined("source-sink");
    int fd = dial(s);
    uint32_t devid = import(s, fd);
    uint32_t asked;

    (void)state;
    asked = ask_and_ask(s, fd, devid);
    assert_true(asked >= AT_ONCE && asked < 500 * AT_ONCE);
    assert_true(held(s) < 129 * MIB); /* 128 for it, and what the programs wait for */
    assert_serves(&s->one);
    close(fd);
    await_clients(s, 2);
    assert_true(held(s) < MIB); /* the news that two programs wait for, and no more */
    assert_serves(&s->two);
    rig_end(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_never_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
