/*
 * face_rfc2217.c - a serial port as RFC 2217 has it
 *
 * A change of DTR or RTS is acknowledged before it is done: clients wait for that between the two
 * lines, and a board's reset circuit wants them together. Everything else is answered with what is
 * then in force.
 *
 * pySerial looks for an acknowledgement every 50 ms, which is far longer than the circuit's delay.
 * Where it matters is the step from "RTS alone" (the board is held in reset) to "DTR alone" (let
 * go, with BOOT low): so while RTS alone is set, DTR waits for RTS to follow, and the board stays
 * in reset a little longer.
 */
#include <stdlib.h>
#include <string.h>

#include "netface.h"
#include "rfc2217.h"

#define SIGNATURE "usbwire"
#define HOLD_MS   250
#define BREAK_MS  250 /* of telnet's own, as tcsendbreak(3) has it */

/* SET-CONTROL, RFC 2217 page 8 */
enum control {
    ASK_FLOW = 0,
    NO_FLOW = 1,
    XON_XOFF = 2,
    HARDWARE = 3,
    ASK_BREAK = 4,
    BREAK_ON = 5,
    BREAK_OFF = 6,
    ASK_DTR = 7,
    DTR_ON = 8,
    DTR_OFF = 9,
    ASK_RTS = 10,
    RTS_ON = 11,
    RTS_OFF = 12,
    ASK_INBOUND = 13,
    INBOUND_NONE = 14
};

/* NOTIFY-LINESTATE */
#define LINE_OVERRUN 0x02
#define LINE_PARITY  0x04
#define LINE_FRAMING 0x08
#define LINE_BREAK   0x10

#define PURGE_INPUT  1
#define PURGE_OUTPUT 2

struct telnet {
    struct netface net;
    struct rfc2217 codec;
    struct bridge *bridge;
    uint8_t line_mask, modem_mask;
    int suspended, breaking, announced;
    struct uw_usec held_until;      /* a DTR that waits for RTS; never: none does */
    struct uw_usec break_until;     /* likewise: a break that ends by itself */
    struct uw_serial_counts counts; /* as told last */
    unsigned lines;
};

static struct telnet *
telnet_of(const struct bridge *b)
{
    return (struct telnet *)b->own;
}

static struct telnet *
of_codec(struct rfc2217 *codec)
{
    return (struct telnet *)(void *)((char *)codec - offsetof(struct telnet, codec));
}

static void
tell_byte(struct telnet *t, unsigned command, unsigned value)
{
    const uint8_t byte = (uint8_t)value;

    rfc2217_tell(&t->codec, command, &byte, 1);
}

/* ---- settings ---- */

static void
configure(struct telnet *t, const struct uw_serial_config *config)
{
    struct uw_fault fault;

    if (bridge_is_up(t->bridge) && uw_serial_set_config(t->bridge->port, config, &fault) < 0)
        bridge_failed(t->bridge, &fault);
}

static struct uw_serial_config
unset(void)
{
    struct uw_serial_config c;

    uw_serial_config_init(&c);
    return c;
}

static struct uw_serial_config
in_force(const struct telnet *t)
{
    struct uw_serial_config c;

    uw_serial_get_config(t->bridge->port, &c);
    return c;
}

static void
set_baud(struct telnet *t, const uint8_t *value, size_t size)
{
    struct uw_serial_config c = unset();
    uint32_t baud = 0;
    uint8_t answer[4];

    for (size_t i = 0; i < 4 && i < size; i++)
        baud = baud << 8 | value[i];
    if (size >= 4 && baud > 0) {
        c.baud = baud < INT32_MAX ? (int)baud : INT32_MAX;
        configure(t, &c);
    }
    baud = (uint32_t)in_force(t).baud;
    for (size_t i = 0; i < 4; i++)
        answer[i] = (uint8_t)(baud >> (24 - 8 * i));
    rfc2217_tell(&t->codec, RFC2217_SET_BAUDRATE, answer, sizeof(answer));
}

static void
set_bits(struct telnet *t, const uint8_t *value, size_t size)
{
    struct uw_serial_config c = unset();

    if (size > 0 && value[0]) {
        c.data_bits = value[0];
        configure(t, &c);
    }
    tell_byte(t, RFC2217_SET_DATASIZE, (unsigned)in_force(t).data_bits);
}

/* 1 none, 2 odd, 3 even, 4 mark, 5 space: ours plus one. */
static void
set_parity(struct telnet *t, const uint8_t *value, size_t size)
{
    struct uw_serial_config c = unset();

    if (size > 0 && value[0]) {
        c.parity = value[0] - 1;
        configure(t, &c);
    }
    tell_byte(t, RFC2217_SET_PARITY, (unsigned)in_force(t).parity + 1);
}

