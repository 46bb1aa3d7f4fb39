import type { Coroutine, HostEc, HostProgram } from "../hedron/api.ts";
import { serveSpawn } from "../linux/spawn_portal.ts";
import { FreeBsd, type FreeBsdOptions } from "./personality.ts";

/** The FreeBSD personality as a program for a host PD. */
export function createFreeBsd(options: FreeBsdOptions = { strace: false, verbose: false }): HostProgram {
  return {
    name: "freebsd",
    main(ec: HostEc): Coroutine {
      const os = new FreeBsd(ec, options);
      serveSpawn(os, (request) => os.start(request));
      return os.run(ec);
    },
  };
}
