/*
 * What servers answer to an import and to a list: refusals, nonsense, half of it, nothing. Each
 * has an error of its own and a sentence that says what came back.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/server.h"
#include "support/client.h"
#include "support/punctual.h"

/* ---- answers to an import ---- */

struct answer {
    const char *name;
    uint16_t version, code;
    uint32_t status;
    size_t size; /* bytes sent: 8 header, 312 record of an import */
    int keeps;   /* the connection stays open */
    int zeroes;  /* instead of a record */
    int error;
    const char *text;
};

#define IMPORT UW_OP_REP_IMPORT
#define WHOLE  (UW_OP_HEADER_SIZE + UW_OP_DEVICE_SIZE)

static const struct answer imports[] = {
    {"not available", 0x111, IMPORT, 1, 8, 0, 0, UW_ERROR_ACCESS, "status 1"},
    {"busy", 0x111, IMPORT, 2, 8, 0, 0, UW_ERROR_BUSY, "exported to another client"},
    {"device error", 0x111, IMPORT, 3, 8, 0, 0, UW_ERROR_IO, "status 3"},
    {"no device", 0x111, IMPORT, 4, 8, 0, 0, UW_ERROR_NO_DEVICE, "usbwire list"},
    {"error", 0x111, IMPORT, 5, 8, 0, 0, UW_ERROR_ACCESS, "status 5"},
    {"unheard-of status", 0x111, IMPORT, 77, 8, 0, 0, UW_ERROR_PROTOCOL, "status 77"},
    {"refusal on an open connection", 0x111, IMPORT, 2, 8, 1, 0, UW_ERROR_BUSY, "status 2"},
    {"end without an answer", 0x111, IMPORT, 0, 0, 0, 0, UW_ERROR_ACCESS, "without an answer"},
    {"half a header", 0x111, IMPORT, 0, 5, 0, 0, UW_ERROR_ACCESS, "without an answer"},
    {"half a record", 0x111, IMPORT, 0, 100, 0, 0, UW_ERROR_PROTOCOL, "before it was complete"},
    {"another answer", 0x111, 0x0005, 0, 8, 0, 0, UW_ERROR_PROTOCOL, "none to an import"},
    {"another protocol", 0x4854, 0x5450, 0x2f312e31, WHOLE, 0, 0, UW_ERROR_PROTOCOL, "listens"},
    {"another version", 0x200, IMPORT, 0, WHOLE, 0, 0, UW_ERROR_VERSION, "version"},
    {"empty record", 0x111, IMPORT, 0, WHOLE, 0, 1, UW_ERROR_NO_DEVICE, "empty record"},
};

static void
act_answer(struct stage *stage, int fd, unsigned number)
{
    const struct answer *a = (const struct answer *)stage_arg(stage);
    struct uw_op op = {a->version, a->code, a->status};
    struct uw_device_info info = {.path = "/sys/devices/1-1", .busid = "1-1", .vid = 0x1209};
    uint8_t bytes[WHOLE] = {0};
    char busid[UW_OP_BUSID_SIZE];

    (void)number;
    if (!stage_request(fd, busid))
        return;
    uw_encode_op(bytes, &op);
    if (!a->zeroes)
        uw_encode_device(bytes + UW_OP_HEADER_SIZE, &info);
    stage_write(fd, bytes, a->size);
    if (a->keeps)
        stage_drain(fd);
}

static void
check_fault(const char *name, const struct uw_fault *fault, int error, const char *text,
            const struct client *c)
{
    char sentence[UW_FAULT_TEXT_MAX];

    uw_fault_text(fault, sentence, sizeof(sentence));
    if (fault->code != error || !strstr(sentence, text))
        fail_msg("%s: %s: %s", name, uw_error_name(fault->code), sentence);
    if (c->stage && !strstr(sentence, stage_address(c->stage)))
        fail_msg("%s: the server is not named: %s", name, sentence);
}

