/* SPDX-License-Identifier: Apache-2.0 */
/* capture.h - a capture file in memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct capture_frame {
	uint64_t time_ns;
	uint32_t len_b;
	uint8_t *bytes;
};

struct capture {
	uint32_t n;
	struct capture_frame *frames;
};

/* @return false, with the reason on standard output. */
bool capture_read(struct capture *capture, const char *path);
void capture_write(const struct capture *capture, const char *path);
void capture_add(struct capture *capture, const uint8_t *bytes, uint32_t len_b, uint64_t time_ns);
void capture_free(struct capture *capture);
/* Compares frames, not times; tells on standard output where they differ. */
bool capture_same(const struct capture *want, const struct capture *got, const char *name);
