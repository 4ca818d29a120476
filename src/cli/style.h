/*
 * style.h - colours on a terminal, unless NO_COLOR is set
 */
#ifndef UW_CLI_STYLE_H
#define UW_CLI_STYLE_H

/* 1 when a descriptor is a terminal that wants colours. */
int style_is_wanted(int fd);

/* Bold headings on standard output: the escape sequences, or "". */
const char *style_bold(void);
const char *style_plain(void);

#endif
