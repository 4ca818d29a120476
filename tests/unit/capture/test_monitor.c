/*
 * Looking on (src/capture/offer.c, monitor.c, forward.c): both ends in one process, in a runtime
 * folder of their own. What passes is made by hand.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <usbwire/monitor.h>

#include "capture/stream.h"
#include "capture/taps.h"
#include "capture/usbmon.h"
#include "client/import.h"
#include "client/loop.h"
#include "support/peer.h"

struct bench {
    char folder[64];
    struct uw_loop *loop;
    struct uw_offer *offer;
    struct uw_monitor *monitor;
    struct uw_tap_source source;
};

static int
set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    strcpy(b->folder, "/tmp/usbwire-test-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    setenv("XDG_RUNTIME_DIR", b->folder, 1);
    assert_int_equal(uw_loop_new(NULL, &b->loop), 0);
    b->source = (struct uw_tap_source){
        .connection = 1, .bus = 1, .address = 5, .vid = 0x303a, .pid = 0x4004};
    b->source.host = "bench:3240";
    b->source.busid = "1-5";
    *state = b;
    return 0;
}

static int
tear_down(void **state)
{
    struct bench *b = (struct bench *)*state;
    char path[128];

    uw_monitor_free(b->monitor);
    uw_offer_free(b->offer);
    uw_loop_free(b->loop);
    snprintf(path, sizeof(path), "%s/usbwire/taps", b->folder);
    assert_int_equal(rmdir(path), 0); /* nothing was left in it */
    snprintf(path, sizeof(path), "%s/usbwire", b->folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(b->folder), 0);
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

static void
bulk(struct bench *b, uint32_t seq, enum uw_tap_kind kind)
{
    static uint8_t bytes[] = {'h', 'i'};
    struct iovec data = {bytes, sizeof(bytes)};

    tell(b, (struct uw_tap_event){.kind = kind,
                                  .id = 1ull << 32 | seq,
                                  .endpoint = 0x81,
                                  .type = UW_BULK,
                                  .length = kind == UW_TAP_COMPLETE ? 2 : 64,
                                  .data = kind == UW_TAP_COMPLETE ? &data : NULL,
                                  .data_count = kind == UW_TAP_COMPLETE});
}

static struct uw_monitor_record
next(struct bench *b)
{
    struct uw_monitor_record r;

    assert_int_equal(uw_monitor_next(b->monitor, uw_msec(10000), &r), 1);
    return r;
}

/* ---- tests ---- */

/* A monitor that was there before the program sees all of it. */
static void
test_monitor_first(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_monitor_record r;

    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    bulk(b, 1, UW_TAP_SUBMIT);
    bulk(b, 1, UW_TAP_COMPLETE);
    r = next(b);
    assert_int_equal(r.kind, 'S');
    assert_int_equal(r.process, getpid());
    assert_non_null(strstr(r.program, "test_capture_monitor"));
    assert_string_equal(r.server, "bench:3240");
    assert_string_equal(r.busid, "1-5");
    assert_int_equal(r.vid, 0x303a);
    assert_int_equal(r.pid, 0x4004);
    assert_int_equal(r.length, 64);
    assert_null(r.data);
    r = next(b);
    assert_int_equal(r.kind, 'C');
    assert_int_equal(r.data_size, 2);
    assert_memory_equal(r.data, "hi", 2);
    assert_string_equal(r.busid, "1-5");
    assert_int_equal(uw_monitor_programs(b->monitor), 1);
    assert_string_equal(uw_monitor_server(b->monitor, 0), "bench:3240");
    assert_null(uw_monitor_server(b->monitor, 1));
    assert_int_equal(uw_monitor_next(b->monitor, uw_usec(0), &r), 0);
}

/* A monitor that comes later is connected to in the loop. */
static void
test_monitor_later(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_monitor_record r;

    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    tell(b, (struct uw_tap_event){.kind = UW_TAP_ATTACHED});
    bulk(b, 1, UW_TAP_SUBMIT);
    assert_int_equal(uw_loop_is_tapped(b->loop), 0); /* nobody looks, nothing is done */
    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_loop_wait(b->loop, uw_msec(10000)), 0);
    assert_int_equal(uw_loop_is_tapped(b->loop), 1);
    bulk(b, 3, UW_TAP_SUBMIT);
    r = next(b);
    assert_int_equal(r.id & 0xffffffff, 3);
}