static void
test_import_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(imports) / sizeof(imports[0]); i++) {
        struct uw_fault fault = {0};
        struct client c;

        client_start(&c, act_answer, (void *)(uintptr_t)&imports[i]);
        assert_int_equal(client_import(&c, &fault), imports[i].error);
        check_fault(imports[i].name, &fault, imports[i].error, imports[i].text, &c);
        client_stop(&c);
    }
}

/* Nothing comes, and the connection stays open: the timeout is the caller's. */
static void
act_silent(struct stage *stage, int fd, unsigned number)
{
    (void)number;
    stage_reach(stage, 1);
    stage_drain(fd);
}

static void
import_in_vain(void *arg)
{
    struct client *c = (struct client *)arg;
    struct uw_fault fault = {0};

    assert_int_equal(uw_import_new(c->server, "1-1", uw_msec(100), &c->import, &fault),
                     UW_ERROR_TIMEOUT);
    check_fault("silent", &fault, UW_ERROR_TIMEOUT, "no answer came", c);
}

static void
test_no_answer(void **state)
{
    struct uw_device_list *list;
    struct client c;

    (void)state;
    client_start(&c, act_silent, NULL);
    /* Must 18: what holds when nobody says otherwise. */
    assert_int_equal(c.server->connect_timeout.us, 5000000);
    assert_int_equal(c.server->reply_timeout.us, 10000000);
    assert_punctual(100000, import_in_vain, &c);
    assert_int_equal(uw_server_list(c.server, uw_msec(20), &list, NULL), UW_ERROR_TIMEOUT);
    /* The server's own bound holds where the caller has none. */
    uw_server_set_timeouts(c.server, uw_msec(5000), uw_msec(50));
    assert_int_equal(uw_import_new(c.server, "1-1", uw_never(), &c.import, NULL), UW_ERROR_TIMEOUT);
    client_stop(&c);
}

static void
test_nobody_listens(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct uw_fault fault = {0};
    socklen_t size = sizeof(in);
    char address[64];
    struct client c;

    (void)state;
    /* Bound and not listening: nobody else is there. */
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(in.sin_port));
    client_start_at(&c, address);
    assert_int_equal(client_import(&c, &fault), UW_ERROR_CONNECT);
    check_fault("nobody", &fault, UW_ERROR_CONNECT, "refused", &c);
    client_stop(&c);
    close(fd);
}

static void
test_unix_socket_that_is_none(void **state)
{
    struct uw_fault fault = {0};
    struct client c;

    (void)state;
    client_start_at(&c, "unix:/nonexistent/usbwire.sock");
    assert_int_equal(client_import(&c, &fault), UW_ERROR_CONNECT);
    check_fault("unix", &fault, UW_ERROR_CONNECT, "No such file", &c);
    client_stop(&c);
}

static void
test_bus_ids(void **state)
{
    struct uw_fault fault = {0};
    struct uw_import *im;
    struct client c;

    (void)state;
    client_start(&c, act_silent, NULL);
    assert_int_equal(uw_import_new(c.server, "", uw_msec(100), &im, &fault), UW_ERROR_INVALID);
    assert_int_equal(
        uw_import_new(c.server, "0123456789012345678901234567890x", uw_msec(100), &im, &fault),
        UW_ERROR_INVALID);
    check_fault("bus id", &fault, UW_ERROR_INVALID, "1 to 31", &c);
    assert_int_equal(stage_connections(c.stage), 0);
    client_stop(&c);
}

/* The answer, a second answer (as one server sends it), and a reply come in one piece: the bytes
 * behind the answer belong to the URB phase. */
static void
act_at_once(struct stage *stage, int fd, unsigned number)
{
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_IMPORT, 0};
    struct uw_device_info info = {.path = "/sys/devices/1-1", .busid = "1-1", .vid = 0x1209};
    struct uw_pdu late = {.command = UW_RET_SUBMIT, .seqnum = 4242, .status = -104};
    uint8_t bytes[WHOLE + UW_PDU_SIZE];
    char busid[UW_OP_BUSID_SIZE];

    (void)stage;
    (void)number;
    uw_encode_op(bytes, &op);
    uw_encode_device(bytes + UW_OP_HEADER_SIZE, &info);
    uw_encode_pdu(bytes + WHOLE, &late);
    if (stage_request(fd, busid) && stage_write(fd, bytes, sizeof(bytes)))
        stage_serve(fd);
}

