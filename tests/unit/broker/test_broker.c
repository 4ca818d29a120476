/*
 * test_broker.c - coming to a broker, and its end
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "rig.h"

/* ---- joining ---- */

static void
test_descriptors_and_data(void **state)
{
    struct setup *s = rig_start_joined("esp:serial=s1");
    char text[32];
    size_t actual;

    (void)state;
    assert_int_equal(uw_broker_clients(s->broker), 2);
    assert_string_equal(uw_server_profile(uw_device_server(s->one.device)), "broker");
    assert_int_equal(memcmp(uw_device_info(s->one.device)->path, "usbwire:linux:/sys/", 19), 0);
    assert_int_equal(uw_device_descriptor(s->one.device)->idVendor, 0x303a);
    assert_int_equal(uw_device_configuration(s->one.device), 1);
    assert_int_equal(uw_device_string(s->two.device, 3, 0, text, sizeof(text), LONG, NULL), 2);
    assert_string_equal(text, "s1");
    /* What one writes the other may read, as with any device that is open twice. */
    assert_int_equal(rig_write(&s->one, 0x01, "hello", 5), 0);
    assert_int_equal(rig_read(&s->two, 0x81, text, 32, LONG, &actual), 0);
    assert_int_equal(actual, 5);
    assert_memory_equal(text, "hello", 5);
    /* The holder itself is a user as well. */
    assert_int_equal(rig_write(&s->holder, 0x01, "again", 5), 0);
    assert_int_equal(rig_read(&s->one, 0x81, text, 32, LONG, &actual), 0);
    assert_memory_equal(text, "again", 5);
    rig_end(s);
}

/* More than one URB holds, both ways. */
static void
test_large_transfers(void **state)
{
    struct setup *s = rig_start_joined("source-sink");
    const size_t size = 1024000;
    uint8_t *bytes = malloc(size), count[8];
    size_t actual;

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(rig_read(&s->one, 0x81, bytes, size, LONG, &actual), 0);
    assert_int_equal(actual, size);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (uint8_t)i)
            fail_msg("byte %zu is %u", i, bytes[i]);
    assert_int_equal(uw_transfer(s->one.device, 0x01, bytes, size, LONG, &actual, NULL), 0);
    assert_int_equal(actual, size);
    assert_int_equal(uw_control(s->two.device, 0xc0, 1, 0, 0, count, 8, LONG, NULL, NULL), 0);
    assert_memory_equal(count, "\0\xa0\x0f\0\0\0\0\0", 8);
    free(bytes);
    rig_end(s);
}

