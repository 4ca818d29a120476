/*
 * Names. The compressed one is the example of RFC 1035 section 4.1.4 (F.ISI.ARPA, FOO.F.ISI.ARPA,
 * ARPA, the root), at its offsets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "mdns/name.h"

static const uint8_t rfc1035[] = {
    [20] = 1,    'F', 3,   'I', 'S',  'I', 4, 'A', 'R', 'P', 'A', 0, /* 20 */
    [40] = 3,    'F', 'O', 'O', 0xc0, 20,                            /* 40 */
    [64] = 0xc0, 26,                                                 /* 64 */
    [92] = 0,                                                        /* 92 */
};

static void
expect_at(size_t offset, size_t behind, const char *text)
{
    struct uw_dns_name name;
    char buf[UW_DNS_TEXT_SIZE];

    assert_int_equal(uw_decode_dns_name(rfc1035, sizeof(rfc1035), &offset, &name), 0);
    assert_int_equal(offset, behind);
    assert_string_equal(uw_dns_name_text(&name, buf, sizeof(buf)), text);
}

static void
compressed(void **state)
{
    (void)state;
    expect_at(20, 32, "F.ISI.ARPA");
    expect_at(40, 46, "FOO.F.ISI.ARPA");
    expect_at(64, 66, "ARPA");
    expect_at(92, 93, "");
}

/* Every one of these must be refused; each byte string is a packet, the name is at `offset`. */
static void
hostile(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t size, offset;
    } rows[] = {
        {"nothing", "", 0, 0},
        {"behind the end", "\0", 1, 1},
        {"label longer than the packet", "\5abc", 4, 0},
        {"no end", "\3abc", 4, 0},
        {"pointer cut", "\xc0", 1, 0},
        {"pointer to itself", "\xc0\0", 2, 0},
        {"pointer forwards", "\xc0\2\0", 3, 0},
        {"two pointers in a ring", "\xc0\2\xc0\0", 4, 2},
        {"a label and back to it", "\1a\xc0\0", 4, 0},
        {"label type 01",
         "\x41"
         "a\0",
         3, 0},
        {"label type 10",
         "\x81"
         "a\0",
         3, 0},
    };
    struct uw_dns_name name;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *exact = malloc(rows[i].size ? rows[i].size : 1);
        size_t offset = rows[i].offset;

        memcpy(exact, rows[i].bytes, rows[i].size);
        if (uw_decode_dns_name(exact, rows[i].size, &offset, &name) != UW_ERROR_PROTOCOL)
            fail_msg("%s", rows[i].name);
        assert_int_equal(offset, rows[i].offset);
        free(exact);
    }
}

static void
longest(void **state)
{
    uint8_t packet[300];
    struct uw_dns_name name;
    size_t offset = 0;

    (void)state;
    memset(packet, 'x', sizeof(packet));
    packet[0] = packet[64] = packet[128] = 63;
    packet[192] = 61; /* 3 * 64 + 62 + 1 = 255 */
    packet[254] = 0;
    assert_int_equal(uw_decode_dns_name(packet, sizeof(packet), &offset, &name), 0);
    assert_int_equal(name.size, 255);
    packet[192] = 62;
    packet[255] = 0;
    offset = 0;
    assert_int_equal(uw_decode_dns_name(packet, sizeof(packet), &offset, &name), UW_ERROR_PROTOCOL);
}

static void
as_text(void **state)
{
    static const char *const texts[] = {
        "ESP USB/IP Bridge (esp32s3)._usbip._tcp.local",
        "a\\.b\\\\c.local",
        "tab\\009.local",
        "\\127.x",
        ("K\xc3\xbc"
         "che.local"),
        "",
    };
    struct uw_dns_name name, again;
    char buf[UW_DNS_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(uw_dns_name_parse(texts[i], &name), 0);
        assert_string_equal(uw_dns_name_text(&name, buf, sizeof(buf)), texts[i]);
        assert_int_equal(uw_dns_name_parse(buf, &again), 0);
        assert_true(uw_dns_name_equal(&name, &again));
    }
    assert_int_equal(uw_dns_name_parse("a.local.", &name), 0);
    assert_string_equal(uw_dns_name_text(&name, buf, sizeof(buf)), "a.local");
    assert_int_equal(uw_dns_name_parse("\\097.local", &name), 0);
    assert_string_equal(uw_dns_name_text(&name, buf, sizeof(buf)), "a.local");
    assert_string_equal(uw_dns_name_text(&name, buf, 4), "a.l");
    assert_string_equal(uw_dns_name_text(&name, buf, 1), "");
}

static void
refused_text(void **state)
{
    static const char *const texts[] = {".",
                                        "a..b",
                                        ".a",
                                        "a\\",
                                        "a\\25",
                                        "a\\256",
                                        "\\9x9",
                                        ("12345678901234567890123456789012"
                                         "34567890123456789012345678901234.local")};
    struct uw_dns_name name;
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (uw_dns_name_parse(texts[i], &name) != UW_ERROR_INVALID)
            fail_msg("%s", texts[i]);
    /* 127 labels of one byte are the most. */
    for (size_t i = 0; i < 128; i++)
        memcpy(text + 2 * i, "a.", 2);
    text[2 * 127] = '\0';
    assert_int_equal(uw_dns_name_parse(text, &name), 0);
    assert_int_equal(name.size, 255);
    text[2 * 127] = 'a';
    text[2 * 128] = '\0';
    assert_int_equal(uw_dns_name_parse(text, &name), UW_ERROR_INVALID);
}

static void
labels(void **state)
{
    struct uw_dns_name type, name, other;
    const uint8_t *label;
    char big[64];

    (void)state;
    assert_int_equal(uw_dns_name_parse("_usbip._tcp.local", &type), 0);
    assert_int_equal(uw_dns_name_join("a.b c", 5, &type, &name), 0);
    assert_int_equal(uw_dns_name_parse("A\\.B C._USBIP._tcp.LOCAL", &other), 0);
    assert_true(uw_dns_name_equal(&name, &other));
    assert_int_equal(uw_dns_name_label(&other, &type, &label), 5);
    assert_memory_equal(label, "A.B C", 5);
    assert_int_equal(uw_dns_name_label(&type, &type, &label), 0);
    assert_int_equal(uw_dns_name_parse("a.b._usbip._tcp.local", &other), 0);
    assert_int_equal(uw_dns_name_label(&other, &type, &label), 0);
    assert_int_equal(uw_dns_name_parse("a._http._tcp.local", &other), 0);
    assert_int_equal(uw_dns_name_label(&other, &type, &label), 0);
    assert_false(uw_dns_name_equal(&other, &name));
    memset(big, 'x', sizeof(big));
    assert_int_equal(uw_dns_name_join(big, 63, &type, &name), 0);
    assert_int_equal(uw_dns_name_join(big, 64, &type, &name), UW_ERROR_INVALID);
    assert_int_equal(uw_dns_name_join(big, 0, &type, &name), UW_ERROR_INVALID);
    while (uw_dns_name_join(big, 63, &name, &name) == 0)
        continue;
    assert_true(name.size > 255 - 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed), cmocka_unit_test(hostile),      cmocka_unit_test(longest),
        cmocka_unit_test(as_text),    cmocka_unit_test(refused_text), cmocka_unit_test(labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
