/*
 * op.c - one connection that asks one thing
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "client/import.h"
#include "client/op.h"
#include "client/resolve.h"

#define ATTEMPTS_MAX      4u
#define PAUSE_US          300000u
#define IMPORT_REPLY_SIZE (UW_OP_HEADER_SIZE + UW_OP_DEVICE_SIZE)
#define LIST_RECORD_MAX   (UW_OP_DEVICE_SIZE + 255u * UW_OP_INTERFACE_SIZE)
#define FIRST_BUFFER      4096u
#define LEFTOVERS_MAX     5u

struct attempt {
    struct uw_source source;
    struct uw_asking *asking;
    struct uw_transport *transport; /* NULL: free */
};

struct uw_asking {
    struct uw_grave grave;
    struct uw_list link; /* the loop's */
    struct uw_server *server;
    char busid[UW_OP_BUSID_SIZE];
    int is_list;
    struct uw_usec until, phase_until;
    struct uw_timer timer;
    const struct uw_tap_source *source;
    void (*answered)(void *arg, struct uw_answer *answer, struct uw_usec now);
    void *arg;

    struct uw_lookup *lookup;
    struct uw_hosts hosts;
    unsigned next; /* of them, to be tried */
    struct uw_usec next_at;
    struct attempt attempts[ATTEMPTS_MAX];
    struct attempt *winner;
    int last_errno;

    uint8_t request[UW_OP_HEADER_SIZE + UW_OP_BUSID_SIZE];
    size_t request_size, sent;
    uint8_t *reply;
    size_t have, room;
    unsigned leftovers; /* connections that began with those of another */
};

static void advance(struct uw_asking *a, struct uw_usec now);
static void begin(struct uw_timer *timer, struct uw_usec now);

static void
free_asking(struct uw_grave *grave)
{
    struct uw_asking *a = UW_CONTAINER(grave, struct uw_asking, grave);

    free(a->reply);
    free(a);
}

static void
drop_attempt(struct attempt *t, int graceful)
{
    if (!t->transport)
        return;
    uw_loop_remove_source(t->asking->server->loop, &t->source);
    uw_transport_free(t->transport, graceful);
    t->transport = NULL;
}

static void
dismantle(struct uw_asking *a)
{
    struct uw_loop *loop = a->server->loop;

    uw_list_remove(&a->link);
    uw_lookup_abandon(a->lookup);
    a->lookup = NULL;
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++)
        drop_attempt(&a->attempts[i], 1);
    uw_loop_set_timer(loop, &a->timer, uw_never());
    uw_server_unref_locked(a->server);
    uw_loop_bury(loop, &a->grave);
}

void
uw_ask_abandon(struct uw_asking *a)
{
    dismantle(a);
}

void
uw_asks_abandon(struct uw_loop *loop)
{
    struct uw_list *pos, *tmp;

    uw_list_each(pos, tmp, &loop->asks) uw_ask_abandon(UW_CONTAINER(pos, struct uw_asking, link));
}

static void
conclude(struct uw_asking *a, struct uw_answer *answer, struct uw_usec now)
{
    void (*answered)(void *, struct uw_answer *, struct uw_usec) = a->answered;
    void *arg = a->arg;

    answered(arg, answer, now);
    dismantle(a);
}

static const char *
what(const struct uw_asking *a, char *buf, size_t size)
{
    if (a->is_list)
        snprintf(buf, size, "list devices");
    else
        snprintf(buf, size, "import %s", a->busid);
    return buf;
}

/* Ends with an error; `came` is what came back, `advice` what to do. */
static void
fail(struct uw_asking *a, int status, int raw, const char *came, const char *advice,
     struct uw_usec now)
{
    struct uw_answer answer = {.status = status};
    char tried[64];

    uw_fault_set(&answer.fault, status, "%s", what(a, tried, sizeof(tried)));
    uw_fault_on(&answer.fault, "%s", a->server->address.name);
    uw_fault_came(&answer.fault, raw, "%s", came);
    uw_fault_advice(&answer.fault, "%s", advice);
    conclude(a, &answer, now);
}

