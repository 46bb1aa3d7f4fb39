/** Debian's programs of the host's own root on the host's network: deno test -A tests/network_programs.ts (about a minute). */
import assert from "node:assert/strict";
import { execute, HEDRA, runHedra, text } from "./process.ts";
import { testWith, workDirectory } from "./tools.ts";

const there = async (...programs: string[]): Promise<boolean> => {
  for (const program of programs) {
    if (await Deno.stat(program).catch(() => undefined) !== undefined) continue;
    console.log(`skipped: needs ${program}`);
    return false;
  }
  return true;
};

const LONG = 3_000_000;
const handler = (request: Request): Response =>
  new Response(new URL(request.url).pathname === "/long" ? "x".repeat(LONG) : "hello from the host\n");

/** HTTP and HTTPS servers of the host, with a certificate for "localhost" in `directory`. */
async function serving(use: (http: number, https: number, directory: string) => Promise<void>): Promise<void> {
  const directory = workDirectory(), [key, cert] = ["key", "cert"].map((name) => `${directory}/${name}.pem`);
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const made = await execute("/usr/bin/openssl", [
    ...request,
    "-keyout",
    key,
    "-out",
    cert,
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
  ]);
  assert.equal(made.code, 0, text(made.stderr));
  const quiet = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const http = Deno.serve(quiet, handler);
  const https = Deno.serve({ ...quiet, key: Deno.readTextFileSync(key), cert: Deno.readTextFileSync(cert) }, handler);
  try {
    await use(http.addr.port, https.addr.port, directory);
  } finally {
    await Promise.all([http.shutdown(), https.shutdown()]);
  }
}

testWith([], "curl, wget and python3 get pages by HTTP and HTTPS, by name, and only from where they may", async () => {
  if (!await there("/usr/bin/curl", "/usr/bin/wget", "/usr/bin/python3", "/usr/bin/openssl")) return;
  await serving(async (http, https, directory) => {
    const python = `import ssl, urllib.request as u
print(u.urlopen("https://localhost:${https}/", context=ssl.create_default_context(cafile="/test/cert.pem")).read())`;
    const script = `curl -sS http://localhost:${http}/ && curl -sS http://127.0.0.1:${http}/long | wc -c
curl -sS --cacert /test/cert.pem https://localhost:${https}/
curl -s https://localhost:${https}/; echo $?
wget -qO- --ca-certificate=/test/cert.pem https://localhost:${https}/
/usr/bin/python3 -c '${python}'
curl -s http://localhost:${http === 9 ? 8 : 9}/; echo $?; curl -s http://not-granted.example/; echo $?`;
    const grant = `--allow-net=localhost:${http},localhost:${https}`;
    const { code, stdout, stderr } = await runHedra([
      "run",
      "--timeout",
      "100",
      "--root",
      "/",
      "--mount",
      `${directory}:/test`,
      grant,
      "/bin/sh",
      "-c",
      script,
    ]);
    const hello = "hello from the host\n";
    assert.deepEqual(
      [code, text(stdout)],
      [0, `${hello}${LONG}\n${hello}60\n${hello}b'hello from the host\\n'\n7\n6\n`],
      text(stderr),
    );
    assert.equal(text(stderr), "hedra: network access that is not granted: not-granted.example (curl); see --allow-net\n");
  });
});

testWith([], "python3 -m http.server in the guest serves the host", async () => {
  if (!await there("/usr/bin/python3")) return;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 }), { port } = listener.addr;
  listener.close();
  const root = `${workDirectory()}/served`;
  Deno.mkdirSync(root);
  Deno.writeTextFileSync(`${root}/page`, "a page of the guest\n".repeat(50_000));
  const options = ["--root", "/", "--mount", `${root}:/served`, "--cwd", "/served", `--allow-net=127.0.0.1:${port}`];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...HEDRA.slice(1),
      "run",
      "--timeout",
      "100",
      ...options,
      "/usr/bin/python3",
      "-u",
      "-m",
      "http.server",
      `${port}`,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  try {
    assert.match(text((await reader.read()).value ?? new Uint8Array()), /^Serving HTTP on 0\.0\.0\.0 port /);
    for (let i = 0; i < 3; i++) {
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/page`)).text(), "a page of the guest\n".repeat(50_000));
    }
  } finally {
    child.kill();
    await reader.cancel();
    await child.status;
  }
});
