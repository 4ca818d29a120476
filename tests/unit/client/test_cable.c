/*
 * The cable is cut: in a network of the test's own the interface goes down, so that nothing comes
 * back for what is sent and nothing is said about it. Within 15 s (transport.h) it is noticed, by
 * the one who only waits and by the one who sends. Where no network namespace can be made there is
 * nothing to test.
 */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/client.h"

static int
write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), r;

    if (fd < 0)
        return 0;
    r = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return r;
}

static int
set_link(int up)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

    request.ifr_flags = up ? IFF_UP : 0;
    r = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0)
        close(fd);
    return r;
}

/* A network namespace in which this process may do everything. Before any thread. */
static int
own_network(void)
{
    char map[64];
    unsigned uid = (unsigned)getuid();

    if (uid && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return 0;
    if (!uid && unshare(CLONE_NEWNET) < 0)
        return 0;
    snprintf(map, sizeof(map), "0 %u 1", uid);
    if (uid && !write_file("/proc/self/uid_map", map))
        return 0;
    return set_link(1);
}

/* Reads what comes and says nothing. */
static void
act_listen(struct stage *stage, int fd, unsigned number)
{
    struct uw_pdu pdu;

    if (!stage_import(fd, NULL))
        return;
    if (stage_command(fd, &pdu, NULL, 0))
        stage_reach(stage, number + 1);
    stage_drain(fd);
}

static void
test_cable_is_cut(void **state)
{
    struct client waits, sends;
    struct uw_urb *read, *other, *written;
    struct uw_usec start;

    (void)state;
    client_start(&waits, act_listen, NULL);
    client_must_import(&waits);
    client_start_at(&sends, stage_address(waits.stage));
    client_must_import(&sends);
    read = client_submit(&waits, 0x81, 64, 0);
    other = client_submit(&sends, 0x81, 64, 0);
    stage_await(waits.stage, 2);
    assert_true(set_link(0));
    start = uw_now();
    written = client_submit(&sends, 0x01, 64, 0);
    assert_int_equal(client_finish(&waits, read), UW_ERROR_CONNECTION_LOST);
    assert_true(client_since(start) < 25000000);
    assert_int_equal(uw_queue_wait(sends.queue, uw_msec(15000)), 1);
    while (uw_queue_pop(sends.queue))
        ;
    assert_int_equal(uw_urb_status(other), UW_ERROR_CONNECTION_LOST);
    assert_int_equal(uw_urb_status(written), UW_ERROR_CONNECTION_LOST);
    assert_true(client_since(start) < 25000000);
    printf("# %s; %s\n", client_why(&waits), client_why(&sends));
    assert_true(set_link(1));
    client_urb_free(read);
    client_urb_free(other);
    client_urb_free(written);
    client_stop(&sends);
    client_stop(&waits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cable_is_cut)};

    if (!own_network()) {
        printf("1..0 # SKIP no network namespace can be made here\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
