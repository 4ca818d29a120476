/*
 * terminal_menu.c - what Ctrl-T and a letter do
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "terminal.h"

#define FILE_MS 5 /* a file that is being sent is looked at so often */

static void
complain(struct terminal *t, const struct uw_fault *fault)
{
    char text[UW_FAULT_TEXT_MAX];

    terminal_say(t, "%s", uw_fault_text(fault, text, sizeof(text)));
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
        terminal_say(t, "%s is %s", name, now ? "set" : "clear");
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
        terminal_say(t, "a break was sent");
}

static unsigned
count_ports(const struct terminal *t)
{
    struct uw_serial_info info;
    unsigned n = 0;

    while (uw_serial_port_at(uw_serial_device(t->bridge->port), n, &info))
        n++;
    return n;
}

/* Which of several ports has the wires to the board's reset, nobody can know. */
static void
reset_board(struct terminal *t, int bootloader)
{
    unsigned ports = count_ports(t);
    struct uw_serial_info info;
    struct uw_fault fault;

    terminal_say(t, "resetting the board%s", bootloader ? " into its bootloader" : "");
    uw_serial_info(t->bridge->port, &info);
    if (ports > 1)
        terminal_say(t, "by the lines of interface %u, one of %u ports; --interface chooses",
                     info.interface, ports);
    if (board_reset(t->bridge->port, bootloader, &fault) < 0)
        complain(t, &fault);
}

static void
reset(struct terminal *t)
{
    reset_board(t, 0);
}

static void
enter_loader(struct terminal *t)
{
    reset_board(t, 1);
}

static void
toggle_stamps(struct terminal *t)
{
    t->stamps = !t->stamps;
    terminal_say(t, "timestamps are %s", t->stamps ? "on" : "off");
}

static void
toggle_hex(struct terminal *t)
{
    t->hex = !t->hex;
    terminal_say(t, "bytes are shown %s", t->hex ? "in hexadecimal" : "as they are");
}

static void
show_settings(struct terminal *t)
{
    static const char *const stops[] = {
        [UW_STOP_1] = "1", [UW_STOP_1_5] = "1.5", [UW_STOP_2] = "2"};
    static const char *const flows[] = {
        [UW_FLOW_NONE] = "no", [UW_FLOW_RTS_CTS] = "RTS/CTS", [UW_FLOW_XON_XOFF] = "XON/XOFF"};
    unsigned really = uw_serial_actual_baud(t->bridge->port);
    struct uw_serial_config c;
    char rate[64];

    uw_serial_get_config(t->bridge->port, &c);
    snprintf(rate, sizeof(rate), "%d bits/s", c.baud);
    if (really != (unsigned)c.baud)
        snprintf(rate, sizeof(rate), "%d bits/s (really %u)", c.baud, really);
    terminal_say(t, "%s: %s, %d%c%s, %s flow control", t->bridge->name, rate, c.data_bits,
                 "NOEMS"[c.parity], stops[c.stop_bits], flows[c.flow]);
}

static void
show_state(struct terminal *t)
{
    int lines = uw_serial_lines(t->bridge->port, NULL);
    struct uw_serial_counts n;

    uw_serial_counts(t->bridge->port, &n);
    show_settings(t);
    if (lines >= 0)
        terminal_say(t, "%cDTR %cRTS %cCTS %cDSR %cDCD %cRI", lines & UW_LINE_DTR ? '+' : '-',
                     lines & UW_LINE_RTS ? '+' : '-', lines & UW_LINE_CTS ? '+' : '-',
                     lines & UW_LINE_DSR ? '+' : '-', lines & UW_LINE_DCD ? '+' : '-',
                     lines & UW_LINE_RI ? '+' : '-');
    else
        terminal_say(t, "it is away");
    terminal_say(t,
                 "%" PRIu64 " bytes received, %" PRIu64 " sent, %" PRIu64
                 " lost; %u breaks, %u framing, "
                 "%u parity, %u overrun errors",
                 n.received, n.sent, n.lost, n.breaks, n.framing, n.parity, n.overrun);
}

/* Asks for a line; with nothing in it, or after Esc or Ctrl-C, nothing is done. */
static void
ask(struct terminal *t, const char *prompt, void (*typed_in)(struct terminal *t))
{
    terminal_say(t, "%s", prompt);
    t->mode = TYPING;
    t->typed_size = 0;
    t->typed_in = typed_in;
}

void
terminal_type(struct terminal *t, uint8_t key)
{
    if (key == '\r' || key == '\n') {
        fputc('\n', stderr);
        t->mode = KEYS;
        t->typed[t->typed_size] = '\0';
        if (t->typed_size)
            t->typed_in(t);
    } else if (key == 3 || key == 27) {
        t->mode = KEYS;
        fputc('\n', stderr);
        terminal_say(t, "never mind");
    } else if ((key == 8 || key == 127) && t->typed_size) {
        t->typed_size--;
        fputs("\b \b", stderr);
    } else if (key >= ' ' && key != 127 && t->typed_size + 1 < sizeof(t->typed)) {
        t->typed[t->typed_size++] = (char)key;
        fputc(key, stderr);
    }
}

