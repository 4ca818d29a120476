/*
 * names.h - names of vendors, products and classes
 *
 * Vendors and products are looked up at run time in usb.ids, the file that Debian's usb.ids package
 * installs; without it they have no names. Classes are in classes.def and in usb.ids too.
 */
#ifndef UW_CLI_NAMES_H
#define UW_CLI_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_MAX 160

/* "Vendor Product", "Vendor" or "" into buf. Returns buf. */
char *names_device(uint16_t vid, uint16_t pid, char *buf, size_t size);

/* Each into buf, "" when not known. Returns buf. */
char *names_vendor(uint16_t vid, char *buf, size_t size);
char *names_product(uint16_t vid, uint16_t pid, char *buf, size_t size);
char *names_class(uint8_t class, char *buf, size_t size);
char *names_subclass(uint8_t class, uint8_t subclass, char *buf, size_t size);
char *names_protocol(uint8_t class, uint8_t subclass, uint8_t protocol, char *buf, size_t size);

/* Audio terminal types, HID country codes, HID usage pages and usages. */
char *names_terminal(uint16_t type, char *buf, size_t size);
char *names_country(uint8_t code, char *buf, size_t size);
char *names_usage_page(uint16_t page, char *buf, size_t size);
char *names_usage(uint16_t page, uint16_t usage, char *buf, size_t size);

/* Reads this file instead of those of the system; NULL: none. For tests. */
void names_use(const char *path);

#endif
