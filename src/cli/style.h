/*
 * style.h - bold headings on a terminal, unless NO_COLOR is set
 */
#ifndef UW_CLI_STYLE_H
#define UW_CLI_STYLE_H

/* The escape sequences, or "" where standard output is no terminal that wants them. */
const char *style_bold(void);
const char *style_plain(void);

#endif
