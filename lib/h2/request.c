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

static bool set_once(struct wk_h2_str *str, const nghttp2_nv *nv)
{
	if (str->s)
		return false;
	*str = (struct wk_h2_str){ (const char *)nv->value, (uint32_t)nv->valuelen };
	return true;
}

static bool pseudo(const nghttp2_nv *nv, struct wk_h2_request *request)
{
	if (is(nv->name, nv->namelen, ":method"))
		return nghttp2_check_method(nv->value, nv->valuelen) &&
		       set_once(&request->method, nv);
	if (is(nv->name, nv->namelen, ":path"))
		return nv->valuelen > 0 && set_once(&request->path, nv);
	if (is(nv->name, nv->namelen, ":scheme"))
		return nv->valuelen > 0 && set_once(&request->scheme, nv);
	if (is(nv->name, nv->namelen, ":authority"))
		return nghttp2_check_authority(nv->value, nv->valuelen) &&
		       set_once(&request->authority, nv);
	return false;
}

/* A request that ends with its HEADERS cannot have a body (8.1.1). */
static bool content_length_ok(const nghttp2_nv *nv, bool end_stream)
{
	bool zero = true;

	for (size_t i = 0; i < nv->valuelen; i++) {
		if (nv->value[i] < '0' || nv->value[i] > '9')
			return false;
		zero = zero && nv->value[i] == '0';
	}
	return nv->valuelen > 0 && (zero || !end_stream);
}

static bool field(const nghttp2_nv *nv, bool end_stream, bool *has_length,
		  struct wk_h2_request *request)
{
	if (!nghttp2_check_header_name(nv->name, nv->namelen) || is_hop_by_hop(nv))
		return false;
	if (!is_binary(nv) && !nghttp2_check_header_value(nv->value, nv->valuelen))
		return false;
	if (is(nv->name, nv->namelen, "te"))
		return is(nv->value, nv->valuelen, "trailers");
	if (is(nv->name, nv->namelen, "content-type"))
		return set_once(&request->content_type, nv);
	if (is(nv->name, nv->namelen, "content-length")) {
		if (*has_length)
			return false;
		*has_length = true;
		return content_length_ok(nv, end_stream);
	}
	return true;
}

bool h2_request_parse(const struct h2_list *list, bool end_stream, struct wk_h2_request *request)
{
	bool regular = false, has_length = false, ok = true;

	request->n_fields = list->n;
	request->fields = list->nv;
	/* Goes on after a fault: the observer wants the path of a refused request as well. */
	for (uint32_t i = 0; i < list->n; i++) {
		const nghttp2_nv *nv = &list->nv[i];

		if (nv->namelen > 0 && nv->name[0] == ':') {
			ok &= !regular && pseudo(nv, request);
		} else {
			regular = true;
			ok &= field(nv, end_stream, &has_length, request);
		}
	}
	return ok && request->method.s && request->path.s && request->scheme.s &&
	       !is((const uint8_t *)request->method.s, request->method.len_b, "CONNECT");
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
