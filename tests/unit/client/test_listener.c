/*
 * Those who come to a listening socket, also when there is no descriptor left for them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/listener.h"
#include "support/client.h"
#include "transport/listen.h"

#define GUESTS 5

struct house {
    struct uw_loop *loop;
    struct uw_listener listener;
    struct sockaddr_storage address;
    struct uw_transport *in[GUESTS];
    unsigned count;
    int guests[GUESTS];
    char log[1024];
};

/* As where no descriptor is left. Under valgrind one that lacks is let in, and thrown out. */
static int full;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int
__wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    if (!full)
        return __real_accept4(fd, address, size, flags);
    errno = EMFILE;
    return -1;
}

static void
came(struct uw_listener *listener, struct uw_transport *transport)
{
    struct house *h = UW_CONTAINER(listener, struct house, listener);

    assert_true(h->count < GUESTS);
    h->in[h->count++] = transport;
}

static void
note(void *data, int level, const char *line)
{
    struct house *h = (struct house *)data;

    (void)level;
    strncat(h->log, line, sizeof(h->log) - strlen(h->log) - 1);
}

static void
open_house(struct house *h)
{
    struct uw_loop_options options = {
        .size = sizeof(options), .backend = client_backend(), .log = {UW_LOG_WARNING, note, h}};
    socklen_t size;
    int fd;

    memset(h, 0, sizeof(*h));
    assert_int_equal(uw_loop_new(&options, &h->loop), 0);
    size = uw_socket_address("127.0.0.1", 0, &h->address);
    fd = uw_listen(SOCK_STREAM, &h->address, size, &h->address);
    assert_true(fd >= 0);
    uw_loop_lock(h->loop);
    assert_int_equal(uw_listener_start(&h->listener, h->loop, fd, came), 0);
    uw_loop_unlock(h->loop);
}

static void
ring_all(struct house *h)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        h->guests[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(h->guests[i], (struct sockaddr *)(void *)&h->address,
                                 sizeof(struct sockaddr_in)),
                         0);
    }
}

static void
let_all_in(struct house *h)
{
    struct uw_usec until = uw_usec_add(uw_now(), uw_msec(30000));

    while (h->count < GUESTS) {
        assert_true(uw_now().us < until.us);
        assert_int_equal(uw_loop_wait(h->loop, uw_msec(1000)), 0);
    }
}

static void
close_house(struct house *h)
{
    uw_loop_lock(h->loop);
    uw_listener_stop(&h->listener);
    uw_loop_unlock(h->loop);
    for (unsigned i = 0; i < GUESTS; i++) {
        uw_transport_free(h->in[i], 1);
        close(h->guests[i]);
    }
    uw_loop_free(h->loop);
}

static void
test_came(void **state)
{
    struct house h;

    (void)state;
    open_house(&h);
    ring_all(&h);
    let_all_in(&h);
    assert_string_equal(h.log, "");
    close_house(&h);
}

/* Who cannot be let in waits, and nobody spins meanwhile. */
static void
test_full(void **state)
{
    struct uw_usec start;
    struct house h;
    unsigned steps;

    (void)state;
    open_house(&h);
    ring_all(&h);
    full = 1;
    steps = h.loop->steps;
    start = uw_now();
    while (client_since(start) < 350000)
        assert_int_equal(uw_loop_wait(h.loop, uw_msec(350)), 0);
    full = 0;
    assert_int_equal(h.count, 0);
    assert_true(h.loop->steps - steps <= 10 + client_since(start) / 50000);
    let_all_in(&h);
    assert_string_equal(h.log, "no descriptor or memory is left for another connection: who comes "
                               "now waits");
    close_house(&h);
}

/* Ended while it waits to look again: the timer goes with it. */
static void
test_stopped_while_full(void **state)
{
    struct rlimit limit, small = {3, 3};
    struct house h;

    (void)state;
    open_house(&h);
    ring_all(&h);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    small.rlim_max = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
    while (!h.listener.full)
        assert_int_equal(uw_loop_step(h.loop), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(uw_is_never(uw_loop_deadline(h.loop)));
    close_house(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_came),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_stopped_while_full),
    };

    return client_run_tests(tests);
}
