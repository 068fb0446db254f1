/* SPDX-License-Identifier: Apache-2.0 */
/* strings_check.h - what strings of the file may say. Each returns what is wrong, or NULL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

const char *wk_conf_bad_name(const char *text);
const char *wk_conf_bad_instance(const char *text);
const char *wk_conf_bad_device(const char *text);
const char *wk_conf_bad_eal(const char *text);
const char *wk_conf_bad_file(const char *text);
const char *wk_conf_bad_events_file(const char *text);

/* Do two device strings name the same device? Arguments and a PCI domain of 0 do not count. */
bool wk_conf_same_device(const char *a, const char *b);
