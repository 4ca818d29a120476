/*
 * The bench's log, read as bytes: what the ESP bridge does (RFC 6587 octet counting with the
 * newline counted, RFC 5424, colours, four places), and what goes wrong there.
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
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <usbwire/sim.h>

#include "syslog/framer.h"

struct rig {
    struct uw_sim *sim;
    pthread_t thread;
    uint16_t port;
};

static void *
run(void *data)
{
    uw_sim_run((struct uw_sim *)data);
    return NULL;
}

static void
start(struct rig *rig, const char *const *fails)
{
    struct uw_fault fault;
    uint16_t port;

    assert_int_equal(uw_sim_new(NULL, &rig->sim), 0);
    assert_int_equal(uw_sim_add(rig->sim, "esp", &fault), 0);
    for (; fails && *fails; fails++)
        assert_int_equal(uw_sim_fail(rig->sim, *fails, &fault), 0);
    assert_int_equal(uw_sim_listen(rig->sim, NULL, 0, &port, &fault), 0);
    assert_int_equal(uw_sim_log_listen(rig->sim, NULL, 0, &rig->port, &fault), 0);
    assert_int_equal(uw_sim_log_listen(rig->sim, NULL, 0, &port, &fault), UW_ERROR_INVALID);
    assert_int_equal(pthread_create(&rig->thread, NULL, run, rig->sim), 0);
}

static void
stop(struct rig *rig)
{
    uw_sim_stop(rig->sim);
    pthread_join(rig->thread, NULL);
    uw_sim_free(rig->sim);
}

/* Each one that finds a place makes the bench log "log client N of 4" to all. */
static int
connect_client(const struct rig *rig)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(rig->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* The bytes of one message by its own count. */
static size_t
read_message(int fd, char *buf, size_t room)
{
    size_t count = 0, have = 0;
    char c = 0;

    while (recv(fd, &c, 1, 0) == 1 && c != ' ') {
        assert_in_range(c, '0', '9');
        count = count * 10 + (size_t)(c - '0');
    }
    assert_in_range(count, 1, room - 1);
    while (have < count) {
        ssize_t n = recv(fd, buf + have, count - have, 0);

        assert_true(n > 0);
        have += (size_t)n;
    }
    buf[have] = '\0';
    return have;
}

static void
logs_as_the_bridge(void **state)
{
    struct rig rig;
    char text[512], expected[512];
    unsigned long long uptime;
    int fd, n = 0;

    (void)state;
    start(&rig, NULL);
    fd = connect_client(&rig);
    read_message(fd, text, sizeof(text));
    assert_int_equal(
        sscanf(text,
               "<14>1 2000-01-01T%*2d:%*2d:%*2d.%*3dZ esp32 esp - - - \033[0;32mI (%llu) "
               "%n",
               &uptime, &n),
        1);
    assert_true(n > 0 && uptime < 60000);
    snprintf(expected, sizeof(expected), "<14>1 2000-01-01T00:00:%02llu.%03lluZ", uptime / 1000,
             uptime % 1000);
    assert_memory_equal(text, expected, strlen(expected));
    assert_string_equal(text + n, "usbip: log client 1 of 4\033[0m\n");
    close(fd);
    stop(&rig);
}

static void
has_four_places(void **state)
{
    struct rig rig;
    struct pollfd late;
    char text[512];
    int fds[5];

    (void)state;
    start(&rig, NULL);
    for (int i = 0; i < 4; i++) {
        fds[i] = connect_client(&rig);
        for (int j = 0; j <= i; j++)
            read_message(fds[j], text, sizeof(text));
    }
    fds[4] = connect_client(&rig); /* into the backlog */
    late = (struct pollfd){.fd = fds[4], .events = POLLIN};
    assert_int_equal(poll(&late, 1, 50), 0);
    close(fds[0]);
    read_message(fds[4], text, sizeof(text));
    assert_non_null(strstr(text, "log client 4 of 4"));
    for (int i = 1; i < 5; i++)
        close(fds[i]);
    stop(&rig);
}

/* What a client reads of lines some of which are broken: every line that was not is whole. */
static void
breaks_framing(void **state)
{
    static const char *const fails[][2] = {{"log-cut:every=3"},
                                           {"log-cut:every=3,at=2"},
                                           {"log-junk:every=3"},
                                           {"log-count:every=3,at=1000"},
                                           {"log-count:every=3,at=5"}};

    (void)state;
    for (size_t f = 0; f < sizeof(fails) / sizeof(fails[0]); f++) {
        struct uw_framer *framer = malloc(sizeof(*framer));
        struct uw_frame frame;
        struct rig rig;
        int fd, whole = 0, damaged = 0;

        start(&rig, fails[f]);
        fd = connect_client(&rig);
        uw_framer_init(framer);
        while (whole < 30) {
            char bytes[300];
            ssize_t n;

            close(connect_client(&rig));
            n = recv(fd, bytes, sizeof(bytes), 0);
            assert_true(n > 0);
            for (ssize_t at = 0; at < n;) {
                at += (ssize_t)uw_framer_put(framer, bytes + at, (size_t)(n - at));
                while (uw_framer_next(framer, &frame)) {
                    int fine = frame.kind == UW_FRAME_COUNTED && !frame.cut &&
                               frame.bytes[frame.size - 1] == '\n';

                    whole += fine;
                    damaged += !fine;
                }
            }
        }
        assert_in_range(damaged, 5, 60);
        close(fd);
        free(framer);
        stop(&rig);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_as_the_bridge),
        cmocka_unit_test(has_four_places),
        cmocka_unit_test(breaks_framing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
