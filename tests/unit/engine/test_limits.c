/*
 * Profiles, sequence numbers, and who may post when (src/engine/profile.c, seq.c, turn.c, gate.c)
 */
#include <stdio.h>
#include <string.h>

#include "support/peer.h"

static struct peer p, q;

/* Must 6: profiles are recognised by the path of a device record. */
static void
test_recognised(void **state)
{
    static const struct {
        const char *path, *busid, *profile;
    } rows[] = {
        {"/sys/devices/pci0000:00/0000:00:14.0/usb1/1-5", "1-5", "linux"},
        {"/esp-usb-host/1-2", "1-2", "esp-bridge"},
        {"/esp-usb-host/1-1.2", "1-1.2", "esp-bridge-8"},
        {"/esp-virtual/2-1", "2-1", "esp-virtual"},
        {"pyusbip/1-4", "1-4", "pyusbip"},
        {"/sys/bus/20/35/6", "20-35-6", "jiegec"},
        {"/sys/bus/1/2/3", "1-1.2", "usbipdcpp"},
        {"/esp32/usbipdcpp/1", "1-1", "usbipdcpp-esp32"},
        {"/sys/devices/pci0000:00/0000:00:01.2/usb1/1-1", "1-1", "dap"},
        {"/sys/device/pci0000:00/0000:00:01.2/usb1/1-1", "1-1", "canokey"},
        {"/espressif/usbip/usb1", "1-1", "poc"},
        {"/sys/devices/platform/virtual-dap.0", "2-1", "hq"},
        {"/renode/virtual/1-0", "1-0", "renode"},
        {"/usb/device/1-1", "1-1", "p4"},
        {"USB\\VID_0403&PID_6001\\A50285BI", "1-2", "windows"},
        {"", "", "linux"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct uw_device_info info = {0};

        snprintf(info.path, sizeof(info.path), "%s", rows[i].path);
        snprintf(info.busid, sizeof(info.busid), "%s", rows[i].busid);
        assert_string_equal(uw_profile_recognise(&info)->name, rows[i].profile);
    }
}

/* Of a device behind a broker. */
static void
test_origin(void **state)
{
    (void)state;
    assert_string_equal(uw_profile_origin("usbwire:esp-bridge:/esp-usb-host/1-2")->name,
                        "esp-bridge");
    assert_string_equal(uw_profile_origin("usbwire:no such:/1-2")->name, "linux");
    assert_string_equal(uw_profile_origin("usbwire:")->name, "linux");
    assert_string_equal(uw_profile_origin("/sys/devices")->name, "linux");
}

static void
test_profiles_are_sane(void **state)
{
    (void)state;
    for (unsigned i = 0; uw_profile_name(i); i++) {
        const struct uw_profile *pr = uw_profile_by_name(uw_profile_name(i));

        assert_ptr_equal(pr, uw_profile_get((enum uw_profile_id)i));
        assert_non_null(uw_profile_text(i));
        assert_true(pr->max_in >= 64 && pr->max_out >= 64);
        if (pr->flags & UW_PROF_NO_SPECULATIVE_IN)
            assert_true(pr->in_flight == 1);
    }
    assert_null(uw_profile_by_name("no such server"));
}

/* A bridge that says how much it sent is a newer one. */
static void
test_refined(void **state)
{
    struct job j;

    (void)state;
    peer_start(&p, "esp-bridge");
    assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_acknowledge(&p, 0, 0, 0);
    assert_string_equal(uw_engine_profile(p.engine)->name, "esp-bridge");
    job_free(&j);
    assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    peer_acknowledge(&p, 1, 0, 64);
    assert_string_equal(uw_engine_profile(p.engine)->name, "esp-bridge-s31");
    job_free(&j);
    peer_stop(&p);
    /* So it does of a control request. */
    peer_start(&p, "esp-bridge");
    assert_int_equal(peer_control(&p, &j, 0x21, 0x20, 0, 0, 7, 0), 0);
    peer_take(&p);
    peer_acknowledge(&p, 0, 0, 7);
    assert_string_equal(uw_engine_profile(p.engine)->name, "esp-bridge-s31");
    job_free(&j);
    peer_stop(&p);
}

/* One that gives up a read by itself does others meanwhile. What had to wait for it goes then. */
static void
test_refined_by_a_timeout(void **state)
{
    struct job in, out;

    (void)state;
    peer_start(&p, "esp-bridge");
    assert_int_equal(peer_submit(&p, &in, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &out, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_take(&p), 1);
    peer_answer(&p, 0, -116, NULL, 0);
    assert_string_equal(uw_engine_profile(p.engine)->name, "esp-bridge-8");
    assert_int_equal(peer_take(&p), 2);
    assert_int_equal(peer_message(&p, 1)->pdu.ep, 1);
    /* And both are open at a time. */
    peer_wait(&p, 20000);
    assert_int_equal(peer_take(&p), 3);
    assert_int_equal(in.done + out.done, 0);
    peer_acknowledge(&p, 1, 0, 0);
    peer_answer(&p, 2, 0, (const uint8_t *)"x", 1);
    assert_int_equal(in.done + out.done, 2);
    job_free(&in);
    job_free(&out);
    peer_stop(&p);
}

/* Must 2: random start, never twice, the direction in the low bit, never 0. */
static void
test_sequence_numbers(void **state)
{
    struct uw_seq seq;
    uint32_t last = 0;

    (void)state;
    uw_seq_init(&seq, 0x7ffffff0u);
    for (int i = 0; i < 64; i++) {
        uint32_t n = uw_seq_take(&seq, i & 1);

        assert_int_equal(n & 1, i & 1);
        assert_true(n > 1);
        assert_true(n >> 1 != last >> 1);
        last = n;
    }
}

/* Must 6: a server that does one thing at a time gets one thing at a time, in order of arrival. */
static void
test_one_at_a_time(void **state)
{
    struct job a, b, c;

    (void)state;
    peer_start(&p, "jiegec");
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_control(&p, &c, 0x80, 6, 0x100, 0, 18, 0), 0);
    assert_int_equal(peer_take(&p), 1);
    peer_answer(&p, 0, 0, counting(), 64);
    assert_done(&a, UW_OK, 64);
    assert_int_equal(peer_take(&p), 2);
    assert_int_equal(peer_message(&p, 1)->pdu.ep, 1);
    peer_acknowledge(&p, 1, 0, 64);
    assert_done(&b, UW_OK, 64);
    assert_int_equal(peer_message(&p, 2)->pdu.ep, 0);
    peer_answer(&p, 2, 0, counting(), 18);
    assert_done(&c, UW_OK, 18);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    peer_stop(&p);
}

/* An endpoint whose callers never end does not keep others from their turn. */
static void
test_no_endpoint_starves_another(void **state)
{
    struct job reads[6], c;

    (void)state;
    peer_start(&p, "jiegec");
    assert_int_equal(peer_submit(&p, &reads[0], 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &reads[1], 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_control(&p, &c, 0x80, 6, 0x100, 0, 18, 0), 0);
    for (unsigned i = 2; i < 6; i++)
        assert_int_equal(peer_submit(&p, &reads[i], 0x81, UW_BULK, 64, 64, 0, 0), 0);
    peer_answer(&p, 0, 0, counting(), 64);
    peer_answer(&p, 1, 0, counting(), 64);
    assert_int_equal(peer_message(&p, 2)->pdu.ep, 0);
    peer_answer(&p, 2, 0, counting(), 18);
    assert_done(&c, UW_OK, 18);
    for (unsigned i = 3; i < 7; i++)
        peer_answer(&p, i, 0, counting(), 64);
    for (unsigned i = 0; i < 6; i++) {
        assert_done(&reads[i], UW_OK, 64);
        job_free(&reads[i]);
    }
    job_free(&c);
    peer_stop(&p);
}

/* What gets no turn in its time fails, and names what holds it. */
static void
test_held(void **state)
{
    struct job a, b, c;

    (void)state;
    peer_start(&p, "esp-bridge");
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 1000, 0), 0);
    peer_take(&p);
    assert_int_equal(peer_submit(&p, &b, 0x01, UW_BULK, 64, 64, 2000, 0), 0);
    assert_int_equal(peer_control(&p, &c, 0x80, 6, 0x100, 0, 18, 2000), 0);
    peer_wait(&p, 1000);
    assert_done(&a, UW_ERROR_TIMEOUT, 0);
    peer_wait(&p, 1000);
    assert_done(&b, UW_ERROR_HELD, 0);
    assert_done(&c, UW_ERROR_HELD, 0);
    assert_string_equal(uw_engine_holder(p.engine), "IN 0x81 of 1-1 (1209:0001)");
    assert_int_equal(uw_engine_status(p.engine), UW_OK); /* it never got as far as the wire */
    assert_int_equal(peer_take(&p), 1);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    peer_stop(&p);
}