static void
test_iso(void **state)
{
    struct setup *s = rig_start_joined("loopback");
    struct uw_urb *urb;
    uint8_t bytes[300];

    (void)state;
    assert_int_equal(uw_device_set_altsetting(s->one.device, 1, 1, LONG, NULL), 0);
    for (int i = 0; i < 300; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(uw_urb_new(4, &urb), 0);
    uw_urb_set_transfer(urb, s->one.device, 0x03, bytes, 300);
    uw_urb_set_iso_lengths(urb, 3, 100);
    assert_int_equal(uw_urb_run(urb), 0);
    memset(bytes, 0, sizeof(bytes));
    uw_urb_set_transfer(urb, s->one.device, 0x83, bytes, 300);
    uw_urb_set_iso_lengths(urb, 3, 100);
    assert_int_equal(uw_urb_run(urb), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(uw_urb_iso_packet(urb, i)->actual, 100);
    for (int i = 0; i < 300; i++)
        assert_int_equal(bytes[i], (uint8_t)i);
    uw_urb_free(urb);
    rig_end(s);
}

/* ---- finding ---- */

static int
find(struct setup *s, struct uw_choice choice)
{
    return uw_find(s->one.server, &choice, uw_usec(0), LONG, &s->one.device, NULL, NULL);
}

static struct uw_choice
choice(int vid, const char *serial, const char *busid)
{
    return (struct uw_choice){.vid = vid, .pid = -1, .serial = serial, .busid = busid};
}

/* Whether its server shows it meanwhile or not. */
static void
test_found_by_choice(void **state)
{
    static const char *const names[] = {"linux", "linux-hiding", "jiegec", "hq"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct setup *s = rig_start(names[i], "esp:serial=s1");
        const char *busid = uw_device_info(s->holder.device)->busid;
        struct uw_choice choices[] = {choice(-1, NULL, NULL), choice(0x303a, NULL, NULL),
                                      choice(-1, "s1", NULL), choice(-1, NULL, busid)};

        for (size_t j = 0; j < sizeof(choices) / sizeof(choices[0]); j++) {
            assert_int_equal(find(s, choices[j]), 0);
            assert_int_equal(uw_broker_clients(s->broker), 1);
            assert_true(uw_find_is_held(uw_device_info(s->one.device)));
            uw_device_free(s->one.device);
            s->one.device = NULL;
            while (uw_broker_clients(s->broker))
                (void)uw_loop_wait(s->one.loop, uw_msec(1));
        }
        assert_int_equal(find(s, choice(0x1209, NULL, NULL)), UW_ERROR_NOT_FOUND);
        assert_int_equal(find(s, choice(0x303a, "s2", NULL)), UW_ERROR_NOT_FOUND);
        rig_end(s);
    }
}

/* One import is one connection, also to a broker. */
static void
test_found_twice(void **state)
{
    struct setup *s = rig_start_joined("esp");
    struct uw_device *again;

    (void)state;
    assert_int_equal(
        uw_device_import(s->one.server, uw_device_info(s->one.device)->busid, LONG, &again, NULL),
        0);
    assert_ptr_equal(again, s->one.device);
    assert_int_equal(uw_broker_clients(s->broker), 2);
    uw_device_free(again);
    rig_end(s);
}

/* Of two that match, none is taken because somebody holds it. */
static void
test_ambiguous(void **state)
{
    struct setup *s = rig_start("linux-hiding", "esp:count=2");
    struct uw_device_list *list;

    (void)state;
    assert_int_equal(find(s, choice(0x303a, NULL, NULL)), UW_ERROR_AMBIGUOUS);
    assert_int_equal(uw_server_list(s->one.server, LONG, &list, NULL), 0);
    assert_int_equal(uw_device_list_count(list), 1);
    uw_device_list_free(list);
    assert_int_equal(uw_find_list(s->one.server, LONG, &list, NULL), 0);
    assert_int_equal(uw_device_list_count(list), 2);
    assert_true(uw_find_is_held(uw_device_list_find(list, "1-1")));
    assert_false(uw_find_is_held(uw_device_list_find(list, "1-2")));
    uw_device_list_free(list);
    rig_end(s);
}

/* Only a device of the server that was asked for. */
static void
test_other_servers(void **state)
{
    struct setup *s = rig_start("linux", "esp");
    struct uw_server *other;

    (void)state;
    assert_int_equal(uw_server_new(s->one.loop, "localhost", s->stand.port, &other, NULL), 0);
    assert_int_equal(uw_device_import(other, "1-1", LONG, &s->one.device, NULL), UW_ERROR_BUSY);
    uw_server_free(other);
    rig_end(s);
}

/* What is shared already is not shared once more, from hand to hand. */
static void
test_no_chain(void **state)
{
    struct setup *s = rig_start_joined("esp");
    struct uw_broker *second;
    struct uw_fault fault;

    (void)state;
    assert_int_equal(uw_broker_new(s->one.device, &second, &fault), UW_ERROR_BUSY);
    assert_non_null(strstr(fault.came, "another process shares it already"));
    rig_end(s);
}

static void
test_one_broker_a_device(void **state)
{
    struct setup *s = rig_start("linux", "esp");
    struct uw_broker *second;
    struct uw_fault fault;

    (void)state;
    assert_int_equal(uw_broker_new(s->holder.device, &second, &fault), UW_ERROR_BUSY);
    rig_end(s);
}

/* A socket that a dead process left is no obstacle, and nothing to connect to. */
static void
test_left_behind(void **state)
{
    struct setup *s = rig_start("linux", "esp");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct uw_fault fault;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", uw_broker_address(s->broker) + 5);
    uw_broker_free(s->broker);
    s->broker = NULL;
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&a, sizeof(a)), 0);
    close(fd);
    assert_int_equal(rig_join(&s->one), UW_ERROR_BUSY);
    assert_int_equal(uw_broker_new(s->holder.device, &s->broker, &fault), 0);
    assert_int_equal(rig_join(&s->one), 0);
    rig_end(s);
}

