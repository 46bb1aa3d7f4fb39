/** File systems against the real kernel: random operations, the same results. */
import { DenoDirectory } from "../host/deno_directory.ts";
import { expectSame, guestResults, hasJudge, type Operation, realResults } from "../tests/support/fs_judge.ts";
import { type RigMount, withFs } from "../tests/support/fs_rig.ts";
import { random } from "../tests/support/random.ts";
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
import { writeTar } from "./tar_writer.ts";

const CREATE = O_RDWR | O_CREAT;
const ignore = !hasJudge;

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
