/*
 * The telnet side of a serial port: RFC 854, 856, 858, 2217. What a client sends is written in
 * bytes; what comes of it as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rfc2217.h"

static char told[4096];

__attribute__((format(printf, 1, 2))) static void
tell(const char *format, ...)
{
    size_t n = strlen(told);
    va_list args;

    va_start(args, format);
    vsnprintf(told + n, sizeof(told) - n, format, args);
    va_end(args);
}

static void
tell_bytes(const char *what, const uint8_t *bytes, size_t size)
{
    tell("%s", what);
    for (size_t i = 0; i < size; i++)
        tell(" %02x", bytes[i]);
    tell(". ");
}

static void
data(struct rfc2217 *t, const uint8_t *bytes, size_t size)
{
    (void)t;
    /* Byte by byte: how they are grouped is nobody's business. */
    for (size_t i = 0; i < size; i++)
        tell_bytes("data", bytes + i, 1);
}

static void
command(struct rfc2217 *t, unsigned number, const uint8_t *value, size_t size)
{
    (void)t;
    tell("command %u", number);
    tell_bytes(":", value, size);
}

static void
send_break(struct rfc2217 *t)
{
    (void)t;
    tell("break. ");
}

static void
send_client(struct rfc2217 *t, const uint8_t *bytes, size_t size)
{
    (void)t;
    tell_bytes("sent", bytes, size);
}

static const struct rfc2217_ops ops = {
    .data = data, .command = command, .send_break = send_break, .send = send_client};

static struct rfc2217
begun(void)
{
    struct rfc2217 t;

    rfc2217_begin(&t, &ops);
    told[0] = '\0';
    return t;
}

#define FEED(t, bytes) rfc2217_feed(&(t), (const uint8_t *)(bytes), sizeof(bytes) - 1)
#define EXPECT(text)                                                                               \
    do {                                                                                           \
        assert_string_equal(told, text);                                                           \
        told[0] = '\0';                                                                            \
    } while (0)

static void
test_offers(void **state)
{
    struct rfc2217 t;

    (void)state;
    told[0] = '\0';
    rfc2217_begin(&t, &ops);
    EXPECT("sent ff fb 00. sent ff fb 01. sent ff fb 03. sent ff fb 2c. "
           "sent ff fd 00. sent ff fd 03. sent ff fd 2c. ");
    assert_false(rfc2217_is_com_port(&t));
}

static void
test_options(void **state)
{
    struct rfc2217 t = begun();

    (void)state;
    /* What was offered is agreed to: no answer, or the two would go on for ever. */
    FEED(t, "\xff\xfd\x00\xff\xfd\x2c\xff\xfb\x00");
    EXPECT("");
    FEED(t, "\xff\xfb\x2c");
    EXPECT("");
    assert_true(rfc2217_is_com_port(&t));
    /* No longer. */
    FEED(t, "\xff\xfe\x01\xff\xfe\x01");
    EXPECT("sent ff fc 01. ");
    FEED(t, "\xff\xfc\x00");
    EXPECT("sent ff fe 00. ");
    /* What is not known here, and the client's echo, are refused each time. */
    FEED(t, "\xff\xfb\x18\xff\xfd\x18\xff\xfb\x01\xff\xfc\x18\xff\xfe\x18");
    EXPECT("sent ff fe 18. sent ff fc 18. sent ff fe 01. ");
}

static void
test_data(void **state)
{
    struct rfc2217 t = begun();

    (void)state;
    FEED(t, "a\r\0b\r\nc\xff\xff"
            "d");
    EXPECT("data 61. data 0d. data 62. data 0d. data 0a. data 63. data ff. data 64. ");
    FEED(t, "\xff\xfb\x00");
    /* Binary: nothing is taken out. */
    FEED(t, "a\r\0b");
    EXPECT("data 61. data 0d. data 00. data 62. ");
    /* NOP, AYT and their kind are nothing to a port. */
    FEED(t, "\xff\xf1x\xff\xf6y");
    EXPECT("data 78. data 79. ");
    /* RFC 854: BRK is the break key. */
    FEED(t, "x\xff\xf3y");
    EXPECT("data 78. break. data 79. ");
}

static void
test_commands(void **state)
{
    struct rfc2217 t = begun();

    (void)state;
    FEED(t, "\xff\xfa\x2c\x01\x00\x00\x25\x80\xff\xf0");
    EXPECT("command 1: 00 00 25 80. ");
    /* A value of 255 is escaped, in both directions. */
    FEED(t, "\xff\xfa\x2c\x0b\xff\xff\xff\xf0z");
    EXPECT("command 11: ff. data 7a. ");
    rfc2217_tell(&t, RFC2217_SET_MODEMSTATE_MASK, (const uint8_t *)"\xff", 1);
    EXPECT("sent ff fa 2c 6f ff ff ff f0. ");
    /* Other options' values, and none at all. */
    FEED(t, "\xff\xfa\x18\x01\xff\xf0\xff\xfa\xff\xf0\xff\xfa\x2c\xff\xf0");
    EXPECT("");
    /* One that was never ended gives way to what follows. */
    FEED(t, "\xff\xfa\x2c\x05\x08\xff\xfb\x2cq");
    EXPECT("data 71. ");
}

static void
test_any_split(void **state)
{
    static const char all[] = "x\xff\xfb\x2c\xff\xfa\x2c\x05\x08\xff\xf0y\xff\xffz\r\0\xff\xfd\x18";

    (void)state;
    for (size_t at = 0; at < sizeof(all); at++) {
        struct rfc2217 t = begun();

        rfc2217_feed(&t, (const uint8_t *)all, at);
        rfc2217_feed(&t, (const uint8_t *)all + at, sizeof(all) - 1 - at);
        EXPECT("data 78. command 5: 08. data 79. data ff. data 7a. data 0d. sent ff fc 18. ");
    }
}

static void
test_long_values_are_cut(void **state)
{
    struct rfc2217 t = begun();
    uint8_t many[300];

    (void)state;
    memset(many, 'v', sizeof(many));
    FEED(t, "\xff\xfa\x2c\x00");
    rfc2217_feed(&t, many, sizeof(many));
    FEED(t, "\xff\xf0");
    assert_int_equal(strlen(told), strlen("command 0:. ") + 3 * (RFC2217_VALUE_MAX - 2));
    told[0] = '\0';
    rfc2217_tell(&t, RFC2217_SIGNATURE, many, sizeof(many));
    assert_int_equal(strlen(told), strlen("sent. ") + 3 * (RFC2217_VALUE_MAX + 6));
}

static void
test_escape(void **state)
{
    struct rfc2217 t = begun();
    uint8_t out[8];

    (void)state;
    assert_int_equal(rfc2217_escape(&t, (const uint8_t *)"a\xff\xff\r", 4, out), 6);
    assert_memory_equal(out, "a\xff\xff\xff\xff\r", 6);
    /* A client that wants no binary has it as a terminal does: RFC 854. */
    FEED(t, "\xff\xfe\0");
    assert_int_equal(rfc2217_escape(&t, (const uint8_t *)"\r\r\n\r", 4, out), 6);
    assert_memory_equal(out, "\r\0\r\n\r\0", 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers),    cmocka_unit_test(test_options),
        cmocka_unit_test(test_data),      cmocka_unit_test(test_commands),
        cmocka_unit_test(test_any_split), cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_escape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