/* When a monitor goes, the program goes on, and stops telling. */
static void
test_monitor_goes(void **state)
{
    struct bench *b = (struct bench *)*state;
    int tapped = 1;

    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    bulk(b, 1, UW_TAP_SUBMIT);
    next(b);
    uw_monitor_free(b->monitor);
    for (uint32_t seq = 3; tapped; seq += 2) {
        bulk(b, seq, UW_TAP_SUBMIT);
        uw_loop_lock(b->loop);
        tapped = uw_loop_is_tapped(b->loop);
        uw_loop_unlock(b->loop);
    }
    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_loop_wait(b->loop, uw_msec(10000)), 0);
    bulk(b, 1, UW_TAP_SUBMIT);
    assert_int_equal(next(b).kind, 'S');
}

/* Two monitors see the same. */
static void
test_two_monitors(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_monitor *other;
    struct uw_monitor_record r;

    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_monitor_new(&other, NULL), 0);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    bulk(b, 1, UW_TAP_SUBMIT);
    assert_int_equal(next(b).kind, 'S');
    assert_int_equal(uw_monitor_next(other, uw_msec(10000), &r), 1);
    uw_monitor_free(other);
}

static void
test_interrupt(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_monitor_record r;

    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    uw_monitor_interrupt(b->monitor);
    assert_int_equal(uw_monitor_next(b->monitor, uw_never(), &r), UW_ERROR_INTERRUPTED);
    assert_int_equal(uw_monitor_next(b->monitor, uw_usec(0), &r), 0);
}

/* A socket whose monitor died is cleared away by the next program. */
static void
test_dead_socket(void **state)
{
    struct bench *b = (struct bench *)*state;
    char path[128];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    assert_int_equal(uw_taps_folder(path, sizeof(path)), 1);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/dead", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(access(address.sun_path, F_OK), 0);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    assert_int_equal(access(address.sun_path, F_OK), -1);
}

/* A folder that others may enter is not used. */
static void
test_open_folder(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_fault fault = {0};
    char path[128];

    assert_int_equal(uw_taps_folder(path, sizeof(path)), 1);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), UW_ERROR_NOT_SUPPORTED);
    assert_int_equal(uw_monitor_new(&b->monitor, &fault), UW_ERROR_ACCESS);
    assert_int_equal(fault.code, UW_ERROR_ACCESS);
    assert_int_equal(chmod(path, 0700), 0);
}

