// A bare broadcast on `ws`: what a client says goes to the others of its channel as it came.

import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { WebSocketServer } from 'ws';
import { connectionEstablished, options, understand } from './pusher.mjs';

const channels = new Map();

const server = options.cert
    ? createHttpsServer({ cert: readFileSync(options.cert), key: readFileSync(options.key) })
    : createHttpServer();

new WebSocketServer({
    server,
    // By default `ws` does not compress messages under 1024 bytes.
    perMessageDeflate: options.deflate && { serverNoContextTakeover: true, threshold: 0 },
}).on('connection', (socket) => {
    const joined = new Set();
    socket.on('message', (text) => understand(text, {
        join(channel) {
            if (!channels.has(channel)) channels.set(channel, new Set());
            channels.get(channel).add(socket);
            joined.add(channel);
        },
        whisper(channel) {
            for (const other of channels.get(channel)) {
                if (other !== socket) other.send(text, { binary: false });
            }
        },
        answer: (answer) => socket.send(answer),
    }));
    socket.on('error', () => {});
    socket.on('close', () => {
        for (const channel of joined) {
            channels.get(channel).delete(socket);
            if (channels.get(channel).size === 0) channels.delete(channel);
        }
    });
    socket.send(connectionEstablished());
});

server.listen({ port: Number(options.port), host: '127.0.0.1', backlog: 4096 }, () => {
    console.log('listening');
});
