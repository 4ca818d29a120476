/*
 * scenarios.h - short stories of an engine and its server, for tests that let every one of them go
 * wrong in every place
 *
 * A scenario writes what became of its transfers into a transcript; run twice with the same bytes
 * cut differently it has to write the same.
 */
#ifndef UW_TESTS_SCENARIOS_H
#define UW_TESTS_SCENARIOS_H

#include "support/peer.h"

#define JOBS_MAX 8

struct story {
    struct peer *peer;
    struct job jobs[JOBS_MAX];
    unsigned count;
    char text[4096];
};

struct scenario {
    const char *name, *profile;
    void (*run)(struct story *s);
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/* Ends the connection and adds what became of every transfer to the transcript. */
void story_end(struct story *s);

#endif
