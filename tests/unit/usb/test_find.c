/*
 * Choosing a device, waiting for it, and finding it again.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rig.h"

#define SOON uw_msec(20000)

static struct uw_choice
choice(int vid, int pid, const char *serial, const char *busid)
{
    struct uw_choice c;

    uw_choice_init(&c);
    c.vid = vid;
    c.pid = pid;
    c.serial = serial;
    c.busid = busid;
    return c;
}

static int
find(struct rig *r, struct uw_choice c, uint32_t wait_ms, struct uw_fault *fault)
{
    return uw_find(r->server, &c, uw_msec(wait_ms), SOON, &r->device, NULL, fault);
}

static const char *
found(const struct rig *r)
{
    return uw_device_info(r->device)->busid;
}

/* 1-1: HID gadget, 1-2 and 1-3: FTDI with serial numbers A and B, 2-1: audio */
static void
add_more(struct rig *r)
{
    peer_add(r->peer, "1-2", "qemu-usb-serial-full", 2)->strings[4] = "A";
    peer_add(r->peer, "1-3", "qemu-usb-serial-full", 2)->strings[4] = "B";
    peer_add(r->peer, "2-1", "qemu-usb-audio-full", 2);
}

static void
test_matches(void **state)
{
    struct uw_device_info info = {.busid = "1-1", .vid = 0x0403, .pid = 0x6001};
    struct uw_choice c;

    (void)state;
    uw_choice_init(&c);
    assert_true(uw_choice_matches(&c, &info));
    c = choice(0x0403, 0x6001, "not looked at", "1-1");
    assert_true(uw_choice_matches(&c, &info));
    c = choice(0x0404, -1, NULL, NULL);
    assert_false(uw_choice_matches(&c, &info));
    c = choice(-1, 0, NULL, NULL);
    assert_false(uw_choice_matches(&c, &info));
    c = choice(-1, -1, NULL, "1-1.1");
    assert_false(uw_choice_matches(&c, &info));
}

static void
test_by_ids(void **state)
{
    struct rig *r = (struct rig *)*state;

    add_more(r);
    assert_int_equal(find(r, choice(0x46f4, -1, NULL, NULL), 0, NULL), 0);
    assert_string_equal(found(r), "2-1");
    assert_int_equal(peer_imports(r->peer), 1);
}

static void
test_busid_alone_is_not_listed(void **state)
{
    struct rig *r = (struct rig *)*state;

    add_more(r);
    assert_int_equal(find(r, choice(-1, -1, NULL, "1-3"), 0, NULL), 0);
    assert_string_equal(found(r), "1-3");
    assert_int_equal(peer_lists(r->peer), 0);
}

static void
test_busid_with_ids(void **state)
{
    struct rig *r = (struct rig *)*state;

    add_more(r);
    assert_int_equal(find(r, choice(0x0403, -1, NULL, "1-1"), 0, NULL), UW_ERROR_NOT_FOUND);
    assert_int_equal(find(r, choice(0x0403, -1, NULL, "1-3"), 0, NULL), 0);
    assert_string_equal(found(r), "1-3");
}

static void
test_none(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    const char *said;

    add_more(r);
    assert_int_equal(find(r, choice(0x303a, 0x4004, NULL, NULL), 0, &fault), UW_ERROR_NOT_FOUND);
    said = rig_sentence(&fault);
    assert_int_equal(fault.code, UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(said, r->peer->address));
    assert_non_null(strstr(said, "--vid 0x303a --pid 0x4004"));
    assert_non_null(strstr(said, "none of the 4 it offers: 1-1 0525:a4ac, 1-2 0403:6001"));
}

static void
test_nothing_there(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    r->model->hidden = 1;
    assert_int_equal(find(r, choice(-1, -1, NULL, NULL), 0, &fault), UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "the server offers no device"));
}

static void
test_ambiguous(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_choice c = choice(0x0403, -1, NULL, NULL);
    struct uw_device_list *candidates = NULL;
    struct uw_fault fault;

    add_more(r);
    assert_int_equal(uw_find(r->server, &c, uw_usec(0), SOON, &r->device, &candidates, &fault),
                     UW_ERROR_AMBIGUOUS);
    assert_int_equal(uw_device_list_count(candidates), 2);
    assert_string_equal(uw_device_list_get(candidates, 1)->busid, "1-3");
    assert_non_null(strstr(rig_sentence(&fault), "2 match: 1-2 0403:6001, 1-3 0403:6001"));
    uw_device_list_free(candidates);
    assert_int_equal(peer_imports(r->peer), 0);
    assert_int_equal(find(r, c, 0, NULL), UW_ERROR_AMBIGUOUS); /* nobody wants the candidates */
}

