/*
 * How long records are good for: RFC 6762 sections 10.1 (goodbye), 10.2 (flush), 5.2 (refreshing).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "discover/cache.h"

#define LINK 3u

static struct uw_usec
at(double seconds)
{
    return uw_usec((uint64_t)(seconds * 1e6));
}

static struct uw_dns_record
record(const char *name, uint16_t type, uint32_t ttl, int flush, const char *data)
{
    struct uw_dns_record r = {.type = type, .ttl = ttl, .flush = flush};

    assert_int_equal(uw_dns_name_parse(name, &r.name), 0);
    if (type == UW_DNS_PTR || type == UW_DNS_SRV) {
        assert_int_equal(uw_dns_name_parse(data, &r.target), 0);
    } else {
        r.data = (const uint8_t *)data;
        r.data_size = strlen(data);
    }
    return r;
}

static void
take(struct uw_cache *c, struct uw_dns_record r, double now)
{
    assert_int_equal(uw_cache_take(c, LINK, &r, at(now)), 0);
}

static unsigned
count_at(struct uw_cache *c, double now)
{
    uw_cache_expire(c, at(now));
    return c->count;
}

static void
expires(void **state)
{
    struct uw_cache c;

    (void)state;
    uw_cache_init(&c);
    take(&c, record("a.local", UW_DNS_A, 120, 0, "1234"), 10);
    assert_int_equal(c.changed, 1);
    c.changed = 0;
    assert_int_equal(count_at(&c, 129), 1);
    take(&c, record("A.LOCAL", UW_DNS_A, 120, 0, "1234"), 129); /* the same, confirmed */
    assert_int_equal(c.changed, 0);
    assert_int_equal(count_at(&c, 248), 1);
    assert_int_equal(count_at(&c, 249), 0);
    assert_int_equal(c.changed, 1);
    uw_cache_clear(&c);
}

static void
goodbye_takes_a_second(void **state)
{
    struct uw_dns_name x = record("x.local", UW_DNS_PTR, 0, 0, "y.local").name;
    struct uw_cache c;

    (void)state;
    uw_cache_init(&c);
    take(&c, record("x.local", UW_DNS_PTR, 4500, 0, "y.local"), 0);
    take(&c, record("x.local", UW_DNS_PTR, 0, 0, "y.local"), 50);
    take(&c, record("x.local", UW_DNS_PTR, 0, 0, "unknown.local"), 50);
    assert_int_equal(count_at(&c, 50.9), 1);
    take(&c, record("x.local", UW_DNS_PTR, 4500, 0, "y.local"), 50.95); /* it is back */
    assert_int_equal(count_at(&c, 52), 1);
    take(&c, record("x.local", UW_DNS_PTR, 0, 0, "y.local"), 60);
    assert_true(uw_is_never(uw_cached_refresh_at(uw_cache_find(&c, LINK, &x, UW_DNS_PTR))));
    assert_int_equal(count_at(&c, 61), 0);
    uw_cache_clear(&c);
}

static void
flushing_leaves_what_came_with_it(void **state)
{
    struct uw_cache c;

    (void)state;
    uw_cache_init(&c);
    take(&c, record("a.local", UW_DNS_A, 120, 1, "old1"), 0);
    take(&c, record("a.local", UW_DNS_AAAA, 120, 1, "0123456789abcdef"), 0);
    take(&c, record("b.local", UW_DNS_A, 120, 1, "othr"), 0);
    /* Two addresses in one packet: both stay, the old one has a second. */
    take(&c, record("a.local", UW_DNS_A, 120, 1, "new1"), 20);
    take(&c, record("a.local", UW_DNS_A, 120, 1, "new2"), 20);
    assert_int_equal(count_at(&c, 20.9), 5);
    assert_int_equal(count_at(&c, 21.1), 4);
    /* Known ones in another order: none goes. */
    take(&c, record("a.local", UW_DNS_A, 120, 1, "new2"), 60);
    take(&c, record("a.local", UW_DNS_A, 120, 1, "new1"), 60);
    assert_int_equal(count_at(&c, 62), 4);
    /* On another link nothing is flushed. */
    struct uw_dns_record r = record("a.local", UW_DNS_A, 120, 1, "new9");
    assert_int_equal(uw_cache_take(&c, LINK + 1, &r, at(70)), 0);
    assert_int_equal(count_at(&c, 72), 5);
    uw_cache_forget_link(&c, LINK);
    assert_int_equal(c.count, 1);
    uw_cache_clear(&c);
}

