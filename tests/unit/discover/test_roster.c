/*
 * Servers out of records: complete ones only, one of several links, told once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "discover/roster.h"

/* Two links, 192.0.2.0/24 and 198.51.100.0/24 (RFC 5737). */
static struct uw_link eth0, wlan0;
static const struct uw_link *const links[] = {&eth0, &wlan0};

struct rig {
    struct uw_cache cache;
    struct uw_roster roster;
    struct uw_dns_name type;
    uint64_t now;
};

static struct uw_link
link_of(unsigned index, const char *name, const char *address)
{
    struct uw_link l = {.index = index, .count4 = 1, .has_v6 = 1};

    snprintf(l.name, sizeof(l.name), "%s", name);
    inet_pton(AF_INET, address, &l.v4[0]);
    inet_pton(AF_INET, "255.255.255.0", &l.mask[0]);
    return l;
}

static void
set_up(struct rig *r)
{
    eth0 = link_of(2, "eth0", "192.0.2.1");
    wlan0 = link_of(3, "wlan0", "198.51.100.1");
    uw_cache_init(&r->cache);
    uw_roster_init(&r->roster);
    assert_int_equal(uw_dns_name_parse("_usbip._tcp.local", &r->type), 0);
    r->now = 1000000;
}

static void
tear_down(struct rig *r)
{
    uw_roster_clear(&r->roster);
    uw_cache_clear(&r->cache);
}

static void
take(struct rig *r, unsigned link, const char *name, uint16_t type, const char *target,
     uint16_t port, const void *data, size_t size)
{
    struct uw_dns_record record = {.type = type,
                                   .ttl = 120,
                                   .flush = type != UW_DNS_PTR,
                                   .port = port,
                                   .data = data,
                                   .data_size = size};

    assert_int_equal(uw_dns_name_parse(name, &record.name), 0);
    if (target)
        assert_int_equal(uw_dns_name_parse(target, &record.target), 0);
    r->now += 1;
    assert_int_equal(uw_cache_take(&r->cache, link, &record, uw_usec(r->now)), 0);
}

#define INSTANCE "ESP USB/IP Bridge (esp32s3)._usbip._tcp.local"
#define HOST     "usbip-a1b2c3.local"

static void
take_ptr(struct rig *r, unsigned link)
{
    take(r, link, "_usbip._tcp.local", UW_DNS_PTR, INSTANCE, 0, NULL, 0);
}

static void
take_srv(struct rig *r, unsigned link)
{
    take(r, link, INSTANCE, UW_DNS_SRV, HOST, 3240, NULL, 0);
}

static void
take_txt(struct rig *r, unsigned link, const char *txt, size_t size)
{
    take(r, link, INSTANCE, UW_DNS_TXT, NULL, 0, txt, size);
}

static void
take_a(struct rig *r, unsigned link, const char *address)
{
    uint8_t bytes[16];
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;

    assert_int_equal(inet_pton(family, address, bytes), 1);
    take(r, link, HOST, family == AF_INET ? UW_DNS_A : UW_DNS_AAAA, NULL, 0, bytes,
         family == AF_INET ? 4 : 16);
}

static int
next(struct rig *r, struct uw_discover_event *event)
{
    assert_int_equal(uw_roster_update(&r->roster, &r->cache, &r->type, links, 2), 0);
    return uw_roster_next(&r->roster, event);
}

static const char txt1[] = "\11transport=usbip" /* longer than said: cut */;
static const char idle[] = "\12state=idle\7count=0\7busid=-";
static const char exporting[] =
    "\17state=exporting\7COUNT=1\11busid=1-1\10vid=303a\4flag\2=x\7count=9";

