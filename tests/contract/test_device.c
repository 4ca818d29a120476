/*
 * test_device.c - what server.h, find.h, device.h, error.h and usec.h promise
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "bed.h"

#define LONG uw_msec(30000)

/* ---- servers ---- */

static void
test_addresses(void **state)
{
    static const struct {
        const char *address;
        uint16_t port;
        const char *name, *busid; /* name NULL: refused */
    } rows[] = {
        {"bench", 0, "bench:3240", NULL},
        {"bench", 99, "bench:99", NULL},
        {"bench:1", 99, "bench:1", NULL},
        {"10.1.2.3:65535", 0, "10.1.2.3:65535", NULL},
        {"[::1]", 0, "[::1]:3240", NULL},
        {"[fe80::1]:7", 0, "[fe80::1]:7", NULL},
        {"::1", 0, "[::1]:3240", NULL},
        {"usbip://bench", 0, "bench:3240", NULL},
        {"usbip://bench/", 0, "bench:3240", NULL},
        {"usbip://bench/1-1.2", 0, "bench:3240", "1-1.2"},
        {"usbip://[::1]:5/2-1", 0, "[::1]:5", "2-1"},
        {"", 0, NULL, NULL},
        {":1", 0, NULL, NULL},
        {"bench:", 0, NULL, NULL},
        {"bench:0", 0, NULL, NULL},
        {"bench:65536", 0, NULL, NULL},
        {"[::1", 0, NULL, NULL},
        {"http://bench", 0, NULL, NULL},
        {"usbip://", 0, NULL, NULL},
    };
    struct uw_loop_options options = {.size = sizeof(options), .backend = (const char *)*state};
    struct uw_loop *loop;

    assert_int_equal(uw_loop_new(&options, &loop), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uw_server *server = NULL;
        struct uw_fault fault = {0};
        int r = uw_server_new(loop, rows[i].address, rows[i].port, &server, &fault);

        if (!rows[i].name) {
            assert_int_equal(r, UW_ERROR_INVALID);
            assert_null(server);
            assert_non_null(strstr(fault.advice, "usbip://HOST"));
            continue;
        }
        assert_int_equal(r, 0);
        assert_string_equal(uw_server_name(server), rows[i].name);
        if (rows[i].busid)
            assert_string_equal(uw_server_busid(server), rows[i].busid);
        else
            assert_null(uw_server_busid(server));
        uw_server_free(server);
    }
    uw_server_free(NULL);
    uw_loop_free(loop);
}

static void
test_list(void **state)
{
    static const char *const devices[] = {"esp", "acm-echo", NULL};
    struct uw_device_list *list;
    const struct uw_device_info *info;
    struct bed bed;

    bed_start(&bed, state, devices, NULL);
    assert_int_equal(uw_server_list(bed.server, LONG, &list, NULL), 0);
    bed_stop(&bed); /* a list stands on its own */
    assert_int_equal(uw_device_list_count(list), 2);
    info = uw_device_list_get(list, 1);
    assert_string_equal(info->busid, "1-2");
    assert_int_equal(info->vid, 0x1209);
    assert_int_equal(info->pid, 0x0001);
    assert_string_equal(uw_speed_name(info->speed), "full");
    assert_int_equal(info->num_interfaces, 2);
    assert_int_equal(info->interfaces[0].interface_class, 2);
    assert_int_equal(info->interfaces[1].interface_class, 10);
    assert_null(uw_device_list_get(list, 2));
    uw_device_list_free(list);
    uw_device_list_free(NULL);
}

static void
test_profiles(void **state)
{
    static const char *const devices[] = {"esp", NULL};
    unsigned n = 0;
    struct bed bed;

    bed_start(&bed, state, devices, NULL);
    assert_string_equal(uw_server_profile(bed.server), "linux");
    assert_int_equal(uw_server_set_profile(bed.server, "no such thing"), UW_ERROR_NOT_FOUND);
    for (; uw_profile_name(n); n++) {
        assert_int_equal(uw_server_set_profile(bed.server, uw_profile_name(n)), 0);
        assert_string_equal(uw_server_profile(bed.server), uw_profile_name(n));
        assert_non_null(uw_profile_text(n));
    }
    assert_true(n > 10);
    assert_null(uw_profile_text(n));
    bed_stop(&bed);
}