static void
test_bytes_behind_the_answer(void **state)
{
    struct client c;

    (void)state;
    client_start(&c, act_at_once, NULL);
    client_must_import(&c);
    assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
    client_stop(&c);
}

/* Byte by byte. */
static void
act_slowly(struct stage *stage, int fd, unsigned number)
{
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_IMPORT, 0};
    struct uw_device_info info = {.path = "/sys/devices/1-1", .busid = "1-1", .vid = 0x1209};
    uint8_t bytes[WHOLE];
    char busid[UW_OP_BUSID_SIZE];

    (void)stage;
    (void)number;
    uw_encode_op(bytes, &op);
    uw_encode_device(bytes + UW_OP_HEADER_SIZE, &info);
    if (!stage_request(fd, busid))
        return;
    for (size_t i = 0; i < sizeof(bytes); i++)
        if (!stage_write(fd, bytes + i, 1))
            return;
    stage_serve(fd);
}

static void
test_byte_by_byte(void **state)
{
    struct client c;

    (void)state;
    client_start(&c, act_slowly, NULL);
    client_must_import(&c);
    assert_int_equal(uw_import_info(c.import)->vid, 0x1209);
    assert_int_equal(client_run(&c, 0x80, 18, 0), UW_OK);
    client_stop(&c);
}

/* ---- lists ---- */

struct list_answer {
    const char *name;
    uint32_t count, status;
    unsigned records; /* sent, with one interface record each */
    int keeps;
    int error;
    const char *text;
};

static const struct list_answer lists[] = {
    {"two devices", 2, 0, 2, 0, 0, NULL},
    {"two devices, connection kept", 2, 0, 2, 1, 0, NULL},
    {"none", 0, 0, 0, 0, 0, NULL},
    {"fewer than announced", 3, 0, 2, 0, UW_ERROR_PROTOCOL, "before it was complete"},
    {"more than allowed", 4000000, 0, 2, 1, UW_ERROR_LIMIT, "max_devices"},
    {"refused", 0, 1, 0, 0, UW_ERROR_ACCESS, "list"},
};

static void
act_list(struct stage *stage, int fd, unsigned number)
{
    const struct list_answer *a = (const struct list_answer *)stage_arg(stage);
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_DEVLIST, a->status};
    uint8_t header[UW_OP_HEADER_SIZE + 4] = {0};
    char busid[UW_OP_BUSID_SIZE];

    (void)number;
    if (stage_request(fd, busid) != UW_OP_REQ_DEVLIST)
        return;
    uw_encode_op(header, &op);
    for (unsigned i = 0; i < 4; i++)
        header[UW_OP_HEADER_SIZE + i] = (uint8_t)(a->count >> (24 - 8 * i));
    stage_write(fd, header, sizeof(header));
    for (unsigned i = 0; i < a->records; i++) {
        struct uw_device_info info = {.path = "/sys/devices/x",
                                      .busid = "1-1",
                                      .speed = 3,
                                      .vid = (uint16_t)(i + 1),
                                      .num_interfaces = 1};
        uint8_t record[UW_OP_DEVICE_SIZE + 4] = {0};

        uw_encode_device(record, &info);
        stage_write(fd, record, sizeof(record));
    }
    if (a->keeps)
        stage_drain(fd);
}

static void
test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct uw_device_list *list = NULL;
        struct uw_fault fault = {0};
        struct client c;
        int r;

        client_start(&c, act_list, (void *)(uintptr_t)&lists[i]);
        r = uw_server_list(c.server, uw_msec(10000), &list, &fault);
        if (r != lists[i].error)
            fail_msg("%s: %s", lists[i].name, uw_error_name(r));
        if (r < 0) {
            check_fault(lists[i].name, &fault, r, lists[i].text, &c);
        } else {
            assert_int_equal(uw_device_list_count(list), lists[i].records);
            for (unsigned k = 0; k < lists[i].records; k++)
                assert_int_equal(uw_device_list_get(list, k)->vid, k + 1);
        }
        uw_device_list_free(list);
        client_stop(&c);
    }
}

