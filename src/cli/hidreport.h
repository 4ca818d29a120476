/*
 * hidreport.h - HID report descriptors, item by item (HID 1.11, 6.2.2)
 */
#ifndef UW_CLI_HIDREPORT_H
#define UW_CLI_HIDREPORT_H

#include "sink.h"

/* Shows a report descriptor as an object "report" inside what is open. */
void hidreport_show(struct sink *sink, const uint8_t *bytes, size_t size);

#endif
