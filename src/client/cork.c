/*
 * cork.c - what one thread submits in a row goes out together
 *
 * Nearly all that a small transfer costs is the write that sends it and the wake-up of the server
 * that follows, so whoever answers a batch of completions with a batch of submissions sends that
 * in one write. Nothing that anybody waits for is held back: as soon as a thread waits in the loop
 * all goes out (wait.c), and while one does nothing is kept in the first place. What is left is
 * the corking thread itself, which may dawdle between its submissions and the end. It has a
 * moment; when it takes longer, the corks that follow keep nothing back, the more of them the more
 * often that happens in a row.
 */
#include "client/import.h"
#include "client/loop.h"

#define PATIENCE_US 100u
#define PAUSE_MAX   64u /* corks without effect after one that was late */

void
uw_cork_init(struct uw_cork *cork)
{
    cork->patience = uw_usec(PATIENCE_US);
    cork->pause = 1;
}

static int
is_mine(const struct uw_cork *cork)
{
    return cork->depth && pthread_equal(cork->owner, pthread_self());
}

static int
is_late(const struct uw_cork *cork, struct uw_usec now)
{
    return uw_usec_sub(now, cork->since).us > cork->patience.us;
}

static void
give_up(struct uw_cork *cork)
{
    cork->pause = cork->pause < PAUSE_MAX ? cork->pause * 2 : PAUSE_MAX;
    cork->skip = cork->pause;
    cork->leaks = 1;
}

int
uw_loop_holds_back(struct uw_loop *loop, struct uw_usec now)
{
    struct uw_cork *cork = &loop->cork;

    if (loop->handling)
        return 1;
    if (!is_mine(cork) || cork->leaks || !uw_list_empty(&loop->waiters))
        return 0;
    if (uw_list_empty(&loop->unsent)) {
        cork->since = now;
    } else if (is_late(cork, now)) {
        give_up(cork);
        uw_imports_send(loop, now);
        return 0;
    }
    return 1;
}

void
uw_loop_cork(struct uw_loop *loop)
{
    struct uw_cork *cork = &loop->cork;

    uw_loop_lock(loop);
    if (!cork->depth) {
        cork->owner = pthread_self();
        cork->depth = 1;
        /* Who polls the loop's descriptor waits, too, and is not seen. */
        cork->leaks = cork->skip || loop->embedded;
        cork->skip -= cork->skip > 0;
    } else if (is_mine(cork)) {
        cork->depth++;
    }
    uw_loop_unlock(loop);
}

void
uw_loop_uncork(struct uw_loop *loop)
{
    struct uw_cork *cork = &loop->cork;

    uw_loop_lock(loop);
    if (is_mine(cork) && --cork->depth == 0 && !uw_list_empty(&loop->unsent)) {
        struct uw_usec now = uw_now();

        if (is_late(cork, now))
            give_up(cork);
        else
            cork->pause = 1;
        uw_imports_send(loop, now);
    }
    uw_loop_unlock(loop);
}
