#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "names.h"

/* A file of the same form as usb.ids. */
static const char sample[] = "# comment\n"
                             "\n"
                             "0403  Future Example\n"
                             "\t6001  Serial\n"
                             "\t6010  Two of them\n"
                             "\t\t00  an interface\n"
                             "303a  Example Systems\n"
                             "\t4004  Board\n"
                             "C 02  Calls\n"
                             "\t02  Modem\n"
                             "\t\t01  Hayes\n"
                             "C 03  Hands\n"
                             "\t01  Boot\n"
                             "AT 0101  Streaming\n"
                             "HUT 01  Desktop\n"
                             "\t006  Keys\n"
                             "HCC 33  Elsewhere\n";

static char path[] = "/tmp/test_names.XXXXXX";

static int
write_sample(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    if (fd < 0 || write(fd, sample, sizeof(sample) - 1) != (ssize_t)sizeof(sample) - 1)
        return -1;
    close(fd);
    names_use(path);
    return 0;
}

static int
remove_sample(void **state)
{
    (void)state;
    names_use(NULL);
    return unlink(path);
}

static void
vendors_and_products(void **state)
{
    char buf[NAMES_MAX];

    (void)state;
    assert_string_equal(names_vendor(0x0403, buf, sizeof(buf)), "Future Example");
    assert_string_equal(names_product(0x303a, 0x4004, buf, sizeof(buf)), "Board");
    assert_string_equal(names_device(0x0403, 0x6010, buf, sizeof(buf)),
                        "Future Example Two of them");
    assert_string_equal(names_device(0x0403, 0x9999, buf, sizeof(buf)), "Future Example");
    assert_string_equal(names_device(0x1234, 0x6001, buf, sizeof(buf)), "");
}

static void
a_product_belongs_to_its_vendor_only(void **state)
{
    char buf[NAMES_MAX];

    (void)state;
    assert_string_equal(names_product(0x0403, 0x4004, buf, sizeof(buf)), "");
    assert_string_equal(names_product(0x303a, 0x6001, buf, sizeof(buf)), "");
    assert_string_equal(names_protocol(3, 2, 1, buf, sizeof(buf)), "");
}

static void
classes_and_other_lists(void **state)
{
    char buf[NAMES_MAX];

    (void)state;
    assert_string_equal(names_class(2, buf, sizeof(buf)), "Calls");
    assert_string_equal(names_subclass(2, 2, buf, sizeof(buf)), "Modem");
    assert_string_equal(names_protocol(2, 2, 1, buf, sizeof(buf)), "Hayes");
    assert_string_equal(names_terminal(0x101, buf, sizeof(buf)), "Streaming");
    assert_string_equal(names_usage_page(1, buf, sizeof(buf)), "Desktop");
    assert_string_equal(names_usage(1, 6, buf, sizeof(buf)), "Keys");
    assert_string_equal(names_country(0x33, buf, sizeof(buf)), "Elsewhere");
}

static void
a_class_that_the_file_lacks_is_known_all_the_same(void **state)
{
    char buf[NAMES_MAX];

    (void)state;
    assert_string_equal(names_class(8, buf, sizeof(buf)), "Mass Storage");
    assert_string_equal(names_class(0x77, buf, sizeof(buf)), "");
}

static void
long_names_are_cut(void **state)
{
    char buf[8];

    (void)state;
    assert_string_equal(names_vendor(0x0403, buf, sizeof(buf)), "Future ");
    assert_string_equal(names_device(0x0403, 0x6001, buf, sizeof(buf)), "Future ");
}

static void
without_a_file_nothing_has_a_name(void **state)
{
    char buf[NAMES_MAX];

    (void)state;
    names_use(NULL);
    assert_string_equal(names_device(0x0403, 0x6001, buf, sizeof(buf)), "");
    assert_string_equal(names_class(3, buf, sizeof(buf)), "Human Interface Device");
    names_use(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vendors_and_products),
        cmocka_unit_test(a_product_belongs_to_its_vendor_only),
        cmocka_unit_test(classes_and_other_lists),
        cmocka_unit_test(a_class_that_the_file_lacks_is_known_all_the_same),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(without_a_file_nothing_has_a_name),
    };

    return cmocka_run_group_tests(tests, write_sample, remove_sample);
}
