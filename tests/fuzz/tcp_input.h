/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_input.h - how tcp_fuzz reads its input: CFG_B bytes say how the connection begins (see
 * read_cfg), then each step is STEP_B bytes:
 *     0  what (low 4 bits), who (bit 4), time that goes by first (high 3 bits)
 *     1  TCP flags besides ACK; 0x40 takes ACK away
 *     2  where it begins (low 4 bits, see point_in), what it acknowledges (high, see point_out)
 *     3  bytes beside that point, signed
 *     4  bytes beside that acknowledgement, signed
 *     5  length: below 200 as it is, then in steps of 64
 *     6  window (low 4 bits, in units of 512), SACK blocks (high, see put_sack)
 *     7  version of the payload (low 2 bits), clock (next 2)
 * The first of them may disturb the handshake (see say_noise). */
#pragma once

#define CFG_B  12u
#define STEP_B 8u

enum what {
	NEXT = 0,   /* its next bytes */
	AT = 1,     /* any bytes */
	ANSWER = 2, /* an ACK of what has arrived */
	ACK = 3,    /* any ACK */
	AGAIN = 4,  /* from the last acknowledgement on */
	WAIT = 5,   /* until a timer is due, and beside */
	POKE = 6,   /* the judge comes to want an insertion */
	SWITCH = 7,
	QUOTE = 8, /* an ICMP error about its stream; rarely: the box resets */
	SYN = 9,   /* inside the connection */
	RST = 10,
	LAST = 11,  /* its next bytes and FIN */
	RAW = 12,   /* the next step is options */
	LOSE = 13,  /* its next bytes do not come */
	BURST = 14, /* bytes with holes between them */
	DEAF = 15,  /* what leaves next does not reach its receiver */
};
