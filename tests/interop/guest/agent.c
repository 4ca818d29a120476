/*
 * agent - PID 1 of the guests once they are up: runs shell scripts for the host
 *
 *   agent PORT
 *
 * One script a TCP connection. Messages are a type byte, a length (4 bytes, big-endian) and that
 * many bytes. From the host: 'S' the script, which starts it; 'I' data for its standard input, an
 * empty one ends that. To the host: 'O' and 'E', its output and errors; 'X' the exit status as
 * text, which is the last. When the host closes the connection before, the script and all it
 * started in its process group is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_MAX (1u << 20)

static int host; /* the connection */

static int
read_full(int fd, void *buf, size_t size)
{
    uint8_t *p = buf;

    while (size > 0) {
        ssize_t n = read(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static int
write_full(int fd, const void *buf, size_t size)
{
    const uint8_t *p = buf;

    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

/* The next message: its type, or -1. `*ret_data` is to be freed. */
static int
receive(uint8_t **ret_data, uint32_t *ret_size)
{
    uint8_t type;
    uint32_t size;
    uint8_t *data;

    if (read_full(host, &type, 1) < 0 || read_full(host, &size, sizeof(size)) < 0)
        return -1;
    size = ntohl(size);
    data = size <= MESSAGE_MAX ? malloc(size + 1) : NULL;
    if (!data || read_full(host, data, size) < 0) {
        free(data);
        return -1;
    }
    *ret_data = data;
    *ret_size = size;
    return type;
}

static int
tell(char type, const void *data, size_t size)
{
    uint32_t length = htonl((uint32_t)size);

    return write_full(host, &type, 1) < 0 || write_full(host, &length, sizeof(length)) < 0 ||
                   write_full(host, data, size) < 0
               ? -1
               : 0;
}

/* Passes on what is in a pipe. Returns 0 at its end. */
static int
forward(int fd, char type)
{
    static uint8_t buf[65536];
    ssize_t n = read(fd, buf, sizeof(buf));

    return n > 0 && tell(type, buf, (size_t)n) == 0;
}

/* One message of the host's to the script. Returns -1 when the host is gone. */
static int
take_input(int *input)
{
    uint8_t *data;
    uint32_t size;
    int type = receive(&data, &size);

    if (type != 'I')
        return -1;
    if (*input >= 0 && (size == 0 || write_full(*input, data, size) < 0)) {
        close(*input);
        *input = -1;
    }
    free(data);
    return 0;
}

static void
report_exit(pid_t pid, const int *outputs)
{
    struct pollfd left[2] = {{outputs[0], POLLIN, 0}, {outputs[1], POLLIN, 0}};
    char text[16];
    int status = 0, n;

    /* What the script wrote before it ended; others may hold the pipes open. */
    while (poll(left, 2, 0) > 0) {
        for (int i = 0; i < 2; i++) {
            if (left[i].revents && !forward(left[i].fd, "OE"[i]))
                left[i].fd = -1;
        }
    }
    waitpid(pid, &status, 0);
    n = snprintf(text, sizeof(text), "%d",
                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    tell('X', text, (size_t)n);
}

/* Moves bytes between host and script until one of them ends. */
static void
attend(pid_t pid, int input, const int *outputs)
{
    int end = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd fds[4] = {
        {outputs[0], POLLIN, 0}, {outputs[1], POLLIN, 0}, {host, POLLIN, 0}, {end, POLLIN, 0}};

    for (;;) {
        if (poll(fds, 4, -1) < 0)
            continue;
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents && !forward(fds[i].fd, "OE"[i]))
                fds[i].fd = -1;
        }
        if (fds[2].revents && take_input(&input) < 0) {
            kill(-pid, SIGKILL);
            return;
        }
        if (fds[3].revents) {
            report_exit(pid, (int[]){fds[0].fd, fds[1].fd});
            return;
        }
    }
}

static void
serve(void)
{
    int in[2], out[2], err[2];
    uint8_t *script;
    uint32_t size;
    pid_t pid;

    if (receive(&script, &size) != 'S' || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        pipe2(err, O_CLOEXEC) < 0)
        return;
    script[size] = '\0';
    pid = fork();
    if (pid == 0) {
        setsid();
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        signal(SIGPIPE, SIG_DFL);
        execl("/bin/sh", "sh", "-c", (char *)script, (char *)NULL);
        _exit(127);
    }
    free(script);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    attend(pid, in[1], (int[]){out[0], err[0]});
}

int
main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (argc != 2)
        return 2;
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 16) < 0) {
        perror("agent");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps what ends here and what PID 1 inherits */
    puts("INTEROP-READY");
    fflush(stdout);
    for (;;) {
        host = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (host >= 0 && fork() == 0) {
            signal(SIGCHLD, SIG_DFL);
            close(listener);
            serve();
            _exit(0);
        }
        close(host);
    }
}
