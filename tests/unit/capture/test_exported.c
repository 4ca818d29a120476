/*
 * Syslog messages as packets (src/capture/exported.c). Expected bytes: tags of Wireshark's
 * epan/exported_pdu.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "capture/exported.h"
#include "support/peer.h"

static struct sockaddr_in
v4(const char *address, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, address, &a.sin_addr);
    return a;
}

static void
test_v4(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        0, 12, 0, 8,  's', 'y', 's', 'l', 'o', 'g', 0, 0,
        0, 20, 0, 4,  192, 168, 4, 20,
        0, 21, 0, 4,  10, 0, 0, 1,
        0, 24, 0, 4,  0, 0, 0, 2,
        0, 25, 0, 4,  0, 0, 0x05, 0xea, /* 1514 */
        0, 26, 0, 4,  0, 0, 0xc3, 0x50, /* 50000 */
        0, 0, 0, 0};
    /* clang-format on */
    struct sockaddr_in from = v4("192.168.4.20", 1514), to = v4("10.0.0.1", 50000);
    uint8_t bytes[UW_EXPORTED_MAX];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(uw_encode_exported_syslog(&w, (struct sockaddr *)&from, (struct sockaddr *)&to,
                                               IPPROTO_TCP),
                     0);
    assert_int_equal(w.len, sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
}

static void
test_v6_udp(void **state)
{
    struct sockaddr_in6 from = {.sin6_family = AF_INET6, .sin6_port = htons(514)}, to = from;
    struct sockaddr_in other = v4("10.0.0.1", 1);
    uint8_t bytes[UW_EXPORTED_MAX];
    struct uw_writer w = uw_writer(bytes, sizeof(bytes));

    (void)state;
    inet_pton(AF_INET6, "fe80::1", &from.sin6_addr);
    assert_int_equal(uw_encode_exported_syslog(&w, (struct sockaddr *)&from, (struct sockaddr *)&to,
                                               IPPROTO_UDP),
                     0);
    assert_int_equal(bytes[13], 22);
    assert_int_equal(bytes[15], 16);
    assert_memory_equal(bytes + 16, &from.sin6_addr, 16);
    assert_int_equal(bytes[33], 23);
    assert_int_equal(bytes[59], 3); /* UDP */
    w = uw_writer(bytes, sizeof(bytes));
    assert_int_equal(uw_encode_exported_syslog(&w, (struct sockaddr *)&from,
                                               (struct sockaddr *)&other, IPPROTO_UDP),
                     UW_ERROR_INVALID);
}

/* Line ends are no part of a message; what Wireshark would call malformed is none. */
static void
test_message(void **state)
{
    (void)state;
    assert_int_equal(uw_syslog_message_size("<14>1 - x\r\n\0", 12), 9);
    assert_int_equal(uw_syslog_message_size("<14>hello", 9), 9);
    assert_int_equal(uw_syslog_message_size("<1", 2), 0);
    assert_int_equal(uw_syslog_message_size("12 <14>", 7), 0);
    assert_int_equal(uw_syslog_message_size("\n\n", 2), 0);
    assert_int_equal(uw_syslog_message_size("", 0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v4),
        cmocka_unit_test(test_v6_udp),
        cmocka_unit_test(test_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
