/*
 * From what a tap is told to the blocks a reader takes (src/capture/record.c, section.c, reader.c).
 * The events are made by hand, the blocks read by a walker of this file's own.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/capture.h>

#include "capture/capture.h"
#include "capture/usbmon.h"
#include "client/import.h"
#include "client/loop.h"
#include "support/peer.h"

#define PACKETS_MAX 4096

struct packet {
    uint32_t interface;
    uint64_t stamp;
    const uint8_t *bytes;
    size_t size;
    char comment[600];
    struct uw_usbmon_view view; /* where the interface is one of USB */
};

struct bench {
    struct uw_loop *loop;
    struct uw_capture *capture;
    struct uw_tap_source source;
    uint8_t blocks[UW_CAPTURE_BLOCK_MAX];
    struct packet packets[PACKETS_MAX];
    size_t count, sections, interfaces, statistics, names;
    uint16_t link_types[8];
    uint64_t received, dropped; /* of the last statistics */
};

static int
set_up(void **state)
{
    struct uw_capture_options options = {.size = sizeof(options), .ring = 1 << 20};
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    assert_int_equal(uw_loop_new(NULL, &b->loop), 0);
    assert_int_equal(uw_capture_new(&options, &b->capture), 0);
    assert_int_equal(uw_capture_attach(b->capture, b->loop), 0);
    b->source = (struct uw_tap_source){.connection = 1,
                                       .bus = 1,
                                       .address = 5,
                                       .speed = 2,
                                       .vid = 0x303a,
                                       .pid = 0x4004,
                                       .host = "bench:3240",
                                       .busid = "1-5"};
    *state = b;
    return 0;
}

static int
tear_down(void **state)
{
    struct bench *b = (struct bench *)*state;

    uw_capture_free(b->capture);
    uw_loop_free(b->loop);
    free(b);
    return 0;
}

static void
tell(struct bench *b, struct uw_tap_event e)
{
    e.source = &b->source;
    uw_loop_lock(b->loop);
    uw_loop_tell(b->loop, &e);
    uw_loop_unlock(b->loop);
}

/* ---- reading what came out ---- */

static uint32_t
le32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void
read_packet(struct bench *b, const uint8_t *block, size_t size)
{
    struct packet *p = &b->packets[b->count++];
    size_t options;

    assert_true(b->count < PACKETS_MAX);
    p->interface = le32(block + 8);
    p->stamp = (uint64_t)le32(block + 12) << 32 | le32(block + 16);
    p->size = le32(block + 20);
    p->bytes = block + 28;
    p->comment[0] = '\0';
    options = 28 + (p->size + 3) / 4 * 4;
    if (options + 4 < size) {
        assert_int_equal(block[options], 1);
        snprintf(p->comment, sizeof(p->comment), "%.*s",
                 block[options + 2] | block[options + 3] << 8, (const char *)block + options + 4);
    }
    assert_true(p->interface < b->interfaces);
    if (b->link_types[p->interface] == 220)
        assert_int_equal(uw_usbmon_decode(p->bytes, p->size, &p->view), 0);
}

/* Takes everything there is; packets point into b->blocks. */
static void
take(struct bench *b)
{
    long n = uw_capture_pull(b->capture, b->blocks, sizeof(b->blocks), uw_usec(0));

    b->count = b->statistics = 0;
    for (long i = 0; i < n; i += (long)le32(b->blocks + i + 4)) {
        const uint8_t *block = b->blocks + i;
        size_t size = le32(block + 4);

        assert_int_equal(le32(block + size - 4), size);
        if (le32(block) == UW_BLOCK_SECTION) {
            b->sections++;
            b->interfaces = 0;
        } else if (le32(block) == UW_BLOCK_INTERFACE) {
            b->link_types[b->interfaces++] = (uint16_t)le32(block + 8);
        } else if (le32(block) == UW_BLOCK_NAMES) {
            b->names++;
        } else if (le32(block) == UW_BLOCK_PACKET) {
            read_packet(b, block, size);
        } else if (le32(block) == UW_BLOCK_STATISTICS) {
            b->statistics++;
            b->received = le32(block + 20 + 24 + 4);
            b->dropped = le32(block + 20 + 36 + 4);
        }
    }
}

/* ---- URBs ---- */