static void
tell(struct uw_asking *a, enum uw_tap_kind kind, int status, const char *text, struct uw_usec now)
{
    static const struct uw_tap_source nobody = {.host = "", .busid = ""};
    struct uw_loop *loop = a->server->loop;
    struct uw_tap_source source = a->source ? *a->source : nobody;
    struct uw_tap_event ev = {
        .kind = kind, .when = now, .source = &source, .status = status, .text = text};

    if (!uw_loop_is_tapped(loop))
        return;
    source.host = a->server->address.name;
    source.server = a->server->number;
    uw_loop_tell(loop, &ev);
}

/* ---- the answer ---- */

static void
answer_list(struct uw_asking *a, int at_end, struct uw_usec now)
{
    struct uw_answer answer = {0};
    char text[64];
    int r;

    if (at_end && a->have == 0) {
        fail(a, UW_ERROR_ACCESS, 0, "the server closed the connection without an answer",
             "it may refuse this host, or speak another version of USB/IP", now);
        return;
    }
    r = uw_decode_device_list(a->reply, a->have, at_end, a->server->loop->limits.max_devices,
                              &answer.list);
    if (r == 0)
        return;
    if (r < 0) {
        tell(a, UW_TAP_OP_REPLY, r, "OP_REP_DEVLIST that cannot be read", now);
        fail(a, r, 0,
             r == UW_ERROR_LIMIT ? "more devices than the limit max_devices allows"
             : at_end            ? "the answer ended before it was complete"
                                 : "the answer is no USB/IP device list",
             "is it a USB/IP server that listens there?", now);
        return;
    }
    snprintf(text, sizeof(text), "OP_REP_DEVLIST with %u devices", answer.list->count);
    tell(a, UW_TAP_OP_REPLY, 0, text, now);
    conclude(a, &answer, now);
}

