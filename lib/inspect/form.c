/* SPDX-License-Identifier: Apache-2.0 */
/* form.c - what a request has to look like, beside its path: servers run handlers for requests that
 * are no gRPC calls, and differ in which. */
#include <string.h>

#include "inspect_impl.h"

static bool str_is(const struct wk_h2_str *str, const char *want)
{
	return str->s && str->len_b == strlen(want) && memcmp(str->s, want, str->len_b) == 0;
}

/* application/grpc, application/grpc+proto, application/grpc;charset=utf-8: what the gRPC
 * specification calls a gRPC request. */
static bool is_grpc(const struct wk_h2_str *type)
{
	static const char want[] = "application/grpc";
	const size_t len_b = sizeof(want) - 1;

	if (!type->s || type->len_b < len_b || memcmp(type->s, want, len_b) != 0)
		return false;
	return type->len_b == len_b || type->s[len_b] == '+' || type->s[len_b] == ';';
}

static bool scheme_ok(enum wk_policy_scheme want, const struct wk_h2_str *scheme)
{
	switch (want) {
	case WK_SCHEME_ANY:
		return true;
	case WK_SCHEME_HTTP:
		return str_is(scheme, "http");
	case WK_SCHEME_HTTPS:
		return str_is(scheme, "https");
	default:
		return str_is(scheme, "http") || str_is(scheme, "https");
	}
}

static bool host_ok(const struct wk_h2_request *request)
{
	const struct wk_policy_str authority = { request->authority.s, request->authority.len_b };
	const struct wk_policy_str host = { request->host.s, request->host.len_b };

	return wk_policy_one_authority(&authority, &host);
}

enum wk_call_reason wk_insp_form(const struct wk_policy_form *form,
				 const struct wk_h2_request *request)
{
	if (!form->any_method && !str_is(&request->method, "POST"))
		return WK_CALL_DENIED_NOT_POST;
	if (!form->any_type && !is_grpc(&request->content_type))
		return WK_CALL_DENIED_NOT_GRPC;
	if (!form->te_optional && !request->te_trailers)
		return WK_CALL_DENIED_TE;
	if (!scheme_ok(form->scheme, &request->scheme))
		return WK_CALL_DENIED_SCHEME;
	if (!form->any_host && !host_ok(request))
		return WK_CALL_DENIED_AUTHORITY;
	return WK_CALL_ALLOWED;
}
