/** File systems against the real kernel: the same operations, the same results. */
import { DenoDirectory } from "../host/deno_directory.ts";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
} from "./flags.ts";
import { expectSame, guestResults, hasJudge, type Operation, realResults } from "../tests/support/fs_judge.ts";
import { type RigMount, withFs } from "../tests/support/fs_rig.ts";
import { writeTar } from "./tar_writer.ts";

const CREATE = O_RDWR | O_CREAT;
const LONG = "n".repeat(256);

/** name of the behaviour -> operations that show it. */
const CASES: Record<string, Operation[]> = {
  "open() with O_CREAT makes a file and O_EXCL refuses an existing one": [
    ["open", 0, "a", CREATE, 0o640],
    ["lstat", "a"],
    ["open", 1, "a", CREATE | O_EXCL, 0o644],
    ["open", 1, "a", CREATE, 0o600],
    ["lstat", "a"],
    ["open", 1, "missing", O_RDONLY, 0],
    ["open", 1, "missing/deep", CREATE, 0o644],
    ["open", 1, "a/deep", CREATE, 0o644],
    ["open", 1, "", O_RDONLY, 0],
  ],
  "O_TRUNC empties a file and is refused on directories": [
    ["open", 0, "a", CREATE, 0o644],
    ["pwrite", 0, 0, "hello"],
    ["open", 1, "a", O_RDONLY | O_TRUNC, 0],
    ["fstat", 0],
    ["mkdir", "d", 0o755],
    ["open", 1, "d", O_RDONLY | O_TRUNC, 0],
    ["open", 1, "d", O_WRONLY, 0],
    ["open", 1, "d", O_RDWR, 0],
    ["open", 1, "d", O_RDONLY | O_CREAT, 0],
    ["open", 1, "d", O_RDONLY | O_DIRECTORY, 0],
    ["pread", 1, 0, 10],
    ["open", 1, "a", O_RDONLY | O_DIRECTORY, 0],
  ],
  "trailing slashes want directories": [
    ["open", 0, "f", CREATE, 0o644],
    ["mkdir", "d/", 0o755],
    ["stat", "d/"],
    ["stat", "f/"],
    ["lstat", "f/."],
    ["open", 1, "new/", CREATE, 0o644],
    ["open", 1, "f/", CREATE, 0o644],
    ["open", 1, "f/", O_RDONLY, 0],
    ["open", 1, "d/", O_RDONLY, 0],
    ["unlink", "f/"],
    ["unlink", "d/"],
    ["unlink", "missing/"],
    ["rmdir", "f/"],
    ["rename", "f", "g/", 0],
    ["rename", "f/", "g", 0],
    ["rename", "d/", "e/", 0],
    ["rename", "e", "h/", 0],
    ["symlink", "h", "s/"],
    ["symlink", "h", "s"],
    ["lstat", "s"],
    ["lstat", "s/"],
    ["link", "f", "k/", false],
    ["mkfifo", "p/", 0o644],
    ["rmdir", "s/"],
    ["list", "."],
  ],
  "reading beyond the end gives nothing and writing there leaves zeros": [
    ["open", 0, "a", CREATE, 0o644],
    ["pwrite", 0, 10, "x"],
    ["pread", 0, 0, 20],
    ["pread", 0, 11, 5],
    ["pread", 0, 5000, 5],
    ["pwrite", 0, 9000, "y"],
    ["pread", 0, 8998, 10],
    ["fstat", 0],
    ["ftruncate", 0, 4],
    ["ftruncate", 0, 16],
    ["pread", 0, 0, 20],
    ["pwrite", 0, 0, "abcdefgh"],
    ["ftruncate", 0, 3],
    ["pwrite", 0, 6, "z"],
    ["pread", 0, 0, 20],
    ["ftruncate", 0, 1099511627776],
    ["fstat", 0],
    ["pread", 0, 1099511627770, 20],
    ["ftruncate", 0, 0],
  ],
  "descriptors know their access mode": [
    ["open", 0, "a", O_WRONLY | O_CREAT, 0o644],
    ["pwrite", 0, 0, "data"],
    ["pread", 0, 0, 4],
    ["open", 1, "a", O_RDONLY, 0],
    ["pwrite", 1, 0, "no"],
    ["ftruncate", 1, 0],
    ["pread", 1, 0, 10],
  ],
  "an unlinked file lives until its last descriptor is closed": [
    ["open", 0, "a", CREATE, 0o644],
    ["pwrite", 0, 0, "still here"],
    ["unlink", "a"],
    ["fstat", 0],
    ["lstat", "a"],
    ["pread", 0, 0, 100],
    ["pwrite", 0, 5, "THERE"],
    ["pread", 0, 0, 100],
    ["open", 1, "a", CREATE | O_EXCL, 0o600],
    ["fstat", 1],
    ["fstat", 0],
  ],
  "mkdir() and rmdir() count links and refuse what Linux refuses": [
    ["mkdir", "d", 0o755],
    ["mkdir", "d", 0o755],
    ["mkdir", "d/e", 0o700],
    ["mkdir", "d/e/f", 0o711],
    ["mkdir", ".", 0o755],
    ["mkdir", "d/.", 0o755],
    ["mkdir", "d/..", 0o755],
    ["mkdir", "x/y", 0o755],
    ["stat", "d"],
    ["rmdir", "d"],
    ["rmdir", "d/e/f/."],
    ["rmdir", "d/e/f/.."],
    ["rmdir", "d/e/f"],
    ["rmdir", "d/e"],
    ["stat", "d"],
    ["open", 0, "f", CREATE, 0o644],
    ["rmdir", "f"],
    ["unlink", "d"],
    ["unlink", "."],
    ["unlink", ".."],
    ["unlink", ""],
    ["rmdir", "missing"],
    ["list", "."],
  ],
  "names longer than 255 bytes are refused": [
    ["open", 0, LONG.slice(1), CREATE, 0o644],
    ["open", 1, LONG, CREATE, 0o644],
    ["stat", LONG],
    ["mkdir", LONG, 0o755],
    ["stat", `${LONG}/x`],
    ["symlink", "x".repeat(4095), "long"],
    ["readlink", "long"],
    ["symlink", "x".repeat(4096), "longer"],
    ["stat", "d/".repeat(2047) + "e"],
    ["stat", "d/".repeat(2048)],
    ["mkdir", "\u00e4".repeat(127), 0o755],
    ["mkdir", "\u00e4".repeat(128), 0o755],
    ["lstat", "./".repeat(2040) + "long"],
    ["symlink", "./".repeat(1900), "./".repeat(1900) + "two"],
    ["readlink", "two"],
  ],
  "hard links share one file": [
    ["open", 0, "a", CREATE, 0o644],
    ["link", "a", "b", false],
    ["pwrite", 0, 0, "shared"],
    ["stat", "b"],
    ["open", 1, "b", O_RDWR, 0],
    ["pread", 1, 0, 10],
    ["chmod", "b", 0o600],
    ["lstat", "a"],
    ["unlink", "a"],
    ["fstat", 1],
    ["link", "b", "b", false],
    ["link", "missing", "c", false],
    ["mkdir", "d", 0o755],
    ["link", "d", "e", false],
    ["symlink", "b", "s"],
    ["link", "s", "t", false],
    ["lstat", "t"],
    ["link", "s", "u", true],
    ["lstat", "u"],
    ["rename", "b", "u", 0],
    ["list", "."],
  ],
  "symlinks are followed, in the middle always, at the end unless asked not to": [
    ["mkdir", "d", 0o755],
    ["open", 0, "d/f", CREATE, 0o644],
    ["pwrite", 0, 0, "deep"],
    ["symlink", "d", "ld"],
    ["symlink", "ld/f", "lf"],
    ["symlink", "nowhere", "dangling"],
    ["stat", "lf"],
    ["lstat", "lf"],
    ["stat", "ld/f"],
    ["stat", "ld/../d/f"],
    ["stat", "dangling"],
    ["open", 1, "lf", O_RDONLY | O_NOFOLLOW, 0],
    ["open", 1, "lf", O_RDONLY, 0],
    ["pread", 1, 0, 10],
    ["open", 1, "dangling", CREATE | O_EXCL, 0o644],
    ["open", 1, "dangling", CREATE, 0o644],
    ["stat", "nowhere"],
    ["readlink", "lf"],
    ["readlink", "d"],
    ["readlink", "missing"],
    ["unlink", "ld"],
    ["stat", "d/f"],
    ["symlink", "", "empty"],
    ["symlink", "x", "d"],
    ["mkdir", "dangling", 0o755],
    ["list", "."],
  ],
  "symlink loops give ELOOP, forty links do not": [
    ["symlink", "b", "a"],
    ["symlink", "a", "b"],
    ["stat", "a"],
    ["open", 0, "a", CREATE, 0o644],
    ["lstat", "a"],
    ["open", 0, "l0", CREATE, 0o644],
    ...Array.from({ length: 41 }, (_, i): Operation => ["symlink", `l${i}`, `l${i + 1}`]),
    ["stat", "l40"],
    ["stat", "l41"],
    ["symlink", "self/x", "self"],
    ["stat", "self"],
  ],
  "rename() replaces files and empty directories of the same kind": [
    ["open", 0, "a", CREATE, 0o644],
    ["pwrite", 0, 0, "a"],
    ["open", 1, "b", CREATE, 0o600],
    ["pwrite", 1, 0, "bb"],
    ["rename", "a", "b", 0],
    ["lstat", "a"],
    ["stat", "b"],
    ["fstat", 1],
    ["pread", 1, 0, 10],
    ["mkdir", "d", 0o755],
    ["mkdir", "e", 0o700],
    ["mkdir", "e/x", 0o700],
    ["rename", "d", "e", 0],
    ["rename", "e", "d", 0],
    ["list", "d"],
    ["rename", "b", "d", 0],
    ["rename", "d", "b", 0],
    ["rename", "d", "d/x/y", 0],
    ["rename", "d", "d", 0],
    ["rename", "d/x", "d", 0],
    ["rename", "d", "d/.", 0],
    ["rename", ".", "q", 0],
    ["rename", "d/..", "q", 0],
    ["rename", "missing", "q", 0],
    ["rename", "b", "missing/q", 0],
    ["rename", "b", "b", 0],
    ["rename", "b", "d/x/b", 0],
    ["list", "d/x"],
    ["stat", "d"],
  ],
  "renameat2() exchanges and refuses to replace": [
    ["open", 0, "a", CREATE, 0o644],
    ["pwrite", 0, 0, "a"],
    ["mkdir", "d", 0o755],
    ["rename", "a", "d", RENAME_NOREPLACE],
    ["rename", "a", "n", RENAME_NOREPLACE],
    ["rename", "n", "d", RENAME_EXCHANGE],
    ["lstat", "n"],
    ["lstat", "d"],
    ["rename", "n", "missing", RENAME_EXCHANGE],
    ["rename", "n", "d", RENAME_EXCHANGE | RENAME_NOREPLACE],
    ["mkdir", "n/s", 0o755],
    ["rename", "n", "n/s", RENAME_EXCHANGE],
    ["rename", "n/s", "d", RENAME_EXCHANGE],
    ["stat", "n"],
    ["list", "."],
  ],
  "chmod(), utime() and the other attributes": [
    ["open", 0, "a", CREATE, 0o7777],
    ["lstat", "a"],
    ["chmod", "a", 0o4711],
    ["lstat", "a"],
    ["chmod", "missing", 0o644],
    ["utime", "a", 1000000000, 1234567890],
    ["mkdir", "d", 0o1777],
    ["stat", "d"],
    ["chmod", "d", 0],
    ["stat", "d"],
    ["mkfifo", "p", 0o620],
    ["lstat", "p"],
    ["mkfifo", "p", 0o644],
  ],
};

