/*
 * syslog.c - one syslog message from anywhere, parsed and shown
 *
 * All that is shown is UTF-8 without control characters and without escape sequences.
 */
#include <string.h>

#include <usbwire/syslog.h>

#include "base/clean.h"

#include "fuzz.h"

static void
check_text(const char *s)
{
    static char again[UW_SYSLOG_STORAGE];
    size_t n;

    if (!s)
        return;
    n = strlen(s);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK((unsigned char)s[i] >= 0x20 || s[i] == '\t' || s[i] == '\n');
    FUZZ_CHECK(uw_clean_text(again, sizeof(again), s, n) == n && memcmp(s, again, n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char storage[UW_SYSLOG_STORAGE], line[UW_SYSLOG_STORAGE + 512];
    struct uw_syslog_message m;
    size_t room = size && bytes[0] < 128 ? sizeof(storage) : size;

    if (size > UW_SYSLOG_MAX)
        size = UW_SYSLOG_MAX;
    uw_syslog_parse(bytes, size, storage, room < sizeof(storage) ? room : sizeof(storage), &m);
    FUZZ_CHECK(m.priority >= -1 && m.priority <= 191);
    FUZZ_CHECK(m.text && m.raw == bytes && m.raw_size == size);
    check_text(m.timestamp);
    check_text(m.hostname);
    check_text(m.app_name);
    check_text(m.procid);
    check_text(m.msgid);
    check_text(m.structured_data);
    check_text(m.uptime);
    check_text(m.tag);
    check_text(m.text);
    FUZZ_CHECK(uw_syslog_line(&m, 0, line, sizeof(line)) == strlen(line));
    check_text(line);
    FUZZ_CHECK(uw_syslog_line(&m, 1, line, size + 1) <= size);
    return 0;
}