static void
test_by_serial(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    add_more(r);
    assert_int_equal(find(r, choice(0x0403, -1, "B", NULL), 0, NULL), 0);
    assert_string_equal(found(r), "1-3");
    assert_int_equal(peer_imports(r->peer), 2); /* what cannot be it was left alone */
    uw_device_free(r->device);
    r->device = NULL;
    assert_int_equal(find(r, choice(0x0403, -1, "C", NULL), 0, &fault), UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "--serial C"));
}

static void
test_same_serial_twice(void **state)
{
    struct rig *r = (struct rig *)*state;

    add_more(r);
    r->peer->models[2].strings[4] = "A";
    assert_int_equal(find(r, choice(0x0403, -1, "A", NULL), 0, NULL), UW_ERROR_AMBIGUOUS);
}

/* A candidate in use elsewhere may be the one. */
static void
test_serial_of_a_busy_one(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    add_more(r);
    r->peer->models[2].busy = UW_OP_ST_DEV_BUSY;
    assert_int_equal(find(r, choice(0x0403, -1, "B", NULL), 0, &fault), UW_ERROR_BUSY);
    assert_int_equal(find(r, choice(0x0403, -1, "A", NULL), 0, NULL), 0);
}

/* Old servers say 1 for everything: the list tells busy from unknown. */
static void
test_refusal_explained(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    r->model->busy = UW_OP_ST_NA;
    assert_int_equal(find(r, choice(-1, -1, NULL, "1-1"), 0, &fault), UW_ERROR_BUSY);
    assert_int_equal(fault.code, UW_ERROR_BUSY);
    assert_non_null(strstr(rig_sentence(&fault), "1-1"));
    r->model->hidden = 1;
    assert_int_equal(find(r, choice(-1, -1, NULL, "1-1"), 0, &fault), UW_ERROR_NO_DEVICE);
    assert_int_equal(fault.code, UW_ERROR_NO_DEVICE);
}

/* ---- waiting ---- */

struct helper {
    pthread_t thread;
    struct rig *rig;
};

/* Makes the device available once it has been asked for in vain. */
static void *
relent(void *arg)
{
    struct rig *r = ((struct helper *)arg)->rig;

    pthread_mutex_lock(&r->peer->lock);
    while (r->peer->lists + r->peer->imports == 0)
        pthread_cond_wait(&r->peer->changed, &r->peer->lock);
    r->model->hidden = 0;
    r->model->busy = 0;
    pthread_mutex_unlock(&r->peer->lock);
    return NULL;
}

static void
test_waits_for_absent(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault = {.code = 42};
    struct helper h = {.rig = r};

    r->model->hidden = 1;
    assert_int_equal(pthread_create(&h.thread, NULL, relent, &h), 0);
    assert_int_equal(find(r, choice(0x0525, -1, NULL, NULL), 30000, &fault), 0);
    assert_int_equal(fault.code, 42); /* nothing is wrong in the end */
    pthread_join(h.thread, NULL);
}

static void
test_waits_for_busy(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct helper h = {.rig = r};

    r->model->busy = UW_OP_ST_DEV_BUSY;
    assert_int_equal(pthread_create(&h.thread, NULL, relent, &h), 0);
    assert_int_equal(find(r, choice(-1, -1, NULL, "1-1"), 30000, NULL), 0);
    pthread_join(h.thread, NULL);
}

static void
test_waits_no_longer(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_usec before = uw_now();

    assert_int_equal(find(r, choice(0x1111, -1, NULL, NULL), 250, NULL), UW_ERROR_NOT_FOUND);
    assert_in_range(uw_usec_sub(uw_now(), before).us, 250000, 20000000);
    assert_true(peer_lists(r->peer) >= 2); /* at first, and when the time is over */
}

/* What would not change by itself is not waited for. */
static void
test_ambiguity_is_not_waited_for(void **state)
{
    struct rig *r = (struct rig *)*state;

    add_more(r);
    assert_int_equal(find(r, choice(0x0403, -1, NULL, NULL), 30000, NULL), UW_ERROR_AMBIGUOUS);
    assert_int_equal(peer_lists(r->peer), 1);
}

