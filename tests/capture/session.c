/*
 * session.c - USB traffic of a known kind, captured, for tests that compare what readers make of it
 *
 *     capture-session TARGET SERVER SCENE...     "+SERVER" among the scenes: the next server
 *
 * Each scene uses one device of the simulated bench. "late" before one: the capture begins after
 * the device was imported.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <usbwire/usbwire.h>

static struct uw_loop *loop;
static struct uw_server *server;
static struct uw_capture *capture;
static struct uw_fault fault;
static int late;

static void
check(int result, const char *what)
{
    char text[UW_FAULT_TEXT_MAX];

    if (result >= 0)
        return;
    fprintf(stderr, "%s: %s; %s\n", what, uw_error_name(result),
            fault.code ? uw_fault_text(&fault, text, sizeof(text)) : "");
    exit(1);
}

static void
start_capture(void)
{
    static int attached;

    if (!attached)
        check(uw_capture_attach(capture, loop), "attach");
    attached = 1;
    check(uw_capture_add_server(capture, server), "add server");
    late = 0;
}

static struct uw_device *
import(int pid)
{
    struct uw_choice choice;
    struct uw_device *device;

    uw_choice_init(&choice);
    choice.vid = pid == 0x4004 ? 0x303a : 0x1209;
    choice.pid = pid;
    check(uw_find(server, &choice, uw_msec(5000), uw_never(), &device, NULL, &fault), "find");
    if (late)
        start_capture();
    return device;
}

static void
control(struct uw_device *d, uint8_t type, uint8_t request, uint16_t value, uint16_t index,
        void *data, uint16_t length, int expected)
{
    int r = uw_control(d, type, request, value, index, data, length, uw_msec(5000), NULL, &fault);

    if (expected == 0)
        check(r, "control");
    else if (r != expected)
        exit(2);
}

static void
move(struct uw_device *d, uint8_t endpoint, void *data, size_t length)
{
    check(uw_transfer(d, endpoint, data, length, uw_msec(5000), NULL, &fault), "transfer");
}

/* ---- scenes ---- */

static void
scene_enumerate(void)
{
    uw_device_free(import(0x4004));
}

/* CDC 1.2: the line coding, the lines, and data that comes back. */
static void
scene_cdc(void)
{
    struct uw_device *d = import(0x0001);
    uint8_t coding[7] = {0x00, 0xc2, 0x01, 0x00, 0, 0, 8}, data[64] = "hello, board";

    control(d, 0x21, 0x20, 0, 0, coding, sizeof(coding), 0);
    control(d, 0x21, 0x22, 3, 0, NULL, 0, 0);
    control(d, 0xa1, 0x21, 0, 0, coding, sizeof(coding), 0);
    move(d, 0x02, data, 12);
    move(d, 0x82, data, sizeof(data));
    uw_device_free(d);
}

/* HID 1.11: the report descriptor, then keys. */
static void
scene_hid(void)
{
    struct uw_device *d = import(0x0004);
    uint8_t report[256], keys[8];

    control(d, 0x81, 6, 0x2200, 0, report, sizeof(report), 0);
    for (int i = 0; i < 4; i++)
        move(d, 0x81, keys, sizeof(keys));
    uw_device_free(d);
}

/* The keys alone: the report descriptor was read before the capture. */
static void
scene_keys(void)
{
    struct uw_device *d = import(0x0004);
    uint8_t keys[8];

    for (int i = 0; i < 4; i++)
        move(d, 0x81, keys, sizeof(keys));
    uw_device_free(d);
}

