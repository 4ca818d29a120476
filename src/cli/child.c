/*
 * child.c - another program, run to its end
 */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "target.h"

#define SHELL "/bin/sh"

static volatile sig_atomic_t child, leaving;

/* Every signal that programs are ended with, and those that a terminal sends to all of its group.
 */
static const int forwarded[] = {SIGTERM, SIGHUP}, ignored[] = {SIGINT, SIGQUIT, SIGPIPE};

static void
forward(int number)
{
    leaving = 1;
    if (child > 0)
        kill((pid_t)child, number);
}

/* That it is caught is enough: what waits meanwhile is interrupted. */
static void
notice(int number)
{
    (void)number;
}

static void
set_handlers(void)
{
    struct sigaction pass = {.sa_handler = forward, .sa_flags = SA_RESTART};
    struct sigaction tell = {.sa_handler = notice, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
        if (!cli_ignores(forwarded[i]))
            sigaction(forwarded[i], &pass, NULL);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        sigaction(ignored[i], &ignore, NULL);
    sigaction(SIGCHLD, &tell, NULL);
}

/* What is no program and has no "#!" is the shell's, as it is for env(1) and shells. */
static int
spawn_shell(pid_t *pid, const posix_spawnattr_t *attr, const char *path, char **words)
{
    char **more, *script = strdup(path);
    size_t n = 0;
    int r = ENOMEM;

    while (words[n])
        n++;
    more = calloc(n + 2, sizeof(*more));
    if (script && more) {
        more[0] = words[0];
        more[1] = script;
        memcpy(more + 2, words + 1, n * sizeof(*words)); /* the NULL, too */
        r = posix_spawn(pid, SHELL, NULL, attr, more, environ);
    }
    free(more);
    free(script);
    return r;
}

static int
start(const char *path, char **words)
{
    posix_spawnattr_t attr;
    sigset_t defaults;
    pid_t pid = -1;
    int r;

    sigemptyset(&defaults);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        sigaddset(&defaults, ignored[i]);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    r = posix_spawn(&pid, path, NULL, &attr, words, environ);
    if (r == ENOEXEC)
        r = spawn_shell(&pid, &attr, path, words);
    posix_spawnattr_destroy(&attr);
    child = r ? 0 : pid;
    return r;
}

/* Its status; meanwhile those that were left behind and have ended are no zombies. */
static int
wait_for_child(const struct child_meanwhile *meanwhile, int *ret_status)
{
    pid_t pid;

    do {
        pid = waitpid(-1, ret_status, meanwhile ? WNOHANG : 0);
        if (pid == 0 && meanwhile)
            meanwhile->run(meanwhile->data);
    } while (pid != (pid_t)child && (pid >= 0 || errno == EINTR));
    return pid > 0;
}

int
child_run(const char *path, char **words, const struct child_meanwhile *meanwhile)
{
    int r, status;

    set_handlers();
    if (cli_interrupted())
        return CLI_INTERRUPTED;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* what it leaves behind comes here */
    r = start(path, words);
    if (r) {
        cli_error("%s: %s", path, strerror(r));
        return TARGET_CANNOT_RUN;
    }
    if (!wait_for_child(meanwhile, &status))
        return TARGET_WRAPPER_FAILED;
    child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whom the program left behind and whom that left behind, unless they have ended. */
static int
somebody_is_left(void)
{
    pid_t pid;

    do {
        pid = waitpid(-1, NULL, WNOHANG);
    } while (pid > 0);
    return pid == 0;
}

void
child_wait_for_rest(const struct child_meanwhile *meanwhile, int (*are_needed)(void *data),
                    void *data)
{
    struct sigaction leave = {.sa_handler = forward};

    sigaction(SIGINT, &leave, NULL);
    while (!leaving && somebody_is_left() && are_needed(data))
        meanwhile->run(meanwhile->data);
}
