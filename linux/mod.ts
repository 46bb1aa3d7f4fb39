import type { Coroutine, HostEc, HostProgram } from "../hedron/api.ts";
import type { LinuxOptions } from "./options.ts";
import { Personality } from "./personality.ts";
import { serveSpawn } from "./spawn_portal.ts";

/** The Linux personality as a program for a host PD. `options` are the defaults; each start request may ask for more. */
export function createLinux(options: LinuxOptions = { strace: false, verbose: false }): HostProgram {
  return {
    name: "linux",
    main(ec: HostEc): Coroutine {
      const os = new Personality(ec, options);
      serveSpawn(os, (request) => os.start(request));
      return os.run(ec);
    },
  };
}