static const char *
import_advice(int error)
{
    static const struct {
        int error;
        const char *advice;
    } rows[] = {
        {UW_ERROR_BUSY, "another client has it; let go of it there, or wait with --wait; a client "
                        "that vanished may hold it until the server notices"},
        {UW_ERROR_NO_DEVICE, "'usbwire list' shows the devices that the server offers now"},
        {UW_ERROR_ACCESS, "'usbwire list' shows what the server offers; it may be in use, or not "
                          "be exported (Linux: usbip bind -b BUSID)"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return rows[i].advice;
    return "unplug the device at the server and plug it in again";
}

static void
refused(struct uw_asking *a, uint32_t status, struct uw_usec now)
{
    int error = uw_op_status_error(status);
    char came[128];

    snprintf(came, sizeof(came), "import status %u, %s", status, uw_op_status_text(status));
    tell(a, UW_TAP_OP_REPLY, (int)status, "OP_REP_IMPORT refused", now);
    fail(a, error, (int)status, came, import_advice(error), now);
}

/* How many leftovers there are nobody knows; the next connection begins behind them. */
static void
ask_again(struct uw_asking *a, struct uw_usec now)
{
    if (++a->leftovers > LEFTOVERS_MAX) {
        fail(a, UW_ERROR_BUSY, 0, "what came was meant for the device's last client",
             import_advice(UW_OK), now);
        return;
    }
    tell(a, UW_TAP_OP_REPLY, 0, "leftovers of the last client", now);
    drop_attempt(a->winner, 1);
    a->winner = NULL;
    a->sent = a->have = 0;
    a->hosts.count = a->next = 0;
    a->timer.fire = begin;
    uw_loop_set_timer(a->server->loop, &a->timer, uw_usec_add(now, uw_usec(PAUSE_US)));
}

static void
answer_import(struct uw_asking *a, int at_end, struct uw_usec now)
{
    struct uw_answer answer = {0};
    struct uw_op op;

    if (a->have < UW_OP_HEADER_SIZE && !at_end)
        return;
    if (uw_check_leftover(a->reply, a->have)) {
        ask_again(a, now);
        return;
    }
    if (a->have < UW_OP_HEADER_SIZE) {
        fail(a, UW_ERROR_ACCESS, 0, "the server closed the connection without an answer",
             "it may refuse this host, or speak another version of USB/IP", now);
        return;
    }
    uw_decode_op(a->reply, &op);
    if (op.code != UW_OP_REP_IMPORT) {
        fail(a, UW_ERROR_PROTOCOL, op.code, "the answer is none to an import",
             "is it a USB/IP server that listens there?", now);
        return;
    }
    if (op.version >> 8 != UW_VERSION_111 >> 8) {
        fail(a, UW_ERROR_VERSION, op.version, "the server's version is not 1.1.1",
             "update the server", now);
        return;
    }
    if (op.status) {
        refused(a, op.status, now);
        return;
    }
    if (a->have < IMPORT_REPLY_SIZE) {
        if (at_end)
            fail(a, UW_ERROR_PROTOCOL, 0, "the answer ended before it was complete",
                 "try again; if it stays so, look at the server's log", now);
        return;
    }
    if (uw_check_empty(a->reply + UW_OP_HEADER_SIZE)) {
        fail(a, UW_ERROR_NO_DEVICE, 0, "the server answered with an empty record",
             import_advice(UW_ERROR_NO_DEVICE), now);
        return;
    }
    uw_decode_device(a->reply + UW_OP_HEADER_SIZE, &answer.info);
    tell(a, UW_TAP_OP_REPLY, 0, "OP_REP_IMPORT accepted", now);
    answer.rest = a->reply + IMPORT_REPLY_SIZE;
    answer.rest_size = a->have - IMPORT_REPLY_SIZE;
    answer.transport = a->winner->transport;
    uw_loop_remove_source(a->server->loop, &a->winner->source);
    a->winner->transport = NULL;
    conclude(a, &answer, now);
}

static void
answer(struct uw_asking *a, int at_end, struct uw_usec now)
{
    if (a->is_list)
        answer_list(a, at_end, now);
    else
        answer_import(a, at_end, now);
}

/* ---- asking ---- */

static size_t
reply_max(const struct uw_asking *a)
{
    if (!a->is_list)
        return IMPORT_REPLY_SIZE;
    return UW_OP_HEADER_SIZE + 4u + (size_t)a->server->loop->limits.max_devices * LIST_RECORD_MAX;
}

static int
make_room(struct uw_asking *a)
{
    size_t room = a->room ? a->room * 2 : FIRST_BUFFER;
    uint8_t *larger;

    if (room > reply_max(a))
        room = reply_max(a);
    if (a->have < a->room)
        return 0;
    if (a->have == room)
        return UW_ERROR_LIMIT;
    larger = realloc(a->reply, room);
    if (!larger)
        return UW_ERROR_NO_MEMORY;
    a->reply = larger;
    a->room = room;
    return 0;
}

static void
receive(struct uw_asking *a, struct uw_usec now)
{
    struct iovec iov;
    ssize_t n;
    int error = 0, r = make_room(a);

    if (r < 0) {
        fail(a, r, 0, "the answer is longer than any device list", "", now);
        return;
    }
    iov = (struct iovec){a->reply + a->have, a->room - a->have};
    n = uw_transport_readv(a->winner->transport, &iov, 1, &error);
    if (n == UW_AGAIN)
        return;
    if (n < 0) {
        fail(a, UW_ERROR_CONNECTION_LOST, error, strerror(error),
             a->have ? "try again" : "is it a USB/IP server that listens there?", now);
        return;
    }
    a->have += (size_t)n;
    answer(a, n == 0, now);
}

static void
send_request(struct uw_asking *a, struct uw_usec now)
{
    struct iovec iov = {a->request + a->sent, a->request_size - a->sent};
    int error = 0;
    ssize_t n;

    if (a->sent == 0)
        tell(a, UW_TAP_OP_REQUEST, 0, a->is_list ? "OP_REQ_DEVLIST" : "OP_REQ_IMPORT", now);
    n = uw_transport_writev(a->winner->transport, &iov, 1, &error);
    if (n < 0 && n != UW_AGAIN) {
        fail(a, UW_ERROR_CONNECTION_LOST, error, strerror(error), "try again", now);
        return;
    }
    a->sent += n > 0 ? (size_t)n : 0;
    uw_loop_change_source(a->server->loop, &a->winner->source,
                          a->sent < a->request_size ? UW_POLL_IN | UW_POLL_OUT : UW_POLL_IN);
}

/* ---- connecting ---- */

static void
connected(struct uw_asking *a, struct attempt *t, struct uw_usec now)
{
    a->winner = t;
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++)
        if (&a->attempts[i] != t)
            drop_attempt(&a->attempts[i], 0);
    a->phase_until = uw_usec_min(a->until, uw_usec_add(now, a->server->reply_timeout));
    uw_loop_set_timer(a->server->loop, &a->timer, a->phase_until);
    send_request(a, now);
}

static void
attempt_ready(struct uw_source *source, unsigned events, struct uw_usec now)
{
    struct attempt *t = UW_CONTAINER(source, struct attempt, source);
    struct uw_asking *a = t->asking;
    int r, error = 0;

    if (a->winner == t) {
        if ((events & UW_POLL_OUT) && a->sent < a->request_size)
            send_request(a, now);
        else
            receive(a, now);
        return;
    }
    r = uw_transport_connected(t->transport, &error);
    if (r > 0) {
        connected(a, t, now);
    } else if (r < 0) {
        a->last_errno = error;
        drop_attempt(t, 0);
        advance(a, now);
    }
}

static int
start_attempt(struct uw_asking *a, struct attempt *t)
{
    struct uw_transport *transport;
    int r;

    errno = 0;
    if (a->next < a->hosts.count)
        r = uw_transport_tcp((const struct sockaddr *)(const void *)&a->hosts.at[a->next].address,
                             a->hosts.at[a->next].size, &transport);
    else
        r = uw_transport_unix(a->server->address.path, &transport);
    if (r < 0) {
        a->last_errno = errno ? errno : ENOMEM;
        return r;
    }
    t->transport = transport;
    t->asking = a;
    t->source.fd = uw_transport_fd(transport);
    t->source.events = UW_POLL_OUT;
    t->source.ready = attempt_ready;
    uw_list_init(&t->source.link);
    r = uw_loop_add_source(a->server->loop, &t->source);
    if (r < 0) {
        uw_transport_free(transport, 0);
        t->transport = NULL;
        a->last_errno = ENOMEM;
    }
    return r;
}

/* What a connection to this machine comes to is often known at once. SO_ERROR can be asked once
 * only, so a refusal has to be taken here: 1 connected, 0 not yet, negative: the attempt is over.
 */
static int
try_at_once(struct uw_asking *a, struct attempt *t)
{
    int error = 0, r = uw_transport_connected(t->transport, &error);

    if (r < 0) {
        a->last_errno = error;
        drop_attempt(t, 0);
    }
    return r;
}

static struct attempt *
free_attempt(struct uw_asking *a, int *ret_trying)
{
    struct attempt *found = NULL;

    *ret_trying = 0;
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        if (a->attempts[i].transport)
            (*ret_trying)++;
        else if (!found)
            found = &a->attempts[i];
    }
    return found;
}

