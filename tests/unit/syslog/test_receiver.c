/*
 * The receivers against boards that are sockets of this test. It never waits in the loop: messages
 * have to come all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <usbwire/syslog.h>

#include "support/alloc.h"

#define HEAD "<14>1 2000-01-01T00:00:13.000Z esp32 esp - - - I (1) x: "

#define STATES_MAX 65

/* What the receiver said. */
struct news {
    int messages, states;
    int in_order; /* messages whose text begins with their number */
    unsigned flags;
    char text[128], source[64];
    int from_port, to_port;
    struct {
        int connected;
        char text[256];
    } state[STATES_MAX]; /* the first that were said */
};

/* It says it in another thread. */
struct said {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct news news;
};

struct rig {
    struct uw_loop *loop;
    struct uw_syslog *log;
    struct said said;
    struct news seen; /* as of the last await */
    int listener, board;
    uint16_t port;
};

static int
port_of(const struct sockaddr *address)
{
    return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static void
on_message(void *data, const struct uw_syslog_message *m)
{
    struct said *said = (struct said *)data;
    struct news *s = &said->news;
    char number[16];

    pthread_mutex_lock(&said->lock);
    snprintf(number, sizeof(number), "%d ", s->messages);
    if (strncmp(m->text, number, strlen(number)) == 0 && m->text[strlen(m->text) - 1] == 'z')
        s->in_order++;
    s->messages++;
    s->flags = m->flags;
    snprintf(s->text, sizeof(s->text), "%s", m->text);
    snprintf(s->source, sizeof(s->source), "%s", m->source);
    s->from_port = port_of(m->from);
    s->to_port = port_of(m->to);
    assert_true(m->wall_us > 1600000000000000u && m->when.us > 0);
    pthread_cond_signal(&said->changed);
    pthread_mutex_unlock(&said->lock);
}

static void
on_state(void *data, int connected, const char *text)
{
    struct said *said = (struct said *)data;
    struct news *s = &said->news;

    pthread_mutex_lock(&said->lock);
    if (s->states < STATES_MAX) {
        s->state[s->states].connected = connected;
        snprintf(s->state[s->states].text, sizeof(s->state[0].text), "%s", text);
    }
    s->states++;
    pthread_cond_signal(&said->changed);
    pthread_mutex_unlock(&said->lock);
}

/* Until so much has been said. */
static void
await(struct rig *rig, int messages, int states)
{
    struct said *s = &rig->said;
    struct timespec limit;
    int r = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 60;
    pthread_mutex_lock(&s->lock);
    while (r == 0 && (s->news.messages < messages || s->news.states < states))
        r = pthread_cond_timedwait(&s->changed, &s->lock, &limit);
    rig->seen = s->news;
    pthread_mutex_unlock(&s->lock);
    assert_int_equal(r, 0);
}

static const struct uw_syslog_options *
options(struct rig *rig)
{
    static struct uw_syslog_options o;

    o = (struct uw_syslog_options){
        .size = sizeof(o), .message = on_message, .state = on_state, .data = &rig->said};
    return &o;
}

static int
bind_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

static int
set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    pthread_mutex_init(&rig->said.lock, NULL);
    pthread_cond_init(&rig->said.changed, NULL);
    rig->board = -1;
    rig->listener = bind_anywhere(&rig->port);
    assert_int_equal(listen(rig->listener, 4), 0);
    *state = rig;
    return uw_loop_new(NULL, &rig->loop);
}

static int
tear_down(void **state)
{
    struct rig *rig = *state;

    uw_syslog_free(rig->log);
    uw_loop_free(rig->loop);
    if (rig->board >= 0)
        close(rig->board);
    if (rig->listener >= 0)
        close(rig->listener);
    pthread_mutex_destroy(&rig->said.lock);
    pthread_cond_destroy(&rig->said.changed);
    free(rig);
    return 0;
}

static void
connect_log(struct rig *rig)
{
    char address[32];

    snprintf(address, sizeof(address), "127.0.0.1:%u", rig->port);
    assert_int_equal(uw_syslog_connect(rig->loop, address, 0, options(rig), &rig->log, NULL), 0);
}

