import { Status } from "./api.ts";
import { HYPERCALLS, NEW_HYPERCALLS } from "./hypercalls.ts";

/** Things worth telling a person. Never part of the semantics. Names are labels, or kind and id where there is none. */
export type KernelEvent =
  /** An EC has ended (ABI 7.7). `portal` is the selector of the last portal it used or missed, `object` says what that is. */
  | {
    kind: "killed";
    ec: string;
    pd: string;
    reason: string;
    rip: number;
    address: number;
    error: number;
    portal: number;
    object: string;
  }
  | { kind: "hypercall-error"; ec: string; pd: string; number: number; status: Status }
  /** A plain host function waited for something that only the host can bring, which cannot come while it waits. */
  | { kind: "deadlock"; ec: string; pd: string };

const STATUS_NAMES: Record<Status, string> = {
  [Status.Success]: "SUCCESS",
  [Status.ComTim]: "COM_TIM",
  [Status.ComAbt]: "COM_ABT",
  [Status.BadHyp]: "BAD_HYP",
  [Status.BadCap]: "BAD_CAP",
  [Status.BadPar]: "BAD_PAR",
  [Status.BadFtr]: "BAD_FTR",
  [Status.BadCpu]: "BAD_CPU",
  [Status.BadDev]: "BAD_DEV",
  [Status.Oom]: "OOM",
};

const hex = (value: number): string => `0x${value.toString(16)}`;

/** One line, without a newline. */
export function eventText(event: KernelEvent): string {
  const who = `${event.ec} in ${event.pd}`;
  switch (event.kind) {
    case "killed":
      return `Killed EC ${who} at ${hex(event.rip)}: ${event.reason}, portal ${event.portal} (${event.object}), CR2 ${
        hex(event.address)
      }, error code ${hex(event.error)}`;
    case "hypercall-error": {
      const name = (HYPERCALLS[event.number] ?? NEW_HYPERCALLS[event.number])?.name ?? `invalid hypercall ${event.number}`;
      return `Hypercall error ${STATUS_NAMES[event.status]} of EC ${who}: ${name}`;
    }
    case "deadlock":
      return `Deadlock in EC ${who}: a plain function waits for the host`;
  }
}
