/*
 * Messages: the examples of RFC 5424 section 6.5, lines of the ESP bridge (ESP-IDF's log format in
 * RFC 5424, docs of esp_log), an RFC 3164 line, and what is nothing of the kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/syslog.h>

static char storage[UW_SYSLOG_STORAGE];

static struct uw_syslog_message
parse(const char *text)
{
    struct uw_syslog_message m;

    uw_syslog_parse(text, strlen(text), storage, sizeof(storage), &m);
    assert_ptr_equal(m.raw, text);
    assert_int_equal(m.raw_size, strlen(text));
    assert_non_null(m.text);
    return m;
}

static void
expect(const char *in, int priority, char level, const char *uptime, const char *tag,
       const char *text)
{
    struct uw_syslog_message m = parse(in);

    if (m.priority != priority || m.level != level || strcmp(m.text, text) != 0)
        fail_msg("%s: %d %c \"%s\"", in, m.priority, m.level ? m.level : '0', m.text);
    assert_string_equal(m.uptime ? m.uptime : "-", uptime ? uptime : "-");
    assert_string_equal(m.tag ? m.tag : "-", tag ? tag : "-");
}

static void
rfc5424_examples(void **state)
{
    struct uw_syslog_message m;

    (void)state;
    m = parse(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' "
        "failed for lonvick on /dev/pts/8");
    assert_int_equal(m.priority, 34);
    assert_int_equal(m.level, 'E');
    assert_string_equal(m.timestamp, "2003-10-11T22:14:15.003Z");
    assert_string_equal(m.hostname, "mymachine.example.com");
    assert_string_equal(m.app_name, "su");
    assert_null(m.procid);
    assert_string_equal(m.msgid, "ID47");
    assert_null(m.structured_data);
    assert_string_equal(m.text, "'su root' failed for lonvick on /dev/pts/8");

    m = parse(
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make "
        "the do-nuts.");
    assert_int_equal(m.priority, 165);
    assert_string_equal(m.procid, "8710");
    assert_null(m.msgid);
    assert_string_equal(m.text, "%% It's time to make the do-nuts.");

    m = parse("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
              "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] "
              "\xef\xbb\xbf"
              "An application event log entry...");
    assert_string_equal(m.structured_data,
                        "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" "
                        "eventID=\"1011\"]");
    assert_string_equal(m.text, "An application event log entry...");

    m = parse("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
              "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" "
              "eventID=\"1011\"][examplePriority@32473 class=\"high\"]");
    assert_string_equal(m.structured_data,
                        "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" "
                        "eventID=\"1011\"][examplePriority@32473 class=\"high\"]");
    assert_string_equal(m.text, "");
}

static void
structured_data(void **state)
{
    struct uw_syslog_message m = parse("<14>1 - h a 1 ID [x@1 k=\"a]\\\"b\\\\\"] hi");

    (void)state;
    assert_string_equal(m.structured_data, "[x@1 k=\"a]\\\"b\\\\\"]");
    assert_string_equal(m.text, "hi");
    assert_null(m.timestamp);
    /* What does not end is text, the header with it. */
    m = parse("<14>1 - h a 1 ID [x@1 k=\"a] hi");
    assert_null(m.structured_data);
    assert_string_equal(m.text, "1 - h a 1 ID [x@1 k=\"a] hi");
    m = parse("<14>1 - h a 1 ID -x hi");
    assert_string_equal(m.text, "1 - h a 1 ID -x hi");
}

#define BRIDGE "1 2000-01-01T00:00:13.000Z esp32 esp - - - "

static void
esp_lines(void **state)
{
    struct uw_syslog_message m;

    (void)state;
    expect("<11>" BRIDGE "E (13000) usb_backend: STALL on EP0\n", 11, 'E', "13000", "usb_backend",
           "STALL on EP0");
    /* Colours make the bridge guess 14 for everything. */
    expect("<14>" BRIDGE "\x1b[0;31mE (13000) usb_backend: STALL on EP0\x1b[0m\n", 14, 'E', "13000",
           "usb_backend", "STALL on EP0");
    expect("<14>" BRIDGE "\x1b[0;33mW (7) wifi:no colon space\x1b[0m", 14, 'W', "7", "wifi",
           "no colon space");
    expect("<14>" BRIDGE "I (08:33:02.123) main: time of day", 14, 'I', "08:33:02.123", "main",
           "time of day");
    expect("<14>" BRIDGE "V (1) a: b: c", 14, 'V', "1", "a", "b: c");
    expect("<15>" BRIDGE "D (4294967295) x: ", 15, 'D', "4294967295", "x", "");
    m = parse("<14>" BRIDGE "I (1) x: y\n");
    assert_string_equal(m.hostname, "esp32");
    assert_string_equal(m.app_name, "esp");
    /* No ESP lines, though near. */
    expect("<14>" BRIDGE "E: (1) x: y", 14, 'I', NULL, NULL, "E: (1) x: y");
    expect("<14>" BRIDGE "I () x: y", 14, 'I', NULL, NULL, "I () x: y");
    expect("<14>" BRIDGE "I (1) no tag", 14, 'I', NULL, NULL, "I (1) no tag");
    expect("<14>" BRIDGE "I (1) : y", 14, 'I', NULL, NULL, "I (1) : y");
    expect("<14>" BRIDGE "X (1) x: y", 14, 'I', NULL, NULL, "X (1) x: y");
    expect("<14>" BRIDGE "I (1", 14, 'I', NULL, NULL, "I (1");
    expect("<14>" BRIDGE "I (1) a\nb: c", 14, 'I', NULL, NULL, "I (1) a\nb: c");
}

