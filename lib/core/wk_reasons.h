/* SPDX-License-Identifier: Apache-2.0 */
/* wk_reasons.h - why a packet or a call ended as it did.
 *
 * One list makes the enum, the counter, the telemetry key and the text of wicketctl. Every received
 * packet ends in exactly one packet reason, so that
 *     rx + originated == tx + dropped + held
 * holds at any time: `dropped` is the sum of the DROP and ABSORB reasons and of tx refusals, `held`
 * counts mbufs that a worker keeps, or that are on their way from one worker to another.
 * (For one worker alone: rx + originated + taken == tx + dropped + held + handover.) Absorbed
 * frames put their bytes into a ledger or a copy; what is built from them counts as originated. */
#pragma once

/* X(SYMBOL, key, class, text) */
#define WK_REASONS(X)                                                                              \
	X(FWD_PLAIN, fwd_plain, FORWARD, "unguarded, forwarded untouched")                         \
	X(FWD_GUARDED, fwd_guarded, FORWARD, "guarded, forwarded bit for bit")                     \
	X(FWD_EDITED, fwd_edited, FORWARD, "guarded, forwarded with translated TCP numbers")       \
	X(ABSORB_REBUILT, absorb_rebuilt, ABSORB, "sent on in packets rebuilt from the ledger")    \
	X(ABSORB_HELD, absorb_held, ABSORB, "incomplete frame or header block, held")              \
	X(ABSORB_OOO, absorb_ooo, ABSORB, "out of order, held and answered")                       \
	X(ABSORB_DELETED, absorb_deleted, ABSORB, "all its bytes belong to denied calls")          \
	X(ABSORB_OLD, absorb_old, ABSORB, "only acknowledged bytes, answered with an ACK")         \
	X(ABSORB_ACK, absorb_ack, ABSORB, "acknowledges nothing but inserted bytes")               \
	X(ABSORB_CLOSED, absorb_closed, ABSORB, "the connection is over, answered with an RST")    \
	X(ABSORB_FRAG, absorb_frag, ABSORB, "a fragment whose datagram goes on in one piece")      \
	X(DROP_MALFORMED, drop_malformed, DROP, "lengths or headers do not fit the frame")         \
	X(DROP_OVERSIZE, drop_oversize, DROP, "larger than the MTU of the wire")                   \
	X(DROP_SEGMENTS, drop_segments, DROP, "in several buffers that could not be joined")       \
	X(DROP_ACL, drop_acl, DROP, "an acl rule says drop")                                       \
	X(DROP_DEFAULT, drop_default, DROP, "no acl rule matched and default is drop")             \
	X(DROP_SPOOF_PORT, drop_spoof_port, DROP, "a guarded address on the wrong side")           \
	X(DROP_TUNNEL, drop_tunnel, DROP, "a tunnel towards a guarded address")                    \
	X(DROP_FRAG, drop_frag, DROP, "a fragment to or from a guarded address")                   \
	X(DROP_FRAG_OVERLAP, drop_frag_overlap, DROP, "its fragments contradict each other")       \
	X(DROP_FRAG_DUP, drop_frag_dup, DROP, "a fragment that is here already")                   \
	X(DROP_FRAG_LEN, drop_frag_len, DROP, "no bytes in it, or its datagram is above 65535")    \
	X(DROP_FRAG_FULL, drop_frag_full, DROP, "no room to wait for the rest of its datagram")    \
	X(DROP_FRAG_TIMEOUT, drop_frag_timeout, DROP, "the rest of its datagram did not come")     \
	X(DROP_V6_FRAG, drop_v6_frag, DROP, "an IPv6 fragment that hides a header")                \
	X(DROP_IPOPT, drop_ipopt, DROP, "an IPv4 option that routes")                              \
	X(DROP_CSUM, drop_csum, DROP, "bad IP or TCP checksum")                                    \
	X(DROP_BADFLAGS, drop_badflags, DROP, "TCP flags that no stack sends")                     \
	X(DROP_BADACK, drop_badack, DROP, "acknowledges what was never sent")                      \
	X(DROP_PAWS, drop_paws, DROP, "timestamp older than the latest")                           \
	X(DROP_AUTH_OPT, drop_auth_opt, DROP, "signed (TCP-MD5, TCP-AO), as nobody agreed to")     \
	X(DROP_WINDOW, drop_window, DROP, "outside of the receive window")                         \
	X(DROP_SRV_SYN, drop_srv_syn, DROP, "a SYN from the server's side")                        \
	X(DROP_HS, drop_hs, DROP, "does not fit the handshake")                                    \
	X(DROP_SYN_IN_EST, drop_syn_in_est, DROP, "a SYN inside an established connection")        \
	X(DROP_RST_BADSEQ, drop_rst_badseq, DROP, "an RST that is not at the exact number")        \
	X(DROP_ICMP, drop_icmp, DROP, "an ICMP error about a number that is not under way")        \
	X(DROP_UNLISTED, drop_unlisted, DROP, "no rule lists this source")                         \
	X(DROP_MID_STREAM, drop_mid_stream, DROP, "guarded, but its SYN was never seen")           \
	X(DROP_TABLE_FULL, drop_table_full, DROP, "the flow table is full")                        \
	X(DROP_SOURCE_FULL, drop_source_full, DROP, "too many connections of its source")          \
	X(DROP_OOO_CAP, drop_ooo_cap, DROP, "too much held out of order")                          \
	X(DROP_LEDGER_CAP, drop_ledger_cap, DROP, "the ledger is full: back-pressure")             \
	X(DROP_MEM, drop_mem, DROP, "out of held memory")                                          \
	X(DROP_PROTOCOL, drop_protocol, DROP, "broke HTTP/2: the connection was reset")            \
	X(DROP_NOT_H2, drop_not_h2, DROP, "not HTTP/2 on a guarded port")                          \
	X(DROP_HANDOVER, drop_handover, DROP, "the ring to the worker that owns it was full")      \
	X(DROP_TX_FULL, drop_tx_full, DROP, "the transmit queue refused it")                       \
	X(DROP_NO_MBUF, drop_no_mbuf, DROP, "no packet buffer left")                               \
	X(DROP_STOPPING, drop_stopping, DROP, "arrived while the program was stopping")

