// A bare broadcast on uWebSockets.js: its topics are the channels, its `publish`, in C++, the fan-out.

import uWS from 'uWebSockets.js';
import { connectionEstablished, options, understand } from './pusher.mjs';

const decoder = new TextDecoder();

const app = options.cert
    ? uWS.SSLApp({ cert_file_name: options.cert, key_file_name: options.key })
    : uWS.App();

app.ws('/app/:key', {
    compression: options.deflate ? uWS.SHARED_COMPRESSOR : uWS.DISABLED,
    // Above its default of 64 KB, uWebSockets.js drops messages to a slow reader.
    maxBackpressure: 64 * 1024 * 1024,
    open: (socket) => socket.send(connectionEstablished()),
    message(socket, bytes) {
        const text = decoder.decode(bytes);
        understand(text, {
            join: (channel) => socket.subscribe(channel),
            whisper: (channel) => socket.publish(channel, text, false, options.deflate),
            answer: (answer) => socket.send(answer),
        });
    },
});

app.listen('127.0.0.1', Number(options.port), (listening) => {
    if (!listening) throw new Error(`cannot listen on port ${options.port}`);
    console.log('listening');
});