/* Where others have rights nothing is shared. */
static void
test_open_folder(void **state)
{
    struct setup *s = rig_start("linux", "esp");
    struct uw_broker *broker;
    struct uw_fault fault;
    char path[96];

    (void)state;
    snprintf(path, sizeof(path), "%s/usbwire", s->folder);
    assert_int_equal(chmod(path, 0770), 0);
    assert_int_equal(uw_broker_new(s->holder.device, &broker, &fault), UW_ERROR_ACCESS);
    assert_int_equal(rig_join(&s->one), UW_ERROR_BUSY);
    assert_int_equal(chmod(path, 0700), 0);
    rig_end(s);
}

static void
test_long_folder(void **state)
{
    struct setup *s = rig_start("linux", "esp");
    char folder[200];
    struct uw_broker *broker;
    struct uw_fault fault;

    (void)state;
    snprintf(folder, sizeof(folder), "%s/%0120d", s->folder, 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
    assert_int_equal(uw_broker_new(s->holder.device, &broker, &fault), UW_ERROR_LIMIT);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", s->folder, 1), 0);
    rig_end(s);
}

/* ---- ends ---- */

/* A time-out of one program takes nothing from anybody: what comes late is its next read's. */
static void
test_late_data(void **state)
{
    struct setup *s = rig_start_joined("esp");
    char text[64];
    size_t actual;

    (void)state;
    assert_int_equal(rig_read(&s->one, 0x81, text, 64, SHORT, &actual), UW_ERROR_TIMEOUT);
    assert_int_equal(rig_write(&s->two, 0x01, "late", 4), 0);
    assert_int_equal(rig_read(&s->one, 0x81, text, 64, LONG, &actual), 0);
    assert_int_equal(actual, 4);
    assert_memory_equal(text, "late", 4);
    rig_end(s);
}

static void
test_cancel(void **state)
{
    struct setup *s = rig_start_joined("faulty");
    struct uw_queue *queue;
    struct uw_urb *urb;
    uint8_t bytes[64];

    (void)state;
    assert_int_equal(uw_queue_new(s->one.loop, &queue), 0);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, s->one.device, 0x82, bytes, 64);
    assert_int_equal(uw_urb_submit(urb, queue), 0);
    assert_int_equal(uw_queue_wait(queue, SHORT), 0);
    assert_int_equal(uw_urb_cancel(urb), 0);
    assert_int_equal(uw_queue_wait(queue, LONG), 1);
    assert_ptr_equal(uw_queue_pop(queue), urb);
    assert_int_equal(uw_urb_status(urb), UW_ERROR_CANCELLED);
    assert_int_equal(rig_write(&s->two, 0x01, "x", 1), UW_ERROR_STALL);
    assert_int_equal(uw_device_clear_halt(s->two.device, 0x01, LONG, NULL), 0);
    uw_urb_free(urb);
    uw_queue_free(queue);
    rig_end(s);
}

/* The device goes: everybody is told. */
static void
test_unplugged(void **state)
{
    struct setup *s = rig_start_joined("faulty");
    uint8_t bytes[64];
    size_t actual;

    (void)state;
    assert_int_equal(uw_control(s->one.device, 0x40, 0x10, 0, 0, NULL, 0, LONG, NULL, NULL),
                     UW_ERROR_NO_DEVICE);
    assert_int_equal(rig_read(&s->two, 0x84, bytes, 64, LONG, &actual), UW_ERROR_NO_DEVICE);
    rig_end(s);
}

static int
has_ended(const struct program *p)
{
    return uw_device_status(p->device) < 0;
}

