/*
 * names.c - error names and texts, version, capabilities
 */
#include <ctype.h>
#include <string.h>

#include "libusb/dropin.h"

#define OTHER_TEXT "Other error"

struct error_words {
    int code;
    const char *name, *text;
};

static const struct error_words errors[] = {
    {LIBUSB_SUCCESS, "LIBUSB_SUCCESS / LIBUSB_TRANSFER_COMPLETED", "Success"},
    {LIBUSB_ERROR_IO, "LIBUSB_ERROR_IO", "Input/Output Error"},
    {LIBUSB_ERROR_INVALID_PARAM, "LIBUSB_ERROR_INVALID_PARAM", "Invalid parameter"},
    {LIBUSB_ERROR_ACCESS, "LIBUSB_ERROR_ACCESS", "Access denied (insufficient permissions)"},
    {LIBUSB_ERROR_NO_DEVICE, "LIBUSB_ERROR_NO_DEVICE",
     "No such device (it may have been disconnected)"},
    {LIBUSB_ERROR_NOT_FOUND, "LIBUSB_ERROR_NOT_FOUND", "Entity not found"},
    {LIBUSB_ERROR_BUSY, "LIBUSB_ERROR_BUSY", "Resource busy"},
    {LIBUSB_ERROR_TIMEOUT, "LIBUSB_ERROR_TIMEOUT", "Operation timed out"},
    {LIBUSB_ERROR_OVERFLOW, "LIBUSB_ERROR_OVERFLOW", "Overflow"},
    {LIBUSB_ERROR_PIPE, "LIBUSB_ERROR_PIPE", "Pipe error"},
    {LIBUSB_ERROR_INTERRUPTED, "LIBUSB_ERROR_INTERRUPTED",
     "System call interrupted (perhaps due to signal)"},
    {LIBUSB_ERROR_NO_MEM, "LIBUSB_ERROR_NO_MEM", "Insufficient memory"},
    {LIBUSB_ERROR_NOT_SUPPORTED, "LIBUSB_ERROR_NOT_SUPPORTED",
     "Operation not supported or unimplemented on this platform"},
    {LIBUSB_ERROR_OTHER, "LIBUSB_ERROR_OTHER", OTHER_TEXT},
    /* The status of a transfer has a name, too, though not a text. */
    {LIBUSB_TRANSFER_ERROR, "LIBUSB_TRANSFER_ERROR", OTHER_TEXT},
    {LIBUSB_TRANSFER_TIMED_OUT, "LIBUSB_TRANSFER_TIMED_OUT", OTHER_TEXT},
    {LIBUSB_TRANSFER_CANCELLED, "LIBUSB_TRANSFER_CANCELLED", OTHER_TEXT},
    {LIBUSB_TRANSFER_STALL, "LIBUSB_TRANSFER_STALL", OTHER_TEXT},
    {LIBUSB_TRANSFER_NO_DEVICE, "LIBUSB_TRANSFER_NO_DEVICE", OTHER_TEXT},
    {LIBUSB_TRANSFER_OVERFLOW, "LIBUSB_TRANSFER_OVERFLOW", OTHER_TEXT},
};

static const struct error_words *
find_words(int code)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (errors[i].code == code)
            return &errors[i];
    return NULL;
}

const char *LIBUSB_CALL
libusb_error_name(int error_code)
{
    const struct error_words *w = find_words(error_code);

    return w ? w->name : "**UNKNOWN**";
}

const char *LIBUSB_CALL
libusb_strerror(int error_code)
{
    const struct error_words *w = find_words(error_code);

    return w ? w->text : OTHER_TEXT;
}

/* Texts are English in every language that libusb knows, and a language it does not know is told
 * apart from a word that is none. */
int LIBUSB_CALL
libusb_setlocale(const char *locale)
{
    static const char *const known[] = {"en", "de", "nl", "fr", "hu", "it", "pl", "ru"};

    if (!locale || strlen(locale) < 2 || (strlen(locale) > 2 && !strchr("-_.", locale[2])))
        return LIBUSB_ERROR_INVALID_PARAM;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (tolower((unsigned char)locale[0]) == known[i][0] &&
            tolower((unsigned char)locale[1]) == known[i][1])
            return LIBUSB_SUCCESS;
    return LIBUSB_ERROR_NOT_FOUND;
}

const struct libusb_version *LIBUSB_CALL
libusb_get_version(void)
{
    static const struct libusb_version version = {1, 0, 30, 0, "", "https://libusb.info"};

    return &version;
}

int LIBUSB_CALL
libusb_has_capability(uint32_t capability)
{
    switch (capability) {
    case LIBUSB_CAP_HAS_CAPABILITY:
    case LIBUSB_CAP_HAS_HOTPLUG:
    case LIBUSB_CAP_HAS_HID_ACCESS:
    case LIBUSB_CAP_SUPPORTS_DETACH_KERNEL_DRIVER: return 1;
    default: return 0;
    }
}
