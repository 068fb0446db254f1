/* SPDX-License-Identifier: Apache-2.0 */
#include "wk_pkt.h"
