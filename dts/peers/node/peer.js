// SPDX-License-Identifier: Apache-2.0
// A peer of the matrix on @grpc/grpc-js: `peer.js client TARGET` or `peer.js server ADDRESS`.
// What a peer is told and what it tells: docs/testing.md, "The matrix of stacks".
'use strict';

const grpc = require('@grpc/grpc-js');
const readline = require('readline');

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const PIECE_B = 1000;
const raw = (bytes) => bytes;
const body = (number, size) => Buffer.alloc(size, number & 0xff);
const same = (bytes, number) => (bytes.equals(body(number, bytes.length)) ? 1 : 0);

// One write, so that lines stay whole.
const say = (...words) => process.stdout.write(words.join(' ') + '\n');

function metadata(size) {
	const pairs = new grpc.Metadata();

	for (let i = 0; i < Math.floor(size / PIECE_B); i++) {
		let value = '';
		for (let j = 0; j < PIECE_B; j++)
			value += ALPHABET[(i * 7 + j * j) % 62];
		pairs.set(`x-big-${i}`, value);
	}
	return pairs;
}

function big(pairs, prefix) {
	return Object.entries(pairs.getMap()).filter(([key]) => key.startsWith(prefix));
}

const total = (entries) => entries.reduce((sum, [, value]) => sum + value.length, 0);

class Call {
	constructor(client, words) {
		[this.number, this.kind, this.method] = words;
		[this.count, this.size, this.timeout, this.meta] = words.slice(3, 7).map(Number);
		this.hold = words[7] === 'hold';
		this.got = this.good = 0;
		this.released = new Promise((resolve) => { this.release = resolve; });
		this[this.kind](client, metadata(this.meta),
			{ deadline: Date.now() + this.timeout });
		this.call.on('status', (status) => this.end(status));
	}

	end(status) {
		const back = total(big(status.metadata, 'x-back-'));

		// What the callback tells comes first or last, as the kind of call will have it.
		setImmediate(() => say('end', this.number, status.code, this.got, this.good, back,
			status.details.replace(/\n/g, ' ')));
	}

	unary(client, pairs, options) {
		this.call = client.makeUnaryRequest(this.method, raw, raw, body(0, this.size), pairs,
			options, (error, reply) => {
				if (error)
					return;
				this.got = 1;
				this.good = reply.length === this.size ? same(reply, 0) : 0;
			});
	}

	collect(client, pairs, options) {
		this.call = client.makeClientStreamRequest(this.method, raw, raw, pairs, options,
			(error, reply) => {
				if (!error)
					[this.got, this.good] = reply.toString().split(' ');
			});
		for (let number = 0; number < this.count; number++)
			this.call.write(body(number, this.size));
		this.call.end();
	}

	repeat(client, pairs, options) {
		this.call = client.makeServerStreamRequest(this.method, raw, raw,
			Buffer.from(`${this.count} ${this.size}`), pairs, options);
		this.call.on('error', () => {});
		this.call.on('data', (bytes) => { this.good += same(bytes, this.got++); });
	}

	chat(client, pairs, options) {
		const next = () => {
			if (this.got < this.count)
				this.call.write(body(this.got, this.size));
			else
				this.call.end();
		};

		this.call = client.makeBidiStreamRequest(this.method, raw, raw, pairs, options);
		this.call.on('error', () => {});
		this.call.on('data', (bytes) => {
			this.good += same(bytes, this.got++);
			if (this.got === 1 && this.hold) {
				say('held', this.number);
				this.released.then(next);
			} else {
				next();
			}
		});
		next();
	}
}

function client(target) {
	const stub = new grpc.Client(target, grpc.credentials.createInsecure());
	const calls = {};

	readline.createInterface({ input: process.stdin }).on('line', (line) => {
		const words = line.split(' ');

		if (words[0] === 'call')
			calls[words[1]] = new Call(stub, words.slice(1));
		else if (words[0] === 'cancel')
			calls[words[1]].call.cancel();
		else
			calls[words[1]].release();
	}).on('close', () => process.exit(0));
}

// What every handler does first. Returns what to say of its end, and the trailers.
function begun(path, call) {
	const pairs = big(call.metadata, 'x-big-');
	const back = new grpc.Metadata();
	let over = false;
	const once = (...words) => {
		if (!over)
			say(...words);
		over = true;
	};

	for (const [key, value] of pairs)
		back.set(`x-back-${key.slice(6)}`, value);
	say('begun', path, total(pairs));
	call.on('cancelled', () => once('broken', path));
	call.on('error', () => once('broken', path));
	return [(got, good) => once('ran', path, got, good), back];
}

const HANDLERS = {
	Unary: (path) => (call, reply) => {
		const [ran, back] = begun(path, call);

		ran(1, same(call.request, 0));
		reply(null, call.request, back);
	},
	Wait: (path) => (call, reply) => {
		begun(path, call);
		call.on('cancelled', () => reply({ code: grpc.status.CANCELLED }));
	},
	Collect: (path) => (call, reply) => {
		const [ran] = begun(path, call);
		let got = 0;
		let good = 0;

		call.on('data', (bytes) => { good += same(bytes, got++); });
		call.on('end', () => {
			ran(got, good);
			reply(null, Buffer.from(`${got} ${good}`));
		});
	},
	Repeat: (path) => (call) => {
		const [ran] = begun(path, call);
		const [count, size] = call.request.toString().split(' ').map(Number);

		for (let number = 0; number < count; number++)
			call.write(body(number, size));
		ran(count, count);
		call.end();
	},
	Chat: (path) => (call) => {
		const [ran] = begun(path, call);
		let got = 0;
		let good = 0;

		call.on('data', (bytes) => {
			good += same(bytes, got++);
			call.write(bytes);
		});
		call.on('end', () => {
			ran(got, good);
			call.end();
		});
	},
};

function server(address) {
	const box = new grpc.Server();

	for (const service of ['dts.Echo', 'dts.Vault']) {
		const methods = {};
		const handlers = {};

		for (const name of Object.keys(HANDLERS)) {
			const path = `/${service}/${name}`;

			methods[name] = {
				path, requestStream: name === 'Collect' || name === 'Chat',
				responseStream: name === 'Repeat' || name === 'Chat',
				requestSerialize: raw, requestDeserialize: raw,
				responseSerialize: raw, responseDeserialize: raw,
			};
			handlers[name] = HANDLERS[name](path);
		}
		box.addService(methods, handlers);
	}
	box.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
		if (error)
			throw error;
		say('ready');
	});
}

({ client, server })[process.argv[2]](process.argv[3]);
