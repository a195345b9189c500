// The official server, as its documentation shows it: rooms, WebSocket only. Usage: socketio_fanout.mjs PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], pingInterval: 25000, pingTimeout: 60000 });

io.on("connection", (socket) => {
  socket.on("join", (room) => socket.join(room));
  socket.on("pub", (payload, room = "r") => io.to(room).emit("msg", payload));
});

http.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
