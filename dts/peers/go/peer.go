// SPDX-License-Identifier: Apache-2.0

// A peer of the matrix on grpc-go: `peer client TARGET` or `peer server ADDRESS`.
// What a peer is told and what it tells: docs/testing.md, "The matrix of stacks".
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	pieceB   = 1000
)

var output sync.Mutex

func say(format string, values ...interface{}) {
	output.Lock()
	defer output.Unlock()
	fmt.Printf(format+"\n", values...)
}

// raw is the codec of messages that are bytes.
type raw struct{}

func (raw) Marshal(v interface{}) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v interface{}) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string   { return "raw" }
func (raw) String() string { return "raw" }

func body(number, size int) []byte { return bytes.Repeat([]byte{byte(number)}, size) }

func same(message []byte, number int) int {
	if bytes.Equal(message, body(number, len(message))) {
		return 1
	}
	return 0
}

func big(size int) metadata.MD {
	pairs := metadata.MD{}
	for i := 0; i < size/pieceB; i++ {
		value := make([]byte, pieceB)
		for j := range value {
			value[j] = alphabet[(i*7+j*j)%62]
		}
		pairs.Set(fmt.Sprintf("x-big-%d", i), string(value))
	}
	return pairs
}

// call is one call of the client.
type call struct {
	number, kind, method       string
	count, size, timeout, meta int
	hold                       bool
	released                   chan struct{}
	cancel                     context.CancelFunc
	trailer                    metadata.MD
}

func (c *call) run(ctx context.Context, conn *grpc.ClientConn) {
	ctx = metadata.NewOutgoingContext(ctx, big(c.meta))
	got, good := 0, 0
	var err error
	switch c.kind {
	case "unary":
		sent, reply := body(0, c.size), []byte(nil)
		err = conn.Invoke(ctx, c.method, &sent, &reply, grpc.Trailer(&c.trailer))
		if err == nil && bytes.Equal(sent, reply) {
			got, good = 1, 1
		}
	default:
		desc := &grpc.StreamDesc{ServerStreams: c.kind != "collect", ClientStreams: c.kind != "repeat"}
		var stream grpc.ClientStream
		if stream, err = conn.NewStream(ctx, desc, c.method); err == nil {
			got, good, err = c.stream(stream)
		}
	}
	back := 0
	for key, values := range c.trailer {
		if strings.HasPrefix(key, "x-back-") {
			back += len(strings.Join(values, ""))
		}
	}
	state := status.Convert(err)
	say("end %s %d %d %d %d %s", c.number, state.Code(), got, good, back,
		strings.ReplaceAll(state.Message(), "\n", " "))
}

func (c *call) stream(stream grpc.ClientStream) (got, good int, err error) {
	var reply []byte
	switch c.kind {
	case "collect":
		for number := 0; number < c.count; number++ {
			sent := body(number, c.size)
			if stream.SendMsg(&sent) != nil {
				break // RecvMsg says why
			}
		}
		stream.CloseSend()
		if err = stream.RecvMsg(&reply); err == nil {
			fmt.Sscan(string(reply), &got, &good)
		}
		return
	case "repeat":
		wanted := []byte(fmt.Sprintf("%d %d", c.count, c.size))
		if err = stream.SendMsg(&wanted); err == nil || err == io.EOF {
			stream.CloseSend()
		}
	case "chat":
		for number := 0; number < c.count; number++ {
			sent := body(number, c.size)
			stream.SendMsg(&sent)
			if err = stream.RecvMsg(&reply); err != nil {
				return
			}
			got++
			good += same(reply, number)
			if number == 0 && c.hold {
				say("held %s", c.number)
				<-c.released
			}
		}
		stream.CloseSend()
	}
	for {
		if err = stream.RecvMsg(&reply); err != nil {
			if err == io.EOF {
				err = nil
			}
			return
		}
		good += same(reply, got)
		got++
	}
}

func client(target string) {
	conn, err := grpc.Dial(target, grpc.WithInsecure(), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		panic(err)
	}
	calls := map[string]*call{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "call":
			c := &call{number: words[1], kind: words[2], method: words[3], hold: words[8] == "hold",
				released: make(chan struct{})}
			for i, place := range []*int{&c.count, &c.size, &c.timeout, &c.meta} {
				*place, _ = strconv.Atoi(words[4+i])
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.timeout)*time.Millisecond)
			c.cancel = cancel
			calls[c.number] = c
			go c.run(ctx, conn)
		case "cancel":
			calls[words[1]].cancel()
		case "release":
			close(calls[words[1]].released)
		}
	}
}

// handle serves every method; those that dts.Echo and dts.Vault do not have never get here.
func handle(_ interface{}, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	arrived, _ := metadata.FromIncomingContext(stream.Context())
	back, size := metadata.MD{}, 0
	for key, values := range arrived {
		if strings.HasPrefix(key, "x-big-") {
			size += len(strings.Join(values, ""))
			back.Set("x-back-"+key[6:], values...)
		}
	}
	stream.SetTrailer(back)
	say("begun %s %d", method, size)
	got, good, err := serve(method[strings.LastIndex(method, "/")+1:], stream)
	if err != nil {
		say("broken %s", method)
		return err
	}
	say("ran %s %d %d", method, got, good)
	return nil
}

func serve(name string, stream grpc.ServerStream) (got, good int, err error) {
	var message []byte
	for {
		if err = stream.RecvMsg(&message); err == io.EOF {
			break
		} else if err != nil {
			return
		}
		good += same(message, got)
		got++
		switch name {
		case "Wait":
			<-stream.Context().Done()
			return got, good, stream.Context().Err()
		case "Unary":
			return got, good, stream.SendMsg(&message)
		case "Chat":
			if err = stream.SendMsg(&message); err != nil {
				return
			}
		case "Repeat":
			var count, size int
			fmt.Sscan(string(message), &count, &size)
			for number := 0; number < count; number++ {
				message = body(number, size)
				if err = stream.SendMsg(&message); err != nil {
					return
				}
			}
			return count, count, nil
		}
	}
	if name == "Collect" {
		message = []byte(fmt.Sprintf("%d %d", got, good))
		return got, good, stream.SendMsg(&message)
	}
	return got, good, nil
}

func server(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	box := grpc.NewServer(grpc.CustomCodec(raw{}), grpc.UnknownServiceHandler(handle))
	say("ready")
	panic(box.Serve(listener))
}

func main() {
	map[string]func(string){"client": client, "server": server}[os.Args[1]](os.Args[2])
}