/* How many devices the broker itself lists. */
static unsigned
offered(struct setup *s)
{
    struct uw_device_list *list;
    struct uw_server *broker;
    unsigned n;

    assert_int_equal(uw_server_new(s->one.loop, uw_broker_address(s->broker), 0, &broker, NULL), 0);
    assert_int_equal(uw_server_list(broker, LONG, &list, NULL), 0);
    n = uw_device_list_count(list);
    uw_device_list_free(list);
    uw_server_free(broker);
    return n;
}

/* The device comes back as another, and is shared again under the same address. */
static void
test_replaced(void **state)
{
    struct setup *s = rig_start_joined("dfu:runtime=moves");
    struct uw_device *successor;

    (void)state;
    assert_int_equal(uw_control(s->one.device, 0x21, 0, 1000, 0, NULL, 0, LONG, NULL, NULL), 0);
    rig_wait(&s->holder, has_ended);
    rig_wait(&s->one, has_ended); /* without asking for anything */
    rig_wait(&s->two, has_ended);
    uw_device_free(s->one.device);
    s->one.device = NULL;
    assert_int_equal(offered(s), 0);
    assert_int_equal(uw_device_find_again(s->holder.device, LONG, &successor, NULL), 0);
    uw_broker_replace(s->broker, successor);
    uw_device_free(s->holder.device);
    s->holder.device = successor;
    assert_int_equal(rig_join(&s->one), 0);
    assert_int_equal(uw_device_descriptor(s->one.device)->idProduct, 0x0007);
    assert_string_equal(uw_device_info(s->one.device)->busid, "1-65");
    assert_string_equal(uw_device_serial(s->one.device), "dfu-1");
    /* The one that is left of the old device's time does not come to the new one. */
    assert_true(uw_control(s->two.device, 0xa1, 5, 0, 0, NULL, 0, LONG, NULL, NULL) < 0);
    rig_end(s);
}

/* A device that lives is replaced, too: whoever uses it loses it. */
static void
test_replaced_alive(void **state)
{
    struct setup *s = rig_start_joined("loopback");

    (void)state;
    uw_broker_replace(s->broker, s->holder.device);
    rig_wait(&s->one, has_ended);
    uw_device_free(s->one.device);
    s->one.device = NULL;
    assert_int_equal(rig_join(&s->one), 0);
    assert_int_equal(rig_write(&s->one, 0x01, "x", 1), 0);
    rig_end(s);
}

/* A reset that shows another device is the end of it for all, and for the broker. */
static void
test_reset_into_another(void **state)
{
    struct setup *s = rig_start_joined("dfu:runtime=stays");
    struct uw_device *loader;

    (void)state;
    assert_int_equal(uw_control(s->one.device, 0x21, 0, 1000, 0, NULL, 0, LONG, NULL, NULL), 0);
    rig_wait(&s->holder, has_ended);
    assert_int_equal(uw_device_find_again(s->holder.device, LONG, &loader, NULL), 0);
    uw_broker_replace(s->broker, loader);
    uw_device_free(s->holder.device);
    s->holder.device = loader;
    uw_device_free(s->one.device);
    s->one.device = NULL;
    assert_int_equal(rig_join(&s->one), 0);
    assert_int_equal(uw_device_reset(s->one.device, LONG, NULL), UW_ERROR_NOT_FOUND);
    assert_true(has_ended(&s->one));
    rig_wait(&s->holder, has_ended);
    rig_end(s);
}

/* The holder lets go while others read: they are told, and nothing waits for ever. */
static void
test_broker_ends(void **state)
{
    struct setup *s = rig_start_joined("faulty");
    struct uw_queue *queue;
    struct uw_urb *urb;
    uint8_t bytes[64];

    (void)state;
    assert_int_equal(uw_queue_new(s->one.loop, &queue), 0);
    assert_int_equal(uw_urb_new(0, &urb), 0);
    uw_urb_set_transfer(urb, s->one.device, 0x82, bytes, 64);
    assert_int_equal(uw_urb_submit(urb, queue), 0);
    assert_int_equal(uw_queue_wait(queue, SHORT), 0);
    uw_broker_free(s->broker);
    s->broker = NULL;
    assert_int_equal(uw_queue_wait(queue, LONG), 1);
    assert_ptr_equal(uw_queue_pop(queue), urb);
    assert_true(uw_urb_status(urb) < 0);
    assert_true(uw_device_status(s->one.device) < 0);
    assert_int_equal(rig_join(&s->two), UW_ERROR_BUSY);
    /* The device is not gone: the import goes on. */
    assert_int_equal(uw_device_status(s->holder.device), 0);
    uw_urb_free(urb);
    uw_queue_free(queue);
    rig_end(s);
}

