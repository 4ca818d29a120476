/*
 * target.c - the program that `usbwire run` starts
 *
 * A static program, one that gains rights when it starts, or one of another architecture would run
 * as if nothing had been preloaded, and say that there are no devices. So that is said before.
 */
#include "target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli.h"

#define INTERPRETERS 4 /* a script's interpreter may be a script */
#define FIRST_LINE   256

static int
is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int
search(const char *name, char path[PATH_MAX])
{
    const char *dirs = getenv("PATH");
    int found = 0;

    for (const char *d = dirs ? dirs : "/usr/bin:/bin"; d; d = strchr(d, ':')) {
        d += *d == ':';
        snprintf(path, PATH_MAX, "%.*s%s%s", (int)strcspn(d, ":"), d, strcspn(d, ":") ? "/" : "",
                 name);
        if (!is_program(path))
            continue;
        if (access(path, X_OK) == 0)
            return 0;
        found = 1;
    }
    if (found) {
        cli_error("%s: %s", name, strerror(EACCES));
        return TARGET_CANNOT_RUN;
    }
    cli_error("there is no program \"%s\"", name);
    return TARGET_NOT_FOUND;
}

static int
refuse(const char *path, const char *why)
{
    cli_error("%s %s, so the dynamic linker will not load what usbwire preloads into it", path,
              why);
    return TARGET_CANNOT_RUN;
}

/* Whether the kernel is told of a dynamic linker. */
static int
has_interpreter(int fd, const ElfW(Ehdr) * e)
{
    for (unsigned i = 0; i < e->e_phnum; i++) {
        ElfW(Phdr) p;

        if (pread(fd, &p, sizeof(p), (off_t)(e->e_phoff + i * e->e_phentsize)) !=
            (ssize_t)sizeof(p))
            return 0;
        if (p.p_type == PT_INTERP)
            return 1;
    }
    return 0;
}

/* The machine this program was built for: what can be loaded is built for it, too. */
static int
our_machine(ElfW(Half) * ret_machine)
{
    ElfW(Ehdr) e;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int fine = fd >= 0 && pread(fd, &e, sizeof(e), 0) == (ssize_t)sizeof(e);

    if (fd >= 0)
        close(fd);
    *ret_machine = fine ? e.e_machine : 0;
    return fine;
}

static int
check_elf(const char *path, int fd, const struct stat *st)
{
    ElfW(Half) machine;
    ElfW(Ehdr) e;

    if (pread(fd, &e, sizeof(e), 0) != (ssize_t)sizeof(e))
        return refuse(path, "is no complete program");
    if (e.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        (our_machine(&machine) && e.e_machine != machine))
        return refuse(path, "is for another architecture");
    if (!has_interpreter(fd, &e))
        return refuse(path, "is statically linked");
    if (((st->st_mode & S_ISUID) && st->st_uid != geteuid()) ||
        ((st->st_mode & S_ISGID) && st->st_gid != getegid()))
        return refuse(path, "is setuid or setgid");
    if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return refuse(path, "has capabilities of its own");
    return 0;
}

/* The interpreter of "#! /PATH ...", in place of the path. 0: it is no script; 1: it is; else an
 * exit code. */
static int
read_interpreter(int fd, char path[PATH_MAX])
{
    char line[FIRST_LINE + 1], *word, *end;
    ssize_t n = pread(fd, line, FIRST_LINE, 0);

    if (n < 2 || line[0] != '#' || line[1] != '!')
        return 0;
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    word = line + 2 + strspn(line + 2, " \t");
    end = word + strcspn(word, " \t");
    *end = '\0';
    if (*word && !is_program(word)) {
        cli_error("%s is a script for \"%s\", and there is no such program", path, word);
        return TARGET_CANNOT_RUN;
    }
    snprintf(path, PATH_MAX, "%s", word);
    return 1;
}

/* 1: a script, whose interpreter is now in `path`; 0: fine; else an exit code. */
static int
check(char path[PATH_MAX])
{
    struct stat st;
    char magic[SELFMAG];
    int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;

    if (fd < 0) /* what cannot be read may still be run */
        return 0;
    if (fstat(fd, &st) == 0 && pread(fd, magic, SELFMAG, 0) == SELFMAG &&
        memcmp(magic, ELFMAG, SELFMAG) == 0)
        r = check_elf(path, fd, &st);
    else
        r = read_interpreter(fd, path);
    close(fd);
    return r;
}

int
target_find(const char *name, char path[PATH_MAX])
{
    char now[PATH_MAX];
    int r = 0;

    if (strchr(name, '/')) {
        snprintf(path, PATH_MAX, "%s", name);
        if (!is_program(path)) {
            int there = access(path, F_OK) == 0;

            cli_error(there ? "\"%s\" is no program" : "there is no program \"%s\"", name);
            return there ? TARGET_CANNOT_RUN : TARGET_NOT_FOUND;
        }
        if (access(path, X_OK) < 0) {
            cli_error("%s: %s", path, strerror(errno));
            return TARGET_CANNOT_RUN;
        }
    } else {
        r = search(name, path);
    }
    if (r)
        return r;
    snprintf(now, sizeof(now), "%s", path);
    for (int i = 0; i < INTERPRETERS; i++) {
        r = check(now);
        if (r != 1)
            return r;
    }
    return 0;
}