/* Mass Storage Bulk-Only 1.0: INQUIRY and READ CAPACITY. */
static void
scene_disk(void)
{
    struct uw_device *d = import(0x0005);
    uint8_t commands[2][31] = {
        {'U', 'S', 'B', 'C', 1, 0, 0, 0, 36, 0, 0, 0, 0x80, 0, 6, 0x12, 0, 0, 0, 36},
        {'U', 'S', 'B', 'C', 2, 0, 0, 0, 8, 0, 0, 0, 0x80, 0, 10, 0x25}};
    size_t sizes[2] = {36, 8};
    uint8_t data[64];
    uint8_t out = 0, in = 0;
    const struct uw_altsetting *a = uw_device_active_config(d)->interfaces[0].altsettings;

    for (unsigned i = 0; i < a->bNumEndpoints; i++)
        *(a->endpoints[i].bEndpointAddress & 0x80 ? &in : &out) = a->endpoints[i].bEndpointAddress;
    for (int i = 0; i < 2; i++) {
        move(d, out, commands[i], sizeof(commands[i]));
        move(d, in, data, sizes[i]);
        move(d, in, data, 13);
    }
    uw_device_free(d);
}

static void
iso(struct uw_device *d, struct uw_queue *queue, uint8_t endpoint, unsigned packets, uint32_t each)
{
    static uint8_t data[4096];
    struct uw_urb *urb;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = endpoint & 0x80 ? 0 : (uint8_t)i;
    check(uw_urb_new(packets, &urb), "urb");
    uw_urb_set_transfer(urb, d, endpoint, data, packets * each);
    check(uw_urb_set_iso_lengths(urb, packets, each), "iso lengths");
    check(uw_urb_submit(urb, queue), "submit");
    check(uw_queue_wait(queue, uw_msec(5000)), "wait");
    check(uw_urb_status(uw_queue_pop(queue)), "iso");
    uw_urb_free(urb);
}

/* Three packets out, and four larger ones in, which come back partly filled. */
static void
scene_iso(void)
{
    struct uw_device *d = import(0x0003);
    struct uw_queue *queue;

    check(uw_queue_new(loop, &queue), "queue");
    check(uw_device_set_altsetting(d, 1, 1, uw_msec(5000), &fault), "altsetting");
    iso(d, queue, 0x03, 3, 10);
    iso(d, queue, 0x83, 4, 16);
    uw_queue_free(queue);
    uw_device_free(d);
}

/* A request that the device does not have. */
static void
scene_stall(void)
{
    struct uw_device *d = import(0x0001);

    control(d, 0xc0, 0x77, 1, 2, (uint8_t[8]){0}, 8, UW_ERROR_STALL);
    uw_device_free(d);
}

/* A read that is taken back. */
static void
scene_unlink(void)
{
    struct uw_device *d = import(0x0003);
    struct uw_queue *queue;
    struct uw_urb *urb;
    uint8_t data[8];

    check(uw_queue_new(loop, &queue), "queue");
    check(uw_urb_new(0, &urb), "urb");
    uw_urb_set_transfer(urb, d, 0x82, data, sizeof(data));
    check(uw_urb_submit(urb, queue), "submit");
    check(uw_urb_cancel(urb), "cancel");
    check(uw_queue_wait(queue, uw_msec(5000)), "wait");
    if (uw_urb_status(uw_queue_pop(queue)) != UW_ERROR_CANCELLED)
        exit(2);
    uw_urb_free(urb);
    uw_queue_free(queue);
    uw_device_free(d);
}

/* A large read, more than a record may hold. */
static void
scene_large(void)
{
    struct uw_device *d = import(0x0002);
    size_t n = 512 * 1024;
    uint8_t *data = malloc(n);

    if (!data)
        exit(1);
    move(d, 0x81, data, n);
    free(data);
    uw_device_free(d);
}

/* Many small transfers. */
static void
scene_many(void)
{
    struct uw_device *d = import(0x0002);
    uint8_t data[512];

    for (int i = 0; i < 2000; i++)
        move(d, 0x81, data, sizeof(data));
    uw_device_free(d);
}

