/* SPDX-License-Identifier: Apache-2.0 */
#include "wk_h2.h"
