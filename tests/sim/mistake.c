/* SPDX-License-Identifier: Apache-2.0 */
#include "mistake.h"

#include "list.h"

static const char *const names[MISTAKES] = {
	"none", "old", "numbers", "ack", "window", "urg", "ooo",
};

const char *mistake_name(enum mistake mistake)
{
	return names[mistake];
}

enum mistake mistake_by_name(const char *name)
{
	return (enum mistake)list_find(names, MISTAKES, name);
}

static void send_as_it_came(enum wk_reason reason, struct wk_tcp_result *result)
{
	if (result->verdict != WK_TCP_FORWARD && result->reason == reason)
		*result = (struct wk_tcp_result){ .verdict = WK_TCP_FORWARD,
						  .reason = WK_FWD_GUARDED };
}

void mistake_make(enum mistake mistake, const struct wk_tcp_seg *seg, struct wk_tcp_result *result)
{
	switch (mistake) {
	case MISTAKE_OLD:
		if (seg->data_len_b > 1)
			send_as_it_came(WK_ABSORB_OLD, result);
		break;
	case MISTAKE_OOO:
		send_as_it_came(WK_ABSORB_OOO, result);
		break;
	case MISTAKE_NUMBERS:
		result->seq = seg->seq;
		break;
	case MISTAKE_ACK:
		result->ack = seg->ack;
		break;
	case MISTAKE_WINDOW:
		result->wnd = seg->wnd;
		break;
	case MISTAKE_URG:
		result->edits &= (typeof(result->edits))~WK_TCP_EDIT_URG;
		break;
	default:
		break;
	}
}
