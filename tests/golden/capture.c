/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#define NS_PER_S UINT64_C(1000000000)
#define SNAP_B   65535

bool capture_read(struct capture *capture, const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap =
		pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	int ret;

	if (!pcap) {
		printf("  %s\n", error);
		return false;
	}
	while ((ret = pcap_next_ex(pcap, &header, &bytes)) == 1)
		capture_add(capture, bytes, header->caplen,
			    (uint64_t)header->ts.tv_sec * NS_PER_S + (uint64_t)header->ts.tv_usec);
	if (ret != PCAP_ERROR_BREAK)
		printf("  %s: %s\n", path, pcap_geterr(pcap));
	pcap_close(pcap);
	return ret == PCAP_ERROR_BREAK;
}

void capture_write(const struct capture *capture, const char *path)
{
	pcap_t *pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAP_B,
							    PCAP_TSTAMP_PRECISION_NANO);
	pcap_dumper_t *dumper = pcap ? pcap_dump_open(pcap, path) : NULL;

	for (uint32_t i = 0; dumper && i < capture->n; i++) {
		const struct capture_frame *frame = &capture->frames[i];
		struct pcap_pkthdr header = {
			.ts = { .tv_sec = (time_t)(frame->time_ns / NS_PER_S),
				.tv_usec = (suseconds_t)(frame->time_ns % NS_PER_S) },
			.caplen = frame->len_b,
			.len = frame->len_b,
		};

		pcap_dump((u_char *)dumper, &header, frame->bytes);
	}
	if (dumper)
		pcap_dump_close(dumper);
	if (pcap)
		pcap_close(pcap);
}

void capture_add(struct capture *capture, const uint8_t *bytes, uint32_t len_b, uint64_t time_ns)
{
	struct capture_frame *frames = realloc(capture->frames, (capture->n + 1) * sizeof(*frames));
	uint8_t *copy = malloc(len_b > 0 ? len_b : 1);

	if (!frames || !copy)
		abort();
	memcpy(copy, bytes, len_b);
	capture->frames = frames;
	frames[capture->n++] = (struct capture_frame){ time_ns, len_b, copy };
}

void capture_free(struct capture *capture)
{
	for (uint32_t i = 0; i < capture->n; i++)
		free(capture->frames[i].bytes);
	free(capture->frames);
}

static bool same_frame(const struct capture_frame *want, const struct capture_frame *got,
		       uint32_t number, const char *name)
{
	uint32_t len_b = want->len_b < got->len_b ? want->len_b : got->len_b;
	uint32_t at = 0;

	while (at < len_b && want->bytes[at] == got->bytes[at])
		at++;
	if (at == want->len_b && at == got->len_b)
		return true;
	printf("  %s: frame %u differs at byte %u: lengths %u, wanted %u", name, number + 1, at,
	       got->len_b, want->len_b);
	if (at < len_b)
		printf("; byte %02x, wanted %02x", got->bytes[at], want->bytes[at]);
	printf("\n");
	return false;
}

bool capture_same(const struct capture *want, const struct capture *got, const char *name)
{
	bool same = want->n == got->n;

	if (!same)
		printf("  %s: %u frames, wanted %u\n", name, got->n, want->n);
	for (uint32_t i = 0; i < want->n && i < got->n; i++)
		if (!same_frame(&want->frames[i], &got->frames[i], i, name))
			return false;
	return same;
}
