/*
 * What comes from the server, cut at every byte; what goes there, taken in steps of every size; the
 * connection lost at every byte. The results must not depend on any of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults/scenarios.h"

static struct peer peer;

struct cut {
    size_t split, rx_step, tx_step;
    int direct;
};

static size_t
tell(const struct scenario *sc, const struct cut *cut, char *text, size_t size)
{
    struct story *s = calloc(1, sizeof(*s));
    size_t fed;

    peer_start(&peer, sc->profile);
    peer.rx_split = cut->split;
    peer.rx_step = cut->rx_step;
    peer.tx_step = cut->tx_step;
    peer.rx_direct = cut->direct;
    s->peer = &peer;
    sc->run(s);
    fed = peer.rx_done;
    story_end(s);
    snprintf(text, size, "%s", s->text);
    free(s);
    return fed;
}

static void
compare(const struct scenario *sc, const struct cut *cut, const char *expected)
{
    char text[4096] = "";

    tell(sc, cut, text, sizeof(text));
    if (strcmp(text, expected) != 0)
        fail_msg("%s, split at %zu, steps of %zu, direct %d:\n%s\ninstead of\n%s", sc->name,
                 cut->split, cut->rx_step, cut->direct, text, expected);
}

static void
test_split_at_every_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scenario_count; i++) {
        char expected[4096] = "";
        struct cut cut = {SIZE_MAX, 0, 0, 0};
        size_t whole = tell(&scenarios[i], &cut, expected, sizeof(expected));

        assert_true(whole > 0);
        for (int direct = 0; direct < 2; direct++)
            for (size_t at = 1; at < whole; at++) {
                cut = (struct cut){at, 0, 0, direct};
                compare(&scenarios[i], &cut, expected);
            }
    }
}

static void
test_pieces_of_every_size(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scenario_count; i++) {
        char expected[4096] = "";
        struct cut cut = {SIZE_MAX, 0, 0, 0};

        tell(&scenarios[i], &cut, expected, sizeof(expected));
        for (size_t step = 1; step < 130; step++) {
            cut = (struct cut){SIZE_MAX, step, 0, (int)(step & 1)};
            compare(&scenarios[i], &cut, expected);
        }
    }
}

/* The connection ends after every byte: each transfer is handed back once, with a status. */
static void
test_cut_at_every_byte(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scenario_count; i++) {
        char text[4096] = "";
        struct cut cut = {SIZE_MAX, 0, 0, 0};
        size_t whole = tell(&scenarios[i], &cut, text, sizeof(text));

        for (size_t at = 0; at < whole; at++) {
            struct story *s = calloc(1, sizeof(*s));

            peer_start(&peer, scenarios[i].profile);
            peer.rx_limit = at;
            s->peer = &peer;
            scenarios[i].run(s);
            peer_stop_checked(&peer, s->jobs, s->count);
            story_end(s);
            free(s);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_at_every_byte),
        cmocka_unit_test(test_pieces_of_every_size),
        cmocka_unit_test(test_cut_at_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
