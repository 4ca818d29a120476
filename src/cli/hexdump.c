#include "hexdump.h"

#include <inttypes.h>

#define PER_LINE 16

static char
printable(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
}

void
hexdump(FILE *out, uint64_t offset, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += PER_LINE) {
        fprintf(out, "%08" PRIx64 " ", offset + at);
        for (size_t i = at; i < at + PER_LINE; i++) {
            if (i % 8 == at % 8)
                fputc(' ', out);
            if (i < size)
                fprintf(out, "%02x ", bytes[i]);
            else
                fputs("   ", out);
        }
        fputs(" |", out);
        for (size_t i = at; i < at + PER_LINE && i < size; i++)
            fputc(printable(bytes[i]), out);
        fputs("|\n", out);
    }
}

char *
hexdump_line(char *buf, size_t room, const uint8_t *bytes, size_t size, const char *between)
{
    size_t len = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < size && len < room; i++) {
        int n = snprintf(buf + len, room - len, "%s%02x", i ? between : "", bytes[i]);
        len += (size_t)n;
    }
    return buf;
}
