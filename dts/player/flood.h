/* SPDX-License-Identifier: Apache-2.0 */
/* flood.h - what nobody should send. Each sends options.count frames (or calls). */
#pragma once

/* SYNs from random addresses of the range and random ports. */
void flood_syn(void);
/* Fragments that come to nothing: first ones, late ones, tiny ones, overlapping ones. */
void flood_fragments(void);
/* RSTs, ACKs, FINs, SYNs and data with random numbers for somebody else's connection, as if from
 * its client and its server, and ACKs for connections that nobody has. */
void flood_blind(void);
/* On connections of our own: single bytes at every second place of the window, then all of it. */
void flood_ooo(void);
/* On connections of our own: nothing but denied calls. */
void flood_denied(void);