/* A server that never stops sending costs what a list of max_devices may cost, and no more. */
static void
act_flood(struct stage *stage, int fd, unsigned number)
{
    struct uw_op op = {UW_VERSION_111, UW_OP_REP_DEVLIST, 0};
    uint8_t header[UW_OP_HEADER_SIZE + 4] = {0}, record[UW_OP_DEVICE_SIZE];
    struct uw_device_info info = {.path = "/x", .busid = "1-1", .num_interfaces = 255};
    char busid[UW_OP_BUSID_SIZE];

    (void)stage;
    (void)number;
    if (!stage_request(fd, busid))
        return;
    uw_encode_op(header, &op);
    header[UW_OP_HEADER_SIZE + 3] = 4;
    uw_encode_device(record, &info);
    stage_write(fd, header, sizeof(header));
    while (stage_write(fd, record, sizeof(record)))
        ;
}

static void
test_flood(void **state)
{
    struct uw_loop_options options = {.size = sizeof(options), .limits = {.max_devices = 4}};
    struct uw_device_list *list = NULL;
    struct uw_server *server;
    struct uw_fault fault = {0};
    struct uw_loop *loop;
    struct stage *stage = stage_new(act_flood, NULL);
    int r;

    (void)state;
    options.backend = client_backend();
    assert_int_equal(uw_loop_new(&options, &loop), 0);
    assert_int_equal(uw_server_new(loop, stage_address(stage), 0, &server, NULL), 0);
    r = uw_server_list(server, uw_msec(10000), &list, &fault);
    assert_true(r == UW_ERROR_PROTOCOL || r == UW_ERROR_LIMIT || r == 0);
    uw_device_list_free(list);
    uw_server_free(server);
    uw_loop_free(loop);
    stage_free(stage);
}

/* ---- names ---- */

static void
act_import(struct stage *stage, int fd, unsigned number)
{
    (void)stage;
    (void)number;
    if (stage_import(fd, NULL))
        stage_serve(fd);
}

/* Must 18: a name with addresses of both families leads to whichever of them somebody listens on.
 */
static void
try_localhost(struct stage *stage)
{
    struct client c;
    char address[64];

    if (!stage)
        return; /* a machine without IPv6 */
    snprintf(address, sizeof(address), "localhost:%u", (unsigned)stage_port(stage));
    client_start_at(&c, address);
    client_must_import(&c);
    assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
    c.stage = stage;
    client_stop(&c);
}

static void
test_localhost(void **state)
{
    (void)state;
    try_localhost(stage_new(act_import, NULL));
}

static void
test_ipv6(void **state)
{
    struct stage *stage = stage_new6(act_import, NULL);
    struct client c;

    (void)state;
    if (!stage)
        return; /* a machine without IPv6 */
    client_start_at(&c, stage_address(stage));
    client_must_import(&c);
    assert_int_equal(client_run(&c, 0x81, 64, 0), UW_OK);
    c.stage = stage;
    client_stop(&c);
}

/* Label of 64 characters: no resolver asks anybody for it. */
static const char NO_NAME[] =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid";

static void
test_unknown_name(void **state)
{
    struct uw_fault fault = {0};
    struct client c;

    (void)state;
    client_start_at(&c, NO_NAME);
    assert_int_equal(client_import(&c, &fault), UW_ERROR_RESOLVE);
    check_fault("name", &fault, UW_ERROR_RESOLVE, "spelling", &c);
    client_stop(&c);
}

/* Nobody waits for the look-up any more, in every order of the two ends. */
static void
test_look_up_given_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        struct client c;

        client_start_at(&c, i & 1 ? NO_NAME : "localhost:9");
        (void)uw_import_new(c.server, "1-1", uw_usec(i * 20), &c.import, NULL);
        client_stop(&c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import_answers),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_unix_socket_that_is_none),
        cmocka_unit_test(test_bus_ids),
        cmocka_unit_test(test_bytes_behind_the_answer),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_look_up_given_up),
    };

    return client_run_tests(tests);
}
