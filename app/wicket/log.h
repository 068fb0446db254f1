/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - messages for the operator: rte_log, to stderr or to log.file.
 *
 * Called on control threads only: workers never log. Each file that logs declares its type with
 * WK_LOG_TYPE(name), which makes `--log-level=wicket.name:debug` work. */
#pragma once

#include <rte_log.h>

#include "wk_conf.h"

#define WK_LOG_TYPE(name) static RTE_LOG_REGISTER(wk_logtype_##name, wicket.name, NOTICE)

#define WK_LOG(name, level, ...)                                                                   \
	rte_log(RTE_LOG_##level, (unsigned int)wk_logtype_##name, "wicket: " __VA_ARGS__)

/* Sends every message, those of EAL included, to the file ("-": stderr). Before EAL or later.
 * @return 0 or -errno; on failure the old destination stays. */
int wk_log_open(const char *path);
/* Opens the same file again (after a rotation). @return 0 or -errno. */
int wk_log_reopen(void);
/* Level of the types wicket.*. After rte_eal_init, which sets its own. */
void wk_log_level(const char *level);