static void
control_in(struct bench *b, uint32_t seq, const uint8_t setup[8], const uint8_t *bytes, size_t size)
{
    struct uw_tap_event e = {.kind = UW_TAP_SUBMIT, .id = 1ull << 32 | seq, .endpoint = 0x80};
    struct iovec data = {(void *)(uintptr_t)bytes, size};

    memcpy(e.setup, setup, 8);
    e.length = (uint32_t)(setup[6] | setup[7] << 8);
    tell(b, e);
    e.kind = UW_TAP_COMPLETE;
    e.length = (uint32_t)size;
    e.data = &data;
    e.data_count = 1;
    memset(e.setup, 0, 8);
    tell(b, e);
}

static void
bulk(struct bench *b, uint32_t seq, enum uw_tap_kind kind, uint32_t length)
{
    tell(b, (struct uw_tap_event){.kind = kind,
                                  .id = 1ull << 32 | seq,
                                  .endpoint = 0x81,
                                  .type = UW_BULK,
                                  .length = length,
                                  .flags = 0x200});
}

static const uint8_t get_device[] = {0x80, 6, 0, 1, 0, 0, 18, 0};
static const uint8_t get_config[] = {0x80, 6, 0, 2, 0, 0, 9, 0};
static const uint8_t get_report[] = {0x81, 6, 0, 0x22, 3, 0, 4, 0};
static const uint8_t device[18] = {18, 1, 0, 2};
static const uint8_t config[9] = {9, 2, 9, 0};
static const uint8_t report[4] = {5, 1, 9, 6};

static void
enumerate(struct bench *b)
{
    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    control_in(b, 1, get_device, device, sizeof(device));
    control_in(b, 3, get_config, config, sizeof(config));
}

static void
begin_section(struct bench *b)
{
    pthread_mutex_lock(&b->capture->lock);
    uw_section_begin_locked(b->capture);
    pthread_mutex_unlock(&b->capture->lock);
}

/* ---- tests ---- */

static void
test_enumeration(void **state)
{
    struct bench *b = (struct bench *)*state;

    enumerate(b);
    bulk(b, 5, UW_TAP_SUBMIT, 64);
    bulk(b, 5, UW_TAP_COMPLETE, 0);
    take(b);
    assert_int_equal(b->sections, 1);
    assert_int_equal(b->interfaces, 1);
    assert_int_equal(b->count, 6);
    assert_string_equal(b->packets[0].comment, "bench:3240 1-5 (303a:4004) is device 1.5");
    assert_memory_equal(b->packets[0].view.record.setup, get_device, 8);
    assert_true(b->packets[0].view.record.id == b->packets[1].view.record.id);
    assert_int_equal(b->packets[1].view.payload_size, 18);
    for (size_t i = 1; i < 6; i++) {
        assert_string_equal(b->packets[i].comment, "");
        assert_true(b->packets[i].stamp > b->packets[i - 1].stamp);
        assert_true(b->packets[i].view.record.stamp == b->packets[i].stamp / 1000 * 1000);
    }
    assert_int_equal(b->packets[5].view.record.flags, 0x200); /* usbmon repeats what was sent */
}

/* A completion whose submission is not there says nothing. */
static void
test_orphan(void **state)
{
    struct bench *b = (struct bench *)*state;

    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    bulk(b, 5, UW_TAP_COMPLETE, 0);
    take(b);
    assert_int_equal(b->count, 0);
}

/* A new section knows nothing of the device: its descriptors come before its data, once. */
static void
test_repeat(void **state)
{
    struct bench *b = (struct bench *)*state;

    enumerate(b);
    control_in(b, 5, get_report, report, sizeof(report));
    take(b);
    begin_section(b);
    bulk(b, 7, UW_TAP_SUBMIT, 64);
    bulk(b, 7, UW_TAP_COMPLETE, 0);
    take(b);
    assert_int_equal(b->sections, 2);
    assert_int_equal(b->count, 8);
    assert_string_equal(b->packets[0].comment, "bench:3240 1-5 (303a:4004) is device 1.5; "
                                               "synthetic: descriptors replayed");
    for (size_t i = 1; i < 6; i++)
        assert_string_equal(b->packets[i].comment, "synthetic: descriptors replayed");
    assert_memory_equal(b->packets[0].view.record.setup, get_device, 8);
    assert_memory_equal(b->packets[1].view.payload, device, sizeof(device));
    assert_memory_equal(b->packets[2].view.record.setup, get_config, 8);
    assert_memory_equal(b->packets[3].view.payload, config, sizeof(config));
    assert_memory_equal(b->packets[4].view.record.setup, get_report, 8);
    assert_memory_equal(b->packets[5].view.payload, report, sizeof(report));
    assert_int_equal(b->packets[7].view.record.kind, UW_USBMON_COMPLETE);
    bulk(b, 9, UW_TAP_SUBMIT, 64);
    take(b);
    assert_int_equal(b->count, 1);
}