static void
complete_or_nothing(void **state)
{
    struct uw_discover_event event;
    struct rig r;

    (void)state;
    set_up(&r);
    take_ptr(&r, 2);
    assert_int_equal(next(&r, &event), 0);
    take_srv(&r, 2);
    assert_int_equal(next(&r, &event), 0);
    take_a(&r, 2, "192.0.2.7");
    assert_int_equal(next(&r, &event), 0);
    take_txt(&r, 2, exporting, sizeof(exporting) - 1);
    assert_int_equal(next(&r, &event), 1);
    assert_int_equal(event.change, UW_DISCOVER_ADDED);
    assert_string_equal(event.server->instance, "ESP USB/IP Bridge (esp32s3)");
    assert_string_equal(event.server->host, HOST);
    assert_string_equal(event.server->address, "192.0.2.7:3240");
    assert_string_equal(event.server->links, "eth0");
    assert_int_equal(event.server->port, 3240);
    assert_int_equal(event.server->num_addresses, 1);
    assert_int_equal(event.server->num_txt, 5);
    assert_string_equal(uw_discovered_get(event.server, "count"), "1"); /* the first one counts */
    assert_string_equal(uw_discovered_get(event.server, "BusID"), "1-1");
    assert_string_equal(uw_discovered_get(event.server, "flag"), "");
    assert_null(uw_discovered_get(event.server, "pid"));
    assert_int_equal(next(&r, &event), 0);
    tear_down(&r);
}

static void
changes_and_goes(void **state)
{
    struct uw_discover_event event;
    struct rig r;

    (void)state;
    set_up(&r);
    take_ptr(&r, 2);
    take_srv(&r, 2);
    take_a(&r, 2, "192.0.2.7");
    take_txt(&r, 2, idle, sizeof(idle) - 1);
    assert_int_equal(next(&r, &event), 1);
    take_txt(&r, 2, idle, sizeof(idle) - 1);
    assert_int_equal(next(&r, &event), 0);
    r.now += 2000000;
    take_txt(&r, 2, exporting, sizeof(exporting) - 1);
    assert_int_equal(next(&r, &event), 1);
    assert_int_equal(event.change, UW_DISCOVER_CHANGED);
    assert_string_equal(uw_discovered_get(event.server, "state"), "exporting");
    /* There and back while nobody looked: nothing to tell. */
    r.now += 2000000;
    take_txt(&r, 2, idle, sizeof(idle) - 1);
    assert_int_equal(uw_roster_update(&r.roster, &r.cache, &r.type, links, 2), 0);
    r.now += 2000000;
    take_txt(&r, 2, exporting, sizeof(exporting) - 1);
    assert_int_equal(next(&r, &event), 0);
    /* Its address is no longer confirmed: gone, though its pointer lives on. */
    r.now += 125000000;
    take_ptr(&r, 2);
    uw_cache_expire(&r.cache, uw_usec(r.now));
    assert_int_equal(next(&r, &event), 1);
    assert_int_equal(event.change, UW_DISCOVER_REMOVED);
    assert_string_equal(event.server->address, "192.0.2.7:3240");
    assert_int_equal(next(&r, &event), 0);
    assert_int_equal(r.roster.count, 0);
    tear_down(&r);
}

