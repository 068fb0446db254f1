// SPDX-License-Identifier: Apache-2.0
// `peer client TARGET` or `peer server ADDRESS`, and what both of them need.
#include "peer.h"

#include <iostream>
#include <mutex>
#include <vector>

void say(const std::string &line)
{
	static std::mutex output;
	std::lock_guard<std::mutex> guard(output);

	std::cout << line << std::endl;
}

grpc::ByteBuffer bytes(const std::string &text)
{
	grpc::Slice slice(text);

	return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer body(unsigned int number, size_t size)
{
	return bytes(std::string(size, static_cast<char>(number)));
}

std::string text_of(const grpc::ByteBuffer &message)
{
	std::vector<grpc::Slice> slices;
	std::string text;

	if (!message.Valid() || !message.Dump(&slices).ok())
		return text;
	for (const grpc::Slice &slice : slices)
		text.append(reinterpret_cast<const char *>(slice.begin()), slice.size());
	return text;
}

bool is_body(const grpc::ByteBuffer &message, unsigned int number)
{
	std::string text = text_of(message);

	return text == std::string(text.size(), static_cast<char>(number));
}

int main(int argc, char **argv)
{
	std::string role = argc == 3 ? argv[1] : "";

	if (role == "client")
		run_client(argv[2]);
	else if (role == "server")
		run_server(argv[2]);
	else
		std::cerr << "peer client TARGET | peer server ADDRESS" << std::endl;
	return role == "client" || role == "server" ? 0 : 2;
}