static void
scene_syslog(void)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(1514)},
                       to = {.sin_family = AF_INET, .sin_port = htons(50000)};
    struct sockaddr_in6 from6 = {.sin6_family = AF_INET6, .sin6_port = htons(1514)}, to6 = from6;
    static const char text[] = "<14>1 2000-01-01T00:00:01.500Z esp32 esp - - - I (1500) main: up";
    static const char other[] =
        "<11>1 2000-01-01T00:00:02.000Z esp32 esp - - - E (2000) wifi: down";

    inet_pton(AF_INET, "192.168.4.20", &from.sin_addr);
    inet_pton(AF_INET, "192.168.4.2", &to.sin_addr);
    inet_pton(AF_INET6, "fe80::20", &from6.sin6_addr);
    inet_pton(AF_INET6, "fe80::2", &to6.sin6_addr);
    check(uw_capture_name(capture, (struct sockaddr *)&from, "usbip-a1b2c3.local"), "name");
    check(uw_capture_syslog(capture, (struct sockaddr *)&from, (struct sockaddr *)&to, IPPROTO_TCP,
                            text, sizeof(text) - 1),
          "syslog");
    check(uw_capture_syslog(capture, (struct sockaddr *)&from6, (struct sockaddr *)&to6,
                            IPPROTO_UDP, other, sizeof(other) - 1),
          "syslog");
}

/* A device that is held over several scenes. */
static struct uw_device *held;

static void
scene_held(void)
{
    held = import(0x0002);
}

static void
scene_held_transfer(void)
{
    uint8_t data[512];

    move(held, 0x81, data, sizeof(data));
}

static void
scene_release(void)
{
    uw_device_free(held);
}

/* Waits for a line on standard input: the test says when to go on. */
static void
scene_pause(void)
{
    int c;

    puts("paused");
    fflush(stdout);
    do
        c = getchar();
    while (c != '\n' && c != EOF);
}

static void
scene_late(void)
{
    late = 1;
}

/* ---- */

static void
use_server(const char *address)
{
    check(uw_server_new(loop, address, 0, &server, &fault), "server");
}

static void
play(const char *name)
{
    static const struct {
        const char *name;
        void (*play)(void);
    } scenes[] = {
        {"enumerate", scene_enumerate},
        {"cdc", scene_cdc},
        {"hid", scene_hid},
        {"keys", scene_keys},
        {"disk", scene_disk},
        {"iso", scene_iso},
        {"stall", scene_stall},
        {"unlink", scene_unlink},
        {"large", scene_large},
        {"many", scene_many},
        {"syslog", scene_syslog},
        {"pause", scene_pause},
        {"held", scene_held},
        {"held-transfer", scene_held_transfer},
        {"release", scene_release},
    };

    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
        if (strcmp(scenes[i].name, name) == 0) {
            scenes[i].play();
            return;
        }
    fprintf(stderr, "no scene %s\n", name);
    exit(2);
}

static void
print_remark(void *data, int level, const char *line)
{
    (void)data;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

int
main(int argc, char **argv)
{
    struct uw_capture_options options = {.size = sizeof(options),
                                         .log = {.level = UW_LOG_WARNING, .write = print_remark}};
    struct uw_capture_stats stats;
    struct uw_offer *offer = NULL;
    int r;

    if (argc < 4)
        return 2;
    check(uw_loop_new(NULL, &loop), "loop");
    check(uw_capture_open(argv[1], &options, &capture, &fault), "open");
    check(uw_offer_new(loop, &offer), "offer");
    use_server(argv[2]);
    if (strcmp(argv[3], "late") == 0)
        scene_late();
    else
        start_capture();
    for (int i = 3 + late; i < argc; i++) {
        if (argv[i][0] == '+') {
            uw_server_free(server);
            use_server(argv[i] + 1);
            start_capture();
        } else {
            play(argv[i]);
        }
    }
    uw_server_free(server);
    uw_offer_free(offer);
    r = uw_capture_close(capture, &fault);
    uw_capture_stats(capture, &stats);
    fprintf(stderr, "records %llu dropped %llu result %s\n", (unsigned long long)stats.records,
            (unsigned long long)stats.dropped, uw_error_name(r));
    uw_capture_free(capture);
    uw_loop_free(loop);
    return 0;
}
