// SPDX-License-Identifier: Apache-2.0
// The client: each call in a thread of its own, on one channel, by the calls that generated stubs
// make.
#include "peer.h"

#include <grpcpp/support/sync_stream.h>
#include <grpcpp/impl/client_unary_call.h>

#include <chrono>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <thread>

namespace
{

constexpr size_t piece_b = 1000;
const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

struct Call {
	std::string number, kind, method, hold;
	unsigned int count = 0, size = 0, timeout_ms = 0, meta = 0;
	grpc::ClientContext context;
	unsigned int got = 0, good = 0;
	std::mutex lock;
	std::condition_variable changed;
	bool released = false;

	void prepare();
	grpc::Status run(const std::shared_ptr<grpc::Channel> &channel);
	void report(const grpc::Status &status);
	void wait_release();
	grpc::Status unary(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc);
	grpc::Status collect(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc);
	grpc::Status repeat(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc);
	grpc::Status chat(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc);
};

void Call::prepare()
{
	context.set_deadline(std::chrono::system_clock::now() +
			     std::chrono::milliseconds(timeout_ms));
	for (unsigned int i = 0; i < meta / piece_b; i++) {
		std::string value;

		for (unsigned int j = 0; j < piece_b; j++)
			value += alphabet[(i * 7 + j * j) % 62];
		context.AddMetadata("x-big-" + std::to_string(i), value);
	}
}

void Call::wait_release()
{
	std::unique_lock<std::mutex> guard(lock);

	say("held " + number);
	changed.wait_for(guard, std::chrono::milliseconds(timeout_ms), [this] { return released; });
}

grpc::Status Call::unary(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc)
{
	grpc::ByteBuffer request = body(0, size), reply;
	grpc::Status status =
		grpc::internal::BlockingUnaryCall(channel, rpc, &context, request, &reply);

	got = status.ok();
	good = status.ok() && text_of(reply).size() == size && is_body(reply, 0);
	return status;
}

grpc::Status Call::collect(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc)
{
	grpc::ByteBuffer reply;
	std::unique_ptr<grpc::ClientWriter<grpc::ByteBuffer>> writer(
		grpc::internal::ClientWriterFactory<grpc::ByteBuffer>::Create(channel, rpc,
									      &context, &reply));

	for (unsigned int i = 0; i < count && writer->Write(body(i, size)); i++)
		;
	writer->WritesDone();
	grpc::Status status = writer->Finish();
	std::istringstream(text_of(reply)) >> got >> good;
	return status;
}

grpc::Status Call::repeat(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc)
{
	grpc::ByteBuffer wanted = bytes(std::to_string(count) + " " + std::to_string(size)),
			 message;
	std::unique_ptr<grpc::ClientReader<grpc::ByteBuffer>> reader(
		grpc::internal::ClientReaderFactory<grpc::ByteBuffer>::Create(channel, rpc,
									      &context, wanted));

	for (; reader->Read(&message); got++)
		good += is_body(message, got);
	return reader->Finish();
}

grpc::Status Call::chat(grpc::ChannelInterface *channel, const grpc::internal::RpcMethod &rpc)
{
	grpc::ByteBuffer message;
	std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> both(
		grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer,
							  grpc::ByteBuffer>::Create(channel, rpc,
										    &context));

	while (got < count && both->Write(body(got, size)) && both->Read(&message)) {
		good += is_body(message, got);
		if (got++ == 0 && hold == "hold")
			wait_release();
	}
	both->WritesDone();
	while (both->Read(&message))
		got++;
	return both->Finish();
}

grpc::Status Call::run(const std::shared_ptr<grpc::Channel> &channel)
{
	using grpc::internal::RpcMethod;

	if (kind == "unary")
		return unary(channel.get(),
			     RpcMethod(method.c_str(), RpcMethod::NORMAL_RPC, channel));
	if (kind == "collect")
		return collect(channel.get(),
			       RpcMethod(method.c_str(), RpcMethod::CLIENT_STREAMING, channel));
	if (kind == "repeat")
		return repeat(channel.get(),
			      RpcMethod(method.c_str(), RpcMethod::SERVER_STREAMING, channel));
	return chat(channel.get(), RpcMethod(method.c_str(), RpcMethod::BIDI_STREAMING, channel));
}

void Call::report(const grpc::Status &status)
{
	std::ostringstream line;
	size_t back = 0;

	for (const auto &pair : context.GetServerTrailingMetadata())
		if (pair.first.starts_with("x-back-"))
			back += pair.second.size();
	line << "end " << number << " " << status.error_code() << " " << got << " " << good << " "
	     << back << " " << status.error_message();
	say(line.str());
}

} // namespace

void run_client(const std::string &target)
{
	std::map<std::string, std::shared_ptr<Call>> calls;
	grpc::ChannelArguments arguments;
	std::string line, verb, number;

	arguments.SetInt("grpc.max_metadata_size", 65536);
	auto channel =
		grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
	while (std::getline(std::cin, line)) {
		std::istringstream words(line);

		words >> verb >> number;
		if (verb == "call") {
			auto call = std::make_shared<Call>();

			call->number = number;
			words >> call->kind >> call->method >> call->count >> call->size >>
				call->timeout_ms >> call->meta >> call->hold;
			call->prepare();
			calls[number] = call;
			std::thread([call, channel] { call->report(call->run(channel)); }).detach();
		} else if (verb == "cancel") {
			calls[number]->context.TryCancel();
		} else {
			std::lock_guard<std::mutex> guard(calls[number]->lock);

			calls[number]->released = true;
			calls[number]->changed.notify_all();
		}
	}
	std::quick_exit(0); // threads of calls may still run
}