static void
set_rate(struct terminal *t)
{
    struct uw_serial_config c;
    struct uw_fault fault;
    char *end;
    unsigned long rate = strtoul(t->typed, &end, 10);

    uw_serial_config_init(&c);
    c.baud = rate <= INT_MAX ? (int)rate : INT_MAX;
    if (*end || end == t->typed || t->typed[0] == '-')
        terminal_say(t, "%s is no rate", t->typed);
    else if (uw_serial_set_config(t->bridge->port, &c, &fault) < 0)
        complain(t, &fault);
    else
        show_settings(t);
}

static void
ask_rate(struct terminal *t)
{
    ask(t, "bits a second (Enter alone: as they are):", set_rate);
}

static uint64_t
taken(const struct terminal *t)
{
    struct uw_serial_counts n;

    uw_serial_counts(t->bridge->port, &n);
    return n.sent > t->file_base ? n.sent - t->file_base : 0;
}

static void
end_file(struct terminal *t, const char *how)
{
    terminal_say(t, "%s: %s %" PRIu64 " of %" PRIu64 " bytes", t->file_name, how, taken(t),
                 t->file_size);
    close(t->file);
    t->file = -1;
}

static void
open_file(struct terminal *t)
{
    struct stat st;

    t->file = open(t->typed, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (t->file < 0 || fstat(t->file, &st) < 0 || !S_ISREG(st.st_mode)) {
        terminal_say(t, "%s: %s", t->typed, t->file < 0 ? strerror(errno) : "that is no file");
        if (t->file >= 0)
            close(t->file);
        t->file = -1;
        return;
    }
    memcpy(t->file_name, t->typed, sizeof(t->file_name));
    t->file_size = (uint64_t)st.st_size;
    t->file_base = 0;
    t->file_base = taken(t) + uw_serial_output_waiting(t->bridge->port);
    t->file_over = 0;
    t->percent = 0;
}

static void
ask_file(struct terminal *t)
{
    if (t->file >= 0) {
        bridge_give_up(t->bridge);
        end_file(t, "stopped after");
        return;
    }
    ask(t, "file to send (Enter alone: none):", open_file);
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
    int on_port; /* needs one that is there */
} menu[] = {
    {'h', "this help", help, 0},
    {'q', "end", leave, 0},
    {'d', "DTR on or off", toggle_dtr, 1},
    {'r', "RTS on or off", toggle_rts, 1},
    {'b', "send a break", send_break, 1},
    {'e', "reset the board", reset, 1},
    {'l', "reset the board into its bootloader", enter_loader, 1},
    {'u', "another rate", ask_rate, 1},
    {'s', "send a file, or stop that", ask_file, 1},
    {'t', "timestamps on or off", toggle_stamps, 0},
    {'x', "hexadecimal on or off", toggle_hex, 0},
    {'i', "settings, lines and counts", show_state, 0},
};

static void
help(struct terminal *t)
{
    terminal_say(t, "Ctrl-]  end");
    for (size_t i = 0; i < sizeof(menu) / sizeof(menu[0]); i++)
        terminal_say(t, "Ctrl-T %c  %s", menu[i].key, menu[i].text);
    terminal_say(t, "Ctrl-T Ctrl-T, Ctrl-T Ctrl-]  send that key");
}

void
terminal_press(struct terminal *t, uint8_t key)
{
    t->mode = KEYS;
    if (key == TERMINAL_MENU || key == TERMINAL_EXIT) {
        bridge_send(t->bridge, &key, 1);
        return;
    }
    for (size_t i = 0; i < sizeof(menu) / sizeof(menu[0]); i++)
        if (menu[i].key == tolower(key)) {
            if (menu[i].on_port && !bridge_is_up(t->bridge))
                terminal_say(t, "the port is away, and being looked for");
            else
                menu[i].press(t);
            return;
        }
    terminal_say(t, "no such key; Ctrl-T h shows what there is");
}

/* ---- a file ---- */

/* What goes to the port goes on as fast as that takes it. */
static void
feed_file(struct terminal *t)
{
    uint8_t bytes[BRIDGE_BUFFER];
    ssize_t n = read(t->file, bytes, sizeof(bytes));

    if (n < 0)
        terminal_say(t, "%s: %s", t->file_name, strerror(errno));
    if (n > 0)
        bridge_send(t->bridge, bytes, (size_t)n);
    else
        t->file_over = 1;
}

static void
show_progress(struct terminal *t)
{
    unsigned percent = t->file_size ? (unsigned)(taken(t) * 100 / t->file_size) : 100;

    if (percent < t->percent + 10 || percent >= 100)
        return;
    t->percent = percent - percent % 10;
    terminal_say(t, "%s: %u%%", t->file_name, t->percent);
}

int
terminal_send_file(struct terminal *t)
{
    struct bridge *b = t->bridge;

    if (t->file < 0)
        return -1;
    if (!bridge_is_up(b)) {
        end_file(t, "the port went away after");
        return -1;
    }
    if (!t->file_over && !bridge_is_full(b))
        feed_file(t);
    show_progress(t);
    if (t->file_over && !bridge_is_full(b) && uw_serial_output_waiting(b->port) == 0) {
        end_file(t, "sent");
        return -1;
    }
    return t->file_over || bridge_is_full(b) ? FILE_MS : 0;
}
