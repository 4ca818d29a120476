/*
 * child.h - another program, run to its end
 */
#ifndef UW_CLI_CHILD_H
#define UW_CLI_CHILD_H

/* What is done while the program runs, again and again; it waits a moment, but not beyond a signal:
 * that may be the end. */
struct child_meanwhile {
    void (*run)(void *data);
    void *data;
};

/* Runs the program with this environment's variables and waits for its end. Signals that ask this
 * process to end go to the child; those of the terminal it gets by itself. Its exit code, 128 and
 * the number of the signal that ended it, or 126 after a message when it does not start.
 * `meanwhile` NULL: nothing is to be done. */
int child_run(const char *path, char **words, const struct child_meanwhile *meanwhile);

/*
 * After that: waits for what the program left behind, as long as `are_needed` says that it needs
 * what this process has. Signals that ask this process to end, of the terminal, too, end the
 * waiting; it does not begin where they ended the program.
 */
void child_wait_for_rest(const struct child_meanwhile *meanwhile, int (*are_needed)(void *data),
                         void *data);

#endif