enum wk_reason_class {
	WK_REASON_FORWARD = 0,
	WK_REASON_ABSORB = 1,
	WK_REASON_DROP = 2,
};

#define WK_REASON_ENUM(sym, key, class, text) WK_##sym,
enum wk_reason { WK_REASONS(WK_REASON_ENUM) WK_REASON_MAX };

/* Why a call was judged as it was. X(SYMBOL, key, text) */
#define WK_CALL_REASONS(X)                                                                         \
	X(CALL_ALLOWED, allowed, "an allow rule names the method")                                 \
	X(CALL_UNGUARDED, unguarded, "the service is in mode off")                                 \
	X(CALL_DENIED_METHOD, denied_method, "no rule of the source allows the method")            \
	X(CALL_DENIED_SOURCE, denied_source, "no rule lists the source")                           \
	X(CALL_DENIED_RULE, denied_rule, "a deny rule names the method")                           \
	X(CALL_DENIED_PATH, denied_path, "the path is not /Service/Method")                        \
	X(CALL_DENIED_CONDITION, denied_condition,                                                 \
	  "a rule allows the method, but not with this authority or these headers")                \
	X(CALL_DENIED_AUTHORITY, denied_authority, ":authority and host do not name one host")     \
	X(CALL_DENIED_NOT_POST, denied_not_post, "the request method is not POST")                 \
	X(CALL_DENIED_NOT_GRPC, denied_not_grpc, "the content type is not application/grpc")       \
	X(CALL_DENIED_TE, denied_te, "no te: trailers")                                            \
	X(CALL_DENIED_SCHEME, denied_scheme, "a scheme that the service does not take")            \
	X(CALL_REFUSED_VALUE, refused_value,                                                       \
	  "a value that its field, :path or :method cannot have")                                  \
	X(CALL_REFUSED_ORDER, refused_order, "a pseudo-header field behind other fields")          \
	X(CALL_REFUSED_TWICE, refused_twice, "a field twice that may be there once")               \
	X(CALL_REFUSED_PSEUDO, refused_pseudo, "a pseudo-header field that no request has")        \
	X(CALL_REFUSED_MISSING, refused_missing, "no :method, :scheme or :path")                   \
	X(CALL_REFUSED_CONNECT, refused_connect, "the request method is CONNECT")                  \
	X(CALL_REFUSED_NAME, refused_name, "a field name in upper case, or that is none")          \
	X(CALL_REFUSED_HOP, refused_hop, "a field that speaks of one connection alone")            \
	X(CALL_REFUSED_TE, refused_te, "te says something else than trailers")                     \
	X(CALL_REFUSED_LENGTH, refused_length, "a content-length that is none or cannot be met")   \
	X(CALL_REFUSED_STREAMS, refused_streams, "above the limit of open streams")                \
	X(CALL_REFUSED_LIST, refused_list, "the header list is above its limit")

#define WK_CALL_ENUM(sym, key, text) WK_##sym,
enum wk_call_reason { WK_CALL_REASONS(WK_CALL_ENUM) WK_CALL_REASON_MAX };
/* The first that lib/h2 gives by itself: malformed requests, and limits. */
#define WK_CALL_REFUSED_FIRST WK_CALL_REFUSED_VALUE