/* The limit of a server holds for all its imports together; places go in order of asking. */
static void
test_gate(void **state)
{
    struct uw_gate gate;
    struct job a, b, c;

    (void)state;
    uw_gate_init(&gate, 0);
    peer_start_sharing(&p, "esp-bridge", &gate);
    peer_start_sharing(&q, "esp-bridge", &gate);
    assert_int_equal(peer_submit(&p, &a, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&q, &b, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &c, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_take(&p), 1);
    assert_int_equal(peer_take(&q), 0);
    assert_null(uw_gate_next(&gate));
    peer_acknowledge(&p, 0, 0, 0);
    assert_int_equal(peer_take(&p), 1); /* the other one asked first */
    assert_ptr_equal(uw_gate_next(&gate), q.engine);
    assert_int_equal(peer_take(&q), 1);
    peer_acknowledge(&q, 0, 0, 0);
    assert_ptr_equal(uw_gate_next(&gate), p.engine);
    assert_int_equal(peer_take(&p), 2);
    peer_acknowledge(&p, 1, 0, 0);
    assert_done(&c, UW_OK, 64);
    job_free(&a);
    job_free(&b);
    job_free(&c);
    peer_stop(&p);
    peer_stop(&q);
}

/* An import whose server turns out to do more has no part in that any more. */
static void
test_gate_of_one_refined(void **state)
{
    struct uw_gate gate;
    struct job a, b, c;

    (void)state;
    uw_gate_init(&gate, 0);
    peer_start_sharing(&p, "esp-bridge", &gate);
    peer_start_sharing(&q, "esp-bridge", &gate);
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&q, &c, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_take(&p), 1);
    peer_answer(&p, 0, -116, NULL, 0);
    assert_int_equal(peer_take(&p), 2);
    assert_ptr_equal(uw_gate_next(&gate), q.engine);
    assert_int_equal(peer_take(&q), 1);
    peer_stop(&p);
    peer_stop(&q);
    job_free(&a);
    job_free(&b);
    job_free(&c);
}

