/** `--allow-net`: guests that use the host's network, and guests that may not. What they see is compared with a native run. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { execute, HEDRA, type Outcome, runHedra, text } from "./process.ts";
import { compile, testWith } from "./tools.ts";

interface Server {
  port: number;
  /** Connections or datagrams so far. */
  visits(): number;
  close(): Promise<void>;
}

/** A TCP server of the host. */
async function listening(host: string, serve: (socket: Socket) => void, port = 0): Promise<Server> {
  let visits = 0;
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    visits++;
    open.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((resolve, reject) => (server.on("error", reject), server.listen(port, host, resolve)));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : assert.fail(),
    visits: () => visits,
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A UDP server of the host that answers with what it has got. */
async function answering(host: string): Promise<Server> {
  let visits = 0;
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.on("message", (data, { port, address }) => (visits++, socket.send(data, port, address)));
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  return {
    port: socket.address().port,
    visits: () => visits,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

const echo = (socket: Socket) => void socket.pipe(socket);
const MUTE = (socket: Socket) => void socket.pause();

async function withServer(server: Promise<Server>, use: (server: Server) => Promise<void>): Promise<void> {
  const it = await server;
  try {
    await use(it);
  } finally {
    await it.close();
  }
}

const outside = () => compile("outside.c", "gcc");
/** The program under Hedra with a grant, and natively. */
async function sameWith(grant: string, args: readonly string[]): Promise<string> {
  const program = await outside(), native = await execute(program, args);
  const guest = await runHedra(["run", "--timeout", "60", `--allow-net=${grant}`, program, ...args]);
  assert.deepEqual([guest.code, text(guest.stdout), text(guest.stderr)], [native.code, text(native.stdout), ""]);
  return text(native.stdout);
}

testWith(
  ["gcc"],
  "connections to a granted place: blocking, in the background, refused ones",
  () =>
    withServer(listening("127.0.0.1", echo), async ({ port, close }) => {
      const orders = ["tcp", "127.0.0.1", `${port}`, "now", "127.0.0.1", `${port}`, "tcp", "::ffff:127.0.0.1", `${port}`];
      const told = await sameWith(`127.0.0.1:${port}`, orders);
      assert.match(told, /^tcp: ok, peer of 16 bytes, family 2, port as asked, own port set\nnow: EINPROGRESS, then 1 event ok/);
      await close();
      assert.match(
        await sameWith(`127.0.0.1:${port}`, orders),
        /^tcp: ECONNREFUSED\nnow: EINPROGRESS, then 1 event ECONNREFUSED, then ok\n/,
      );
    }),
);

testWith(
  ["gcc"],
  "megabytes go out and come back unchanged, with a half-closed connection at the end",
  () =>
    withServer(listening("127.0.0.1", echo), async ({ port }) => {
      const told = await sameWith(`localhost:${port}`, ["echo", "127.0.0.1", `${port}`, "5000000"]);
      assert.match(told, /echo: sent 5000000, got 5000000, unchanged\n$/);
    }),
);

testWith(
  ["gcc"],
  "a guest that sends to somebody who does not read has to wait",
  () =>
    withServer(listening("127.0.0.1", MUTE), async ({ port }) => {
      assert.match(await sameWith(`127.0.0.1:${port}`, ["fill", "127.0.0.1", `${port}`]), /fill: stops\n$/);
    }),
);

testWith(["gcc"], "what was sent before the end of a connection arrives; a reset is told once", async () => {
  const ways: ((socket: Socket) => void)[] = [
    (socket) => socket.end("all of it"),
    (socket) => socket.write("before", () => setTimeout(() => socket.resetAndDestroy(), 100)),
  ];
  for (const way of ways) {
    await withServer(listening("127.0.0.1", way), async ({ port }) => {
      const told = await sameWith(`127.0.0.1:${port}`, ["wait", "127.0.0.1", `${port}`]);
      assert.match(told, /wait: (all of it\nwait: end, then end|before\nwait: ECONNRESET, then end)/);
    });
  }
});

testWith(
  ["gcc"],
  "datagrams to a granted place are answered, from connected sockets too",
  () =>
    withServer(answering("127.0.0.1"), async ({ port }) => {
      const told = await sameWith(`127.0.0.1:${port}`, ["udp", "127.0.0.1", `${port}`, "udp", "::ffff:127.0.0.1", `${port}`]);
      assert.match(told, /^udp: sent 4 ok, got ping from port as asked, connected: got pong\n/);
    }),
);

/** Every way to say "this host" that does not name the grant. */
const WAYS_HOME = [
  "127.0.0.1",
  "127.0.0.2",
  "127.255.255.254",
  "0.0.0.0",
  "0.0.0.1",
  "::1",
  "::",
  "::ffff:127.0.0.1",
  "::ffff:0.0.0.0",
  "::127.0.0.1",
];

for (const grant of ["", "--allow-net", "--allow-net=192.0.2.77,localhost:1,::2,0.0.0.0"]) {
  testWith(["gcc"], `a hostile guest reaches nothing of the host's loopback with ${grant || "no grant"}`, async () => {
    const servers = await Promise.all([
      listening("127.0.0.1", echo),
      listening("::", echo),
      answering("127.0.0.1"),
      answering("::"),
    ]);
    try {
      const orders = servers.flatMap(({ port }, i) =>
        WAYS_HOME.flatMap((host) => i < 2 ? ["tcp", host, `${port}`, "now", host, `${port}`] : ["udp", host, `${port}`])
      );
      // What is sent by UDP into the void is waited for; a guest that only sends is enough here.
      const { code, stdout } = await runHedra([
        "run",
        "--timeout",
        "60",
        ...grant === "" ? [] : [grant],
        await compile("outside.c", "gcc", ["-DSHORT"]),
        ...orders,
      ]);
      assert.deepEqual([code, servers.map(({ visits }) => visits())], [0, [0, 0, 0, 0]], text(stdout));
      const lines = text(stdout).trimEnd().split("\n");
      assert.equal(lines.length, 6 * WAYS_HOME.length);
      for (const line of lines) assert.doesNotMatch(line, /^(tcp|now): .*\bok\b(?!$)/);
    } finally {
      for (const server of servers) await server.close();
    }
  });
}

testWith(
  ["gcc"],
  "a guest reaches its own loopback first, and only the granted port of the host's",
  () =>
    withServer(listening("127.0.0.1", echo), async ({ port, visits }) => {
      const program = await outside(), at = program.lastIndexOf("/");
      const run = (script: string) =>
        runHedra([
          "run",
          "--root",
          "/",
          "--timeout",
          "60",
          "--mount",
          `${program.slice(0, at)}:/tests`,
          `--allow-net=127.0.0.1:${port + 1}`,
          "/bin/sh",
          "-c",
          script,
        ]);
      const there = `/tests${program.slice(at)}`;
      const { stdout } = await run(`${there} serve 0.0.0.0 ${port} & sleep 0.3; ${there} echo 127.0.0.1 ${port} 1000; wait`);
      assert.match(text(stdout), /echo: sent 1000, got 1000, unchanged\n$/);
      assert.equal(visits(), 0);
    }),
);

testWith(["gcc"], "what is not granted gives ENETUNREACH without a network, EACCES with one, and a line at the end", async () => {
  const program = await outside();
  const run = (...grant: string[]) =>
    runHedra([
      "run",
      "--timeout",
      "60",
      ...grant,
      program,
      "tcp",
      "192.0.2.1",
      "80",
      "udp",
      "2001:db8::1",
      "54",
      "udp",
      "192.0.2.1",
      "9",
    ]);
  const told = ({ stdout, stderr }: Outcome) => [text(stdout), text(stderr)];
  const line =
    "hedra: network access that is not granted: 192.0.2.1:80 (outside-gcc), [2001:db8::1]:54 (outside-gcc), 192.0.2.1:9 (outside-gcc); see --allow-net\n";
  assert.deepEqual(told(await run()).slice(1), [line]);
  assert.match(told(await run())[0], /^tcp: ENETUNREACH\n.*\nudp: sent -1 ENETUNREACH\n$/);
  assert.match(told(await run("--allow-net=192.0.2.1:81"))[0], /^tcp: EACCES\n.*\nudp: sent -1 EACCES\n$/);
});

/** Runs a guest that serves, and uses it once it says that it is ready. */
async function served(
  grant: string,
  order: "serve" | "hear",
  host: string,
  port: number,
  use: () => Promise<void>,
): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...HEDRA.slice(1),
      "run",
      "--timeout",
      "60",
      `--allow-net=${grant}`,
      await outside(),
      order,
      host,
      `${port}`,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  try {
    while (!said.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) break;
      said += value;
    }
    if (said === `${order}: ok\n`) await use();
    else child.kill();
  } finally {
    for (let each = await reader.read(); !each.done; each = await reader.read()) said += each.value;
    await child.status;
  }
  return said;
}

/** A port that is free on the host now. */
async function freePort(): Promise<number> {
  const server = await listening("127.0.0.1", echo);
  await server.close();
  return server.port;
}

for (
  const [host, grant] of [["0.0.0.0", "127.0.0.1:PORT"], ["127.0.0.1", "localhost"], ["::", "127.0.0.1"], [
    "0.0.0.0",
    ":PORT",
  ]] as const
) {
  testWith(
    ["gcc"],
    `a guest that listens at ${host} is reached from the host with --allow-net=${grant}, and sends all before it ends`,
    async () => {
      const port = await freePort();
      const said = await served(grant.replace("PORT", `${port}`), "serve", host, port, async () => {
        const { stdout } = await execute(await outside(), ["echo", "127.0.0.1", `${port}`, "2000000"]);
        assert.match(text(stdout), /echo: sent 2000000, got 2000000, unchanged\n$/);
      });
      assert.equal(said, "serve: ok\n");
    },
  );
}

testWith(["gcc"], "a guest that hears datagrams answers the host", async () => {
  const port = await freePort();
  const said = await served(`127.0.0.1:${port}`, "hear", "0.0.0.0", port, async () => {
    const client = createSocket("udp4"),
      answer = new Promise<string>((resolve) => client.on("message", (data) => resolve(`${data}`)));
    client.send("hello", port, "127.0.0.1");
    assert.equal(await answer, "hello");
    client.close();
  });
  assert.equal(said, "hear: ok\nhear: hello, answered 5\n");
});

testWith(
  ["gcc"],
  "a port that the host uses is in use for a guest that is granted it, and free for another",
  () =>
    withServer(listening("127.0.0.1", echo), async ({ port }) => {
      assert.equal(await served(`127.0.0.1:${port}`, "serve", "0.0.0.0", port, () => Promise.resolve()), "serve: EADDRINUSE\n");
      const child = runHedra(["run", "--timeout", "0.8", await outside(), "serve", "0.0.0.0", `${port}`]);
      assert.equal(text((await child).stdout), "serve: ok\n");
      // An address of somebody else is granted for sending; it is no place to listen at.
      const options = ["--timeout", "0.8", "--allow-net=192.0.2.77"];
      const other = await runHedra(["run", ...options, await outside(), "serve", "0.0.0.0", `${port}`]);
      assert.equal(text(other.stdout), "serve: ok\n");
    }),
);

testWith([], "hedra caps shows each place of --allow-net as a capability of the personality", async () => {
  const { stdout } = await runHedra([
    "caps",
    "--pd",
    "linux",
    "--root",
    "/",
    "--allow-net=example.com:443,127.0.0.1:80",
    "/bin/true",
  ]);
  for (const place of ["example.com:443", "127.0.0.1:80"]) {
    assert.match(text(stdout), new RegExp(`PT  call +grant: allow-net ${RegExp.escape(place)} +from roottask \\d+\n`));
  }
});
