/* SPDX-License-Identifier: Apache-2.0 */
/* server_input.h - what an input of server_fuzz says. First CFG_B bytes, then records of RECORD_B;
 * what is left over at the end counts for nothing.
 *
 * Byte 0 of the first: bits of enum server_set; byte 1: the seed of the segments' cuts; byte 2: how
 * they are cut (enum box_cut). A record: what (enum server_record), flags of the frame to turn
 * around, stream, and five bytes that each kind reads as it needs them. */
#pragma once

#define CFG_B    3u
#define RECORD_B 8u

enum server_set {
	SET_SMALL = 0x01,
	SET_GRPC = 0x02,
	SET_REENCODE = 0x04,
	SET_IPV6 = 0x08,
};

enum server_record {
	REC_REQUEST, /* path, other fields, mistakes, seed of the encoding, splits */
	REC_TRAILERS,
	REC_DATA,
	REC_SETTINGS,
	REC_RESET,
	REC_WINDOW,
	REC_PING,
	REC_PRIORITY,
	REC_GOAWAY,
	REC_OTHER,  /* a frame of any type */
	REC_RAW,    /* so many of the next records are bytes of the client's */
	REC_BLOCK,  /* so many of the next records are a header block */
	REC_ANSWER, /* the server answers a request, */
	REC_SERVER, /* or resets one, changes its SETTINGS, or sends a PING */
	RECORDS,
};