/* 1, 2 and 1.5 stop bits are 1, 2 and 3. */
static void
set_stop(struct telnet *t, const uint8_t *value, size_t size)
{
    static const int ours[] = {-1, UW_STOP_1, UW_STOP_2, UW_STOP_1_5};
    static const uint8_t theirs[] = {[UW_STOP_1] = 1, [UW_STOP_1_5] = 3, [UW_STOP_2] = 2};
    struct uw_serial_config c = unset();

    if (size > 0 && value[0] && value[0] < sizeof(ours) / sizeof(ours[0])) {
        c.stop_bits = ours[value[0]];
        configure(t, &c);
    }
    tell_byte(t, RFC2217_SET_STOPSIZE, theirs[in_force(t).stop_bits]);
}

/* ---- SET-CONTROL ---- */

static void
set_flow(struct telnet *t, unsigned value)
{
    struct uw_serial_config c = unset();

    c.flow = value == HARDWARE   ? UW_FLOW_RTS_CTS
             : value == XON_XOFF ? UW_FLOW_XON_XOFF
                                 : UW_FLOW_NONE;
    configure(t, &c);
}

static unsigned
flow_now(const struct telnet *t)
{
    static const uint8_t theirs[] = {
        [UW_FLOW_NONE] = NO_FLOW, [UW_FLOW_RTS_CTS] = HARDWARE, [UW_FLOW_XON_XOFF] = XON_XOFF};

    return theirs[in_force(t).flow];
}

/* A port that is being looked for remembers them. */
static void
set_lines(struct telnet *t, int dtr, int rts)
{
    struct uw_fault fault;

    if (uw_serial_set_lines(t->bridge->port, dtr, rts, &fault) < 0)
        bridge_failed(t->bridge, &fault);
}

/* A DTR that waited goes by itself. */
static void
release(struct telnet *t)
{
    if (uw_is_never(t->held_until))
        return;
    t->held_until = uw_never();
    set_lines(t, 1, -1);
}

static void
set_dtr(struct telnet *t, int on)
{
    struct uw_serial_config now = in_force(t);

    release(t);
    if (on && now.dtr != 1 && now.rts == 1)
        t->held_until = uw_usec_add(uw_now(), uw_msec(HOLD_MS));
    else
        set_lines(t, on, -1);
}

static void
set_rts(struct telnet *t, int on)
{
    int held = !uw_is_never(t->held_until);

    t->held_until = uw_never();
    set_lines(t, held ? 1 : -1, on);
}

static void
set_break(struct telnet *t, int on)
{
    struct uw_fault fault;

    t->breaking = on;
    t->break_until = uw_never();
    t->bridge->holds = 0;
    if (bridge_is_up(t->bridge) && uw_serial_set_break(t->bridge->port, on, &fault) < 0)
        bridge_failed(t->bridge, &fault);
}

/* What is asked for. */
static unsigned
control_now(const struct telnet *t, unsigned value)
{
    struct uw_serial_config c = in_force(t);

    switch (value) {
    case ASK_FLOW: return flow_now(t);
    case ASK_BREAK: return t->breaking ? BREAK_ON : BREAK_OFF;
    case ASK_DTR: return c.dtr == 1 || !uw_is_never(t->held_until) ? DTR_ON : DTR_OFF;
    case ASK_RTS: return c.rts == 1 ? RTS_ON : RTS_OFF;
    case ASK_INBOUND: return INBOUND_NONE;
    default: return value;
    }
}

static void
set_control(struct telnet *t, const uint8_t *value, size_t size)
{
    unsigned control = size > 0 ? value[0] : ASK_FLOW;

    /* Flow control may be refused, and the client is to see that; nothing else waits. */
    if (control == NO_FLOW || control == XON_XOFF || control == HARDWARE) {
        set_flow(t, control);
        control = ASK_FLOW;
    }
    tell_byte(t, RFC2217_SET_CONTROL, control_now(t, control));
    if (control == BREAK_ON || control == BREAK_OFF)
        set_break(t, control == BREAK_ON);
    if (control == DTR_ON || control == DTR_OFF)
        set_dtr(t, control == DTR_ON);
    if (control == RTS_ON || control == RTS_OFF)
        set_rts(t, control == RTS_ON);
}

/* ---- the rest of the commands ---- */

