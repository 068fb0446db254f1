/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.h - calls as each end sees them: requests, messages and answers, in both directions. */
#pragma once

#include "conn.h"

/* Header block and first message of a call that begins. */
void grpc_request(struct conn *conn, struct call *call);
/* All bytes of the item are on their way. */
void grpc_written(struct conn *conn, enum side side, const struct item *item);
/* A frame that has arrived; its length, stream and flags are those of the end. */
void grpc_headers(struct conn *conn, enum side side, const uint8_t *block, uint32_t n);
void grpc_data_begin(struct conn *conn, enum side side);
void grpc_data(struct conn *conn, enum side side, const uint8_t *bytes, uint32_t n);