/* The bridge's clock is its uptime, from midnight on: after 24 hours it is midnight again. Nothing
 * of a message depends on it. */
static void
clock_wraps(void **state)
{
    (void)state;
    expect("<14>1 2000-01-01T23:59:59.999Z esp32 esp - - - I (86399999) x: before\n", 14, 'I',
           "86399999", "x", "before");
    expect("<14>1 2000-01-01T00:00:00.000Z esp32 esp - - - I (86400000) x: after\n", 14, 'I',
           "86400000", "x", "after");
}

static void
priorities(void **state)
{
    static const char levels[] = "EEEEWIID";

    (void)state;
    for (int severity = 0; severity < 8; severity++) {
        char in[] = "<0>x";

        in[1] = (char)('0' + severity);
        expect(in, severity, levels[severity], NULL, NULL, "x");
    }
    expect("<191>x", 191, 'D', NULL, NULL, "x");
    expect("<192>x", -1, 0, NULL, NULL, "<192>x");
    expect("<999>1 x", -1, 0, NULL, NULL, "<999>1 x");
    expect("<1234>x", -1, 0, NULL, NULL, "<1234>x");
    expect("<>x", -1, 0, NULL, NULL, "<>x");
    expect("<-1>x", -1, 0, NULL, NULL, "<-1>x");
    expect("<1", -1, 0, NULL, NULL, "<1");
    expect("<", -1, 0, NULL, NULL, "<");
    expect("", -1, 0, NULL, NULL, "");
}

static void
other_headers(void **state)
{
    (void)state;
    expect("<14>Oct 11 22:14:15 host su: old style", 14, 'I', NULL, NULL,
           "Oct 11 22:14:15 host su: old style");
    expect("<14>1 ", 14, 'I', NULL, NULL, "1 ");
    expect("<14>1 a b c", 14, 'I', NULL, NULL, "1 a b c");
    expect("<14>1 a b  c d - x", 14, 'I', NULL, NULL, "1 a b  c d - x");
    expect("<14>2 - - - - - - x", 14, 'I', NULL, NULL, "2 - - - - - - x");
    expect("<14>1 - - - - - -", 14, 'I', NULL, NULL, "");
    expect("I (5) boot: no header at all", -1, 'I', "5", "boot", "no header at all");
}

static void
cleans_and_trims(void **state)
{
    struct uw_syslog_message m;
    static const char in[] = "<14>1 - h\x1b[2J\x07 a - - - \x1b]0;title\x07text\xff\r\n\0\n";

    (void)state;
    uw_syslog_parse(in, sizeof(in) - 1, storage, sizeof(storage), &m);
    assert_string_equal(m.hostname, "h");
    assert_string_equal(m.text, "text\xef\xbf\xbd");
}

/* Whatever there is room for, all strings end within it. */
static void
little_storage(void **state)
{
    static const char in[] = "<11>1 time host app 1 id [x] E (13) usb: STALL";

    (void)state;
    for (size_t size = 0; size < 64; size++) {
        char *room = malloc(size + 1);
        struct uw_syslog_message m;

        uw_syslog_parse(in, sizeof(in) - 1, room, size, &m);
        assert_true(strlen(m.timestamp) + strlen(m.hostname) + strlen(m.app_name) +
                        strlen(m.procid) + strlen(m.msgid) + strlen(m.structured_data) +
                        strlen(m.text) <=
                    size);
        free(room);
    }
}

static void
any_message_fits(void **state)
{
    static char in[UW_SYSLOG_MAX];
    struct uw_syslog_message m;

    (void)state;
    memset(in, 0xff, sizeof(in)); /* each becomes three bytes */
    uw_syslog_parse(in, sizeof(in), storage, sizeof(storage), &m);
    assert_int_equal(strlen(m.text), 3 * sizeof(in));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5424_examples), cmocka_unit_test(structured_data),
        cmocka_unit_test(esp_lines),        cmocka_unit_test(clock_wraps),
        cmocka_unit_test(priorities),       cmocka_unit_test(other_headers),
        cmocka_unit_test(cleans_and_trims), cmocka_unit_test(little_storage),
        cmocka_unit_test(any_message_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