const asText = (i: number) => `file ${i}\n`.repeat(i + 1);
/** What stands in the lower layers before the operations begin. */
const TREE = [
  { path: "a", bytes: new TextEncoder().encode(asText(1)) },
  { path: "d/" },
  { path: "d/a", bytes: new TextEncoder().encode(asText(2)) },
  { path: "d/b", bytes: new TextEncoder().encode(asText(300)) },
  { path: "d/e/" },
  { path: "d/e/a", bytes: new TextEncoder().encode(asText(3)) },
  { path: "s", target: "d/a" },
];

function plant(directory: string): void {
  for (const { path, bytes, target } of TREE) {
    const full = `${directory}/${path}`;
    if (target !== undefined) Deno.symlinkSync(target, full);
    else if (bytes === undefined) Deno.mkdirSync(full);
    else Deno.writeFileSync(full, bytes);
  }
}

const ignore = !hasJudge;

for (const [name, operations] of Object.entries(CASES)) {
  Deno.test(`memory fs: ${name}`, { ignore }, async () => {
    const real = await realResults(operations);
    withFs([{ guest: "/", source: "memory" }], (rig) => expectSame(operations, guestResults(rig, operations), real));
  });

  Deno.test(`overlay on an empty tar: ${name}`, { ignore }, async () => {
    const real = await realResults(operations);
    withFs(
      [{ guest: "/", source: writeTar([]), overlay: true }],
      (rig) => expectSame(operations, guestResults(rig, operations), real),
    );
  });
}

