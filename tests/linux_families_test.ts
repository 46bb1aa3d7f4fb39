import assert from "node:assert/strict";
import { execute, GUEST_ENV, runHedra, text } from "./process.ts";
import { compile, testWith } from "./tools.ts";

// Families of system calls beyond single-threaded programs: the same program natively and under Hedra, with the host's file tree.

const FAMILIES = [
  "threads.c",
  "spinning.c",
  "depths.c",
  "bounds.c",
  "processes.c",
  "events.c",
  "sockets.c",
  "terminal.c",
  "moving.c",
  "watching.c",
  "memory.c",
  "code_by_call.c",
  "step_calls.c",
  "step_returns.c",
  "last_trap.c",
  "shrinking.c",
  "exact_flags.c",
  "kernel_half.c",
  "descriptor_links.c",
  "elf_headers.c",
  "proc_files.c",
] as const;

/** Containers sometimes lack devpts. */
function hasPseudoTerminals(): boolean {
  try {
    Deno.openSync("/dev/ptmx", { read: true, write: true }).close();
    return true;
  } catch {
    return false;
  }
}

for (const tool of ["gcc", "musl-gcc"] as const) {
  for (const source of FAMILIES) {
    // musl has no strerrorname_np().
    if (source === "elf_headers.c" && tool === "musl-gcc") continue;
    testWith([tool], `${source} of ${tool} does with --root / what it does on Linux`, async () => {
      if (source === "terminal.c" && !hasPseudoTerminals()) return console.log("skipped: no pseudo-terminals here");
      const program = await compile(source, tool, ["-pthread"]);
      const native = await execute(program, [], { env: GUEST_ENV });
      const guest = await runHedra(["run", "--root", "/", program]);
      assert.equal(text(guest.stdout), text(native.stdout));
      assert.equal(guest.code, native.code);
    });
  }
}

/** Whether /dev/shm has the file system that Hedra's is compared with. */
async function hasTmpfs(): Promise<boolean> {
  const { stdout } = await execute("stat", ["-f", "-c", "%T", "/dev/shm"]);
  return text(stdout).trim() === "tmpfs";
}

/** Programs that become other users, or do what only root may. */
const OF_ROOT = ["users.c", "sysv.c", "message_queues.c", "file_calls.c", "limits.c", "chroot.c"] as const;

for (const source of OF_ROOT) {
  testWith(["gcc"], `${source} of root does with --root / what it does on Linux`, async () => {
    if (Deno.uid() !== 0) return console.log("skipped: only root can become others");
    if (source === "file_calls.c" && !await hasTmpfs()) return console.log("skipped: no tmpfs at /dev/shm");
    const program = await compile(source, "gcc", ["-pthread"]);
    const native = await execute(program, [], { env: GUEST_ENV });
    const guest = await runHedra(["run", "--root", "/", program]);
    assert.equal(text(guest.stdout), text(native.stdout));
    assert.equal(guest.code, native.code);
  });
}

for (const seed of ["1", "2", "3"]) {
  testWith(["gcc"], `random system calls (seed ${seed}) harm nobody but their process`, async () => {
    const guest = await runHedra(["run", await compile("random_calls.c", "gcc"), seed, "5000"]);
    assert.equal(text(guest.stdout), "survived\n");
    assert.equal(guest.code, 0);
  });
}

for (const seed of ["1", "2"]) {
  testWith(["gcc"], `processes that call at random (seed ${seed}) with arguments that make sense harm nobody else`, async () => {
    const guest = await runHedra(["run", await compile("random_world.c", "gcc", ["-pthread"]), seed, "3"]);
    assert.equal(text(guest.stdout), "survived\n");
    assert.equal(guest.code, 0);
  });
}