/* An answer to our own port is said to be good for 10 s at most; it does not shorten anything. */
static void
short_answers_do_not_shorten(void **state)
{
    struct uw_cache c;

    (void)state;
    uw_cache_init(&c);
    take(&c, record("a.local", UW_DNS_A, 120, 1, "1234"), 0);
    take(&c, record("a.local", UW_DNS_A, 10, 0, "1234"), 1);
    assert_int_equal(count_at(&c, 119), 1);
    uw_cache_clear(&c);
}

static void
asks_again_in_time(void **state)
{
    static const double when[] = {80, 85, 90, 95};
    struct uw_cache c;
    struct uw_dns_name name = record("a.local", UW_DNS_A, 0, 0, "").name;
    struct uw_cached *found;

    (void)state;
    uw_cache_init(&c);
    take(&c, record("a.local", UW_DNS_A, 100, 1, "1234"), 0);
    found = uw_cache_find(&c, LINK, &name, UW_DNS_A);
    assert_non_null(found);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(uw_cached_refresh_at(found).us, at(when[i]).us);
        found->refreshes++;
    }
    assert_true(uw_is_never(uw_cached_refresh_at(found)));
    assert_int_equal(uw_cached_left(found, at(40)), 60);
    take(&c, record("a.local", UW_DNS_A, 100, 1, "1234"), 96);
    assert_int_equal(uw_cached_refresh_at(found).us, at(96 + 80).us);
    uw_cache_clear(&c);
}

static void
finds_the_latest(void **state)
{
    struct uw_cache c;
    struct uw_dns_name name = record("i.local", UW_DNS_SRV, 0, 0, "h.local").name;

    (void)state;
    uw_cache_init(&c);
    assert_null(uw_cache_find(&c, LINK, &name, UW_DNS_SRV));
    take(&c, record("i.local", UW_DNS_SRV, 120, 0, "one.local"), 0);
    take(&c, record("i.local", UW_DNS_SRV, 120, 0, "two.local"), 5);
    take(&c, record("i.local", UW_DNS_TXT, 120, 0, "three"), 9);
    assert_int_equal(uw_cache_find(&c, LINK, &name, UW_DNS_SRV)->record.target.bytes[1], 't');
    assert_null(uw_cache_find(&c, LINK + 1, &name, UW_DNS_SRV));
    uw_cache_clear(&c);
    assert_int_equal(c.count, 0);
}

static void
is_bounded(void **state)
{
    struct uw_cache c;
    char name[32];

    (void)state;
    uw_cache_init(&c);
    for (unsigned i = 0; i < UW_CACHE_MAX + 100; i++) {
        snprintf(name, sizeof(name), "h%u.local", i);
        take(&c, record(name, UW_DNS_A, 4000000000u, 0, "1234"), 0);
    }
    assert_int_equal(c.count, UW_CACHE_MAX);
    /* No record stays for years. */
    assert_int_equal(count_at(&c, UW_CACHE_TTL_MAX + 1), 0);
    uw_cache_clear(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expires),
        cmocka_unit_test(goodbye_takes_a_second),
        cmocka_unit_test(flushing_leaves_what_came_with_it),
        cmocka_unit_test(short_answers_do_not_shorten),
        cmocka_unit_test(asks_again_in_time),
        cmocka_unit_test(finds_the_latest),
        cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