/* The device came back at another address: its data there needs the descriptors again. */
static void
test_new_address(void **state)
{
    struct bench *b = (struct bench *)*state;

    enumerate(b);
    take(b);
    b->source.connection = 2;
    b->source.address = 6;
    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    bulk(b, 7, UW_TAP_SUBMIT, 64);
    take(b);
    assert_int_equal(b->count, 5);
    assert_int_equal(b->packets[0].view.record.address, 6);
    assert_string_equal(b->packets[1].comment, "synthetic: descriptors replayed");
}

/* What enumerates the device needs no descriptors; what asks its class does. */
static void
test_repeat_before_class_request(void **state)
{
    static const uint8_t get_line_coding[] = {0xa1, 0x21, 0, 0, 0, 0, 7, 0};
    struct bench *b = (struct bench *)*state;

    enumerate(b);
    begin_section(b);
    control_in(b, 5, get_device, device, sizeof(device));
    control_in(b, 7, get_line_coding, report, 4);
    take(b);
    assert_int_equal(b->count, 8);
    assert_memory_equal(b->packets[0].view.record.setup, get_device, 8);
    assert_memory_equal(b->packets[6].view.record.setup, get_line_coding, 8);
}

static void
test_concluded(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_tap_event e = {.kind = UW_TAP_COMPLETE,
                             .id = 1ull << 32 | 5,
                             .endpoint = 0x81,
                             .type = UW_BULK,
                             .local = 1,
                             .status = -104};

    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    bulk(b, 5, UW_TAP_SUBMIT, 64);
    bulk(b, 7, UW_TAP_SUBMIT, 64);
    tell(b, (struct uw_tap_event){.kind = UW_TAP_UNLINK, .target = e.id});
    tell(b, e);
    e.id += 2;
    e.status = -108;
    tell(b, e);
    take(b);
    assert_int_equal(b->count, 4);
    assert_string_equal(b->packets[2].comment, "ended by an unlink");
    assert_int_equal(b->packets[2].view.record.status, -104);
    assert_string_equal(b->packets[3].comment, "the connection was lost");
    assert_int_equal(b->packets[3].view.record.status, -108);
}

static void
test_refused(void **state)
{
    struct bench *b = (struct bench *)*state;

    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    tell(b, (struct uw_tap_event){.kind = UW_TAP_REFUSED,
                                  .id = 1ull << 32 | 8,
                                  .endpoint = 1,
                                  .type = UW_BULK,
                                  .length = 99,
                                  .status = UW_ERROR_LIMIT});
    take(b);
    assert_int_equal(b->count, 2);
    assert_int_equal(b->packets[0].view.record.kind, UW_USBMON_SUBMIT);
    assert_int_equal(b->packets[1].view.record.kind, UW_USBMON_ERROR);
    assert_int_equal(b->packets[1].view.record.status, -90); /* EMSGSIZE */
    assert_string_equal(b->packets[1].comment, "not sent: larger than a limit allows");
}

/* A control transfer without data goes out, whatever its request type says. */
static void
test_no_data_direction(void **state)
{
    static const uint8_t setup[] = {0xc0, 1, 0, 0, 0, 0, 0, 0};
    struct bench *b = (struct bench *)*state;

    control_in(b, 1, setup, NULL, 0);
    take(b);
    assert_int_equal(b->packets[0].view.record.endpoint, 0);
    assert_int_equal(b->packets[1].view.record.endpoint, 0);
}

static void
test_two_servers(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_tap_source first = b->source;

    enumerate(b);
    b->source.connection = 2;
    b->source.server = 1;
    b->source.bus = 0x0101;
    b->source.host = "other:3240";
    enumerate(b);
    b->source = first;
    bulk(b, 9, UW_TAP_SUBMIT, 1);
    take(b);
    assert_int_equal(b->interfaces, 2);
    assert_int_equal(b->count, 9);
    assert_int_equal(b->packets[4].interface, 1);
    assert_int_equal(b->packets[4].view.record.bus, 0x0101);
    assert_int_equal(b->packets[8].interface, 0);
}

