// The real socket.io-client against an echo server, over one way of transport; prints what each scenario saw, a JSON
// line each. All run at once, but the restart comes last; those under `chosen` run by name only. It ends by itself, when
// the last goodbye has been taken.
// usage: node client.mjs <folder of node_modules> <url> <transports, joined by commas> [scenario]
import { createRequire } from "node:module";
import process from "node:process";

const [modules, url, transports, only] = process.argv.slice(2);
const { io, Manager } = createRequire(`${modules}/`)("socket.io-client");
const PATIENCE_MS = 50_000;
const options = {
  transports: transports.split(","),
  forceNew: true,
  reconnectionDelay: 50,
  reconnectionDelayMax: 100,
};
const once = (emitter, name) => new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
const ack = (socket, ...args) => new Promise((resolve) => socket.emit(...args, (...back) => resolve(back)));
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const bytes = (...values) => Buffer.from(values);
const hex = (value) => (Buffer.isBuffer(value) ? value.toString("hex") : value);

async function connected(more = {}) {
  const socket = io(url, { ...options, ...more });
  await once(socket, "connect");
  return socket;
}

async function upgraded(socket) {
  const engine = socket.io.engine;
  const last = options.transports.at(-1);
  if (engine.transport.name !== last) {
    await once(engine, "upgrade");
  }
  return engine.transport.name;
}

