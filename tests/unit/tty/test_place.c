/*
 * test_place.c - where the socket of a pseudo-terminal lies
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "tty/place.h"

static void
numbers_are_those_of_slaves(void **state)
{
    struct stat st = {.st_mode = S_IFCHR, .st_rdev = makedev(136, 7)};

    (void)state;
    assert_int_equal(tty_number(&st), 7);
    st.st_rdev = makedev(136, 1048575);
    assert_int_equal(tty_number(&st), 1048575);
    st.st_rdev = makedev(5, 2); /* a master */
    assert_int_equal(tty_number(&st), -1);
    st.st_rdev = makedev(1, 3); /* /dev/null */
    assert_int_equal(tty_number(&st), -1);
    st.st_rdev = makedev(136, 7);
    st.st_mode = S_IFBLK;
    assert_int_equal(tty_number(&st), -1);
}

static void
addresses(void **state)
{
    static const struct {
        int number;
        const char *path;
    } rows[] = {{0, "/run/x/0"}, {7, "/run/x/7"}, {10, "/run/x/10"}, {1048575, "/run/x/1048575"}};
    struct sockaddr_un address;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&address, 0xff, sizeof(address));
        assert_int_equal(tty_address("/run/x", rows[i].number, &address), 1);
        assert_string_equal(address.sun_path, rows[i].path);
    }
}

static void
addresses_that_are_too_long(void **state)
{
    struct sockaddr_un address;
    char folder[sizeof(address.sun_path) + 1];

    (void)state;
    memset(folder, 'x', sizeof(folder) - 1);
    for (size_t n = sizeof(folder) - 1; n > 0; n--) {
        folder[n] = '\0';
        /* A slash, two digits and the end. */
        assert_int_equal(tty_address(folder, 42, &address), n + 4 <= sizeof(address.sun_path));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_slaves),
        cmocka_unit_test(addresses),
        cmocka_unit_test(addresses_that_are_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
