# SPDX-License-Identifier: Apache-2.0
# frozen_string_literal: true

# A peer of the matrix on ruby-grpc: `peer.rb client TARGET` or `peer.rb server ADDRESS`.
# What a peer is told and what it tells: docs/testing.md, "The matrix of stacks".

require 'grpc'

ALPHABET = [*'A'..'Z', *'a'..'z', *'0'..'9'].join
PIECE_B = 1000
ARGUMENTS = { 'grpc.max_metadata_size' => 65_536 }.freeze
OUTPUT = Mutex.new
RAW = ->(bytes) { bytes }

def say(*words)
  OUTPUT.synchronize do
    $stdout.write("#{words.join(' ')}\n")
    $stdout.flush
  end
end

def body(number, size)
  (number & 0xff).chr.b * size
end

def same(bytes, number)
  bytes.b == body(number, bytes.bytesize) ? 1 : 0
end

def metadata(size)
  (0...size / PIECE_B).to_h do |i|
    ["x-big-#{i}", (0...PIECE_B).map { |j| ALPHABET[(i * 7 + j * j) % 62] }.join]
  end
end

def big(pairs, prefix)
  (pairs || {}).select { |key, _| key.start_with?(prefix) }
end

# One call of the client.
class Call
  def initialize(stub, words)
    @stub = stub
    @number, @kind, @method = words[0, 3]
    @count, @size, @timeout, @meta = words[3, 4].map(&:to_i)
    @hold = words[7] == 'hold'
    @released = Queue.new
    @got = @good = 0
    @started = Queue.new
  end

  def release
    @released << true
  end

  def cancel
    @started.pop
    @operation.cancel
  end

  def run
    begin
      code = 0
      details = ''
      send(@kind)
    rescue GRPC::BadStatus => e
      code = e.code
      details = e.details
      pairs = e.metadata
    end
    pairs ||= @operation&.trailing_metadata
    back = big(pairs, 'x-back-').values.sum(&:size)
    say('end', @number, code, @got, @good, back, details.to_s.tr("\n", ' '))
  end

  private

  def operation(kind, *requests)
    @operation = @stub.public_send(kind, @method, *requests, RAW, RAW, return_op: true,
                                   deadline: Time.now + @timeout / 1000.0, metadata: metadata(@meta))
    @started << true
    @operation
  end

  def unary
    reply = operation(:request_response, body(0, @size)).execute
    @got = 1
    @good = reply.bytesize == @size ? same(reply, 0) : 0
  end

  def collect
    bodies = (0...@count).lazy.map { |n| body(n, @size) }
    @got, @good = operation(:client_streamer, bodies).execute.split.map(&:to_i)
  end

  def repeat
    operation(:server_streamer, "#{@count} #{@size}").execute.each do |bytes|
      @good += same(bytes, @got)
      @got += 1
    end
  end

  def chat
    outbox = Queue.new
    outbox << body(0, @size)
    requests = Enumerator.new do |sent|
      while (bytes = outbox.pop)
        sent << bytes
      end
    end
    operation(:bidi_streamer, requests).execute.each { |bytes| answered(bytes, outbox) }
  ensure
    outbox << nil
  end

  def answered(bytes, outbox)
    @good += same(bytes, @got)
    @got += 1
    if @got == 1 && @hold
      say('held', @number)
      @released.pop
    end
    outbox << (@got < @count ? body(@got, @size) : nil) if @got <= @count
  end
end

def client(target)
  stub = GRPC::ClientStub.new(target, :this_channel_is_insecure, channel_args: ARGUMENTS)
  calls = {}
  $stdin.each_line do |line|
    verb, number, *rest = line.split
    case verb
    when 'call'
      calls[number] = call = Call.new(stub, [number, *rest])
      Thread.new { call.run }
    when 'cancel' then calls[number].cancel
    else calls[number].release
    end
  end
  exit!(0)
end

# Messages that are bytes. The server asks the class of what it sends how to encode it.
class Raw < String
  def self.encode(bytes)
    bytes.to_s
  end

  def self.decode(bytes)
    new(bytes)
  end
end

# The five methods; every one says that it has begun, and how it ended.
module Methods
  def told(name, call)
    path = "/#{self.class.service_name}/#{name}"
    pairs = big(call.metadata, 'x-big-')
    pairs.each { |key, value| call.output_metadata["x-back-#{key[6..]}"] = value }
    say('begun', path, pairs.values.sum(&:size))
    reply, got, good = yield
    say('ran', path, got, good)
    reply
  rescue StandardError
    say('broken', path)
    raise
  end

  def unary(request, call)
    told('Unary', call) { [request, 1, same(request, 0)] }
  end

  def wait(_request, call)
    told('Wait', call) do
      # Nothing tells a handler of a cancelled call, so it asks how much time the call has.
      sleep(0.02) while call.deadline > Time.now
      raise GRPC::DeadlineExceeded
    end
  end

  def collect(call)
    told('Collect', call) do
      got = good = 0
      call.each_remote_read do |bytes|
        good += same(bytes, got)
        got += 1
      end
      [Raw.new("#{got} #{good}"), got, good]
    end
  end

  def repeat(request, call)
    told('Repeat', call) do
      count, size = request.split.map(&:to_i)
      [(0...count).map { |n| Raw.new(body(n, size)) }, count, count]
    end
  end

  def chat(requests, call)
    Enumerator.new do |sent|
      told('Chat', call) do
        got = good = 0
        requests.each do |bytes|
          good += same(bytes, got)
          got += 1
          sent << bytes
        end
        [nil, got, good]
      end
    end
  end
end

def service(name)
  declared = Class.new do
    include GRPC::GenericService

    self.marshal_class_method = :encode
    self.unmarshal_class_method = :decode
    self.service_name = name
    rpc :Unary, Raw, Raw
    rpc :Wait, Raw, Raw
    rpc :Collect, stream(Raw), Raw
    rpc :Repeat, Raw, stream(Raw)
    rpc :Chat, stream(Raw), stream(Raw)
  end
  # What is declared answers UNIMPLEMENTED, until a class below it says otherwise.
  Class.new(declared) { include Methods }
end

def server(address)
  box = GRPC::RpcServer.new(pool_size: 130, server_args: ARGUMENTS)
  box.add_http2_port(address, :this_port_is_insecure) or abort("cannot listen on #{address}")
  %w[dts.Echo dts.Vault].each { |name| box.handle(service(name)) }
  Thread.new { say('ready') if box.wait_till_running(60) }
  box.run_till_terminated
end

send(ARGV[0], ARGV[1])