static void
accept_board(struct rig *rig)
{
    int one = 1;

    rig->board = accept(rig->listener, NULL, NULL);
    assert_true(rig->board >= 0);
    setsockopt(rig->board, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void
put(int fd, const char *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

static void
says(int fd, const char *text)
{
    char message[256], frame[300];
    int n = snprintf(message, sizeof(message), HEAD "%s\n", text);

    n = snprintf(frame, sizeof(frame), "%d %s", n, message);
    put(fd, frame, (size_t)n);
}

static void
receives(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);

    connect_log(rig);
    accept_board(rig);
    says(rig->board, "hello");
    await(rig, 1, 1);
    assert_string_equal(rig->seen.text, "hello");
    assert_string_equal(rig->seen.source, "127.0.0.1");
    assert_int_equal(rig->seen.flags, 0);
    assert_int_equal(rig->seen.state[0].connected, 1);
    assert_int_equal(rig->seen.from_port, rig->port);
    assert_int_equal(getpeername(rig->board, (struct sockaddr *)&peer, &size), 0);
    assert_int_equal(rig->seen.to_port, ntohs(peer.sin_port));
}

/* In segments of any size; nobody but the receiver reads, or the sender would block. */
static void
ten_thousand_in_random_segments(void **state)
{
    struct rig *rig = *state;
    size_t room = 10000 * 160, have = 0;
    char *all = malloc(room);
    unsigned random = 3;

    for (int i = 0; i < 10000; i++) {
        char message[160];
        int n;

        random = random * 1103515245u + 12345u;
        n = snprintf(message, sizeof(message), HEAD "%d %*sz%s", i, (int)(random >> 16 & 63u), "",
                     i & 1 ? "\n" : "");
        have += (size_t)snprintf(all + have, room - have, "%d %s", n, message);
    }
    connect_log(rig);
    accept_board(rig);
    for (size_t at = 0; at < have;) {
        size_t n;

        random = random * 1103515245u + 12345u;
        n = (random >> 16) % 700 + 1;
        n = n < have - at ? n : have - at;
        put(rig->board, all + at, n);
        at += n;
    }
    await(rig, 10000, 1);
    assert_int_equal(rig->seen.messages, 10000);
    assert_int_equal(rig->seen.in_order, 10000);
    assert_int_equal(rig->seen.flags, 0);
    free(all);
}

static void
damage_is_told(void **state)
{
    struct rig *rig = *state;
    static const char junk[] = "what is this\n", half[] = "80 " HEAD "half";

    connect_log(rig);
    accept_board(rig);
    put(rig->board, junk, strlen(junk));
    await(rig, 1, 1);
    assert_int_equal(rig->seen.flags, UW_SYSLOG_JUNK);
    says(rig->board, "after");
    await(rig, 2, 1);
    assert_string_equal(rig->seen.text, "after");
    assert_int_equal(rig->seen.flags, 0);
    put(rig->board, half, strlen(half));
    close(rig->board);
    rig->board = -1;
    await(rig, 3, 2);
    assert_string_equal(rig->seen.text, "half");
    assert_int_equal(rig->seen.flags, UW_SYSLOG_CUT);
}

static void
connects_again(void **state)
{
    struct rig *rig = *state;
    struct uw_usec begin;

    connect_log(rig);
    accept_board(rig);
    says(rig->board, "one");
    await(rig, 1, 1);
    begin = uw_now();
    close(rig->board);
    await(rig, 1, 2);
    assert_int_equal(rig->seen.state[1].connected, 0);
    assert_non_null(strstr(rig->seen.state[1].text, "closed the connection; trying again in 1 s"));
    accept_board(rig);
    assert_true(uw_now().us - begin.us >= 1000000u);
    says(rig->board, "two");
    await(rig, 2, 3);
    assert_string_equal(rig->seen.text, "two");
    assert_int_equal(rig->seen.state[2].connected, 1);
}

static void
backs_off(void **state)
{
    struct rig *rig = *state;

    close(rig->listener);
    rig->listener = bind_anywhere(&rig->port); /* nobody listens, nor ever will */
    connect_log(rig);
    await(rig, 0, 1);
    assert_non_null(strstr(rig->seen.state[0].text, "refused; trying again in 1 s"));
    await(rig, 0, 2);
    assert_non_null(strstr(rig->seen.state[1].text, "refused; trying again in 2 s"));
    assert_int_equal(rig->seen.state[1].connected, 0);
}

static void
listens(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char *const binds[] = {"127.0.0.1", NULL};
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    static char large[UW_SYSLOG_MAX + 100];

    memset(large, 'x', sizeof(large));
    memcpy(large, "<1>", 3);
    for (int i = 0; i < 2; i++) {
        uint16_t port;

        rig->said.news = (struct news){0};
        assert_int_equal(
            uw_syslog_listen(rig->loop, binds[i], 0, options(rig), &rig->log, &port, NULL), 0);
        to.sin_port = htons(port);
        rig->board = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(rig->board, (struct sockaddr *)&to, sizeof(to)), 0);
        says(rig->board, "stream");
        await(rig, 1, 1);
        assert_string_equal(rig->seen.text, "stream");
        assert_string_equal(rig->seen.source, "127.0.0.1");
        assert_int_equal(rig->seen.to_port, port);
        sendto(udp, HEAD "datagram", strlen(HEAD "datagram"), 0, (struct sockaddr *)&to,
               sizeof(to));
        await(rig, 2, 1);
        assert_string_equal(rig->seen.text, "datagram");
        assert_string_equal(rig->seen.source, "127.0.0.1");
        assert_int_equal(rig->seen.flags, UW_SYSLOG_UDP);
        assert_int_equal(rig->seen.to_port, port);
        sendto(udp, "", 0, 0, (struct sockaddr *)&to, sizeof(to));
        await(rig, 3, 1);
        assert_int_equal(rig->seen.flags, UW_SYSLOG_UDP | UW_SYSLOG_JUNK);
        sendto(udp, large, sizeof(large), 0, (struct sockaddr *)&to, sizeof(to));
        await(rig, 4, 1);
        assert_int_equal(rig->seen.flags, UW_SYSLOG_UDP | UW_SYSLOG_CUT);
        close(rig->board);
        rig->board = -1;
        await(rig, 4, 2);
        uw_syslog_free(rig->log);
        rig->log = NULL;
    }
    close(udp);
}

static void
turns_away_too_many(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int boards[65];
    uint16_t port;
    char byte;

    assert_int_equal(
        uw_syslog_listen(rig->loop, "127.0.0.1", 0, options(rig), &rig->log, &port, NULL), 0);
    to.sin_port = htons(port);
    for (int i = 0; i < 65; i++) {
        boards[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(boards[i], (struct sockaddr *)&to, sizeof(to)), 0);
        await(rig, 0, i + 1);
    }
    assert_non_null(strstr(rig->seen.state[64].text, "turned away"));
    assert_int_equal(recv(boards[64], &byte, 1, 0), 0);
    says(boards[63], "still here");
    await(rig, 1, 65);
    for (int i = 0; i < 65; i++)
        close(boards[i]);
}

static void
refuses(void **state)
{
    struct rig *rig = *state;
    struct uw_syslog_options none = *options(rig), old = none;
    struct uw_syslog *log = NULL;
    struct uw_fault fault;

    none.message = NULL;
    old.size--;
    assert_int_equal(uw_syslog_connect(rig->loop, "a", 0, NULL, &log, NULL), UW_ERROR_INVALID);
    assert_int_equal(uw_syslog_connect(rig->loop, "a", 0, &none, &log, NULL), UW_ERROR_INVALID);
    assert_int_equal(uw_syslog_connect(rig->loop, "a", 0, &old, &log, NULL), UW_ERROR_INVALID);
    assert_int_equal(uw_syslog_connect(rig->loop, "a:0", 0, options(rig), &log, &fault),
                     UW_ERROR_INVALID);
    assert_int_equal(fault.code, UW_ERROR_INVALID);
    assert_int_equal(uw_syslog_connect(rig->loop, "unix:/x", 0, options(rig), &log, &fault),
                     UW_ERROR_INVALID);
    assert_int_equal(uw_syslog_listen(rig->loop, "nowhere", 0, options(rig), &log, NULL, &fault),
                     UW_ERROR_INVALID);
    assert_int_equal(
        uw_syslog_listen(rig->loop, "127.0.0.1", rig->port, options(rig), &log, NULL, &fault),
        UW_ERROR_CONNECT);
    assert_true(fault.raw != 0);
    assert_null(log);
    uw_syslog_free(NULL);
}

static void
survives_failing_allocations(void **state)
{
    struct rig *rig = *state;
    int r = UW_ERROR_NO_MEMORY;

    for (unsigned at = 0; at < 2; at++) {
        alloc_fail_at(at);
        assert_int_equal(
            uw_syslog_connect(rig->loop, "127.0.0.1:1", 0, options(rig), &rig->log, NULL),
            UW_ERROR_NO_MEMORY);
    }
    for (unsigned at = 0; r < 0; at++) {
        assert_true(at < 20);
        alloc_fail_at(at);
        r = uw_syslog_listen(rig->loop, "127.0.0.1", 0, options(rig), &rig->log, NULL, NULL);
        alloc_end();
        assert_true(r == 0 || r == UW_ERROR_NO_MEMORY);
    }
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(receives),
        TEST(ten_thousand_in_random_segments),
        TEST(damage_is_told),
        TEST(connects_again),
        TEST(backs_off),
        TEST(listens),
        TEST(turns_away_too_many),
        TEST(refuses),
        TEST(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
