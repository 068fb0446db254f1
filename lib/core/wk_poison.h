/* SPDX-License-Identifier: Apache-2.0 */
/* wk_poison.h - tells AddressSanitizer which parts of a pool of ours are free, so that a use after
 * free is found there as it is on the heap. Nothing in other builds. */
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1 /* clang says it another way */
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define wk_poison(addr, size_b)   ASAN_POISON_MEMORY_REGION((addr), (size_b))
#define wk_unpoison(addr, size_b) ASAN_UNPOISON_MEMORY_REGION((addr), (size_b))
#else
#define wk_poison(addr, size_b)   ((void)(addr), (void)(size_b))
#define wk_unpoison(addr, size_b) ((void)(addr), (void)(size_b))
#endif