/** xorshift32: replayable from the seed in the test's name. */
function* random(seed: number): Generator<number, never> {
  for (let x = seed;;) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    yield x >>> 0;
  }
}

const NAMES = ["a", "b", "d", "s", "d/a", "d/b", "d/e", "d/e/a", "b/x", "d/e/..", "s/a", "d/", "./a", "b/"];
const FLAGS = [
  O_RDONLY,
  O_RDWR,
  CREATE,
  CREATE | O_EXCL,
  CREATE | O_TRUNC,
  O_WRONLY | O_TRUNC,
  O_DIRECTORY,
  O_RDONLY | O_NOFOLLOW,
];

function randomOperations(seed: number, count: number, safe: boolean): Operation[] {
  const source = random(seed),
    pick = (n: number): number => source.next().value % n,
    name = (): string => NAMES[pick(NAMES.length)];
  const one = (): Operation => {
    switch (pick(18)) {
      case 0:
      case 1:
      case 2:
        return ["open", pick(3), name(), FLAGS[pick(FLAGS.length)], 0o640];
      case 3:
        return ["pwrite", pick(3), pick(9000), "data".repeat(1 + pick(1500))];
      case 4:
        return ["pread", pick(3), pick(9000), pick(5000)];
      case 5:
        return ["ftruncate", pick(3), pick(12000)];
      case 6:
        return ["close", pick(3)];
      case 7:
        return ["mkdir", name(), 0o750];
      case 8:
        return ["rmdir", name()];
      case 9:
        return ["unlink", name()];
      case 10:
      case 11:
        return ["rename", name(), name(), safe ? 0 : [0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE][pick(4)]];
      case 12:
        return ["link", name(), name(), false];
      case 13:
        return ["symlink", name(), name()];
      case 14:
        return [pick(2) === 0 ? "stat" : "lstat", name()];
      case 15:
        return ["list", pick(2) === 0 ? "." : name()];
      case 16:
        return ["readlink", name()];
      default:
        return ["fstat", pick(3)];
    }
  };
  return Array.from({ length: count }, one);
}

