/*
 * target.c - files, FIFOs, standard output and a Wireshark of our own
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "capture/target.h"

#define PIPE_SIZE (1 << 20) /* what an unprivileged process may have */

static int
error_of(int number)
{
    static const struct {
        int number, error;
    } rows[] = {{ENOENT, UW_ERROR_NOT_FOUND}, {ENOTDIR, UW_ERROR_NOT_FOUND},
                {EACCES, UW_ERROR_ACCESS},    {EPERM, UW_ERROR_ACCESS},
                {EROFS, UW_ERROR_ACCESS},     {ENOMEM, UW_ERROR_NO_MEMORY},
                {ENXIO, UW_ERROR_INVALID},    {EISDIR, UW_ERROR_INVALID}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].number == number)
            return rows[i].error;
    return UW_ERROR_IO;
}

static int
failed(struct uw_fault *fault, const char *name, int number, const char *advice)
{
    int code = uw_fault_set(fault, error_of(number), "open it for the capture");

    uw_fault_on(fault, "%s", name);
    uw_fault_came(fault, number, "%s", strerror(number));
    uw_fault_advice(fault, "%s", advice);
    return code;
}

static void
enlarge(int fd)
{
    (void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
}

/* ---- standard output ---- */

/* A description of our own of the same pipe, so that it can be non-blocking without making others'
 * so. */
static int
own_pipe_end(void)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", STDOUT_FILENO);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static int
open_stdout(struct uw_target *t, struct uw_fault *fault)
{
    struct stat st;

    snprintf(t->name, sizeof(t->name), "standard output");
    if (fstat(STDOUT_FILENO, &st) < 0)
        return failed(fault, t->name, errno, "");
    if (isatty(STDOUT_FILENO)) {
        failed(fault, t->name, EISDIR, "pipe it to a reader: ... | wireshark -k -i -");
        uw_fault_came(fault, 0, "it is a terminal");
        return UW_ERROR_INVALID;
    }
    t->kind = S_ISFIFO(st.st_mode)   ? UW_TARGET_PIPE
              : S_ISSOCK(st.st_mode) ? UW_TARGET_SOCKET
                                     : UW_TARGET_FILE;
    t->fd = t->kind == UW_TARGET_PIPE ? own_pipe_end() : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (t->fd < 0)
        return failed(fault, t->name, errno, "");
    if (t->kind == UW_TARGET_PIPE)
        enlarge(t->fd);
    return 0;
}

/* ---- Wireshark ---- */

static int
spawn(int input)
{
    char *const argv[] = {(char[]){"wireshark"}, (char[]){"-k"}, (char[]){"-i"}, (char[]){"-"},
                          NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    pid_t pid;
    int r;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    /* Standard output is the command's; Ctrl-C in this terminal is not for Wireshark. */
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
    r = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static int
open_wireshark(struct uw_target *t, struct uw_fault *fault)
{
    int ends[2], r;

    snprintf(t->name, sizeof(t->name), "wireshark");
    if (pipe2(ends, O_CLOEXEC) < 0)
        return failed(fault, t->name, errno, "");
    r = spawn(ends[0]);
    close(ends[0]);
    if (r) {
        close(ends[1]);
        failed(fault, t->name, r, "install Wireshark, or write the capture to a file");
        uw_fault_came(fault, r, "it cannot be started: %s", strerror(r));
        return error_of(r);
    }
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    enlarge(ends[1]);
    t->kind = UW_TARGET_PIPE;
    t->fd = ends[1];
    return 0;
}

/* ---- paths ---- */

int
uw_target_reopen(struct uw_target *t)
{
    struct stat st;
    int fd = open(t->name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return errno == ENXIO ? 0 : -errno;
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        close(fd);
        return -ENXIO; /* something else has its name now */
    }
    enlarge(fd);
    t->fd = fd;
    return 1;
}

static int
open_path(struct uw_target *t, const char *path, struct uw_fault *fault)
{
    struct stat st;
    int r;

    if (strlen(path) >= sizeof(t->name))
        return failed(fault, path, ENAMETOOLONG, "use a shorter path");
    snprintf(t->name, sizeof(t->name), "%s", path);
    if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode)) {
        t->kind = UW_TARGET_FIFO;
        r = uw_target_reopen(t);
        return r < 0 ? failed(fault, path, -r, "") : 0;
    }
    /* What goes over a keyboard's or a disk's wire is nobody else's business. */
    t->kind = UW_TARGET_FILE;
    t->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
    return t->fd < 0 ? failed(fault, path, errno, "") : 0;
}

int
uw_target_open(const char *name, struct uw_target *ret_target, struct uw_fault *fault)
{
    struct uw_target t = {.fd = -1};
    int r;

    if (!name || !*name) {
        uw_fault_set(fault, UW_ERROR_INVALID, "open a capture");
        uw_fault_advice(fault, "name a file, a FIFO, - or wireshark");
        return UW_ERROR_INVALID;
    }
    if (strcmp(name, "-") == 0)
        r = open_stdout(&t, fault);
    else if (strcmp(name, "wireshark") == 0)
        r = open_wireshark(&t, fault);
    else
        r = open_path(&t, name, fault);
    if (r == 0)
        *ret_target = t;
    return r;
}
