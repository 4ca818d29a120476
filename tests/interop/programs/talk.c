/*
 * talk - writes messages and reads the answers, in one import
 *
 *   talk ADDRESS BUSID OUT IN HEX...
 *
 * Prints an answer a line, in hex; an answer ends with a short packet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define ANSWER_MAX 65536u

static size_t
parse(const char *hex, uint8_t *bytes, size_t room)
{
    size_t n = 0;

    for (; hex[0] && hex[1] && n < room; hex += 2) {
        char digits[3] = {hex[0], hex[1], '\0'};
        bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return n;
}

int
main(int argc, char **argv)
{
    static uint8_t message[4096], answer[ANSWER_MAX];
    struct peer peer;
    struct uw_fault fault;
    char text[UW_FAULT_TEXT_MAX];
    uint8_t out, in;
    size_t n;

    if (argc < 6)
        fail("usage: %s ADDRESS BUSID OUT IN HEX...", argv[0]);
    peer_open(&peer, 3, argv, 0, "");
    out = (uint8_t)strtoul(argv[3], NULL, 0);
    in = (uint8_t)strtoul(argv[4], NULL, 0);
    for (int i = 5; i < argc; i++) {
        n = parse(argv[i], message, sizeof(message));
        if (uw_transfer(peer.device, out, message, n, uw_msec(PATIENCE_MS), NULL, &fault) < 0 ||
            uw_transfer(peer.device, in, answer, sizeof(answer), uw_msec(PATIENCE_MS), &n, &fault) <
                0)
            fail("message %d: %s", i - 4, uw_fault_text(&fault, text, sizeof(text)));
        for (size_t k = 0; k < n; k++)
            printf("%02x", answer[k]);
        putchar('\n');
    }
    peer_close(&peer);
    return 0;
}