/* Things worth counting that are not the end of a packet. X(SYMBOL, key, text) */
#define WK_COUNTERS(X)                                                                             \
	X(CNT_RX, rx, "packets received")                                                          \
	X(CNT_RX_BYTES, rx_bytes, "bytes received")                                                \
	X(CNT_TX, tx, "packets sent")                                                              \
	X(CNT_TX_BYTES, tx_bytes, "bytes sent")                                                    \
	X(CNT_ORIGINATED, originated, "packets built here")                                        \
	X(CNT_HANDOVER, handover, "packets handed to the worker that owns them")                   \
	X(CNT_HANDOVER_BYTES, handover_bytes, "bytes of those")                                    \
	X(CNT_TAKEN, taken, "packets taken over by the worker that owns them")                     \
	X(CNT_RESEGMENTED, resegmented, "data packets that had to be cut anew")                    \
	X(CNT_REASSEMBLED, reassembled, "datagrams put together from their fragments")             \
	X(CNT_ICMP_XLATE, icmp_xlate, "numbers translated in ICMP errors")                         \
	X(CNT_PATH_MTU, path_mtu, "paths that turned out narrower than their wire")                \
	X(CNT_FLOWS_OPENED, flows_opened, "guarded connections opened")                            \
	X(CNT_FLOWS_CLOSED, flows_closed, "guarded connections closed")                            \
	X(CNT_FLOWS_RESET, flows_reset, "guarded connections reset by policy or limit")            \
	X(CNT_SYN_EVICTED, syn_evicted, "handshakes that made room for another one")               \
	X(CNT_CLOSED_EVICTED, closed_evicted, "closed connections forgotten for a new one")        \
	X(CNT_KEEPALIVES, keepalives, "keepalives sent into silent connections")                   \
	X(CNT_IDLE_ENDED, idle_ended, "connections that ended in silence")                         \
	X(CNT_MID_STREAM, mid_stream, "connections met in the middle")                             \
	X(CNT_REPLIES, replies, "replies to denied calls inserted")                                \
	X(CNT_REVOKED, revoked, "running calls ended because a reload denies them")                \
	X(CNT_RST_STREAMS, rst_streams, "RST_STREAM frames inserted")                              \
	X(CNT_CREDITS, credits, "WINDOW_UPDATE frames inserted")                                   \
	X(CNT_SWALLOWED_BYTES, swallowed_bytes, "bytes of denied streams deleted")                 \
	X(CNT_REENCODED, reencoded, "header blocks re-encoded")                                    \
	X(CNT_SEEN_HITS, seen_hits, "requests judged by a block seen before")                      \
	X(CNT_SEEN_MISSES, seen_misses, "requests that had to be decoded")                         \
	X(CNT_SEEN_LONG, seen_long, "allowed ones too long to be remembered")                      \
	X(CNT_OWNED_BYTES, owned_bytes, "held bytes acknowledged to their sender")                 \
	X(CNT_OWNED_REXMIT, owned_rexmit, "retransmissions of owned bytes")                        \
	X(CNT_OWNED_TIMEOUT, owned_timeout, "owned bytes given up")                                \
	X(CNT_REBUILT_REXMIT, rebuilt_rexmit, "sender's retransmissions rebuilt from the ledger")  \
	X(CNT_REXMIT_CUT, rexmit_cut, "those of small pieces that would have made too much")       \
	X(CNT_RETRANS_MISMATCH, retrans_mismatch, "retransmissions that said something else")      \
	X(CNT_NORM_SYN_OPTION, norm_syn_option, "SYN options taken away")                          \
	X(CNT_NORM_AUTH_OPT, norm_auth_opt, "SYN signatures (TCP-MD5, TCP-AO) taken away")         \
	X(CNT_NORM_SYN_DATA, norm_syn_data, "SYN payloads taken away")                             \
	X(CNT_NORM_URG, norm_urg, "URG flags cleared")                                             \
	X(CNT_BUILT_ACKS, built_acks, "ACKs built here")                                           \
	X(CNT_BUILT_RSTS, built_rsts, "RSTs built here")                                           \
	X(CNT_CLAMP_TABLE, clamp_table, "HEADER_TABLE_SIZE values clamped to 4096")                \
	X(CNT_HDR_TRUNCATED, hdr_truncated, "connections that ended inside a frame")               \
	X(CNT_HDR_TIMEOUT, hdr_timeout, "connections whose client left a frame unfinished")        \
	X(CNT_H2_ERRORS, h2_errors, "HTTP/2 connection errors")                                    \
	X(CNT_HPACK_ERRORS, hpack_errors, "header blocks that do not decode")                      \
	X(CNT_H2_CAPS, h2_caps, "HTTP/2 limits that ended a connection")                           \
	X(CNT_REGEX_LIMIT, regex_limit,                                                            \
	  "calls for which an expression reached its limit of steps")                              \
	X(CNT_UNTRACKED, untracked, "passive connections that could not be followed")              \
	X(CNT_EVENTS_LOST, events_lost, "events that found no room")                               \
	X(CNT_INVARIANT, invariant, "broken invariants: flow reset (a bug)")

#define WK_COUNTER_ENUM(sym, key, text) WK_##sym,
enum wk_counter { WK_COUNTERS(WK_COUNTER_ENUM) WK_COUNTER_MAX };
