/*
 * ask.c - one question to the owner of a pseudo-terminal
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tty/ask.h"
#include "tty/place.h"

#define PATIENCE_S 30 /* the device's own requests have bounds well below */

static char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

/* Once, before the program: what it takes may not be called from a signal handler. */
__attribute__((constructor)) static void
find_folder(void)
{
    int before = errno;

    if (!tty_folder(folder, sizeof(folder)))
        folder[0] = '\0';
    errno = before;
}

/* The number of a pseudo-terminal that may be ours, and which it is. */
static int
recognise(int fd, struct tty_request *q)
{
    struct stat st;
    int number;

    if (!folder[0] || fstat(fd, &st) < 0)
        return -1;
    number = tty_number(&st);
    q->device = st.st_dev;
    q->inode = st.st_ino;
    q->number = st.st_rdev;
    return number;
}

int
tty_is_slave(int fd)
{
    struct tty_request unused;
    int before = errno, number = recognise(fd, &unused);

    errno = before;
    return number >= 0;
}

/* A socket to its owner, -1: there is none, or it is this very process. */
static int
reach(int number)
{
    struct sockaddr_un address;
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    int s;

    if (!tty_address(folder, number, &address))
        return -1;
    s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -1;
    if (connect(s, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockopt(s, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid() &&
        peer.pid != getpid())
        return s;
    close(s);
    return -1;
}

static ssize_t
receive(int s, struct tty_reply *reply, int patient)
{
    ssize_t n;

    do
        n = recv(s, reply, sizeof(*reply), 0);
    while (n < 0 && errno == EINTR && !patient);
    return n;
}

/* What came is for the caller, or the pseudo-terminal is another one. */
static enum tty_answer
conclude(ssize_t n, struct tty_question *q)
{
    q->result = -1;
    if (n < 0 && errno == EINTR)
        return TTY_ANSWERED;
    if (n != (ssize_t)sizeof(q->reply) || q->reply.version != TTY_VERSION) {
        errno = EIO; /* the owner ended meanwhile, or does not answer */
        return TTY_ANSWERED;
    }
    if (q->reply.verdict == TTY_NOT_MINE)
        return TTY_OTHERS;
    if (q->reply.verdict == TTY_FAILED)
        errno = q->reply.error;
    else
        q->result = 0;
    return TTY_ANSWERED;
}

static enum tty_answer
exchange(int s, const struct tty_request *request, struct tty_question *q)
{
    static const struct timeval patience = {.tv_sec = PATIENCE_S};
    ssize_t n;

    if (!q->patient)
        (void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    n = send(s, request, sizeof(*request), MSG_NOSIGNAL);
    if (n == (ssize_t)sizeof(*request))
        n = receive(s, &q->reply, q->patient);
    return conclude(n, q);
}

enum tty_answer
tty_ask(int fd, struct tty_question *q)
{
    struct tty_request request = {
        .version = TTY_VERSION, .op = q->op, .mask = q->mask, .value = q->value};
    enum tty_answer answer = TTY_OTHERS;
    int before = errno, state, number = recognise(fd, &request), s;

    /* Cancelled in here, a thread would leave the socket open. */
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    s = number < 0 ? -1 : reach(number);
    if (s >= 0) {
        int error;

        answer = exchange(s, &request, q);
        error = errno;
        close(s);
        errno = error;
    }
    (void)pthread_setcancelstate(state, NULL);
    if (answer == TTY_OTHERS || q->result == 0)
        errno = before;
    return answer;
}