/* Without a reader the memory fills, whole records are left out, and each is counted. */
static void
test_left_out(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_capture_stats stats;
    uint32_t n = 0;

    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    for (; n < 20000; n++)
        bulk(b, 2 * n + 1, UW_TAP_SUBMIT, 64);
    uw_capture_stats(b->capture, &stats);
    assert_int_equal(stats.records, 20000);
    assert_true(stats.dropped > 0);
    do {
        take(b); /* makes room */
    } while (b->count);
    bulk(b, 1, UW_TAP_COMPLETE, 0);
    bulk(b, 2 * n - 1, UW_TAP_COMPLETE, 0); /* its submission was left out */
    take(b);
    assert_int_equal(b->count, 1);
    assert_int_equal(uw_capture_close(b->capture, NULL), 0);
    take(b);
    assert_int_equal(b->statistics, 1);
    assert_int_equal(b->received, 20002);
    assert_int_equal(b->dropped, stats.dropped + 1);
    assert_int_equal(uw_capture_pull(b->capture, b->blocks, sizeof(b->blocks), uw_never()), 0);
}

static void
test_syslog(void **state)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    const struct sockaddr *source = (struct sockaddr *)&from, *destination = (struct sockaddr *)&to;
    struct bench *b = (struct bench *)*state;
    size_t tags = 7 * 4 + 8 + 4 * 5;

    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    take(b);
    assert_int_equal(b->interfaces, 1); /* none for syslog as long as there is none */
    assert_int_equal(
        uw_capture_syslog(b->capture, source, destination, IPPROTO_TCP, "<14>1 hello\n", 12), 0);
    assert_int_equal(uw_capture_name(b->capture, source, "usbip-a1b2c3.local"), 0);
    assert_int_equal(uw_capture_name(b->capture, source, "usbip-a1b2c3.local"), 0);
    assert_int_equal(uw_capture_name(b->capture, source, "192.168.4.20"), UW_ERROR_INVALID);
    assert_int_equal(uw_capture_syslog(b->capture, source, destination, IPPROTO_TCP, "junk", 4),
                     UW_ERROR_INVALID);
    take(b);
    assert_int_equal(b->interfaces, 2);
    assert_int_equal(b->link_types[1], 252);
    assert_int_equal(b->names, 1);
    assert_int_equal(b->count, 1);
    assert_int_equal(b->packets[0].size, tags + 11);
    assert_memory_equal(b->packets[0].bytes + tags, "<14>1 hello", 11);
}

/* What is too long for a record is cut and said. */
static void
test_cut(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct iovec data = {calloc(1, 500000), 500000};

    assert_non_null(data.iov_base);
    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    bulk(b, 5, UW_TAP_SUBMIT, 500000);
    tell(b, (struct uw_tap_event){.kind = UW_TAP_COMPLETE,
                                  .id = 1ull << 32 | 5,
                                  .length = 500000,
                                  .data = &data,
                                  .data_count = 1});
    take(b);
    if (b->count == 1)
        take(b); /* both do not fit together */
    assert_int_equal(b->packets[b->count - 1].size, UW_SNAPLEN);
    assert_int_equal(b->packets[b->count - 1].view.record.length, 500000);
    assert_string_equal(b->packets[b->count - 1].comment,
                        "payload cut: 261120 bytes of 500064 are here");
    free(data.iov_base);
}

static void
test_pull_refuses(void **state)
{
    struct bench *b = (struct bench *)*state;

    assert_int_equal(uw_capture_pull(b->capture, b->blocks, 100, uw_usec(0)), UW_ERROR_INVALID);
    take(b);
    assert_int_equal(uw_capture_pull(b->capture, b->blocks, sizeof(b->blocks), uw_usec(0)),
                     UW_ERROR_TIMEOUT);
    assert_int_equal(uw_capture_attach(b->capture, b->loop), UW_ERROR_INVALID);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_enumeration),  TEST(test_orphan),
        TEST(test_repeat),       TEST(test_new_address),
        TEST(test_concluded),    TEST(test_repeat_before_class_request),
        TEST(test_refused),      TEST(test_no_data_direction),
        TEST(test_two_servers),  TEST(test_left_out),
        TEST(test_syslog),       TEST(test_cut),
        TEST(test_pull_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