/* Servers whose ways the holder deals with: its clients see none of them. */
static void
test_difficult_servers(void **state)
{
    static const char *const names[] = {"pyusbip", "canokey", "g0-virtual", "usbipdcpp", "slow"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct setup *s = rig_start(names[i], "esp");
        char bytes[1000], got[1000];
        size_t sum = 0, actual;

        assert_int_equal(rig_join(&s->one), 0);
        for (size_t n = 0; n < sizeof(bytes); n++)
            bytes[n] = (char)n;
        assert_int_equal(rig_write(&s->one, 0x01, bytes, sizeof(bytes)), 0);
        while (sum < sizeof(got)) {
            assert_int_equal(rig_read(&s->one, 0x81, got + sum, sizeof(got) - sum, LONG, &actual),
                             0);
            assert_true(actual > 0);
            sum += actual;
        }
        assert_memory_equal(got, bytes, sizeof(bytes));
        rig_end(s);
    }
}

/* A server that does one transfer at a time, for everybody. What was in the way is told as without
 * a broker, by whomever it is. */
static void
test_held_up(void **state)
{
    struct setup *s = rig_start("g0", "faulty");
    struct uw_fault fault;
    uint8_t bytes[64];
    size_t actual;

    (void)state;
    assert_int_equal(rig_join(&s->one), 0);
    assert_int_equal(rig_join(&s->two), 0);
    assert_int_equal(rig_read(&s->one, 0x82, bytes, 64, SHORT, &actual), UW_ERROR_TIMEOUT);
    assert_int_equal(uw_control(s->two.device, 0x80, 6, 0x100, 0, bytes, 18, SHORT, NULL, &fault),
                     UW_ERROR_HELD);
    assert_non_null(strstr(fault.came, "IN 0x82 of 1-2 (1209:0006) has been there first"));
    assert_int_equal(uw_transfer(s->two.device, 0x84, bytes, 64, SHORT, &actual, &fault),
                     UW_ERROR_HELD);
    assert_int_equal(uw_transfer(s->one.device, 0x82, bytes, 64, SHORT, &actual, &fault),
                     UW_ERROR_TIMEOUT);
    rig_end(s);
}

/* A control transfer that is never answered: its import is made anew, as without a broker. */
static void
test_stuck_server(void **state)
{
    struct setup *s = rig_start("poc", "faulty");
    struct uw_fault fault;
    uint8_t bytes[18];

    (void)state;
    assert_int_equal(rig_join(&s->one), 0);
    assert_int_equal(rig_join(&s->two), 0);
    assert_int_equal(uw_control(s->one.device, 0x40, 0x12, 0, 0, NULL, 0, SHORT, NULL, &fault),
                     UW_ERROR_TIMEOUT);
    assert_int_equal(uw_control(s->two.device, 0x80, 6, 0x100, 0, bytes, 18, LONG, NULL, &fault),
                     0);
    rig_end(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_and_data),
        cmocka_unit_test(test_large_transfers),
        cmocka_unit_test(test_iso),
        cmocka_unit_test(test_found_by_choice),
        cmocka_unit_test(test_found_twice),
        cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_no_chain),
        cmocka_unit_test(test_other_servers),
        cmocka_unit_test(test_one_broker_a_device),
        cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_open_folder),
        cmocka_unit_test(test_long_folder),
        cmocka_unit_test(test_late_data),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_unplugged),
        cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_replaced_alive),
        cmocka_unit_test(test_reset_into_another),
        cmocka_unit_test(test_broker_ends),
        cmocka_unit_test(test_difficult_servers),
        cmocka_unit_test(test_held_up),
        cmocka_unit_test(test_stuck_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
