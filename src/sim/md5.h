/*
 * md5.h - MD5 (RFC 1321), which the ROM of ESP chips checks flash with
 */
#ifndef UW_SIM_MD5_H
#define UW_SIM_MD5_H

#include <stddef.h>
#include <stdint.h>

void sim_md5(const uint8_t *bytes, size_t size, uint8_t ret_digest[16]);

#endif
