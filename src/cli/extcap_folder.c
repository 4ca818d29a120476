#include "extcap_folder.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The line by which a script of ours is known. */
#define MARK "# made by usbwire extcap --install\n"

#define NAME "/usbwire"

/* Wireshark up to 4.0 looks in the first folder, later ones in the second. Puts the path of our
 * script in it into dst. */
static int
script_path(unsigned index, char *dst, size_t size)
{
    const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
    int n;

    if (!home || *home != '/')
        return cli_error("HOME names no folder");
    if (index == 0 && config && *config == '/')
        n = snprintf(dst, size, "%s/wireshark/extcap" NAME, config);
    else
        n = snprintf(dst, size, "%s/%s/wireshark/extcap" NAME, home,
                     index ? ".local/lib" : ".config");
    return n < 0 || (size_t)n >= size ? cli_error("%s: too long", dst) : 0;
}

/* The folders that a file is to be in. */
static int
make_folders(char *path)
{
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        int made;

        *p = '\0';
        made = mkdir(path, 0755) == 0 || errno == EEXIST;
        if (!made)
            cli_error("%s cannot be made: %s", path, strerror(errno));
        *p = '/';
        if (!made)
            return CLI_FAILED;
    }
    return 0;
}

/* In single quotes for the shell. */
static void
put_quoted(FILE *out, const char *s)
{
    putc('\'', out);
    for (; *s; s++)
        fputs(*s == '\'' ? "'\\''" : (char[]){*s, '\0'}, out);
    putc('\'', out);
}

static int
write_script(const char *path, const char *program)
{
    char new_path[PATH_MAX + 8];
    FILE *out;
    int bad;

    snprintf(new_path, sizeof(new_path), "%s.new", path);
    out = fopen(new_path, "we");
    if (!out)
        return cli_error("%s cannot be written: %s", new_path, strerror(errno));
    fputs("#!/bin/sh\n" MARK "exec ", out);
    put_quoted(out, program);
    fputs(" extcap \"$@\"\n", out);
    bad = ferror(out);
    bad |= fclose(out) != 0;
    if (bad || chmod(new_path, 0755) < 0 || rename(new_path, path) < 0) {
        int number = errno;

        (void)unlink(new_path);
        return cli_error("%s cannot be written: %s", path, strerror(number));
    }
    return 0;
}

/* 1 when the file is one of ours; -1: there is none. */
static int
is_ours(const char *path)
{
    char text[64] = "";
    FILE *in = fopen(path, "re");
    size_t n;

    if (!in)
        return -1;
    n = fread(text, 1, sizeof(text) - 1, in);
    text[n] = '\0';
    fclose(in);
    return strstr(text, MARK) != NULL;
}

int
extcap_install(const struct cli *cli)
{
    char program[PATH_MAX], path[PATH_MAX] = "";
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (n < 0)
        return cli_error("where this program is cannot be told: %s", strerror(errno));
    program[n] = '\0';
    for (unsigned i = 0; i < 2; i++) {
        int code = script_path(i, path, sizeof(path));

        if (!code)
            code = make_folders(path);
        if (code)
            return code;
        if (is_ours(path) == 0)
            return cli_error("%s is there and not ours; remove it first", path);
        code = write_script(path, program);
        if (code)
            return code;
        cli_remark(cli, "%s", path);
    }
    cli_remark(cli, "Wireshark lists USB/IP interfaces from its next start on");
    return 0;
}

int
extcap_uninstall(const struct cli *cli)
{
    char path[PATH_MAX] = "";

    for (unsigned i = 0; i < 2; i++) {
        int code = script_path(i, path, sizeof(path));

        if (code)
            return code;
        if (is_ours(path) != 1)
            continue;
        if (unlink(path) < 0)
            return cli_error("%s cannot be removed: %s", path, strerror(errno));
        cli_remark(cli, "%s removed", path);
    }
    return 0;
}
