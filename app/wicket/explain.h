/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - what a configuration says of one call, for an operator who wonders. Needs no EAL, no
 * root and no running wicket. */
#pragma once

#include <stdio.h>

#include "args.h"
#include "wk_conf.h"

/* Prints the verdict, the service and the rules with their lines. What looks at packets and not at
 * calls (acl rules, default) is not consulted.
 * @return WK_EXIT_OK for an allowed or unguarded call, WK_EXIT_DENY, WK_EXIT_USAGE for a call that
 * cannot be read, with a message on err, or WK_EXIT_RUN. */
int wk_explain(const struct wk_conf *conf, const struct wk_args_call *call, FILE *out, FILE *err);
