/*
 * number.h - numbers as people write them, into integers
 *
 * All return 1 and set *ret_value when the whole text is such a number within the bounds, else 0.
 */
#ifndef UW_CLI_NUMBER_H
#define UW_CLI_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Decimal, or hexadecimal after 0x. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* One to four hexadecimal digits, 0x in front or not. */
int number_parse_hex16(const char *text, uint64_t *ret_value);

/* Seconds with up to six decimals, or a number with the unit s, ms or us; at most 10 days. */
int number_parse_time(const char *text, uint64_t *ret_us);

/* The index of `text` among words separated by '|'. */
int number_parse_word(const char *text, const char *words, uint64_t *ret_index);

/*
 * Pairs of hex digits, with blanks, tabs, line ends and colons between the pairs and 0x in front of
 * each run. Writes at most `room` bytes. Returns how many bytes the text holds, or -1 and the
 * offset of what is wrong in *ret_bad.
 */
long number_parse_bytes(const char *text, uint8_t *bytes, size_t room, size_t *ret_bad);

#endif
