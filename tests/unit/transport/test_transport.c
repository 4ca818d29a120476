/*
 * Sockets: what is set on them (Must 18), what their ends look like, and whose they are after a
 * fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "transport/transport.h"

static int
bind_v4(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (struct sockaddr *)address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &size), 0);
    return fd;
}

static int
listen_v4(struct sockaddr_in *address)
{
    int fd = bind_v4(address);

    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void
await(struct uw_transport *t, short events)
{
    struct pollfd p = {.fd = uw_transport_fd(t), .events = events};

    assert_int_equal(poll(&p, 1, 30000), 1);
}

static struct uw_transport *
connect_to(struct sockaddr_in *address)
{
    struct uw_transport *t;
    int error = 0;

    assert_int_equal(uw_transport_tcp((struct sockaddr *)address, sizeof(*address), &t), 0);
    while (uw_transport_connected(t, &error) == 0)
        await(t, POLLOUT);
    assert_int_equal(uw_transport_connected(t, &error), 1);
    return t;
}

static int
option(const struct uw_transport *t, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    assert_int_equal(getsockopt(uw_transport_fd(t), level, name, &value, &size), 0);
    return value;
}

/* A cut cable is noticed within 15 s, whether something is to be sent or not; small messages leave
 * at once. */
static void
test_options(void **state)
{
    struct sockaddr_in address;
    int listener = listen_v4(&address);
    struct uw_transport *t = connect_to(&address);

    (void)state;
    assert_int_equal(option(t, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(t, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(t, IPPROTO_TCP, TCP_KEEPIDLE), 10);
    assert_int_equal(option(t, IPPROTO_TCP, TCP_KEEPINTVL), 1);
    assert_int_equal(option(t, IPPROTO_TCP, TCP_KEEPCNT), 5);
    assert_int_equal(option(t, IPPROTO_TCP, TCP_USER_TIMEOUT), 15000);
    assert_true(fcntl(uw_transport_fd(t), F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(uw_transport_fd(t), F_GETFD) & FD_CLOEXEC);
    uw_transport_free(t, 1);
    close(listener);
}

static void
test_refused(void **state)
{
    struct sockaddr_in address;
    struct uw_transport *t = NULL;
    int fd = bind_v4(&address), error = 0, r; /* and nobody listens */

    (void)state;
    r = uw_transport_tcp((struct sockaddr *)&address, sizeof(address), &t);
    while (r == 0 && (r = uw_transport_connected(t, &error)) == 0)
        await(t, POLLOUT);
    assert_int_equal(r, UW_ERROR_CONNECT);
    assert_int_equal(error ? error : errno, ECONNREFUSED);
    uw_transport_free(t, 0);
    close(fd);
}

static void
test_unix_paths(void **state)
{
    char path[200];
    struct uw_transport *t;

    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(uw_transport_unix(path, &t), UW_ERROR_INVALID);
    errno = 0;
    assert_int_equal(uw_transport_unix("/nonexistent/x", &t), UW_ERROR_CONNECT);
    assert_int_equal(errno, ENOENT);
}

/* Bytes, nothing, the end, and a peer that is gone: four different answers, and no signal. */
static void
test_reading_and_writing(void **state)
{
    struct uw_transport *ends[2];
    char a[4] = "abc", b[8] = {0};
    struct iovec in[2] = {{b, 2}, {b + 2, 6}}, out[2] = {{a, 1}, {a + 1, 2}};
    int error = 0;

    (void)state;
    assert_int_equal(uw_transport_pair(ends), 0);
    assert_int_equal(uw_transport_readv(ends[1], in, 2, &error), UW_AGAIN);
    assert_int_equal(uw_transport_writev(ends[0], out, 2, &error), 3);
    assert_int_equal(uw_transport_readv(ends[1], in, 2, &error), 3);
    assert_string_equal(b, "abc");
    for (ssize_t n = 3; n != UW_AGAIN; n = uw_transport_writev(ends[0], out, 2, &error))
        assert_true(n > 0);
    uw_transport_free(ends[1], 1);
    assert_int_equal(uw_transport_writev(ends[0], out, 2, &error), -1);
    assert_true(error == EPIPE || error == ECONNRESET);
    uw_transport_free(ends[0], 0);
    assert_int_equal(uw_transport_pair(ends), 0);
    uw_transport_free(ends[0], 1);
    assert_int_equal(uw_transport_readv(ends[1], in, 2, &error), 0);
    uw_transport_free(ends[1], 1);
    uw_transport_free(NULL, 1);
}

/* A child's free, graceful or not, leaves the parent's connection alone. */
static void
test_fork(void **state)
{
    struct uw_transport *ends[2];
    struct iovec iov = {(char[]){'x'}, 1};
    int error = 0, status = -1;
    pid_t pid;

    (void)state;
    assert_int_equal(uw_transport_pair(ends), 0);
    assert_true(uw_transport_is_ours(ends[0]));
    pid = fork();
    if (pid == 0) {
        int ours = uw_transport_is_ours(ends[0]);

        uw_transport_free(ends[0], 1);
        uw_transport_free(ends[1], 1);
        _exit(ours);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(uw_transport_writev(ends[0], &iov, 1, &error), 1);
    assert_int_equal(uw_transport_readv(ends[1], &iov, 1, &error), 1);
    uw_transport_free(ends[0], 1);
    assert_int_equal(uw_transport_readv(ends[1], &iov, 1, &error), 0);
    uw_transport_free(ends[1], 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unix_paths), cmocka_unit_test(test_reading_and_writing),
        cmocka_unit_test(test_fork),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
