/*
 * error.c - the error table read as data
 */
#include <errno.h>
#include <stddef.h>

#include <usbwire/error.h>

#define LIBUSB_OTHER (-99)

static const struct {
    int code;
    const char *name, *text;
    int errnum, libusb, usable;
} errors[] = {
#define UW_ERROR_X(name, value, text, errnum, libusb, usable)                                      \
    {(value), "UW_ERROR_" #name, (text), (errnum), (libusb), (usable)},
#include <usbwire/error.def>
#undef UW_ERROR_X
};

#define ERROR_COUNT (sizeof(errors) / sizeof(errors[0]))

/* Index of a code, or ERROR_COUNT. */
static size_t
find(int code)
{
    size_t i = 0;

    while (i < ERROR_COUNT && errors[i].code != code)
        i++;
    return i;
}

const char *
uw_error_name(int code)
{
    size_t i = find(code);

    if (code >= 0)
        return "UW_OK";
    return i < ERROR_COUNT ? errors[i].name : "UW_ERROR_?";
}

const char *
uw_error_text(int code)
{
    size_t i = find(code);

    if (code >= 0)
        return "success";
    return i < ERROR_COUNT ? errors[i].text : "unknown error";
}

int
uw_error_errno(int code)
{
    size_t i = find(code);

    if (code >= 0)
        return 0;
    return i < ERROR_COUNT ? errors[i].errnum : EIO;
}

int
uw_error_libusb(int code)
{
    size_t i = find(code);

    if (code >= 0)
        return 0;
    return i < ERROR_COUNT ? errors[i].libusb : LIBUSB_OTHER;
}

int
uw_error_usable(int code)
{
    size_t i = find(code);

    return i < ERROR_COUNT ? errors[i].usable : code >= 0;
}
