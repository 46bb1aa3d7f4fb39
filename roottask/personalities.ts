/** The personalities of a machine: started when somebody wants one, ended alone when they fail or are killed, and started again. */
import type { HostEc, Status, Wait } from "../hedron/api.ts";
import { EAGAIN, EBUSY, ENOSYS, EPERM } from "../host/errno.ts";
import { PersonalityPd, type Range } from "./host_pds.ts";
import type { Handlers } from "./hyperapp.ts";
import { PERSONALITIES, type PersonalityName } from "./layout.ts";
import type { Context, Ending } from "./processes.ts";
import type { RoottaskConfig } from "./roottask.ts";

/** Exit code of a program whose personality has failed: that of an internal error; when it was killed, that of SIGKILL. */
const FAILED = 125, KILLED = 137;

interface End {
  name: PersonalityName;
  ending: Ending;
  /** What the user reads, once. */
  text: string;
}

export class Personalities {
  private readonly running = new Map<PersonalityName, PersonalityPd>();
  /** Those that have been started completely. */
  private readonly serving = new Set<PersonalityName>();
  /** Their pools hold old data. */
  private readonly ended = new Set<PersonalityName>();
  private readonly ends: End[] = [];

  constructor(private readonly config: RoottaskConfig, private readonly pools: ReadonlyMap<PersonalityName, Range>) {}

  /**
   * Code of the PD `pd` has thrown. True when only a personality has failed and others can go on without it: `finishEnds` ends its
   * programs. False for a machine that has nothing else.
   */
  failed(pd: string, error: unknown): boolean {
    const { config } = this, name = PERSONALITIES.find((each) => each === pd);
    const others = config.programs.length > 1 || config.manifest !== undefined;
    if (name === undefined || !others || config.placement !== "own" || !this.serving.has(name)) return false;
    const why = error instanceof Error ? (config.verbose ? error.stack : undefined) ?? error.message : String(error);
    this.ends.push({
      name,
      ending: { exitCode: FAILED, message: `The ${name} personality has failed` },
      text: `The ${name} personality has failed, its programs have ended: ${why}`,
    });
    return true;
  }

  /** Asks for its end, which comes with `finishEnds`. 0, or -errno. One in roottask's domain cannot be taken away from there. */
  kill(name: PersonalityName): number {
    if (this.config.placement !== "own") return -EPERM;
    if (!this.serving.has(name)) return -EAGAIN;
    const text = `The ${name} personality has been killed`;
    this.ends.push({ name, ending: { exitCode: KILLED, message: text }, text: `${text}, its programs have ended` });
    return 0;
  }

  /** Has one been asked to end that has not ended yet? */
  get ending(): boolean {
    return this.ends.length > 0;
  }

  /** Ends those that have failed or shall be killed: their programs, their objects, their session with the file service. */
  finishEnds(context: Context, ec: HostEc): void {
    for (const { name, ending, text } of this.ends.splice(0)) {
      const personality = this.running.get(name);
      if (personality === undefined) continue;
      context.output.message(text);
      for (const process of [...context.processes.living]) {
        if (process.kind === name) context.processes.end(context, ec, process, ending);
      }
      personality.destroy(ec);
      this.running.delete(name);
      this.serving.delete(name);
      this.ended.add(name);
      context.services?.hostEnded(name, ending.exitCode);
    }
  }

  /** The personality, started if need be, or -errno. */
  *start(
    context: Context,
    ec: HostEc,
    name: PersonalityName,
    handlers: Handlers,
  ): Generator<Wait, PersonalityPd | number, Status> {
    const { config, running } = this, program = config.personalities[name], pool = this.pools.get(name);
    const present = running.get(name);
    if (present !== undefined) return present;
    if (program === undefined || pool === undefined || context.services?.staysDown(name) === true) return -ENOSYS;
    // Two personalities would want the same selectors of roottask.
    if (config.placement === "roottask" && running.size > 0) return -EBUSY;
    const personality = new PersonalityPd(name, context, config.host, pool, {
      hearsConsole: ![...running.values()].some((other) => other.hearsConsole),
      placement: config.placement,
      permissions: config.permissions.length,
      usedPool: this.ended.has(name),
    });
    running.set(name, personality);
    yield* personality.start(ec, program(), handlers.services);
    this.serving.add(name);
    return personality;
  }
}
