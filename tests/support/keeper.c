/*
 * keeper.c - a server that keeps a client waiting until it is told not to
 */
#include "support/keeper.h"

#define HELD_MAX 64
#define LET_GO   99 /* a vendor request */

void
keeper_act(struct stage *stage, int fd, unsigned number)
{
    struct uw_pdu pdu, held[HELD_MAX];
    uint8_t next[16] = {0};
    unsigned kept = 0, free_ones = 0;

    (void)number;
    if (!stage_import(fd, NULL))
        return;
    while (stage_command(fd, &pdu, NULL, 0)) {
        uint8_t data[512] = {0};
        size_t n = (size_t)pdu.length;
        unsigned ep = pdu.ep & 15u;

        if (pdu.command == UW_CMD_UNLINK) {
            for (unsigned i = 0; i < kept; i++)
                if (held[i].seqnum == pdu.target)
                    held[i] = held[--kept];
            stage_unlinked(fd, &pdu, -104);
            continue;
        }
        if (ep == 15 && pdu.direction == UW_DIR_IN) {
            if (free_ones) {
                free_ones--;
                stage_reply(fd, &pdu, 0, data, 64);
            } else if (kept < HELD_MAX) {
                held[kept++] = pdu;
            }
            stage_reach(stage, kept);
            continue;
        }
        if (pdu.direction == UW_DIR_IN && n > sizeof(data))
            n = sizeof(data);
        for (size_t i = 0; pdu.direction == UW_DIR_IN && i < n; i++)
            data[i] = next[ep]++;
        if (ep == 0 && pdu.setup[1] == LET_GO && kept)
            stage_reply(fd, &held[--kept], 0, data, 64);
        else if (ep == 0 && pdu.setup[1] == LET_GO)
            free_ones++;
        stage_reply(fd, &pdu, 0, data, n);
    }
}

void *
keeper_read(void *client)
{
    uint8_t data[64];

    return (void *)(intptr_t)client_transfer((struct client *)client, 0x8f, data, 64, NULL);
}

int
keeper_let_go(struct client *c)
{
    struct uw_urb urb = {0};
    uint8_t data[1];
    int r;

    uw_urb_init(&urb);
    uw_urb_set_control(&urb, NULL, 0xc0, LET_GO, 0, 0, data, 1);
    uw_loop_lock(c->loop);
    r = uw_import_submit_locked(c->import, &urb, NULL);
    if (r == 0) {
        uw_urb_wait_locked(c->loop, &urb);
        r = urb.x.status;
    }
    uw_loop_unlock(c->loop);
    return r;
}