/** Mounts whose root shows TREE, made anew for each run. */
const LAYERS: Record<string, (directory: string) => RigMount> = {
  "overlay on a tar": () => ({ guest: "/", source: writeTar(TREE), overlay: true }),
  "overlay on a host directory": (directory) => ({ guest: "/", source: new DenoDirectory(directory, false), overlay: true }),
};

for (let seed = 1; seed <= 12; seed++) {
  Deno.test(`memory fs: random operations give what Linux gives (seed ${seed})`, { ignore }, async () => {
    const operations = randomOperations(seed, 1500, false), real = await realResults(operations);
    withFs([{ guest: "/", source: "memory" }], (rig) => expectSame(operations, guestResults(rig, operations), real));
  });
}

for (const [layer, mountOf] of Object.entries(LAYERS)) {
  for (let seed = 21; seed <= 28; seed++) {
    Deno.test(`${layer}: random operations give what Linux gives (seed ${seed})`, { ignore }, async () => {
      const lower = Deno.makeTempDirSync(), judged = Deno.makeTempDirSync();
      try {
        plant(lower);
        plant(judged);
        // The lower layers give 0644 and 0755 whatever the umask is.
        for (const directory of [lower, judged]) {
          new Deno.Command("chmod", { args: ["-R", "u=rwX,go=rX", directory] }).outputSync();
        }
        const operations = randomOperations(seed, 1500, false), real = await realResults(operations, judged);
        withFs([mountOf(lower)], (rig) => expectSame(operations, guestResults(rig, operations), real));
      } finally {
        for (const directory of [lower, judged]) Deno.removeSync(directory, { recursive: true });
      }
    });
  }
}

for (let seed = 41; seed <= 46; seed++) {
  Deno.test(`writable host directory: random operations give what Linux gives (seed ${seed})`, { ignore }, async () => {
    const own = Deno.makeTempDirSync();
    try {
      const operations = randomOperations(seed, 800, true), real = await realResults(operations);
      const directory = new DenoDirectory(own, true);
      withFs([{ guest: "/", source: directory }], (rig) => expectSame(operations, guestResults(rig, operations), real));
      directory.dispose();
    } finally {
      Deno.removeSync(own, { recursive: true });
    }
  });
}