/* Tries the next address if it is time to, or says that there is none left. */
static void
advance(struct uw_asking *a, struct uw_usec now)
{
    int unix_socket = a->server->address.path[0] != 0, trying = 0;
    struct attempt *t = free_attempt(a, &trying);

    while (t && !a->winner &&
           (a->next < a->hosts.count || (unix_socket && !a->last_errno && !trying)) &&
           (!trying || now.us >= a->next_at.us)) {
        int r = start_attempt(a, t);

        a->next_at = uw_usec_add(now, uw_usec(PAUSE_US));
        if (a->next < a->hosts.count)
            a->next++;
        if (r == 0 && try_at_once(a, t) > 0) {
            connected(a, t, now);
            return;
        }
        if (r == UW_ERROR_NO_MEMORY) {
            fail(a, r, 0, "no connection could be made", "", now);
            return;
        }
        t = free_attempt(a, &trying);
    }
    if (!trying && !a->winner) {
        fail(a, UW_ERROR_CONNECT, a->last_errno, strerror(a->last_errno),
             "check host and port, and that a USB/IP server runs there", now);
        return;
    }
    uw_loop_set_timer(a->server->loop, &a->timer,
                      a->next < a->hosts.count ? uw_usec_min(a->phase_until, a->next_at)
                                               : a->phase_until);
}

