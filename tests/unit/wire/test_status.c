/*
 * Status numbers of every kind of server (Must 13). Sources: Linux' asm-generic/errno.h, newlib's
 * errno.h, libusb.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <usbwire/error.h>

#include "wire/status.h"

static const struct {
    enum uw_dialect dialect;
    unsigned ep;
    int32_t raw;
    int error;
} cases[] = {
    {UW_DIALECT_LINUX, 1, 0, UW_OK},
    {UW_DIALECT_LINUX, 1, -32, UW_ERROR_STALL},
    {UW_DIALECT_LINUX, 1, -19, UW_ERROR_NO_DEVICE},
    {UW_DIALECT_LINUX, 1, -108, UW_ERROR_NO_DEVICE},
    {UW_DIALECT_LINUX, 1, -75, UW_ERROR_OVERFLOW},
    {UW_DIALECT_LINUX, 1, -104, UW_ERROR_CANCELLED},
    {UW_DIALECT_LINUX, 1, -2, UW_ERROR_CANCELLED},
    {UW_DIALECT_LINUX, 1, -121, UW_ERROR_SHORT},
    {UW_DIALECT_LINUX, 1, -110, UW_ERROR_TIMEOUT},
    {UW_DIALECT_LINUX, 1, -62, UW_ERROR_IO}, /* as EPROTO and EILSEQ */
    {UW_DIALECT_LINUX, 1, -90, UW_ERROR_LIMIT},
    {UW_DIALECT_LINUX, 1, -71, UW_ERROR_IO},
    {UW_DIALECT_LINUX, 1, -4000, UW_ERROR_IO},
    {UW_DIALECT_LINUX, 1, INT32_MIN, UW_ERROR_IO},
    {UW_DIALECT_LINUX, 1, INT32_MAX, UW_ERROR_IO},
    {UW_DIALECT_NEWLIB, 1, -116, UW_ERROR_TIMEOUT},
    {UW_DIALECT_NEWLIB, 1, -122, UW_ERROR_LIMIT},
    {UW_DIALECT_NEWLIB, 1, -110, UW_ERROR_NO_DEVICE}, /* ESHUTDOWN there, ETIMEDOUT in Linux */
    {UW_DIALECT_NEWLIB, 1, -32, UW_ERROR_STALL},
    {UW_DIALECT_LIBUSB, 1, -4, UW_ERROR_STALL},
    {UW_DIALECT_LIBUSB, 1, -2, UW_ERROR_TIMEOUT},
    {UW_DIALECT_LIBUSB, 1, -3, UW_ERROR_CANCELLED},
    {UW_DIALECT_LIBUSB, 1, -5, UW_ERROR_NO_DEVICE},
    {UW_DIALECT_LIBUSB, 1, -6, UW_ERROR_OVERFLOW},
    {UW_DIALECT_LIBUSB, 0, -32, UW_ERROR_STALL}, /* Linux' numbers on endpoint 0 */
    {UW_DIALECT_POSITIVE, 1, 32, UW_ERROR_STALL},
    {UW_DIALECT_POSITIVE, 1, (int32_t)0xc2ffffff, UW_ERROR_TIMEOUT}, /* -62 byte-swapped */
    {UW_DIALECT_LINUX, 1, (int32_t)0xe0ffffff, UW_ERROR_STALL},      /* -32 byte-swapped */
    {UW_DIALECT_STALLS, 1, -32, UW_ERROR_STALL},
    {UW_DIALECT_STALLS, 1, -108, UW_ERROR_NO_DEVICE},
};

static void
test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int error = uw_status_error(cases[i].dialect, cases[i].ep, cases[i].raw);

        if (error != cases[i].error)
            fail_msg("dialect %d, %d: %s, expected %s", (int)cases[i].dialect, (int)cases[i].raw,
                     uw_error_name(error), uw_error_name(cases[i].error));
    }
}

/* What a person sees holds the raw number, always. */
static void
test_text(void **state)
{
    char text[100];

    (void)state;
    assert_string_equal(uw_status_text(UW_DIALECT_LINUX, 1, 0, text, sizeof(text)), "0 (success)");
    assert_string_equal(uw_status_text(UW_DIALECT_LINUX, 1, -32, text, sizeof(text)),
                        "-32 (EPIPE, endpoint halted)");
    assert_string_equal(uw_status_text(UW_DIALECT_LINUX, 1, -4001, text, sizeof(text)),
                        "-4001 (meaning unknown)");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