/* A server that hides what is in use does not hide it from who uses it. */
static void
test_finds_what_this_loop_has(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *first;

    rig_import(r);
    first = r->device;
    pthread_mutex_lock(&r->peer->lock);
    r->model->hidden = 1;
    pthread_mutex_unlock(&r->peer->lock);
    assert_int_equal(find(r, choice(0x0525, -1, NULL, NULL), 0, NULL), 0);
    assert_ptr_equal(r->device, first);
    uw_device_free(first);
}

/* ---- again ---- */

static struct uw_device *
lose(struct rig *r, const char *busid)
{
    struct uw_device *old;
    uint8_t b;

    assert_int_equal(uw_device_import(r->server, busid, SOON, &old, NULL), 0);
    peer_cut(r->peer);
    assert_true(uw_control(old, 0x80, 8, 0, 0, &b, 1, SOON, NULL, NULL) < 0);
    return old;
}

static void
test_again_by_serial(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old;

    add_more(r);
    old = lose(r, "1-3");
    strcpy(r->peer->models[2].busid, "1-7"); /* a bridge that counts on */
    assert_int_equal(uw_device_find_again(old, SOON, &r->device, NULL), 0);
    assert_string_equal(found(r), "1-7");
    assert_int_equal(peer_imports(r->peer), 3); /* it, the other of its kind, and it again */
    uw_device_free(old);
}

/* One with another serial number is not taken for it, not even in its place. */
static void
test_again_is_not_its_twin(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;
    struct uw_device *old;

    add_more(r);
    old = lose(r, "1-3");
    r->peer->models[2].hidden = 1;
    strcpy(r->peer->models[1].busid, "1-3");
    strcpy(r->peer->models[2].busid, "9-9");
    assert_int_equal(uw_device_find_again(old, uw_msec(500), &r->device, &fault),
                     UW_ERROR_NOT_FOUND);
    assert_non_null(strstr(rig_sentence(&fault), "--serial B"));
    uw_device_free(old);
}

/* Boards with the same serial number are told apart by their places; one that is back first is not
 * taken for the other, but is found by all that had it. */
static void
test_again_of_twins(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *first, *second, *same = NULL;

    add_more(r);
    r->peer->models[2].strings[4] = "A";
    assert_int_equal(uw_device_import(r->server, "1-2", SOON, &first, NULL), 0);
    second = lose(r, "1-3");
    peer_cut(r->peer);
    while (uw_device_status(first) == 0)
        assert_int_equal(uw_loop_wait(r->loop, SOON), 0);
    assert_int_equal(uw_device_find_again(second, uw_usec(0), &r->device, NULL), 0);
    assert_string_equal(found(r), "1-3");
    r->peer->models[1].hidden = 1;
    assert_int_equal(uw_device_find_again(second, uw_usec(0), &same, NULL), 0);
    assert_ptr_equal(same, r->device);
    uw_device_free(same);
    assert_int_equal(uw_device_find_again(first, uw_usec(0), &same, NULL), UW_ERROR_NOT_FOUND);
    r->peer->models[1].hidden = 0;
    assert_int_equal(uw_device_find_again(first, uw_usec(0), &same, NULL), 0);
    assert_string_equal(uw_device_info(same)->busid, "1-2");
    uw_device_free(same);
    uw_device_free(first);
    uw_device_free(second);
}

/* In another mode: another product in the same place. */
static void
test_again_in_its_place(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old;

    add_more(r);
    old = lose(r, "1-3");
    vector_free(&r->peer->models[2].v);
    vector_read(&r->peer->models[2].v, "gadget-zero-zerohs-high");
    assert_int_equal(uw_device_find_again(old, SOON, &r->device, NULL), 0);
    assert_string_equal(found(r), "1-3");
    assert_int_equal(uw_device_info(r->device)->pid, 0xa4a0);
    uw_device_free(old);
}

static void
test_again_the_only_one_of_its_kind(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old;

    add_more(r);
    old = lose(r, "2-1");
    strcpy(r->peer->models[3].busid, "2-4");
    assert_int_equal(uw_device_find_again(old, SOON, &r->device, NULL), 0);
    assert_string_equal(found(r), "2-4");
    uw_device_free(old);
}