static void
found(void *arg, const struct uw_hosts *hosts, const char *error, struct uw_usec now)
{
    struct uw_asking *a = (struct uw_asking *)arg;

    a->lookup = NULL;
    if (!hosts) {
        fail(a, UW_ERROR_RESOLVE, 0, error ? error : "no address",
             "check the spelling, or give a numeric address", now);
        return;
    }
    a->hosts = *hosts;
    a->next = 0;
    advance(a, now);
}

static void
timeout(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_asking *a = UW_CONTAINER(timer, struct uw_asking, timer);

    if (now.us < a->phase_until.us) {
        advance(a, now);
        return;
    }
    if (a->winner && a->is_list && a->have) {
        /* A server that keeps the connection open after a list it counts wrongly. */
        answer(a, 1, now);
        return;
    }
    fail(a, UW_ERROR_TIMEOUT, 0,
         a->lookup   ? "the host name was not found in time"
         : a->winner ? "connected, but no answer came"
                     : "no connection was made in time",
         a->winner ? "is it a USB/IP server that listens there? is it busy with another client?"
                   : "check host and port, and that no firewall drops the packets",
         now);
}

/* Starting happens on the loop's next round, so that an answer never comes before uw_ask returns.
 */
static void
begin(struct uw_timer *timer, struct uw_usec now)
{
    struct uw_asking *a = UW_CONTAINER(timer, struct uw_asking, timer);
    const struct uw_address *address = &a->server->address;
    int r;

    a->timer.fire = timeout;
    a->phase_until = uw_usec_min(a->until, uw_usec_add(now, a->server->connect_timeout));
    uw_loop_set_timer(a->server->loop, &a->timer, a->phase_until);
    if (address->path[0]) {
        advance(a, now);
        return;
    }
    r = uw_lookup_start(a->server->loop, address->host, address->port, found, a, &a->lookup);
    if (r < 0)
        fail(a, r, 0, "the host name could not be looked up", "", now);
}

int
uw_ask(struct uw_server *server, const char *busid, struct uw_usec until,
       const struct uw_tap_source *source,
       void (*answered)(void *arg, struct uw_answer *answer, struct uw_usec now), void *arg,
       struct uw_asking **ret_asking)
{
    struct uw_asking *a;

    if (busid && (strlen(busid) >= UW_OP_BUSID_SIZE || !*busid))
        return UW_ERROR_INVALID;
    a = calloc(1, sizeof(*a));
    if (!a)
        return UW_ERROR_NO_MEMORY;
    a->grave.free = free_asking;
    uw_list_init(&a->grave.link);
    uw_list_insert(&server->loop->asks, &a->link);
    a->server = uw_server_ref(server);
    a->is_list = !busid;
    a->until = until;
    a->source = source;
    a->answered = answered;
    a->arg = arg;
    if (busid) {
        snprintf(a->busid, sizeof(a->busid), "%s", busid);
        a->request_size = uw_encode_import_request(a->request, busid);
    } else {
        struct uw_op op = {UW_VERSION_111, UW_OP_REQ_DEVLIST, 0};

        a->request_size = uw_encode_op(a->request, &op);
    }
    a->timer.fire = begin;
    *ret_asking = a;
    uw_loop_set_timer(server->loop, &a->timer, uw_usec(0));
    return 0;
}