const scenarios = {
  async talks() {
    const socket = io(url, { ...options, auth: { token: "t" } });
    const auth = once(socket, "auth");
    await once(socket, "connect");
    const seen = { auth: await auth, sid: socket.id };
    const message = once(socket, "message-back");
    socket.emit("message", 1, "ção", { a: [null] });
    seen.message = await message;
    seen.ack = await ack(socket, "message-with-ack", "x", 2);
    socket.on("question", (number, answer) => answer(number + 41));
    seen.asked = await ack(socket, "ask");
    seen.transport = await upgraded(socket);
    seen.afterwards = await ack(socket, "message-with-ack", "still here");
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
    seen.ack = await ack(socket, "message-with-ack", "let in");
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
  async rooms() {
    const [inside, outside] = await Promise.all([connected(), connected()]);
    const heard = { inside: [], outside: [] };
    inside.on("msg", (value) => heard.inside.push(value));
    outside.on("msg", (value) => heard.outside.push(value));
    const joined = await ack(inside, "join", transports);
    await ack(outside, "pub-in", transports, "to the room");
    await ack(inside, "message-with-ack", "what came before is here");
    await ack(inside, "leave", transports);
    await ack(outside, "pub-in", transports, "to nobody");
    await ack(inside, "message-with-ack", "nothing more");
    inside.disconnect();
    outside.disconnect();
    return { joined, heard };
  },
  async large() {
    const socket = await connected();
    const text = "ã".repeat(450_000);
    const seen = { bytes: Buffer.byteLength(text) };
    seen.same = (await ack(socket, "message-with-ack", text))[0] === text;
    await upgraded(socket);
    seen.afterUpgrade = (await ack(socket, "message-with-ack", text))[0] === text;
    socket.disconnect();
    return seen;
  },
  async heartbeat() {
    const socket = await connected();
    let pings = 0;
    await new Promise((resolve) => socket.io.on("ping", () => ++pings === 3 && resolve()));
    const seen = { ack: await ack(socket, "message-with-ack", "alive") };
    socket.disconnect();
    return seen;
  },
  async reconnects() {
    const socket = await connected();
    await upgraded(socket);
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
    const socket = await connected();
    await upgraded(socket);
    socket.emit("close", "session ended");
    const [reason] = await once(socket, "disconnect");
    return { reason, active: socket.active };
  },
  async binary() {
    const socket = await connected();
    const back = once(socket, "message-back");
    socket.emit("message", bytes(1, 2, 3), { deep: [bytes(), "between", bytes(255, 0)] });
    const [first, { deep }] = await back;
    const seen = { event: [hex(first), deep.map(hex)] };
    seen.ack = (await ack(socket, "message-with-ack", "x", bytes(4))).map(hex);
    const ten = Array.from({ length: 10 }, (_, index) => bytes(index));
    seen.ten = (await ack(socket, "message-with-ack", ...ten)).map(hex);
    socket.on("question", (number, answer) => answer(bytes(number, 41)));
    seen.asked = Buffer.from((await ack(socket, "ask"))[0].answer[0]).toString("hex");
    const large = Buffer.alloc(600_000, 7);
    seen.large = large.equals((await ack(socket, "message-with-ack", large))[0]);
    await upgraded(socket);
    seen.afterUpgrade = (await ack(socket, "message-with-ack", bytes(9), bytes(8))).map(hex);
    socket.disconnect();
    return seen;
  },
};

/** Alone, and last: it says that it is ready, and waits for what the server does then. */
async function restart() {
  const socket = await connected();
  await upgraded(socket);
  const first = socket.id;
  const drained = once(socket, "server:draining");
  const gone = once(socket, "disconnect");
  tell({ ready: true });
  const seen = { drained: Object.keys((await drained)[0]), reason: (await gone)[0] };
  const kept = ack(socket, "message-with-ack", "said while it was away");
  await once(socket, "connect");
  seen.differ = first !== socket.id;
  seen.kept = await kept;
  seen.transport = await upgraded(socket);
  socket.disconnect();
  return seen;
}

const chosen = {
  /** Members of three ways of transport in one room, each publishing text and binary in turn. */
  async mixed() {
    const ways = [["websocket"], ["polling"], ["polling", "websocket"]];
    const count = 20;
    const members = await Promise.all(ways.map((way) => connected({ transports: way })));
    const all = members.length * count;
    const heard = members.map((member) => {
      const values = [];
      const complete = new Promise((resolve) => {
        member.on("msg", (from, number, data) => {
          values.push([from, number, hex(data)]);
          if (values.length === all) {
            resolve(values);
          }
        });
      });
      return complete;
    });
    await Promise.all(members.map((member) => ack(member, "join", "mixed")));
    for (let number = 0; number < count; number++) {
      for (const [from, member] of members.entries()) {
        member.emit("pub-in", "mixed", from, number, number % 2 ? bytes(from, number) : "text");
      }
    }
    const seen = { heard: await Promise.all(heard) };
    await Promise.all(members.map((member) => ack(member, "message-with-ack", "nothing more")));
    seen.transport = members.map((member) => member.io.engine.transport.name);
    for (const member of members) {
      member.disconnect();
    }
    return seen;
  },
  /** A thousand clients that upgrade while they talk and while their room is talked to. */
  async upgrades() {
    const seen = { upgrades: 0, faults: [] };
    let left = 1_000;
    async function visit(number) {
      const socket = io(url, { ...options, upgrade: false, auth: { room: "load" } });
      let [sent, next, last] = [0, 0, null];
      socket.on("message-back", (value) => {
        if (value !== next++) {
          seen.faults.push(`visit ${number}: ${value} came back instead of ${next - 1}`);
        }
      });
      socket.on("msg", (value) => {
        if (last !== null && value !== last + 1) {
          seen.faults.push(`visit ${number}: ${value} follows ${last}`);
        }
        last = value;
      });
      const talk = async (count) => {
        for (const until = sent + count; sent < until; ) {
          socket.emit("message", sent++);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      };
      await once(socket, "connect");
      await talk(number % 7);
      const engine = socket.io.engine;
      const done = once(engine, "upgrade").then(() => seen.upgrades++);
      engine.opts.upgrade = true;
      engine._probe("websocket"); // what it does by itself when it has connected and nobody talks yet
      await talk(15);
      await done;
      await talk(3);
      await ack(socket, "message-with-ack", "what came before is here");
      if (next !== sent || last === null) {
        seen.faults.push(`visit ${number}: ${next} of ${sent} came back, ${last} was heard last`);
      }
      socket.disconnect();
    }
    const work = async () => {
      while (left-- > 0) {
        await visit(left);
      }
    };
    await Promise.all(Array.from({ length: 20 }, work));
    return seen;
  },
};

async function perform(name, scenario) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`still waiting after ${PATIENCE_MS} ms`)), PATIENCE_MS).unref();
  });
  try {
    tell({ scenario: name, seen: await Promise.race([scenario(), late]) });
  } catch (error) {
    tell({ scenario: name, seen: { error: String(error) } });
  }
}

if (only) {
  await perform(only, chosen[only]);
} else {
  await Promise.all(Object.entries(scenarios).map(([name, scenario]) => perform(name, scenario)));
  await perform("restart", restart);
}
