/*
 * plans.h - what a driver plans, as text: "TYPE REQUEST VALUE INDEX", with "=DATA" for what is sent
 * and "+N" for how much is asked for, requests separated by "; "
 *
 * Each text is good until the next call.
 */
#ifndef UW_TEST_PLANS_H
#define UW_TEST_PLANS_H

#include "serial/driver.h"

const char *plan_text(const struct serial_plan *plan);

/* A rate, and a format as "8N1". */
struct serial_line plan_line(unsigned baud, const char *format);

/* What setting `to` sends, coming from `from` (NULL: nothing known), or "refused". */
const char *plan_setting(struct serial_chip *chip, const struct serial_line *from,
                         struct serial_line to);
const char *plan_lines(struct serial_chip *chip, unsigned set, unsigned mask);
const char *plan_break(struct serial_chip *chip, int on);
const char *plan_purge(struct serial_chip *chip, unsigned buffers);
const char *plan_open(struct serial_chip *chip);

#endif