/* A server that is not there is no reason to wait. */
static void
test_a_refused_connection_is_told_at_once(void **state)
{
    struct uw_loop_options options = {.size = sizeof(options), .backend = (const char *)*state};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct uw_device_list *list = NULL;
    struct uw_server *server;
    struct uw_loop *loop;
    struct uw_fault fault;
    socklen_t size = sizeof(in);

    /* Bound and not listening: nobody else is there. */
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&in, &size), 0);
    assert_int_equal(uw_loop_new(&options, &loop), 0);
    assert_int_equal(uw_server_new(loop, "127.0.0.1", ntohs(in.sin_port), &server, NULL), 0);
    uw_server_set_timeouts(server, uw_never(), uw_never());
    assert_int_equal(uw_server_list(server, uw_never(), &list, &fault), UW_ERROR_CONNECT);
    assert_string_equal(fault.came, "Connection refused");
    assert_null(list);
    uw_server_free(server);
    uw_loop_free(loop);
    close(fd);
}

/* A server that says nothing costs the time-out and no more. */
static void
test_a_silent_server_costs_the_timeout(void **state)
{
    struct uw_loop_options options = {.size = sizeof(options), .backend = (const char *)*state};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct uw_device_list *list = NULL;
    struct uw_device *device = NULL;
    struct uw_server *server;
    struct uw_loop *loop;
    struct uw_usec start;
    socklen_t size = sizeof(in);

    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&in, &size), 0);
    assert_int_equal(uw_loop_new(&options, &loop), 0);
    assert_int_equal(uw_server_new(loop, "127.0.0.1", ntohs(in.sin_port), &server, NULL), 0);
    start = uw_now();
    assert_int_equal(uw_server_list(server, uw_msec(50), &list, NULL), UW_ERROR_TIMEOUT);
    assert_int_equal(uw_device_import(server, "1-1", uw_msec(50), &device, NULL), UW_ERROR_TIMEOUT);
    assert_true(bed_since(start) >= 100000);
    assert_null(list);
    assert_null(device);
    uw_server_free(server);
    uw_loop_free(loop);
    close(fd);
}

/* ---- finding ---- */

static int
find(struct bed *bed, const struct uw_choice *choice, struct uw_device_list **ret_candidates,
     struct uw_fault *fault)
{
    return uw_find(bed->server, choice, uw_usec(0), LONG, &bed->device, ret_candidates, fault);
}

static void
test_find(void **state)
{
    static const char *const devices[] = {"esp:count=3", "disk", NULL};
    struct uw_device_list *candidates = NULL;
    struct uw_choice choice;
    struct uw_fault fault;
    struct bed bed;

    bed_start(&bed, state, devices, NULL);
    uw_choice_init(&choice);
    choice.vid = 0x303a;
    assert_int_equal(find(&bed, &choice, &candidates, &fault), UW_ERROR_AMBIGUOUS);
    assert_int_equal(uw_device_list_count(candidates), 3);
    assert_null(bed.device);
    uw_device_list_free(candidates);
    assert_int_equal(find(&bed, &choice, NULL, NULL), UW_ERROR_AMBIGUOUS);
    choice.serial = "esp-3";
    assert_int_equal(find(&bed, &choice, NULL, NULL), 0);
    assert_string_equal(uw_device_info(bed.device)->busid, "1-3");
    uw_device_free(bed.device);
    bed.device = NULL;
    choice.serial = NULL;
    choice.pid = 0x9999;
    assert_int_equal(find(&bed, &choice, NULL, &fault), UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(fault.came, "1-4 1209:0005"));
    uw_choice_init(&choice);
    choice.busid = "1-4";
    assert_int_equal(find(&bed, &choice, NULL, NULL), 0);
    assert_int_equal(uw_device_info(bed.device)->pid, 5);
    bed_stop(&bed);
}

