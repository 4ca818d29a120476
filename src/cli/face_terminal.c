/*
 * face_terminal.c - a person's terminal: keys to the port, what comes from it to the screen
 *
 * Ctrl-] ends; Ctrl-T and a letter does something (the table below). Where standard input is no
 * terminal its bytes go to the port as they are, and its end ends nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "bridge.h"
#include "hexdump.h"

#define EXIT_KEY 0x1d /* Ctrl-] */
#define MENU_KEY 0x14 /* Ctrl-T */

enum mode { KEYS, MENU, FILE_NAME };

struct terminal {
    struct bridge *bridge;
    struct termios before;
    int is_tty, is_raw, input_over;
    enum mode mode;
    int stamps, hex, at_line_start, leaving;
    uint64_t shown;
    char log_name[512];
    FILE *log;
    char typed[512]; /* a file's name */
    size_t typed_size;
    int file; /* being sent, -1: none */
    uint64_t file_sent, file_size;
    unsigned percent;
};

static struct terminal *
terminal_of(const struct bridge *b)
{
    return (struct terminal *)b->own;
}

/* A remark of ours between what the board says; a raw terminal wants the carriage return. */
__attribute__((format(printf, 2, 3))) static void
say(struct terminal *t, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs(t->is_raw && !t->at_line_start ? "\r\n--- " : "--- ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(t->is_raw ? "\r\n" : "\n", stderr);
    t->at_line_start = 1;
}

/* ---- what the keys do ---- */

static void
complain(struct terminal *t, const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    say(t, "%s", uw_fault_text(fault, text, sizeof(text)));
}

static void
toggle(struct terminal *t, unsigned line, const char *name)
{
    struct uw_serial_config c;
    struct uw_fault fault;
    int now, r;

    uw_serial_get_config(t->bridge->port, &c);
    now = line == UW_LINE_DTR ? c.dtr : c.rts;
    now = now != 1;
    r = uw_serial_set_lines(t->bridge->port, line == UW_LINE_DTR ? now : -1,
                            line == UW_LINE_RTS ? now : -1, &fault);
    if (r < 0)
        complain(t, &fault);
    else
        say(t, "%s is %s", name, now ? "set" : "clear");
}

static void
toggle_dtr(struct terminal *t)
{
    toggle(t, UW_LINE_DTR, "DTR");
}

static void
toggle_rts(struct terminal *t)
{
    toggle(t, UW_LINE_RTS, "RTS");
}

static void
send_break(struct terminal *t)
{
    const struct timespec quarter = {.tv_nsec = 250000000};
    struct uw_fault fault;
    int r = uw_serial_set_break(t->bridge->port, 1, &fault);

    if (r == 0) {
        (void)nanosleep(&quarter, NULL);
        r = uw_serial_set_break(t->bridge->port, 0, &fault);
    }
    if (r < 0)
        complain(t, &fault);
    else
        say(t, "a break of 250 ms was sent");
}

static void
reset(struct terminal *t)
{
    struct uw_fault fault;

    say(t, "resetting the board");
    if (board_reset(t->bridge->port, 0, &fault) < 0)
        complain(t, &fault);
}

static void
enter_loader(struct terminal *t)
{
    struct uw_fault fault;

    say(t, "resetting the board into its bootloader");
    if (board_reset(t->bridge->port, 1, &fault) < 0)
        complain(t, &fault);
}

static void
toggle_stamps(struct terminal *t)
{
    t->stamps = !t->stamps;
    say(t, "timestamps are %s", t->stamps ? "on" : "off");
}

static void
toggle_hex(struct terminal *t)
{
    t->hex = !t->hex;
    say(t, "bytes are shown %s", t->hex ? "in hexadecimal" : "as they are");
}

static void
show_state(struct terminal *t)
{
    int lines = uw_serial_lines(t->bridge->port, NULL);
    struct uw_serial_counts n;
    struct uw_serial_config c;

    uw_serial_get_config(t->bridge->port, &c);
    uw_serial_counts(t->bridge->port, &n);
    say(t, "%s: %d bits/s (%u), %d%c%s", t->bridge->name, c.baud,
        uw_serial_actual_baud(t->bridge->port), c.data_bits, "NOEMS"[c.parity],
        c.stop_bits == UW_STOP_1   ? "1"
        : c.stop_bits == UW_STOP_2 ? "2"
                                   : "1.5");
    if (lines >= 0)
        say(t, "%cDTR %cRTS %cCTS %cDSR %cDCD %cRI", lines & UW_LINE_DTR ? '+' : '-',
            lines & UW_LINE_RTS ? '+' : '-', lines & UW_LINE_CTS ? '+' : '-',
            lines & UW_LINE_DSR ? '+' : '-', lines & UW_LINE_DCD ? '+' : '-',
            lines & UW_LINE_RI ? '+' : '-');
    say(t,
        "%" PRIu64 " bytes received, %" PRIu64 " sent, %" PRIu64 " lost; %u breaks, %u framing, "
        "%u parity, %u overrun errors",
        n.received, n.sent, n.lost, n.breaks, n.framing, n.parity, n.overrun);
}

static void
ask_file(struct terminal *t)
{
    say(t, "file to send (Enter alone: none):");
    t->mode = FILE_NAME;
    t->typed_size = 0;
}

static void
leave(struct terminal *t)
{
    t->leaving = 1;
}

static void help(struct terminal *t);

static const struct {
    char key;
    const char *text;
    void (*press)(struct terminal *t);
} menu[] = {
    {'h', "this help", help},
    {'q', "end", leave},
    {'d', "DTR on or off", toggle_dtr},
    {'r', "RTS on or off", toggle_rts},
    {'b', "send a break", send_break},
    {'e', "reset the board", reset},
    {'l', "reset the board into its bootloader", enter_loader},
    {'s', "send a file", ask_file},
    {'t', "timestamps on or off", toggle_stamps},
    {'x', "hexadecimal on or off", toggle_hex},
    {'i', "settings, lines and counts", show_state},
};

static void
help(struct terminal *t)
{
    say(t, "Ctrl-]  end");
    for (size_t i = 0; i < sizeof(menu) / sizeof(menu[0]); i++)
        say(t, "Ctrl-T %c  %s", menu[i].key, menu[i].text);
    say(t, "Ctrl-T Ctrl-T, Ctrl-T Ctrl-]  send that key");
}

static void
press(struct terminal *t, uint8_t key)
{
    t->mode = KEYS;
    if (key == MENU_KEY || key == EXIT_KEY) {
        bridge_send(t->bridge, &key, 1);
        return;
    }
    for (size_t i = 0; i < sizeof(menu) / sizeof(menu[0]); i++)
        if (menu[i].key == tolower(key)) {
            menu[i].press(t);
            return;
        }
    say(t, "no such key; Ctrl-T h shows what there is");
}

/* ---- a file ---- */

static void
open_file(struct terminal *t)
{
    off_t end;

    t->mode = KEYS;
    t->typed[t->typed_size] = '\0';
    if (!t->typed_size)
        return;
    t->file = open(t->typed, O_RDONLY | O_CLOEXEC);
    end = t->file < 0 ? -1 : lseek(t->file, 0, SEEK_END);
    if (end < 0 || lseek(t->file, 0, SEEK_SET) < 0) {
        say(t, "%s: %s", t->typed, strerror(errno));
        if (t->file >= 0)
            close(t->file);
        t->file = -1;
        return;
    }
    t->file_size = (uint64_t)end;
    t->file_sent = t->percent = 0;
}

static void
type_name(struct terminal *t, uint8_t key)
{
    if (key == '\r' || key == '\n') {
        fputs("\r\n", stderr);
        open_file(t);
    } else if (key == 3 || key == 27) {
        t->mode = KEYS;
        say(t, "nothing is sent");
    } else if ((key == 8 || key == 127) && t->typed_size) {
        t->typed_size--;
        fputs("\b \b", stderr);
    } else if (key >= ' ' && key != 127 && t->typed_size + 1 < sizeof(t->typed)) {
        t->typed[t->typed_size++] = (char)key;
        fputc(key, stderr);
    }
}

static int
send_file(struct bridge *b)
{
    struct terminal *t = terminal_of(b);
    uint8_t bytes[BRIDGE_BUFFER];
    ssize_t n;
    unsigned percent;

    if (t->file < 0 || bridge_is_full(b))
        return -1;
    n = read(t->file, bytes, sizeof(bytes));
    if (n > 0) {
        bridge_send(t->bridge, bytes, (size_t)n);
        t->file_sent += (uint64_t)n;
    }
    percent = t->file_size ? (unsigned)(t->file_sent * 100 / t->file_size) : 100;
    if (n <= 0 || percent >= t->percent + 10) {
        t->percent = percent - percent % 10;
        say(t, "%s: %" PRIu64 " of %" PRIu64 " bytes", t->typed, t->file_sent, t->file_size);
    }
    if (n <= 0) {
        close(t->file);
        t->file = -1;
    }
    return t->file >= 0 ? 0 : -1;
}

/* ---- keys ---- */

static void
take_keys(struct terminal *t, const uint8_t *keys, size_t size)
{
    for (size_t i = 0; i < size && !t->leaving; i++) {
        if (t->mode == FILE_NAME)
            type_name(t, keys[i]);
        else if (t->mode == MENU)
            press(t, keys[i]);
        else if (keys[i] == EXIT_KEY)
            t->leaving = 1;
        else if (keys[i] == MENU_KEY)
            t->mode = MENU;
        else
            bridge_send(t->bridge, &keys[i], 1);
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
stamp(struct terminal *t)
{
    struct timespec now;
    struct tm tm;

    (void)t;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &tm);
    printf("[%02d:%02d:%02d.%03ld] ", tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

static void
show_text(struct terminal *t, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (t->stamps && t->at_line_start && bytes[i] != '\r' && bytes[i] != '\n')
            stamp(t);
        putchar(bytes[i]);
        t->at_line_start = bytes[i] == '\n' || (bytes[i] == '\r' && t->at_line_start);
    }
}

/* hexdump writes newlines; a raw terminal wants carriage returns with them. */
static void
show_hex(struct terminal *t, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += 16) {
        size_t n = size - at < 16 ? size - at : 16;

        hexdump(stdout, t->shown + at, bytes + at, n);
        if (t->is_raw)
            putchar('\r');
    }
    t->at_line_start = 1;
}

static void
show(struct bridge *b, const uint8_t *bytes, size_t size)
{
    struct terminal *t = terminal_of(b);

    if (t->log && (fwrite(bytes, 1, size, t->log) != size || fflush(t->log) != 0)) {
        say(t, "%s: %s; the log ends here", t->log_name, strerror(errno));
        (void)fclose(t->log);
        t->log = NULL;
    }
    if (t->hex)
        show_hex(t, bytes, size);
    else
        show_text(t, bytes, size);
    t->shown += size;
    if (fflush(stdout) != 0)
        t->leaving = 1;
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
    if (isatty(STDOUT_FILENO) == 0)
        raw.c_oflag = t->before.c_oflag;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
        return cli_error("the terminal does not change its settings: %s", strerror(errno));
    t->is_raw = 1;
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
        say(t, "%s; Ctrl-] ends, Ctrl-T h shows the other keys", b->name);
    return code;
}

static void
close_face(struct bridge *b)
{
    struct terminal *t = terminal_of(b);

    if (!t)
        return;
    if (t->is_raw) {
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
        if (!t->at_line_start)
            fputc('\n', stderr);
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

static unsigned
polls(struct bridge *b, struct pollfd *fds)
{
    struct terminal *t = terminal_of(b);

    if (t->input_over || bridge_is_full(b))
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
    .work = send_file,
    .room = room,
    .show = show,
};
