/*
 * json.h - JSON on standard output; building is jansson's
 */
#ifndef UW_CLI_JSON_H
#define UW_CLI_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <usbwire/usbwire.h>

/* "303a" */
json_t *json_hex16(uint16_t value);
/* Two digits a byte. */
json_t *json_bytes(const uint8_t *bytes, size_t size);
/* A record of a device list, with the keys that `usbwire list --json` documents. */
json_t *json_info(const struct uw_device_info *info);
/* null for success, else {code, name, text, status}. */
json_t *json_fault(const struct uw_fault *fault);

/* Writes a value and a newline, and gives the reference away. 0, or an exit code after a message;
 * NULL counts as out of memory. */
int json_print(json_t *value);

#endif