/* The board has an address on each link and tells both on each; our nearest IPv4 one is best. */
static void
one_on_two_links(void **state)
{
    static const char *const expected[] = {"192.0.2.7",   "198.51.100.7", "203.0.113.7",
                                           "2001:db8::7", "fe80::7%eth0", "fe80::7%wlan0"};
    struct uw_discover_event event;
    struct rig r;

    (void)state;
    set_up(&r);
    for (unsigned link = 3; link >= 2; link--) {
        take_ptr(&r, link);
        take_srv(&r, link);
        take_txt(&r, link, idle, sizeof(idle) - 1);
        take_a(&r, link, "fe80::7");
        take_a(&r, link, "2001:db8::7");
        take_a(&r, link, "203.0.113.7");
        take_a(&r, link, "198.51.100.7");
        take_a(&r, link, "192.0.2.7");
    }
    assert_int_equal(next(&r, &event), 1);
    assert_string_equal(event.server->links, "eth0,wlan0");
    assert_int_equal(event.server->num_addresses, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_string_equal(event.server->addresses[i], expected[i]);
    assert_int_equal(next(&r, &event), 0);
    uw_cache_forget_link(&r.cache, 2);
    assert_int_equal(next(&r, &event), 1);
    assert_int_equal(event.change, UW_DISCOVER_CHANGED);
    assert_string_equal(event.server->address, "198.51.100.7:3240");
    assert_string_equal(event.server->links, "wlan0");
    tear_down(&r);
}

static void
ipv6_only(void **state)
{
    struct uw_discover_event event;
    struct rig r;

    (void)state;
    set_up(&r);
    take_ptr(&r, 2);
    take_srv(&r, 2);
    take_txt(&r, 2, idle, sizeof(idle) - 1);
    take_a(&r, 2, "fe80::7");
    assert_int_equal(next(&r, &event), 1);
    assert_string_equal(event.server->address, "[fe80::7%eth0]:3240");
    tear_down(&r);
}

/* Two boards of the same name, by their hosts. */
static void
two_of_one_name(void **state)
{
    struct uw_discover_event event;
    struct rig r;
    int seen = 0;

    (void)state;
    set_up(&r);
    take_ptr(&r, 2);
    take_srv(&r, 2);
    take_txt(&r, 2, idle, sizeof(idle) - 1);
    take_a(&r, 2, "192.0.2.7");
    take(&r, 3, "_usbip._tcp.local", UW_DNS_PTR, INSTANCE, 0, NULL, 0);
    take(&r, 3, INSTANCE, UW_DNS_SRV, "usbip-d4e5f6.local", 3240, NULL, 0);
    take_txt(&r, 3, idle, sizeof(idle) - 1);
    take(&r, 3, "usbip-d4e5f6.local", UW_DNS_A, NULL, 0, "\xc6\x33\x64\x09", 4);
    while (next(&r, &event))
        seen += event.change == UW_DISCOVER_ADDED;
    assert_int_equal(seen, 2);
    tear_down(&r);
}

static void
hostile_text(void **state)
{
    static const char txt[] = "\14key\x1b[2J=a\n\x07"
                              "b\0\1=\3x=\xff\377";
    struct uw_discover_event event;
    struct rig r;

    (void)state;
    set_up(&r);
    take(&r, 2, "_usbip._tcp.local", UW_DNS_PTR, "\\027[31mred\\007._usbip._tcp.local", 0, NULL, 0);
    take(&r, 2, "\\027[31mred\\007._usbip._tcp.local", UW_DNS_SRV, HOST, 1, NULL, 0);
    take(&r, 2, "\\027[31mred\\007._usbip._tcp.local", UW_DNS_TXT, NULL, 0, txt, sizeof(txt) - 1);
    take_a(&r, 2, "192.0.2.7");
    assert_int_equal(next(&r, &event), 1);
    assert_string_equal(event.server->instance, "red");
    assert_string_equal(uw_discovered_get(event.server, "key"), "a b");
    assert_string_equal(uw_discovered_get(event.server, "x"), "\xef\xbf\xbd");
    assert_int_equal(event.server->num_txt, 2);
    take(&r, 2, "\\027[31mred\\007._usbip._tcp.local", UW_DNS_TXT, NULL, 0, txt1, sizeof(txt1) - 1);
    r.now += 2000000;
    tear_down(&r);
}

static void
boards(void **state)
{
    static const struct uw_discovered_txt txt[] = {{"board_id", "Feather-7"}};
    const struct uw_discovered with = {.host = "usbip-a1b2c3.local", .num_txt = 1, .txt = txt};
    const struct uw_discovered without = {.host = "usbip-a1b2c3.local"};

    (void)state;
    assert_true(uw_discovered_is_board(&with, "feather-7"));
    assert_false(uw_discovered_is_board(&with, "feather"));
    assert_true(uw_discovered_is_board(&with, "usbip-a1b2c3"));
    assert_true(uw_discovered_is_board(&without, "USBIP-A1B2C3.local"));
    assert_false(uw_discovered_is_board(&without, "usbip-a1b2"));
    assert_false(uw_discovered_is_board(&without, ""));
    assert_false(uw_discovered_is_board(&without, "usbip-a1b2c3.locally"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_or_nothing),
        cmocka_unit_test(changes_and_goes),
        cmocka_unit_test(one_on_two_links),
        cmocka_unit_test(ipv6_only),
        cmocka_unit_test(two_of_one_name),
        cmocka_unit_test(hostile_text),
        cmocka_unit_test(boards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
