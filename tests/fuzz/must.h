/* SPDX-License-Identifier: Apache-2.0 */
/* must.h - what must hold for any input: if it does not, the process says so and ends. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define must(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
