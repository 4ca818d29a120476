/*
 * version.c - the library's version, from the build files
 */
#include <usbwire/usbwire.h>

const char *
uw_version(void)
{
    return UW_PROJECT_VERSION;
}
