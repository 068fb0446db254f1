/* SPDX-License-Identifier: Apache-2.0 */
/* crowd_words.h - the HTTP/2 bytes that the connections of a crowd say.
 *
 * All of them say the same in their k-th call, so one encoder serves them all: its blocks are made
 * once and kept. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "crowd.h"

#define WORDS_BODY_B 13991u /* with its head, ten segments of 1400 bytes */
#define WORDS_HEAD_B 9u

#define WORDS_PATH   "/cloudcity.DoorManager/GetName"
#define WORDS_DENIED "/cloudcity.DoorManager/SetAccessCode"

/* All write to `to` and return the number of bytes. call counts from 0. */
uint32_t words_preface(uint8_t *to);
uint32_t words_settings(uint8_t *to);
uint32_t words_settings_ack(uint8_t *to);
uint32_t words_call(uint8_t *to, enum crowd_style style, bool denied, uint32_t call);
/* HEADERS, and of its body the head of a DATA frame of which only left_b bytes are left. */
uint32_t words_open(uint8_t *to, enum crowd_style style, uint32_t call, uint32_t left_b);
uint32_t words_answer(uint8_t *to, uint32_t call);
/* The next len_b bytes of a body in DATA frames of WORDS_BODY_B; *at_b is the place in the frame,
 * its head included. */
uint32_t words_body(uint8_t *to, uint32_t call, uint32_t *at_b, uint32_t len_b);
/* The header block of a call. */
const uint8_t *words_block(enum crowd_style style, bool denied, uint32_t call, uint32_t *len_b);
