// SPDX-License-Identifier: Apache-2.0
// The server: a service made as generated code makes it, a thread for each call.
#include "peer.h"

#include <grpcpp/support/method_handler.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <set>
#include <sstream>
#include <thread>

namespace
{

using grpc::ByteBuffer;
using grpc::ServerContext;
using grpc::Status;
using grpc::internal::RpcMethod;
using grpc::internal::RpcServiceMethod;
using Stream = grpc::ServerReaderWriter<ByteBuffer, ByteBuffer>;

class Service : public grpc::Service
{
      public:
	explicit Service(const std::string &name);

      private:
	Status unary(const std::string &path, ServerContext *context, const ByteBuffer *request,
		     ByteBuffer *reply);
	Status wait(const std::string &path, ServerContext *context);
	Status collect(const std::string &path, ServerContext *context,
		       grpc::ServerReader<ByteBuffer> *reader, ByteBuffer *reply);
	Status repeat(const std::string &path, ServerContext *context, const ByteBuffer *request,
		      grpc::ServerWriter<ByteBuffer> *writer);
	Status chat(const std::string &path, ServerContext *context, Stream *stream);
	void add(const std::string &path, RpcMethod::RpcType type,
		 grpc::internal::MethodHandler *handler);
};

void begun(const std::string &path, ServerContext *context)
{
	size_t size = 0;

	for (const auto &pair : context->client_metadata()) {
		std::string key(pair.first.data(), pair.first.size());

		if (key.rfind("x-big-", 0) != 0)
			continue;
		size += pair.second.size();
		context->AddTrailingMetadata("x-back-" + key.substr(6),
					     std::string(pair.second.data(), pair.second.size()));
	}
	say("begun " + path + " " + std::to_string(size));
}

Status ended(const std::string &path, ServerContext *context, unsigned int got, unsigned int good)
{
	if (context->IsCancelled()) {
		say("broken " + path);
		return Status::CANCELLED;
	}
	say("ran " + path + " " + std::to_string(got) + " " + std::to_string(good));
	return Status::OK;
}

Status Service::unary(const std::string &path, ServerContext *context, const ByteBuffer *request,
		      ByteBuffer *reply)
{
	begun(path, context);
	*reply = *request;
	return ended(path, context, 1, is_body(*request, 0));
}

Status Service::wait(const std::string &path, ServerContext *context)
{
	begun(path, context);
	for (int i = 0; i < 3000 && !context->IsCancelled(); i++)
		std::this_thread::sleep_for(std::chrono::milliseconds(20));
	return ended(path, context, 1, 1);
}

Status Service::collect(const std::string &path, ServerContext *context,
			grpc::ServerReader<ByteBuffer> *reader, ByteBuffer *reply)
{
	unsigned int got = 0, good = 0;
	ByteBuffer message;

	begun(path, context);
	for (; reader->Read(&message); got++)
		good += is_body(message, got);
	*reply = bytes(std::to_string(got) + " " + std::to_string(good));
	return ended(path, context, got, good);
}

Status Service::repeat(const std::string &path, ServerContext *context, const ByteBuffer *request,
		       grpc::ServerWriter<ByteBuffer> *writer)
{
	unsigned int count = 0, size = 0, number = 0;

	begun(path, context);
	std::istringstream(text_of(*request)) >> count >> size;
	while (number < count && writer->Write(body(number, size)))
		number++;
	return ended(path, context, count, number);
}

Status Service::chat(const std::string &path, ServerContext *context, Stream *stream)
{
	unsigned int got = 0, good = 0;
	ByteBuffer message;

	begun(path, context);
	for (; stream->Read(&message); got++) {
		good += is_body(message, got);
		stream->Write(message);
	}
	return ended(path, context, got, good);
}

void Service::add(const std::string &path, RpcMethod::RpcType type,
		  grpc::internal::MethodHandler *handler)
{
	// gRPC keeps the pointer.
	static std::set<std::string> paths;

	AddMethod(new RpcServiceMethod(paths.insert(path).first->c_str(), type, handler));
}

Service::Service(const std::string &name)
{
	using namespace grpc::internal;

	for (const char *method : { "Unary", "Wait" }) {
		const std::string path = "/" + name + "/" + method;

		add(path, RpcMethod::NORMAL_RPC,
		    new RpcMethodHandler<Service, ByteBuffer, ByteBuffer, ByteBuffer, ByteBuffer>(
			    [path, name](Service *service, ServerContext *context,
					 const ByteBuffer *request, ByteBuffer *reply) {
				    return path.ends_with("Wait")
						   ? service->wait(path, context)
						   : service->unary(path, context, request, reply);
			    },
			    this));
	}
	const std::string collect_path = "/" + name + "/Collect";
	add(collect_path, RpcMethod::CLIENT_STREAMING,
	    new ClientStreamingHandler<Service, ByteBuffer, ByteBuffer>(
		    [collect_path](Service *service, ServerContext *context,
				   grpc::ServerReader<ByteBuffer> *reader, ByteBuffer *reply) {
			    return service->collect(collect_path, context, reader, reply);
		    },
		    this));
	const std::string repeat_path = "/" + name + "/Repeat";
	add(repeat_path, RpcMethod::SERVER_STREAMING,
	    new ServerStreamingHandler<Service, ByteBuffer, ByteBuffer>(
		    [repeat_path](Service *service, ServerContext *context,
				  const ByteBuffer *request,
				  grpc::ServerWriter<ByteBuffer> *writer) {
			    return service->repeat(repeat_path, context, request, writer);
		    },
		    this));
	const std::string chat_path = "/" + name + "/Chat";
	add(chat_path, RpcMethod::BIDI_STREAMING,
	    new BidiStreamingHandler<Service, ByteBuffer, ByteBuffer>(
		    [chat_path](Service *service, ServerContext *context, Stream *stream) {
			    return service->chat(chat_path, context, stream);
		    },
		    this));
}

} // namespace

void run_server(const std::string &address)
{
	Service echo("dts.Echo"), vault("dts.Vault");
	grpc::ServerBuilder builder;
	int port = 0;

	builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
	builder.AddChannelArgument("grpc.max_metadata_size", 65536);
	builder.AddChannelArgument("grpc.so_reuseport", 0);
	builder.RegisterService(&echo);
	builder.RegisterService(&vault);
	auto server = builder.BuildAndStart();
	if (!server || !port) {
		say("cannot listen on " + address);
		return;
	}
	say("ready");
	server->Wait();
}
