/*
 * test_ask.c - one question to the owner of a pseudo-terminal, who is a forked child here
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tty/ask.h"
#include "tty/place.h"

#define ERRNO_BEFORE 4711

struct rig {
    int master, slave;
    struct sockaddr_un address;
    pid_t child;
    int descriptors;
};

static int
open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static int
set_up(void **state)
{
    static struct rig rig;
    char folder[sizeof(rig.address.sun_path)];
    struct stat st;

    memset(&rig, 0, sizeof(rig));
    rig.master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(rig.master >= 0 && grantpt(rig.master) == 0 && unlockpt(rig.master) == 0);
    rig.slave = open(ptsname(rig.master), O_RDWR | O_NOCTTY);
    assert_true(rig.slave >= 0 && fstat(rig.slave, &st) == 0);
    assert_true(tty_folder(folder, sizeof(folder)));
    assert_true(tty_address(folder, tty_number(&st), &rig.address));
    rig.descriptors = open_descriptors();
    *state = &rig;
    return 0;
}

static int
tear_down(void **state)
{
    struct rig *rig = (struct rig *)*state;
    int status = 0;

    assert_int_equal(open_descriptors(), rig->descriptors);
    if (rig->child > 0) {
        kill(rig->child, SIGTERM);
        assert_int_equal(waitpid(rig->child, &status, 0), rig->child);
    }
    (void)unlink(rig->address.sun_path);
    close(rig->slave);
    close(rig->master);
    return 0;
}

static int
listen_there(const struct rig *rig)
{
    int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    (void)unlink(rig->address.sun_path);
    assert_true(s >= 0);
    assert_int_equal(bind(s, (const struct sockaddr *)&rig->address, sizeof(rig->address)), 0);
    assert_int_equal(listen(s, 1), 0);
    return s;
}

static void
answer_one(int listener, struct tty_reply reply, int size)
{
    struct tty_request request;
    int fd = accept(listener, NULL, NULL);

    if (recv(fd, &request, sizeof(request), 0) != (ssize_t)sizeof(request) ||
        request.version != TTY_VERSION || request.op != TTY_GET_FRAME)
        _exit(1);
    reply.value = request.value + 1;
    if (size < 0)
        pause();
    if (size > 0 && send(fd, &reply, (size_t)size, 0) != size)
        _exit(2);
    _exit(0);
}

/* Who answers one question with the first `size` bytes of the reply; -1: never. The value that
 * comes back is the one asked with, plus 1. */
static void
be_owner(struct rig *rig, struct tty_reply reply, int size)
{
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    rig->child = fork();
    assert_true(rig->child >= 0);
    if (rig->child == 0) {
        int s = listen_there(rig); /* who listens counts as the owner */

        if (write(ready[1], &byte, 1) != 1)
            _exit(3);
        answer_one(s, reply, size);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
}

static enum tty_answer
ask(int fd, struct tty_question *q)
{
    memset(q, 0, sizeof(*q));
    q->op = TTY_GET_FRAME;
    q->value = 41;
    errno = ERRNO_BEFORE;
    return tty_ask(fd, q);
}

static struct tty_reply
says(uint32_t verdict, int error)
{
    struct tty_reply reply = {.version = TTY_VERSION, .verdict = verdict, .error = error};

    return reply;
}

static void
descriptors_that_are_none_of_ours(void **state)
{
    struct rig *rig = (struct rig *)*state;
    struct tty_question q;

    assert_int_equal(ask(-1, &q), TTY_OTHERS);
    assert_int_equal(errno, ERRNO_BEFORE);
    assert_int_equal(ask(rig->master, &q), TTY_OTHERS);
    assert_int_equal(ask(rig->slave, &q), TTY_OTHERS); /* nobody listens */
    assert_int_equal(errno, ERRNO_BEFORE);
    assert_int_equal(tty_is_slave(rig->slave), 1);
    assert_int_equal(tty_is_slave(rig->master), 0);
    assert_int_equal(tty_is_slave(-1), 0);
    assert_int_equal(errno, ERRNO_BEFORE);
}

static void
an_answer(void **state)
{
    struct rig *rig = (struct rig *)*state;
    struct tty_question q;

    be_owner(rig, says(TTY_DONE, 0), sizeof(struct tty_reply));
    assert_int_equal(ask(rig->slave, &q), TTY_ANSWERED);
    assert_int_equal(q.result, 0);
    assert_int_equal(q.reply.value, 42);
    assert_int_equal(errno, ERRNO_BEFORE);
}

static void
a_failure(void **state)
{
    struct rig *rig = (struct rig *)*state;
    struct tty_question q;

    be_owner(rig, says(TTY_FAILED, EINVAL), sizeof(struct tty_reply));
    assert_int_equal(ask(rig->slave, &q), TTY_ANSWERED);
    assert_int_equal(q.result, -1);
    assert_int_equal(errno, EINVAL);
}

/* Another devpts has the same numbers. */
static void
another_pseudo_terminal(void **state)
{
    struct rig *rig = (struct rig *)*state;
    struct tty_question q;

    be_owner(rig, says(TTY_NOT_MINE, 0), sizeof(struct tty_reply));
    assert_int_equal(ask(rig->slave, &q), TTY_OTHERS);
    assert_int_equal(errno, ERRNO_BEFORE);
}

static void
no_answer_that_can_be_used(void **state)
{
    static const int sizes[] = {0, 5, sizeof(struct tty_reply)};
    struct rig *rig = (struct rig *)*state;
    struct tty_reply later = says(TTY_DONE, 0);

    later.version = TTY_VERSION + 1;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct tty_question q;
        int status;

        be_owner(rig, later, sizes[i]);
        assert_int_equal(ask(rig->slave, &q), TTY_ANSWERED);
        assert_int_equal(q.result, -1);
        assert_int_equal(errno, EIO);
        assert_int_equal(waitpid(rig->child, &status, 0), rig->child);
        assert_int_equal(status, 0);
        rig->child = 0;
    }
}

/* The owner must not wait for itself. */
static void
the_owner_itself(void **state)
{
    struct rig *rig = (struct rig *)*state;
    int s = listen_there(rig);
    struct tty_question q;

    assert_int_equal(ask(rig->slave, &q), TTY_OTHERS);
    close(s);
}

static void
ring(int number)
{
    (void)number;
}

static void
signals_end_what_may_take_long(void **state)
{
    struct sigaction action = {.sa_handler = ring};
    struct itimerval soon = {.it_value = {.tv_usec = 50000}, .it_interval = {.tv_usec = 50000}};
    struct itimerval never = {0};
    struct rig *rig = (struct rig *)*state;
    struct tty_question q = {.op = TTY_GET_FRAME, .patient = 1};

    be_owner(rig, says(TTY_DONE, 0), -1);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(tty_ask(rig->slave, &q), TTY_ANSWERED);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(q.result, -1);
    assert_int_equal(errno, EINTR);
}

int
main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RIG(descriptors_that_are_none_of_ours),
        WITH_RIG(an_answer),
        WITH_RIG(a_failure),
        WITH_RIG(another_pseudo_terminal),
        WITH_RIG(no_answer_that_can_be_used),
        WITH_RIG(the_owner_itself),
        WITH_RIG(signals_end_what_may_take_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
