// What both bare servers say and understand of the Pusher protocol: no signatures, no limits.

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

/** --port N, --deflate, and --cert and --key, two PEM files that ask for TLS. */
export const options = parseArgs({
    options: {
        port: { type: 'string' },
        cert: { type: 'string' },
        key: { type: 'string' },
        deflate: { type: 'boolean', default: false },
    },
}).values;

/** The first message of every connection. */
export function connectionEstablished() {
    const socketId = `${randomInt(2 ** 40)}.${randomInt(2 ** 40)}`;
    return message('pusher:connection_established', { socket_id: socketId, activity_timeout: 120 });
}

/** Tells `room` what a client's message asks for: `join(channel)` or `whisper(channel)`. */
export function understand(text, room) {
    const { event, channel, data } = JSON.parse(text);
    if (event.startsWith('client-')) {
        room.whisper(channel);
    } else if (event === 'pusher:subscribe') {
        room.join(data.channel);
        room.answer(message('pusher_internal:subscription_succeeded', {}, data.channel));
    } else if (event === 'pusher:ping') {
        room.answer('{"event":"pusher:pong","data":{}}');
    }
}

function message(event, data, channel) {
    return JSON.stringify({ event, channel, data: JSON.stringify(data) });
}