static void
test_find_waits_no_longer_than_told(void **state)
{
    static const char *const devices[] = {"esp", NULL};
    struct uw_choice choice;
    struct uw_usec start;
    struct bed bed;

    bed_start(&bed, state, devices, NULL);
    uw_choice_init(&choice);
    choice.vid = 0x9999;
    start = uw_now();
    assert_int_equal(uw_find(bed.server, &choice, uw_msec(250), LONG, &bed.device, NULL, NULL),
                     UW_ERROR_NOT_FOUND);
    assert_true(bed_since(start) >= 250000);
    bed_stop(&bed);
}

static void
test_busy(void **state)
{
    struct uw_server *other;
    struct uw_loop *loop;
    struct uw_device *device = NULL, *again;
    struct uw_fault fault;
    struct bed bed;

    bed_take(&bed, state, "esp", NULL);
    /* The same loop shares its import. */
    assert_int_equal(uw_device_import(bed.server, "1-1", LONG, &again, NULL), 0);
    assert_ptr_equal(again, bed.device);
    uw_device_free(again);
    assert_int_equal(uw_device_status(bed.device), UW_OK);
    /* Another one is told. */
    assert_int_equal(uw_loop_new(NULL, &loop), 0);
    assert_int_equal(uw_server_new(loop, "127.0.0.1", bed.stand.port, &other, NULL), 0);
    assert_int_equal(uw_device_import(other, "1-1", LONG, &device, &fault), UW_ERROR_BUSY);
    assert_int_equal(fault.raw, 2);
    assert_int_equal(uw_device_import(other, "7-7", LONG, &device, &fault), UW_ERROR_NO_DEVICE);
    assert_null(device);
    /* The end of the import is seen by the server at once. */
    uw_device_free(bed.device);
    bed.device = NULL;
    assert_int_equal(uw_device_import(other, "1-1", LONG, &device, &fault), 0);
    uw_device_free(device);
    uw_server_free(other);
    uw_loop_free(loop);
    bed_stop(&bed);
}

/* ---- devices ---- */

static void
test_descriptors(void **state)
{
    const struct uw_config *config;
    const uint8_t *bytes;
    struct bed bed;
    size_t size = 0;
    char name[64];

    bed_take(&bed, state, "source-sink", NULL);
    snprintf(name, sizeof(name), "127.0.0.1:%u 1-1 (1209:0002)", bed.stand.port);
    assert_string_equal(uw_device_name(bed.device), name);
    assert_ptr_equal(uw_device_server(bed.device), bed.server);
    assert_int_equal(uw_device_bus(bed.device), 1);
    assert_int_equal(uw_device_descriptor(bed.device)->idVendor, 0x1209);
    assert_int_equal(uw_device_descriptor(bed.device)->bNumConfigurations, 2);
    assert_int_equal(uw_device_configuration(bed.device), 1);
    bytes = uw_device_config_bytes(bed.device, 1, &size);
    assert_int_equal(bytes[1], UW_DT_CONFIG);
    assert_int_equal(bytes[2] | bytes[3] << 8, size);
    assert_null(uw_device_config_bytes(bed.device, 2, &size));
    assert_null(uw_device_config(bed.device, 2));
    config = uw_device_active_config(bed.device);
    assert_int_equal(config->bConfigurationValue, 1);
    assert_int_equal(config->interfaces[0].num_altsettings, 2);
    assert_non_null(uw_device_endpoint(bed.device, 0x81));
    assert_null(uw_device_endpoint(bed.device, 0x82));
    bed_stop(&bed);
}