/* What is no capture is cut off; a program that sends properly goes on. */
static void
test_rubbish(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct uw_monitor_record r;
    char path[128], byte;
    DIR *dir;
    struct dirent *entry;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_taps_folder(path, sizeof(path)), 1);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            snprintf(address.sun_path, sizeof(address.sun_path), "%.70s/%.30s", path,
                     entry->d_name);
    closedir(dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    assert_int_equal(uw_monitor_next(b->monitor, uw_usec(0), &r), 0); /* accepted */
    assert_int_equal(uw_monitor_programs(b->monitor), 1);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    bulk(b, 1, UW_TAP_SUBMIT);
    assert_int_equal(next(b).kind, 'S');
    assert_int_equal(uw_monitor_programs(b->monitor), 1);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

/* What another process of the user shares is that one's to show; a file has it all the same. */
static void
test_shared(void **state)
{
    struct bench *b = (struct bench *)*state;
    struct uw_capture *file;
    struct uw_capture_stats stats;

    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    assert_int_equal(uw_capture_new(NULL, &file), 0);
    assert_int_equal(uw_capture_attach(file, b->loop), 0);
    b->source.shared = 1;
    bulk(b, 1, UW_TAP_SUBMIT);
    b->source.shared = 0;
    bulk(b, 3, UW_TAP_SUBMIT);
    assert_int_equal(next(b).id & 0xff, 3);
    uw_capture_stats(file, &stats);
    assert_int_equal(stats.records, 2);
    uw_capture_free(file);
}

/* A child of a fork tells nobody, and gives back what it has. */
static void
test_fork(void **state)
{
    struct bench *b = (struct bench *)*state;
    int status;
    pid_t pid;

    assert_int_equal(uw_monitor_new(&b->monitor, NULL), 0);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0);
    bulk(b, 1, UW_TAP_SUBMIT);
    assert_int_equal(next(b).id & 0xff, 1);
    pid = fork();
    if (pid == 0) {
        bulk(b, 3, UW_TAP_SUBMIT);
        uw_offer_free(b->offer);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    bulk(b, 5, UW_TAP_SUBMIT);
    assert_int_equal(next(b).id & 0xff, 5);
}

/* ---- forwarding ---- */

static void
read_all(struct uw_capture *capture, struct uw_stream *stream)
{
    static uint8_t blocks[UW_CAPTURE_BLOCK_MAX];
    size_t room;
    long n;

    while ((n = uw_capture_pull(capture, blocks, sizeof(blocks), uw_usec(0))) > 0) {
        memcpy(uw_stream_room(stream, &room), blocks, (size_t)n);
        assert_true((size_t)n <= room);
        uw_stream_added(stream, (size_t)n);
    }
}

/* Records of two programs at two servers: interfaces, buses and ids stay apart. */
static void
test_forward(void **state)
{
    struct bench *b = (struct bench *)*state;
    uint8_t packet[UW_USBMON_HEADER];
    struct uw_usbmon usbmon = {.id = 77,
                               .kind = UW_USBMON_SUBMIT,
                               .type = UW_BULK,
                               .endpoint = 0x81,
                               .address = 5,
                               .bus = 1};
    struct uw_usbmon_size size;
    struct uw_monitor_record r = {.stream = 1, .program = "a", .server = "one:3240", .id = 77};
    struct uw_stream_packet p[4];
    struct uw_usbmon_view v[4];
    struct uw_capture *capture;
    struct uw_stream stream;

    (void)b;
    uw_usbmon_measure(&usbmon, &size);
    uw_usbmon_encode(&usbmon, &size, packet);
    r.kind = 'S';
    r.bus = 1;
    r.packet = packet;
    r.packet_size = r.packet_original = sizeof(packet);
    assert_int_equal(uw_capture_new(NULL, &capture), 0);
    assert_int_equal(uw_stream_init(&stream), 0);
    assert_int_equal(uw_capture_forward(capture, &r), 0);
    r.stream = 2;
    assert_int_equal(uw_capture_forward(capture, &r), 0); /* the same server, another program */
    r.stream = 3;
    r.server = "two:3240";
    assert_int_equal(uw_capture_forward(capture, &r), 0);
    usbmon.kind = UW_USBMON_COMPLETE;
    uw_usbmon_encode(&usbmon, &size, packet);
    r.kind = 'C';
    assert_int_equal(uw_capture_forward(capture, &r), 0);
    assert_int_equal(uw_capture_forward(capture, &r), 0); /* completed twice: left out */
    read_all(capture, &stream);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(uw_stream_next(&stream, &p[i]), 1);
        assert_int_equal(uw_usbmon_decode(p[i].bytes, p[i].size, &v[i]), 0);
    }
    assert_int_equal(uw_stream_next(&stream, &p[0]), 0);
    assert_int_equal(stream.interface_count, 3);
    assert_string_equal(stream.interfaces[2].description, "USB/IP two:3240 used by a (0)");
    assert_int_equal(p[1].interface, 1);
    assert_int_equal(v[0].record.bus, 1);
    assert_int_equal(v[1].record.bus, 1);
    assert_int_equal(v[2].record.bus, 0x0101);
    assert_true(v[0].record.id != v[1].record.id && v[1].record.id != v[2].record.id);
    assert_true(v[2].record.id == v[3].record.id);
    uw_stream_free(&stream);
    uw_capture_free(capture);
    assert_int_equal(uw_offer_new(b->loop, &b->offer), 0); /* makes what tear_down removes */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_monitor_first), TEST(test_monitor_later), TEST(test_monitor_goes),
        TEST(test_two_monitors),  TEST(test_interrupt),     TEST(test_dead_socket),
        TEST(test_open_folder),   TEST(test_rubbish),       TEST(test_fork),
        TEST(test_forward),       TEST(test_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
