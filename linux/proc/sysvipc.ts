import type { IpcObject } from "../ipc/table.ts";
import { pageUp } from "../abi/mman.ts";
import { directory, file } from "./node.ts";

const row = (...cells: readonly (readonly [number, number])[]): string =>
  `${cells.map(([value, width]) => String(value).padStart(width)).join(" ")}\n`;
const owners = (o: IpcObject): (readonly [number, number])[] => [o.uid, o.gid, o.cuid, o.cgid].map((id) => [id, 5] as const);
const head = (
  o: IpcObject,
  mode = o.mode,
): (readonly [number, number])[] => [[o.key, 10], [o.id, 10], [Number(mode.toString(8)), 5]];

/** /proc/sysvipc: the tables that ipcs(1) reads; columns of ipc/shm.c, sem.c and msg.c. */
export const SYSVIPC = directory({
  shm: file(({ os }) =>
    "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n" +
    os.shm.all.map((s) =>
      row(
        ...head(s),
        [s.bytes, 21],
        [s.creatorPid, 5],
        [s.lastPid, 5],
        [s.attached, 5],
        ...owners(s),
        [s.attachTime, 10],
        [s.detachTime, 10],
        [s.changeTime, 10],
        [pageUp(s.pages.allocated), 21],
        [0, 21],
      )
    ).join("")
  ),
  sem: file(({ os }) =>
    "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n" +
    os.sem.all.map((s) => row(...head(s), [s.values.length, 10], ...owners(s), [s.operationTime, 10], [s.changeTime, 10])).join(
      "",
    )
  ),
  msg: file(({ os }) =>
    "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n" +
    os.msg.all.map((q) =>
      row(
        ...head(q),
        [q.used, 11],
        [q.messages.length, 10],
        [q.lastSender, 5],
        [q.lastReceiver, 5],
        ...owners(q),
        [q.sendTime, 10],
        [q.receiveTime, 10],
        [q.changeTime, 10],
      )
    ).join("")
  ),
});