static void
test_configurations_and_alternate_settings(void **state)
{
    int owner;
    struct bed bed;

    bed_take(&bed, state, "source-sink", NULL);
    assert_int_equal(uw_device_altsetting(bed.device, 0), 0);
    assert_int_equal(uw_device_set_altsetting(bed.device, 0, 1, LONG, NULL), 0);
    assert_int_equal(uw_device_altsetting(bed.device, 0), 1);
    assert_non_null(uw_device_endpoint(bed.device, 0x82));
    assert_int_equal(uw_device_set_altsetting(bed.device, 0, 9, LONG, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_set_altsetting(bed.device, 7, 0, LONG, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_altsetting(bed.device, 7), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_claim(bed.device, 0, &owner), 0);
    assert_int_equal(uw_device_set_configuration(bed.device, 2, LONG, NULL), UW_ERROR_BUSY);
    assert_int_equal(uw_device_set_configuration(bed.device, 1, LONG, NULL), 0);
    assert_int_equal(uw_device_release(bed.device, 0, &owner), 0);
    assert_int_equal(uw_device_set_configuration(bed.device, 9, LONG, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_set_configuration(bed.device, 2, LONG, NULL), 0);
    assert_int_equal(uw_device_configuration(bed.device), 2);
    assert_int_equal(uw_device_altsetting(bed.device, 0), 0);
    assert_null(uw_device_endpoint(bed.device, 0x81));
    assert_non_null(uw_device_endpoint(bed.device, 0x83));
    assert_int_equal(uw_device_set_configuration(bed.device, 0, LONG, NULL), 0);
    assert_int_equal(uw_device_configuration(bed.device), 0);
    assert_null(uw_device_active_config(bed.device));
    bed_stop(&bed);
}

static void
test_claims(void **state)
{
    int one, two;
    struct bed bed;

    bed_take(&bed, state, "acm-echo", NULL);
    assert_int_equal(uw_device_claim(bed.device, 0, &one), 0);
    assert_int_equal(uw_device_claim(bed.device, 0, &one), 0);
    assert_int_equal(uw_device_claim(bed.device, 0, &two), UW_ERROR_BUSY);
    assert_int_equal(uw_device_claim(bed.device, 1, &two), 0);
    assert_int_equal(uw_device_claim(bed.device, 2, &two), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_release(bed.device, 0, &two), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_release(bed.device, 0, &one), 0);
    assert_int_equal(uw_device_release(bed.device, 0, &one), UW_ERROR_NOT_FOUND);
    assert_int_equal(uw_device_claim(bed.device, 0, &two), 0);
    bed_stop(&bed);
}

static void
test_strings(void **state)
{
    const struct uw_device_descriptor *d;
    struct bed bed;
    char text[64];

    bed_take(&bed, state, "esp:serial=h\xc3\xa4\xc3\xb6\xe2\x82\xac", NULL);
    d = uw_device_descriptor(bed.device);
    assert_int_equal(
        uw_device_string(bed.device, d->iManufacturer, 0, text, sizeof(text), LONG, NULL), 9);
    assert_string_equal(text, "Espressif");
    /* Cut, and terminated. */
    assert_true(uw_device_string(bed.device, d->iManufacturer, 0x0409, text, 5, LONG, NULL) >= 0);
    assert_string_equal(text, "Espr");
    assert_int_equal(uw_device_string(bed.device, 0, 0, text, sizeof(text), LONG, NULL),
                     UW_ERROR_INVALID);
    assert_int_equal(uw_device_string(bed.device, 77, 0, text, sizeof(text), LONG, NULL),
                     UW_ERROR_STALL);
    bed_stop(&bed);
}

static void
test_halts(void **state)
{
    struct bed bed;
    uint8_t data[8] = {0};

    bed_take(&bed, state, "esp", "stall:ep=0x01,urb=1");
    assert_int_equal(uw_transfer(bed.device, 0x01, data, 8, LONG, NULL, NULL), UW_ERROR_STALL);
    assert_int_equal(uw_transfer(bed.device, 0x01, data, 8, LONG, NULL, NULL), UW_ERROR_STALL);
    assert_int_equal(uw_device_clear_halt(bed.device, 0x01, LONG, NULL), 0);
    assert_int_equal(uw_transfer(bed.device, 0x01, data, 8, LONG, NULL, NULL), 0);
    assert_int_equal(uw_device_clear_halt(bed.device, 0x0f, LONG, NULL), UW_ERROR_NOT_FOUND);
    bed_stop(&bed);
}

static void
test_reset_restores_what_was_in_force(void **state)
{
    struct bed bed;
    uint8_t data[64];

    bed_take(&bed, state, "source-sink", NULL);
    assert_int_equal(uw_device_set_altsetting(bed.device, 0, 1, LONG, NULL), 0);
    assert_int_equal(uw_device_reset(bed.device, LONG, NULL), 0);
    assert_int_equal(uw_device_configuration(bed.device), 1);
    assert_int_equal(uw_device_altsetting(bed.device, 0), 1);
    assert_int_equal(uw_transfer(bed.device, 0x82, data, 64, LONG, NULL, NULL), 0);
    bed_stop(&bed);
}

static void
test_a_reference_keeps_the_import(void **state)
{
    struct bed bed;
    uint8_t data[8];

    bed_take(&bed, state, "esp", NULL);
    assert_ptr_equal(uw_device_ref(bed.device), bed.device);
    uw_device_free(bed.device);
    assert_int_equal(uw_control(bed.device, 0xc0, 2, 0, 0, data, 4, LONG, NULL, NULL), 0);
    uw_device_free(NULL);
    bed_stop(&bed);
}

/* ---- errors and time ---- */

static void
test_errors(void **state)
{
    struct uw_fault fault = {.code = UW_ERROR_STALL,
                             .on = "there",
                             .tried = "that",
                             .came = "status -32",
                             .advice = "think"};
    char text[UW_FAULT_TEXT_MAX], small[8];

    (void)state;
    for (int code = UW_ERROR_WEDGED; code < 0; code++) {
        assert_int_equal(strncmp(uw_error_name(code), "UW_ERROR_", 9), 0);
        assert_true(strlen(uw_error_text(code)) > 5);
        assert_true(uw_error_errno(code) > 0);
        assert_true(uw_error_libusb(code) < 0);
    }
    assert_string_equal(uw_error_name(0), "UW_OK");
    assert_string_equal(uw_error_name(7), "UW_OK");
    assert_string_equal(uw_error_name(-999), "UW_ERROR_?");
    assert_int_equal(uw_error_libusb(-999), -99);
    assert_int_equal(uw_error_errno(0), 0);
    assert_int_equal(uw_error_usable(UW_ERROR_STALL), 1);
    assert_int_equal(uw_error_usable(UW_ERROR_NO_DEVICE), 0);
    assert_string_equal(uw_fault_text(&fault, text, sizeof(text)),
                        "there: that: the endpoint is halted (stall) (status -32); think");
    assert_string_equal(uw_fault_text(&fault, small, sizeof(small)), "there: ");
}

static void
test_time(void **state)
{
    struct uw_usec start = uw_now();

    (void)state;
    assert_int_equal(uw_msec(3).us, 3000);
    assert_true(uw_is_never(uw_usec_add(uw_never(), uw_usec(1))));
    assert_true(uw_is_never(uw_usec_sub(uw_never(), uw_usec(1))));
    assert_int_equal(uw_usec_sub(uw_usec(1), uw_usec(2)).us, 0);
    assert_int_equal(uw_usec_min(uw_usec(1), uw_never()).us, 1);
    assert_true(uw_now().us >= start.us);
    assert_int_equal(strspn(uw_version(), "0123456789."), strlen(uw_version()));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(test_addresses),
        WITH_BOTH(test_list),
        WITH_BOTH(test_profiles),
        WITH_BOTH(test_a_refused_connection_is_told_at_once),
        WITH_BOTH(test_a_silent_server_costs_the_timeout),
        WITH_BOTH(test_find),
        WITH_BOTH(test_find_waits_no_longer_than_told),
        WITH_BOTH(test_busy),
        WITH_BOTH(test_descriptors),
        WITH_BOTH(test_configurations_and_alternate_settings),
        WITH_BOTH(test_claims),
        WITH_BOTH(test_strings),
        WITH_BOTH(test_halts),
        WITH_BOTH(test_reset_restores_what_was_in_force),
        WITH_BOTH(test_a_reference_keeps_the_import),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
