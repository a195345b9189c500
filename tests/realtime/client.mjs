// One scenario of the real socket.io-client against an echo server; prints what it saw as one JSON line.
// usage: node client.mjs <folder of node_modules> <url> <scenario>
import { createRequire } from "node:module";

const [modules, url, scenario] = process.argv.slice(2);
const { io, Manager } = createRequire(`${modules}/`)("socket.io-client");
const options = { transports: ["websocket"], reconnectionDelay: 50, reconnectionDelayMax: 100 };
const once = (emitter, name) => new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
const ack = (socket, ...args) => new Promise((resolve) => socket.emit(...args, (...back) => resolve(back)));

const scenarios = {
  async echo() {
    const socket = io(url, { ...options, auth: { token: "t" } });
    const auth = once(socket, "auth");
    await once(socket, "connect");
    const seen = { auth: await auth, sid: socket.id };
    const message = once(socket, "message-back");
    socket.emit("message", 1, "ção", { a: [null] });
    seen.message = await message;
    seen.ack = await ack(socket, "message-with-ack", "x", 2);
    seen.large = (await ack(socket, "message-with-ack", "x".repeat(900_000)))[0].length;
    socket.on("question", (number, answer) => answer(number + 41));
    seen.asked = await ack(socket, "ask");
    seen.joined = await ack(socket, "join", "r");
    const packet = once(socket, "msg");
    socket.emit("pub", { b: 1 });
    seen.packet = await packet;
    socket.disconnect();
    return seen;
  },
  async refused() {
    const socket = io(url, { ...options, auth: { refuse: "" } });
    const [error] = await once(socket, "connect_error");
    const seen = { message: error.message, data: error.data, active: socket.active };
    socket.auth = {};
    socket.connect();
    await once(socket, "connect");
    socket.disconnect();
    return seen;
  },
  async namespaces() {
    const manager = new Manager(url, options);
    const [root, custom, unknown] = ["/", "/custom", "/unknown"].map((name) => manager.socket(name));
    const refused = once(unknown, "connect_error");
    await Promise.all([once(root, "connect"), once(custom, "connect")]);
    const back = once(custom, "message-back");
    custom.emit("message", "custom");
    const seen = { refused: (await refused)[0].message, back: await back, differ: root.id !== custom.id };
    custom.disconnect();
    seen.rootLivesOn = await ack(root, "message-with-ack", 1);
    root.disconnect();
    return seen;
  },
  async heartbeat() {
    const socket = io(url, options);
    await once(socket, "connect");
    let pings = 0;
    const enough = new Promise((resolve) => socket.io.on("ping", () => ++pings === 3 && resolve()));
    await enough;
    const seen = { ack: await ack(socket, "message-with-ack", "alive") };
    socket.disconnect();
    return seen;
  },
  async reconnects() {
    const socket = io(url, options);
    await once(socket, "connect");
    const first = socket.id;
    socket.emit("close", "slow consumer");
    const [reason] = await once(socket, "disconnect");
    const kept = ack(socket, "message-with-ack", "buffered");
    await once(socket, "connect");
    const seen = { reason, differ: first !== socket.id, buffered: await kept };
    socket.disconnect();
    return seen;
  },
  async staysAway() {
    const socket = io(url, options);
    await once(socket, "connect");
    socket.emit("close", "session ended");
    const [reason] = await once(socket, "disconnect");
    return { reason, active: socket.active };
  },
  async binary() {
    const socket = io(url, options);
    await once(socket, "connect");
    socket.emit("nothing", Buffer.from([1, 2, 3]));
    const seen = { livesOn: await ack(socket, "message-with-ack", 1) };
    socket.disconnect();
    return seen;
  },
};

const seen = await scenarios[scenario]();
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
