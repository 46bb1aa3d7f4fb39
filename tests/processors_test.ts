/**
 * Real programs of the host on each processor level, interpreted only, and with everything translated at once: the same output as native.
 * C libraries and cryptography choose other code by CPUID.
 */
import assert from "node:assert/strict";
import { execute, GUEST_ENV, runHedra, text } from "./process.ts";
import { workDirectory } from "./tools.ts";

const available = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** Program -> what is run with `in.bin` in the current directory; programs that are not installed are left out, and named. */
const COMMANDS: Readonly<Record<string, string>> = {
  openssl: `for d in sha1 sha256 sha512 sha3-256; do openssl dgst -$d in.bin; done
    for c in aes-256-ctr camellia-256-cbc chacha20; do
      openssl enc -$c -K 00112233445566778899aabbccddeeff -iv 000102030405060708090a0b0c0d0e0f -in in.bin 2>/dev/null | cksum
    done`,
  sqlite3: `sqlite3 :memory: "create table t(a integer primary key, b text, c real);
    with recursive n(i) as (select 1 union all select i+1 from n where i<400)
    insert into t select i, printf('%05d-%x', i*7919%3001, i*i), i*1.37/7 from n; create index x on t(b);
    select count(*), sum(c), avg(c), max(b) from t where a%3=1; select * from t order by b desc limit 3;"`,
  gzip: "gzip -c9 in.bin | cksum; gzip -c1 in.bin | gzip -dc | cksum",
  bzip2: "bzip2 -c in.bin | cksum; bzip2 -c in.bin | bzip2 -dc | cksum",
  xz: "xz -c1 in.bin | cksum; xz -c1 in.bin | xz -dc | cksum",
  zstd: "zstd -qc3 in.bin | cksum; zstd -qc in.bin | zstd -dc | cksum",
  "lua5.4": `lua5.4 -e 'local s = 0 for i = 1, 3000 do s = s + math.sin(i) * i ^ 0.5 % 7 end
    print(("%.17g %a %d"):format(s, 1 / 3, 7 // -2))'`,
  perl:
    `perl -e '$s += sin($_) * sqrt($_) for 1..3000; printf "%.17g %s\\n", $s, join ",", sort { $b <=> $a } map { $_ * 7919 % 101 } 1..30;
    $_ = "abc" x 50; print tr/b//, " ", unpack("%32C*", $_), "\\n"'`,
  gawk:
    `gawk 'BEGIN { for (i = 0; i < 1000; i++) { s += sin(i); a[i % 97] += i ^ 0.5 } printf "%.15g %.15g %d\\n", s, a[5], length(a) }'`,
  bc: "echo 'scale=40; 4*a(1); e(1); sqrt(2)' | bc -l",
};

/** Half noise, half repeated text; the same in every run. */
function sample(): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(20_000), phrase = new TextEncoder().encode("The quick brown fox jumps over the lazy dog. ");
  let state = 1;
  for (let n = 0; n < out.length; n++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    out[n] = n % 512 < 256 ? state >>> 24 : phrase[n % phrase.length];
  }
  return out;
}

interface Way {
  options: readonly string[];
  programs: readonly string[];
}
const ALL = Object.keys(COMMANDS), FEW = ["openssl", "zstd", "lua5.4", "bc"];
const WAYS: Readonly<Record<string, Way>> = {
  "level v1": { options: ["--cpu", "v1"], programs: ALL },
  "level v2": { options: ["--cpu", "v2"], programs: FEW },
  "level v3": { options: ["--cpu", "v3"], programs: FEW },
  "the interpreter alone": { options: ["--cpu-engine", "interpreter"], programs: FEW },
  // Translating all of a large program takes long.
  "the translator from the first instruction on": { options: ["--cpu-engine", "translator"], programs: ["gzip", "bc"] },
};

const isInstalled = async (program: string): Promise<boolean> =>
  (await execute("sh", ["-c", `command -v ${program}`], { env: GUEST_ENV })).code === 0;

for (const [way, { options, programs }] of Object.entries(WAYS)) {
  Deno.test({
    name: `programs of the host give the same output as native with ${way}`,
    ignore: !available,
    async fn() {
      const directory = workDirectory();
      const there = (await Promise.all(programs.map(async (name) => await isInstalled(name) ? [name] : []))).flat();
      const absent = programs.filter((name) => !there.includes(name));
      if (absent.length > 0) console.log(`skipped: ${absent.join(", ")} not installed`);
      await Deno.writeFile(`${directory}/in.bin`, sample());
      const script = [`cd ${directory}`, ...there.map((name) => COMMANDS[name])].join("\n");
      const native = await execute("/bin/sh", ["-c", script], { env: GUEST_ENV });
      const run = await runHedra(["run", "--root", "/", ...options, "/bin/sh", "-c", script]);
      assert.deepEqual([text(run.stdout), run.code], [text(native.stdout), native.code], text(run.stderr));
    },
  });
}
