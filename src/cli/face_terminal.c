/*
 * face_terminal.c - a person's terminal: keys to the port, what comes from it to the screen
 *
 * Ctrl-] ends; Ctrl-T and a letter does something (terminal_menu.c). Where standard input is no
 * terminal its bytes go to the port as they are, and its end ends nothing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hexdump.h"
#include "terminal.h"

static struct terminal *
terminal_of(const struct bridge *b)
{
    return (struct terminal *)b->own;
}

/* Something of ours is said between what the board says. */
static void
aside(struct bridge *b)
{
    struct terminal *t = terminal_of(b);

    fflush(stdout);
    if (t->is_raw && !t->at_line_start)
        fputc('\n', stderr);
    t->at_line_start = 1;
}

void
terminal_say(struct terminal *t, const char *format, ...)
{
    va_list args;

    aside(t->bridge);
    fputs("--- ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- keys ---- */

/* Keys are read also while the port takes nothing: one of them may be Ctrl-]. */
static void
send_key(struct terminal *t, uint8_t key)
{
    int stuck = bridge_room(t->bridge) == 0;

    if (!stuck)
        bridge_send(t->bridge, &key, 1);
    else if (!t->stuck)
        terminal_say(t, "the port takes nothing; what is typed is dropped");
    t->stuck = stuck;
}

static void
take_keys(struct terminal *t, const uint8_t *keys, size_t size)
{
    for (size_t i = 0; i < size && !t->leaving; i++) {
        if (t->mode == TYPING)
            terminal_type(t, keys[i]);
        else if (t->mode == MENU)
            terminal_press(t, keys[i]);
        else if (keys[i] == TERMINAL_EXIT)
            t->leaving = 1;
        else if (keys[i] == TERMINAL_MENU)
            t->mode = MENU;
        else
            send_key(t, keys[i]);
    }
}

static void
read_input(struct terminal *t)
{
    uint8_t bytes[BRIDGE_BUFFER / 2];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
        t->input_over = 1;
        if (t->is_tty)
            t->leaving = 1;
    } else if (n > 0 && t->is_tty) {
        take_keys(t, bytes, (size_t)n);
    } else if (n > 0) {
        bridge_send(t->bridge, bytes, (size_t)n);
    }
}

/* ---- the screen ---- */

static void
stamp(void)
{
    struct timespec now;
    struct tm tm;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &tm);
    printf("[%02d:%02d:%02d.%03ld] ", tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

static void
show_text(struct terminal *t, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (t->stamps && t->at_line_start && bytes[i] != '\r' && bytes[i] != '\n')
            stamp();
        putchar(bytes[i]);
        t->at_line_start = bytes[i] == '\n' || (bytes[i] == '\r' && t->at_line_start);
    }
}

static void
show_hex(struct terminal *t, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += 16)
        hexdump(stdout, t->shown + at, bytes + at, size - at < 16 ? size - at : 16);
    t->at_line_start = 1;
}

/* What the board sends is shown as it is, everything else as on any terminal. */
static void
translate(struct terminal *t, int on)
{
    struct termios s = t->screen;

    if (!t->has_screen)
        return;
    if (!on)
        s.c_oflag &= ~(tcflag_t)OPOST;
    (void)tcsetattr(STDOUT_FILENO, TCSANOW, &s);
}

static void
show(struct bridge *b, const uint8_t *bytes, size_t size)
{
    struct terminal *t = terminal_of(b);
    int r;

    if (t->log && (fwrite(bytes, 1, size, t->log) != size || fflush(t->log) != 0)) {
        terminal_say(t, "%s: %s; the log ends here", t->log_name, strerror(errno));
        (void)fclose(t->log);
        t->log = NULL;
    }
    translate(t, t->hex);
    if (t->hex)
        show_hex(t, bytes, size);
    else
        show_text(t, bytes, size);
    t->shown += size;
    r = fflush(stdout);
    translate(t, 1);
    if (r != 0 && !cli_interrupted()) {
        b->code = cli_flush();
        b->ended = 1;
    }
}

/* ---- the face ---- */

static int
make_raw(struct terminal *t)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &t->before) < 0)
        return cli_error("the terminal does not tell its settings: %s", strerror(errno));
    raw = t->before;
    cfmakeraw(&raw);
    raw.c_oflag = t->before.c_oflag | OPOST | ONLCR;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
        return cli_error("the terminal does not change its settings: %s", strerror(errno));
    t->is_raw = 1;
    t->has_screen = tcgetattr(STDOUT_FILENO, &t->screen) == 0;
    return 0;
}

static int
open_log(struct terminal *t, const char *name)
{
    snprintf(t->log_name, sizeof(t->log_name), "%s", name);
    t->log = fopen(name, "ae");
    return t->log ? 0 : cli_error("%s: %s", name, strerror(errno));
}

static int
open_face(struct bridge *b, const char *argument)
{
    struct terminal *t = calloc(1, sizeof(*t));
    int code = 0;

    (void)argument;
    if (!t)
        return cli_error("out of memory");
    b->own = t;
    t->bridge = b;
    t->file = -1;
    t->at_line_start = 1;
    t->is_tty = isatty(STDIN_FILENO);
    t->stamps = cli_has(b->cli, OPT_TIMESTAMPS);
    t->hex = cli_has(b->cli, OPT_HEX);
    if (cli_has(b->cli, OPT_LOG))
        code = open_log(t, cli_text(b->cli, OPT_LOG, NULL));
    if (!code && t->is_tty)
        code = make_raw(t);
    if (!code && t->is_tty && !cli_has(b->cli, OPT_QUIET))
        terminal_say(t, "%s; Ctrl-] ends, Ctrl-T h shows the other keys", b->name);
    return code;
}

static void
close_face(struct bridge *b)
{
    struct terminal *t = terminal_of(b);

    if (!t)
        return;
    if (t->is_raw) {
        aside(b);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
    }
    if (t->log)
        (void)fclose(t->log);
    if (t->file >= 0)
        close(t->file);
    free(t);
    b->own = NULL;
}

static void
where(const struct bridge *b, char *buf, size_t size)
{
    (void)b;
    snprintf(buf, size, "this terminal");
}

static int
work(struct bridge *b)
{
    return terminal_send_file(terminal_of(b));
}

static unsigned
polls(struct bridge *b, struct pollfd *fds)
{
    struct terminal *t = terminal_of(b);

    if (t->input_over || (!t->is_tty && bridge_is_full(b)))
        return 0;
    fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    return 1;
}

static int
ready(struct bridge *b, const struct pollfd *fds, unsigned count)
{
    struct terminal *t = terminal_of(b);

    if (count && fds[0].revents)
        read_input(t);
    return t->leaving;
}

static size_t
room(struct bridge *b)
{
    return terminal_of(b)->leaving ? 0 : BRIDGE_BUFFER;
}

const struct face face_terminal = {
    .name = "terminal",
    .open = open_face,
    .close = close_face,
    .where = where,
    .polls = polls,
    .ready = ready,
    .work = work,
    .room = room,
    .show = show,
    .aside = aside,
};