static void
purge(struct telnet *t, const uint8_t *value, size_t size)
{
    unsigned which = size > 0 ? value[0] : 0;
    struct uw_fault fault;

    if (which & PURGE_INPUT)
        t->net.out_size = 0;
    if (bridge_is_up(t->bridge) && which >= PURGE_INPUT && which <= (PURGE_INPUT | PURGE_OUTPUT) &&
        uw_serial_flush(t->bridge->port,
                        (which & PURGE_INPUT ? UW_SERIAL_INPUT : 0u) |
                            (which & PURGE_OUTPUT ? UW_SERIAL_OUTPUT : 0u),
                        &fault) < 0)
        bridge_failed(t->bridge, &fault);
    tell_byte(t, RFC2217_PURGE_DATA, which);
}

static void
tell_modem(struct telnet *t, unsigned changes)
{
    unsigned lines = t->lines;

    tell_byte(t, RFC2217_NOTIFY_MODEMSTATE,
              (changes | (lines & UW_LINE_CTS ? 0x10u : 0u) | (lines & UW_LINE_DSR ? 0x20u : 0u) |
               (lines & UW_LINE_RI ? 0x40u : 0u) | (lines & UW_LINE_DCD ? 0x80u : 0u)) &
                  t->modem_mask);
}

static void
read_lines(struct telnet *t)
{
    int lines = bridge_is_up(t->bridge) ? uw_serial_lines(t->bridge->port, NULL) : -1;

    if (lines >= 0)
        t->lines = (unsigned)lines;
}

static void
sign(struct telnet *t, const uint8_t *value, size_t size)
{
    (void)value;
    if (size == 0)
        rfc2217_tell(&t->codec, RFC2217_SIGNATURE, (const uint8_t *)SIGNATURE, strlen(SIGNATURE));
}

static void
set_line_mask(struct telnet *t, const uint8_t *value, size_t size)
{
    t->line_mask = size > 0 ? value[0] : 0;
    tell_byte(t, RFC2217_SET_LINESTATE_MASK, t->line_mask);
}

static void
set_modem_mask(struct telnet *t, const uint8_t *value, size_t size)
{
    t->modem_mask = size > 0 ? value[0] : 0xff;
    tell_byte(t, RFC2217_SET_MODEMSTATE_MASK, t->modem_mask);
    read_lines(t);
    tell_modem(t, 0);
}

static void
ask_line(struct telnet *t, const uint8_t *value, size_t size)
{
    (void)value;
    (void)size;
    tell_byte(t, RFC2217_NOTIFY_LINESTATE, 0);
}

static void
ask_modem(struct telnet *t, const uint8_t *value, size_t size)
{
    (void)value;
    (void)size;
    read_lines(t);
    tell_modem(t, 0);
}

static void
suspend(struct telnet *t, const uint8_t *value, size_t size)
{
    (void)value;
    (void)size;
    t->suspended = 1;
}

static void
resume(struct telnet *t, const uint8_t *value, size_t size)
{
    (void)value;
    (void)size;
    t->suspended = 0;
}

static void (*const commands[])(struct telnet *t, const uint8_t *value, size_t size) = {
    [RFC2217_SIGNATURE] = sign,
    [RFC2217_SET_BAUDRATE] = set_baud,
    [RFC2217_SET_DATASIZE] = set_bits,
    [RFC2217_SET_PARITY] = set_parity,
    [RFC2217_SET_STOPSIZE] = set_stop,
    [RFC2217_SET_CONTROL] = set_control,
    [RFC2217_NOTIFY_LINESTATE] = ask_line,
    [RFC2217_NOTIFY_MODEMSTATE] = ask_modem,
    [RFC2217_FLOWCONTROL_SUSPEND] = suspend,
    [RFC2217_FLOWCONTROL_RESUME] = resume,
    [RFC2217_SET_LINESTATE_MASK] = set_line_mask,
    [RFC2217_SET_MODEMSTATE_MASK] = set_modem_mask,
    [RFC2217_PURGE_DATA] = purge,
};

static void
meet_command(struct rfc2217 *codec, unsigned command, const uint8_t *value, size_t size)
{
    if (command != RFC2217_SET_CONTROL)
        release(of_codec(codec));
    if (command < sizeof(commands) / sizeof(commands[0]))
        commands[command](of_codec(codec), value, size);
}

static void
take_data(struct rfc2217 *codec, const uint8_t *bytes, size_t size)
{
    release(of_codec(codec));
    bridge_send(of_codec(codec)->bridge, bytes, size);
}

/* What is written after it waits for its end. */
static void
send_break(struct rfc2217 *codec)
{
    struct telnet *t = of_codec(codec);

    release(t);
    set_break(t, 1);
    t->break_until = uw_usec_add(uw_now(), uw_msec(BREAK_MS));
    t->bridge->holds = 1;
}

