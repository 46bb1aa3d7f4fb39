/** Hot paths of the file service, through its portals. Run: deno bench -A fs/fs_bench.ts */
import { FS_ROOT } from "./api.ts";
import { O_CREAT, O_RDONLY, O_RDWR } from "./flags.ts";
import { writeTar } from "./tar_writer.ts";
import { type Rig, withFs } from "../tests/support/fs_rig.ts";
import { emptyStat } from "./empty_stat.ts";

const MIB = 1 << 20, CHUNK = 256 << 10;

/** A service that stays alive for the whole run: the bench body is called while the rig's main EC runs. */
function measure(name: string, prepare: (rig: Rig) => () => void, n: number, baseline = false): void {
  Deno.bench({ name, baseline, n: 20, warmup: 3 }, (b) => {
    withFs(
      [{ guest: "/", source: "memory" }, { guest: "/tar", source: writeTar([{ path: "a/b/file" }]), overlay: true }],
      (rig) => {
        const work = prepare(rig);
        for (let i = 0; i < 2000; i++) if (n > 100) work();
        b.start();
        for (let i = 0; i < n; i++) work();
        b.end();
      },
    );
  });
}

const COUNT = 10_000, BIG = 20;

measure(`${COUNT} x fstat`, ({ fs }) => {
  const handle = fs.open(FS_ROOT, "/file", O_RDWR | O_CREAT, 0o644), stat = emptyStat();
  return () => fs.fstat(handle, stat);
}, COUNT);
measure(`${COUNT} x open + close`, ({ fs }) => {
  fs.close(fs.open(FS_ROOT, "/file", O_RDWR | O_CREAT, 0o644));
  return () => fs.close(fs.open(FS_ROOT, "/file", O_RDONLY, 0));
}, COUNT);
measure(`${COUNT} x open + close, four directories deep, overlay`, ({ fs }) => {
  return () => fs.close(fs.open(FS_ROOT, "/tar/a/b/file", O_RDONLY, 0));
}, COUNT);
measure(`${COUNT} x read of 16 bytes`, ({ fs, buffer }) => {
  const handle = fs.open(FS_ROOT, "/file", O_RDWR | O_CREAT, 0o644);
  fs.write(handle, 0, buffer, 16);
  return () => fs.read(handle, 0, buffer, 16);
}, COUNT);
measure(`${BIG} x write of 1 MiB in 256 KiB pieces`, ({ fs, buffer }) => {
  const handle = fs.open(FS_ROOT, "/file", O_RDWR | O_CREAT, 0o644);
  return () => {
    for (let at = 0; at < MIB; at += CHUNK) fs.write(handle, at, buffer, CHUNK);
  };
}, BIG);
measure(`${BIG} x read of 1 MiB in 256 KiB pieces`, ({ fs, buffer }) => {
  const handle = fs.open(FS_ROOT, "/file", O_RDWR | O_CREAT, 0o644);
  for (let at = 0; at < MIB; at += CHUNK) fs.write(handle, at, buffer, CHUNK);
  return () => {
    for (let at = 0; at < MIB; at += CHUNK) fs.read(handle, at, buffer, CHUNK);
  };
}, BIG);
measure(`${BIG} x create, write 1 MiB, unlink`, ({ fs, buffer }) => () => {
  const handle = fs.open(FS_ROOT, "/new", O_RDWR | O_CREAT, 0o644);
  for (let at = 0; at < MIB; at += CHUNK) fs.write(handle, at, buffer, CHUNK);
  fs.unlink(FS_ROOT, "/new", false);
  fs.close(handle);
}, BIG);
