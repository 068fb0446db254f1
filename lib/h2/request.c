/* SPDX-License-Identifier: Apache-2.0 */
/* Is a header list a well-formed request? RFC 9113 section 8: each rule that servers apply
 * differently is applied here, so that they all see the one request that was judged. */
#include <string.h>

#include "h2_priv.h"

static bool is(const uint8_t *s, size_t len_b, const char *want)
{
	return len_b == strlen(want) && memcmp(s, want, len_b) == 0;
}

/* Field names that mean something to one connection only (8.2.2). */
static bool is_hop_by_hop(const nghttp2_nv *nv)
{
	static const char *const names[] = { "connection", "keep-alive", "proxy-connection",
					     "transfer-encoding", "upgrade" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is(nv->name, nv->namelen, names[i]))
			return true;
	return false;
}

/* gRPC peers that agreed on it send the values of "-bin" fields as raw bytes. */
static bool is_binary(const nghttp2_nv *nv)
{
	return nv->namelen > 4 && memcmp(nv->name + nv->namelen - 4, "-bin", 4) == 0;
}

static enum wk_call_reason set_once(struct wk_h2_str *str, const nghttp2_nv *nv)
{
	if (str->s)
		return WK_CALL_REFUSED_TWICE;
	*str = (struct wk_h2_str){ (const char *)nv->value, (uint32_t)nv->valuelen };
	return WK_CALL_ALLOWED;
}

static enum wk_call_reason set_if(bool ok, struct wk_h2_str *str, const nghttp2_nv *nv)
{
	enum wk_call_reason fault = set_once(str, nv);

	return ok ? fault : WK_CALL_REFUSED_VALUE;
}

static enum wk_call_reason pseudo(const nghttp2_nv *nv, struct wk_h2_request *request)
{
	if (is(nv->name, nv->namelen, ":method"))
		return set_if(nghttp2_check_method(nv->value, nv->valuelen), &request->method, nv);
	if (is(nv->name, nv->namelen, ":path"))
		return set_if(nv->valuelen > 0, &request->path, nv);
	if (is(nv->name, nv->namelen, ":scheme"))
		return set_if(nv->valuelen > 0, &request->scheme, nv);
	if (is(nv->name, nv->namelen, ":authority"))
		return set_if(nghttp2_check_authority(nv->value, nv->valuelen), &request->authority,
			      nv);
	return WK_CALL_REFUSED_PSEUDO;
}

/* A request that ends with its HEADERS cannot have a body (8.1.1). */
static bool content_length_ok(const nghttp2_nv *nv, bool end_stream, int64_t *length_b)
{
	int64_t value = 0;

	for (size_t i = 0; i < nv->valuelen; i++) {
		if (nv->value[i] < '0' || nv->value[i] > '9' || value > INT64_MAX / 10 - 1)
			return false;
		value = value * 10 + (nv->value[i] - '0');
	}
	*length_b = value;
	return nv->valuelen > 0 && (value == 0 || !end_stream);
}

static enum wk_call_reason field(const nghttp2_nv *nv, bool end_stream,
				 struct wk_h2_request *request)
{
	if (!nghttp2_check_header_name(nv->name, nv->namelen))
		return WK_CALL_REFUSED_NAME;
	if (is_hop_by_hop(nv))
		return WK_CALL_REFUSED_HOP;
	if (!is_binary(nv) && !nghttp2_check_header_value_rfc9113(nv->value, nv->valuelen))
		return WK_CALL_REFUSED_VALUE;
	if (is(nv->name, nv->namelen, "te")) {
		request->te_trailers = is(nv->value, nv->valuelen, "trailers");
		return request->te_trailers ? WK_CALL_ALLOWED : WK_CALL_REFUSED_TE;
	}
	if (is(nv->name, nv->namelen, "host"))
		return set_once(&request->host, nv);
	if (is(nv->name, nv->namelen, "content-type"))
		return set_once(&request->content_type, nv);
	if (is(nv->name, nv->namelen, "content-length")) {
		if (request->length_b >= 0)
			return WK_CALL_REFUSED_TWICE;
		return content_length_ok(nv, end_stream, &request->length_b)
			       ? WK_CALL_ALLOWED
			       : WK_CALL_REFUSED_LENGTH;
	}
	return WK_CALL_ALLOWED;
}

static enum wk_call_reason whole(const struct wk_h2_request *request)
{
	if (!request->method.s || !request->path.s || !request->scheme.s)
		return WK_CALL_REFUSED_MISSING;
	if (is((const uint8_t *)request->method.s, request->method.len_b, "CONNECT"))
		return WK_CALL_REFUSED_CONNECT;
	return WK_CALL_ALLOWED;
}

enum wk_call_reason h2_request_parse(const struct h2_list *list, bool end_stream,
				     struct wk_h2_request *request)
{
	enum wk_call_reason first = WK_CALL_ALLOWED;
	bool regular = false;

	request->length_b = -1;
	request->n_fields = list->n;
	request->fields = list->nv;
	/* Goes on after a fault: the observer wants the path of a refused request as well. */
	for (uint32_t i = 0; i < list->n; i++) {
		const nghttp2_nv *nv = &list->nv[i];
		enum wk_call_reason fault;

		if (nv->namelen > 0 && nv->name[0] == ':') {
			fault = pseudo(nv, request);
			if (regular)
				fault = WK_CALL_REFUSED_ORDER;
		} else {
			regular = true;
			fault = field(nv, end_stream, request);
		}
		if (first == WK_CALL_ALLOWED)
			first = fault;
	}
	return first != WK_CALL_ALLOWED ? first : whole(request);
}

void wk_h2_request_field(const struct wk_h2_request *request, uint32_t i, struct wk_h2_str *name,
			 struct wk_h2_str *value)
{
	const nghttp2_nv *nv = (const nghttp2_nv *)request->fields + i;

	*name = (struct wk_h2_str){ (const char *)nv->name, (uint32_t)nv->namelen };
	*value = (struct wk_h2_str){ (const char *)nv->value, (uint32_t)nv->valuelen };
}

bool h2_has_pseudo(const struct h2_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->nv[i].namelen > 0 && list->nv[i].name[0] == ':')
			return true;
	return false;
}
