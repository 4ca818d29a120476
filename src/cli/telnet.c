/*
 * telnet.c - what a client of the RFC 2217 port asks for, and what it is told
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
#include <string.h>

#include "telnet.h"

#define SIGNATURE "usbwire"
#define HOLD_MS   250
#define BREAK_MS  250 /* of telnet's own, as tcsendbreak(3) has it */

/* NOTIFY-LINESTATE */
#define LINE_OVERRUN 0x02
#define LINE_PARITY  0x04
#define LINE_FRAMING 0x08
#define LINE_BREAK   0x10

#define PURGE_INPUT  1
#define PURGE_OUTPUT 2

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

/* A port that is being looked for remembers them. */
static void
configure(struct telnet *t, const struct uw_serial_config *config)
{
    struct uw_fault fault;
    int r = uw_serial_set_config(t->bridge->port, config, &fault);

    /* What cannot be, the answer tells to who asked for it: as often as he likes. */
    if (r < 0 && r != UW_ERROR_INVALID && r != UW_ERROR_NOT_SUPPORTED)
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

enum control { OUTBOUND, INBOUND, BREAK, DTR, RTS };

#define ASK (-1)

/* What its value is about, and what that is to be. Flow control is one setting for both directions;
 * there is none by DCD, DTR or DSR, and who asks for that is told what is in force. */
static const struct {
    enum control control;
    int to;
} controls[] = {
    {OUTBOUND, ASK},
    {OUTBOUND, UW_FLOW_NONE},
    {OUTBOUND, UW_FLOW_XON_XOFF},
    {OUTBOUND, UW_FLOW_RTS_CTS},
    {BREAK, ASK},
    {BREAK, 1},
    {BREAK, 0},
    {DTR, ASK},
    {DTR, 1},
    {DTR, 0},
    {RTS, ASK},
    {RTS, 1},
    {RTS, 0},
    {INBOUND, ASK},
    {INBOUND, UW_FLOW_NONE},
    {INBOUND, UW_FLOW_XON_XOFF},
    {INBOUND, UW_FLOW_RTS_CTS},
    {OUTBOUND, ASK} /* DCD */,
    {INBOUND, ASK} /* DTR */,
    {OUTBOUND, ASK} /* DSR */,
};

/* The values that say what is in force. */
static const uint8_t outbound[] = {
    [UW_FLOW_NONE] = 1, [UW_FLOW_XON_XOFF] = 2, [UW_FLOW_RTS_CTS] = 3};
static const uint8_t inbound[] = {
    [UW_FLOW_NONE] = 14, [UW_FLOW_XON_XOFF] = 15, [UW_FLOW_RTS_CTS] = 16};
static const uint8_t switches[][2] = {[BREAK] = {6, 5}, [DTR] = {9, 8}, [RTS] = {12, 11}};

static void
set_flow(struct telnet *t, int flow)
{
    struct uw_serial_config c = unset();

    c.flow = flow;
    configure(t, &c);
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
    int r = 0;

    t->break_until = uw_never();
    t->bridge->holds = 0;
    if (bridge_is_up(t->bridge))
        r = uw_serial_set_break(t->bridge->port, on, &fault);
    if (r < 0)
        bridge_failed(t->bridge, &fault);
    t->breaking = on && r == 0;
}

static void
set_switch(struct telnet *t, enum control control, int on)
{
    switch (control) {
    case BREAK: set_break(t, on); break;
    case DTR: set_dtr(t, on); break;
    case RTS: set_rts(t, on); break;
    case OUTBOUND:
    case INBOUND: break;
    }
}

static int
is_on(const struct telnet *t, enum control control)
{
    struct uw_serial_config c = in_force(t);

    if (control == BREAK)
        return t->breaking;
    return control == DTR ? c.dtr == 1 || !uw_is_never(t->held_until) : c.rts == 1;
}

/* Flow control may be refused, and the client is to see that; nothing else waits for the device. */
static void
set_control(struct telnet *t, const uint8_t *value, size_t size)
{
    unsigned i = size > 0 && value[0] < sizeof(controls) / sizeof(controls[0]) ? value[0] : 0;
    enum control control = controls[i].control;
    int to = controls[i].to;

    if (control == OUTBOUND || control == INBOUND) {
        if (to != ASK)
            set_flow(t, to);
        tell_byte(t, RFC2217_SET_CONTROL,
                  (control == OUTBOUND ? outbound : inbound)[in_force(t).flow]);
    } else {
        tell_byte(t, RFC2217_SET_CONTROL, switches[control][to == ASK ? is_on(t, control) : to]);
        if (to != ASK)
            set_switch(t, control, to);
    }
}

/* ---- the rest of the commands ---- */

/* What is on its way to the client comes before the answer, which so tells it what is old. */
static void
purge(struct telnet *t, const uint8_t *value, size_t size)
{
    unsigned which = size > 0 ? value[0] : 0;
    struct uw_fault fault;

    if (bridge_is_up(t->bridge) && which >= PURGE_INPUT && which <= (PURGE_INPUT | PURGE_OUTPUT) &&
        uw_serial_flush(t->bridge->port,
                        (which & PURGE_INPUT ? UW_SERIAL_INPUT : 0u) |
                            (which & PURGE_OUTPUT ? UW_SERIAL_OUTPUT : 0u),
                        &fault) < 0)
        bridge_failed(t->bridge, &fault);
    tell_byte(t, RFC2217_PURGE_DATA, which);
}

static unsigned
modem_state(const struct telnet *t)
{
    unsigned lines = t->lines;

    return (lines & UW_LINE_CTS ? 0x10u : 0u) | (lines & UW_LINE_DSR ? 0x20u : 0u) |
           (lines & UW_LINE_RI ? 0x40u : 0u) | (lines & UW_LINE_DCD ? 0x80u : 0u);
}

/* For who asked, or is to begin with it. */
static void
tell_modem(struct telnet *t)
{
    tell_byte(t, RFC2217_NOTIFY_MODEMSTATE, modem_state(t) & t->modem_mask);
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
    if (!t->modem_mask)
        return;
    read_lines(t);
    tell_modem(t);
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
    tell_modem(t);
}

static void
suspend(struct telnet *t, const uint8_t *value, size_t size)
{
    (void)value;
    (void)size;
    netface_hold(t->bridge, &t->net, 1);
}

static void
resume(struct telnet *t, const uint8_t *value, size_t size)
{
    (void)value;
    (void)size;
    netface_hold(t->bridge, &t->net, 0);
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
    if (!t->breaking)
        return;
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

/* ---- from its coming to its going ---- */

void
telnet_init(struct telnet *t, struct bridge *b)
{
    struct uw_serial_config now;

    t->bridge = b;
    t->held_until = t->break_until = uw_never();
    now = in_force(t);
    t->dtr = now.dtr == 1;
    t->rts = now.rts == 1;
}

/* Each client finds the lines as the first one did. */
void
telnet_begin(struct telnet *t)
{
    struct uw_serial_config now = in_force(t);

    t->line_mask = 0;
    t->modem_mask = 0xff;
    t->announced = 0;
    if ((now.dtr == 1) != t->dtr || (now.rts == 1) != t->rts)
        set_lines(t, t->dtr, t->rts);
    rfc2217_begin(&t->codec, &codec_ops);
}

/* As when a serial port is closed: what was raised is dropped, so that no board is left in reset.
 * Nothing is raised: to some boards that would say that they are not to change into their boot
 * loader after all. */
void
telnet_end(struct telnet *t)
{
    struct uw_serial_config now = in_force(t);
    int dtr = now.dtr == 1 && t->dtr, rts = now.rts == 1 && t->rts;

    t->held_until = uw_never();
    if (t->breaking)
        set_break(t, 0);
    if ((now.dtr == 1) != dtr || (now.rts == 1) != rts)
        set_lines(t, dtr, rts);
}

/* A DTR that has waited long enough goes, and a break ends. */
int
telnet_work(struct telnet *t)
{
    struct uw_usec now = uw_now(), next;

    if (t->held_until.us <= now.us)
        release(t);
    if (t->break_until.us <= now.us)
        set_break(t, 0);
    next = t->held_until.us < t->break_until.us ? t->held_until : t->break_until;
    return uw_is_never(next) ? -1 : (int)(uw_usec_sub(next, now).us / 1000) + 1;
}

/* Clients take it that they are told of the modem inputs in the beginning. */
void
telnet_feed(struct telnet *t, const uint8_t *bytes, size_t size)
{
    rfc2217_feed(&t->codec, bytes, size);
    if (t->announced || !rfc2217_is_com_port(&t->codec))
        return;
    t->announced = 1;
    read_lines(t);
    tell_modem(t);
}

void
telnet_changed(struct telnet *t, const struct uw_serial_counts *now)
{
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
    if (!modem)
        return;
    read_lines(t);
    modem = (modem | modem_state(t)) & t->modem_mask;
    if (modem)
        tell_byte(t, RFC2217_NOTIFY_MODEMSTATE, modem);
}