static void
send_client(struct rfc2217 *codec, const uint8_t *bytes, size_t size)
{
    netface_send(&of_codec(codec)->net, bytes, size);
}

static const struct rfc2217_ops codec_ops = {
    .data = take_data,
    .command = meet_command,
    .send_break = send_break,
    .send = send_client,
};

/* ---- the face ---- */

static void
came(struct bridge *b)
{
    struct telnet *t = telnet_of(b);

    t->line_mask = 0;
    t->modem_mask = 0xff;
    t->suspended = 0;
    t->announced = 0;
    rfc2217_begin(&t->codec, &codec_ops);
}

static void
went(struct bridge *b)
{
    struct telnet *t = telnet_of(b);

    release(t);
    if (t->breaking)
        set_break(t, 0);
}

/* A DTR that has waited long enough goes, and a break ends. */
static int
work(struct bridge *b)
{
    struct telnet *t = telnet_of(b);
    struct uw_usec now = uw_now(), next;

    if (t->held_until.us <= now.us)
        release(t);
    if (t->break_until.us <= now.us)
        set_break(t, 0);
    next = t->held_until.us < t->break_until.us ? t->held_until : t->break_until;
    return uw_is_never(next) ? -1 : (int)(uw_usec_sub(next, now).us / 1000) + 1;
}

/* Clients take it that they are told of the modem inputs in the beginning. */
static void
input(struct bridge *b, const uint8_t *bytes, size_t size)
{
    struct telnet *t = telnet_of(b);

    rfc2217_feed(&t->codec, bytes, size);
    if (t->announced || !rfc2217_is_com_port(&t->codec))
        return;
    t->announced = 1;
    read_lines(t);
    tell_modem(t, 0);
}

static int
open_face(struct bridge *b, const char *argument)
{
    struct telnet *t = calloc(1, sizeof(*t));

    if (!t)
        return cli_error("out of memory");
    b->own = t;
    t->bridge = b;
    t->held_until = t->break_until = uw_never();
    t->net.came = came;
    t->net.input = input;
    t->net.went = went;
    return netface_open(b, &t->net, argument);
}

static void
close_face(struct bridge *b)
{
    if (b->own)
        netface_close(&telnet_of(b)->net);
    free(b->own);
    b->own = NULL;
}

static void
where(const struct bridge *b, char *buf, size_t size)
{
    netface_where(&telnet_of(b)->net, "rfc2217://", buf, size);
}

static unsigned
polls(struct bridge *b, struct pollfd *fds)
{
    return netface_polls(b, &telnet_of(b)->net, fds);
}

static int
ready(struct bridge *b, const struct pollfd *fds, unsigned count)
{
    netface_ready(b, &telnet_of(b)->net, fds, count);
    return 0;
}

/* Every byte may need an escape, and a notification must still find room. */
static size_t
room(struct bridge *b)
{
    struct telnet *t = telnet_of(b);
    size_t free_bytes = netface_room(&t->net);

    return t->suspended || free_bytes < 1024 ? 0 : (free_bytes - 512) / 2;
}

static void
show(struct bridge *b, const uint8_t *bytes, size_t size)
{
    uint8_t escaped[2 * BRIDGE_BUFFER];

    netface_send(&telnet_of(b)->net, escaped, rfc2217_escape(bytes, size, escaped));
}

static void
changed(struct bridge *b, const struct uw_serial_counts *now)
{
    struct telnet *t = telnet_of(b);
    const struct uw_serial_counts *before = &t->counts;
    unsigned line = (now->overrun != before->overrun ? LINE_OVERRUN : 0u) |
                    (now->parity != before->parity ? LINE_PARITY : 0u) |
                    (now->framing != before->framing ? LINE_FRAMING : 0u) |
                    (now->breaks != before->breaks ? LINE_BREAK : 0u);
    unsigned modem = (now->cts != before->cts ? 1u : 0u) | (now->dsr != before->dsr ? 2u : 0u) |
                     (now->ri != before->ri ? 4u : 0u) | (now->dcd != before->dcd ? 8u : 0u);

    t->counts = *now;
    if (t->net.client < 0 || !t->announced)
        return;
    if (line & t->line_mask)
        tell_byte(t, RFC2217_NOTIFY_LINESTATE, line & t->line_mask);
    if (modem) {
        read_lines(t);
        tell_modem(t, modem);
    }
}

const struct face face_rfc2217 = {
    .name = "rfc2217",
    .open = open_face,
    .close = close_face,
    .where = where,
    .polls = polls,
    .ready = ready,
    .work = work,
    .room = room,
    .show = show,
    .changed = changed,
};
