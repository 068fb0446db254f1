// SPDX-License-Identifier: Apache-2.0
// A peer of the matrix on C++ gRPC. Messages are bytes; what a peer is told and what it tells is in
// docs/testing.md, "The matrix of stacks".
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

// One line on standard output, whole, whichever thread says it.
void say(const std::string &line);

// The n-th message of a stream.
grpc::ByteBuffer body(unsigned int number, size_t size);
grpc::ByteBuffer bytes(const std::string &text);
std::string text_of(const grpc::ByteBuffer &message);
bool is_body(const grpc::ByteBuffer &message, unsigned int number);

void run_client(const std::string &target);
void run_server(const std::string &address);