/* In another mode, and at another place: by its serial number, if the vendor is the same. */
static void
test_again_as_another_elsewhere(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old;

    add_more(r);
    old = lose(r, "1-3");
    strcpy(r->peer->models[2].busid, "1-7");
    r->peer->models[2].v.device[10] ^= 0xff;
    assert_int_equal(uw_device_find_again(old, uw_usec(0), &r->device, NULL), 0);
    assert_string_equal(found(r), "1-7");
    assert_string_equal(uw_device_serial(r->device), "B");
    uw_device_free(old);
}

/* The end of an import may reset a device that is none of ours. */
static void
test_again_asks_each_once(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old;

    add_more(r);
    old = lose(r, "1-3");
    r->peer->models[2].hidden = 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(uw_device_find_again(old, uw_usec(0), &r->device, NULL),
                         UW_ERROR_NOT_FOUND);
    assert_int_equal(peer_imports(r->peer), 2);
    r->peer->models[2].hidden = 0;
    assert_int_equal(uw_device_find_again(old, uw_usec(0), &r->device, NULL), 0);
    uw_device_free(old);
}

static int
hang_up_on_request(struct peer_conn *conn, const struct uw_pdu *pdu, void *arg)
{
    (void)arg;
    if (!peer_is(pdu, 0x40, 0x99))
        return 0;
    peer_hang_up(conn);
    return 1;
}

/* What was held beside it is not what it has become. */
static void
test_again_is_not_what_is_held(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old, *beside;

    add_more(r);
    r->peer->models[1].strings[4] = r->peer->models[2].strings[4] = NULL;
    assert_int_equal(uw_device_import(r->server, "1-2", SOON, &beside, NULL), 0);
    assert_int_equal(uw_device_import(r->server, "1-3", SOON, &old, NULL), 0);
    peer_script(r->peer, hang_up_on_request, NULL);
    assert_true(uw_control(old, 0x40, 0x99, 0, 0, NULL, 0, SOON, NULL, NULL) < 0);
    r->peer->models[2].hidden = 1;
    assert_int_equal(uw_device_find_again(old, uw_usec(0), &r->device, NULL), UW_ERROR_NOT_FOUND);
    strcpy(r->peer->models[2].busid, "1-9");
    r->peer->models[1].hidden = 1;
    r->peer->models[2].hidden = 0;
    uw_device_free(beside);
    assert_int_equal(uw_device_find_again(old, uw_usec(0), &r->device, NULL), 0);
    assert_string_equal(found(r), "1-9");
    uw_device_free(old);
}

static void
test_again_waits(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_device *old = lose(r, "1-1");
    struct helper h = {.rig = r};

    pthread_mutex_lock(&r->peer->lock);
    r->model->hidden = 1;
    r->peer->lists = r->peer->imports = 0;
    pthread_mutex_unlock(&r->peer->lock);
    assert_int_equal(pthread_create(&h.thread, NULL, relent, &h), 0);
    assert_int_equal(uw_device_find_again(old, uw_msec(30000), &r->device, NULL), 0);
    pthread_join(h.thread, NULL);
    uw_device_free(old);
}

static void
test_interrupted(void **state)
{
    struct rig *r = (struct rig *)*state;
    struct uw_fault fault;

    r->model->hidden = 1;
    uw_loop_interrupt(r->loop);
    assert_int_equal(find(r, choice(-1, -1, NULL, NULL), 30000, &fault), UW_ERROR_INTERRUPTED);
    assert_int_equal(fault.code, UW_ERROR_INTERRUPTED);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        ROW(test_by_ids),
        ROW(test_busid_alone_is_not_listed),
        ROW(test_busid_with_ids),
        ROW(test_none),
        ROW(test_nothing_there),
        ROW(test_ambiguous),
        ROW(test_by_serial),
        ROW(test_same_serial_twice),
        ROW(test_serial_of_a_busy_one),
        ROW(test_refusal_explained),
        ROW(test_waits_for_absent),
        ROW(test_waits_for_busy),
        ROW(test_waits_no_longer),
        ROW(test_ambiguity_is_not_waited_for),
        ROW(test_finds_what_this_loop_has),
        ROW(test_again_by_serial),
        ROW(test_again_is_not_its_twin),
        ROW(test_again_of_twins),
        ROW(test_again_in_its_place),
        ROW(test_again_the_only_one_of_its_kind),
        ROW(test_again_as_another_elsewhere),
        ROW(test_again_asks_each_once),
        ROW(test_again_is_not_what_is_held),
        ROW(test_again_waits),
        ROW(test_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