/* An engine that ends gives its places back. */
static void
test_gate_after_abort(void **state)
{
    struct uw_gate gate;
    struct job a, b;

    (void)state;
    uw_gate_init(&gate, 0);
    peer_start_sharing(&p, "esp-bridge", &gate);
    peer_start_sharing(&q, "esp-bridge", &gate);
    assert_int_equal(peer_submit(&p, &a, 0x81, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&q, &b, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    peer_take(&p);
    uw_engine_abort(p.engine, UW_ERROR_CONNECTION_LOST, p.now);
    peer_collect(&p);
    assert_done(&a, UW_ERROR_CONNECTION_LOST, 0);
    assert_ptr_equal(uw_gate_next(&gate), q.engine);
    assert_int_equal(peer_take(&q), 1);
    job_free(&a);
    peer_stop(&p);
    peer_stop(&q);
    job_free(&b);
}

/* One message a write, for a server that cannot put segments together (Must 21). */
static void
test_one_pdu_a_write(void **state)
{
    /* As that server is, but that it takes several transfers: so there is something to merge. */
    struct uw_profile several = *uw_profile_by_name("poc");
    struct uw_engine_params params = {.profile = &several, .name = "1-1"};
    struct iovec iov[16];
    struct job a, b;

    (void)state;
    peer_start(&p, "poc");
    uw_engine_free(p.engine);
    several.in_flight = several.in_per_endpoint = 0;
    params.seq = &p.seq;
    params.source = &p.source;
    assert_int_equal(uw_engine_new(&params, &p.engine), 0);
    assert_int_equal(peer_submit(&p, &a, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_submit(&p, &b, 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(uw_engine_tx(p.engine, iov, 16, p.now), 2); /* header and payload together */
    uw_engine_tx_done(p.engine, UW_PDU_SIZE + 10);
    assert_int_equal(uw_engine_tx(p.engine, iov, 16, p.now), 1); /* the rest of it alone */
    uw_engine_tx_done(p.engine, 54);
    assert_int_equal(uw_engine_tx(p.engine, iov, 16, p.now), 2);
    uw_engine_tx_done(p.engine, UW_PDU_SIZE + 64);
    assert_int_equal(uw_engine_tx(p.engine, iov, 16, p.now), 0);
    peer_stop(&p);
    job_free(&a);
    job_free(&b);
}

/* Must 13: the same number means different things to different servers. */
static void
test_dialects(void **state)
{
    static const struct {
        const char *profile;
        int32_t raw;
        int error;
    } rows[] = {
        {"linux", -32, UW_ERROR_STALL},
        {"linux", -75, UW_ERROR_OVERFLOW},
        {"linux", -5, UW_ERROR_IO},
        {"linux", -71, UW_ERROR_IO},
        {"linux", 32, UW_ERROR_STALL},
        {"linux", -99999, UW_ERROR_IO},
        {"esp-bridge-8", -122, UW_ERROR_LIMIT},
        {"pyusbip", -4, UW_ERROR_STALL},
        {"pyusbip", -5, UW_ERROR_NO_DEVICE},
        {"usbipdcpp", -32, UW_ERROR_STALL},
        {"poc", (int32_t)0xe0ffffff, UW_ERROR_STALL}, /* -32 in the other byte order */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct job j;

        peer_start(&p, rows[i].profile);
        assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 64, 64, 0, 0), 0);
        peer_take(&p);
        peer_acknowledge(&p, 0, rows[i].raw, 0);
        assert_done(&j, rows[i].error, 0);
        assert_int_equal(j.x.raw_status, rows[i].raw);
        job_free(&j);
        peer_stop(&p);
    }
}

/* Must 14, 15: "no such device" again and again, over a connection that stays open. */
static void
test_gone(void **state)
{
    (void)state;
    for (int stalled = 0; stalled < 2; stalled++) {
        struct job j;
        unsigned n = 0;

        peer_start(&p, "esp-bridge");
        if (stalled) {
            assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 64, 64, 0, 0), 0);
            peer_take(&p);
            peer_acknowledge(&p, n++, -32, 0);
            assert_done(&j, UW_ERROR_STALL, 0);
            job_free(&j);
        }
        for (int i = 0; i < 3; i++) {
            assert_int_equal(uw_engine_status(p.engine), UW_OK);
            assert_int_equal(peer_submit(&p, &j, 0x01, UW_BULK, 64, 64, 0, 0), 0);
            peer_take(&p);
            peer_acknowledge(&p, n++, -19, 0);
            assert_done(&j, UW_ERROR_NO_DEVICE, 0);
            job_free(&j);
        }
        assert_int_equal(uw_engine_status(p.engine),
                         stalled ? UW_ERROR_REENUMERATE : UW_ERROR_NO_DEVICE);
        peer_stop(&p);
    }
}

static void
test_in_flight_limit(void **state)
{
    static struct job jobs[40];

    (void)state;
    peer_start(&p, "p4");
    for (int i = 0; i < 40; i++)
        assert_int_equal(peer_submit(&p, &jobs[i], 0x01, UW_BULK, 64, 64, 0, 0), 0);
    assert_int_equal(peer_take(&p), 32);
    peer_acknowledge(&p, 0, 0, 64);
    assert_int_equal(peer_take(&p), 33);
    peer_stop(&p);
    for (int i = 0; i < 40; i++)
        job_free(&jobs[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recognised),
        cmocka_unit_test(test_origin),
        cmocka_unit_test(test_profiles_are_sane),
        cmocka_unit_test(test_refined),
        cmocka_unit_test(test_refined_by_a_timeout),
        cmocka_unit_test(test_sequence_numbers),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_no_endpoint_starves_another),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_gate_of_one_refined),
        cmocka_unit_test(test_gate_after_abort),
        cmocka_unit_test(test_one_pdu_a_write),
        cmocka_unit_test(test_dialects),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_in_flight_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
