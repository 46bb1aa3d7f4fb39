import { enterSyscall, FRAME_CALL_FLAGS, R11 } from "./frame.ts";
import { message, portalAt } from "./ipc.ts";
import type { Kernel } from "./kernel.ts";
import type { Ec } from "./objects.ts";

/**
 * The whole foreign path (ABI 8.2): a `syscall` instruction in a foreign PD with the native toggle clear becomes a state message
 * to the portal "event base + foreign base + CPU number". R11 shows the user RSP, RCX the return address; RIP, RSP and RFLAGS are
 * the stale ones of the last interrupt frame, which is also what the EC returns with unless the reply sets them (ABI 8.3, 8.4).
 */
export function foreignCall(k: Kernel, ec: Ec): void {
  const at = k.cpu.locate(ec.state), selector = ec.pd.foreignBase + CPU_NUMBER;
  k.cpu.ram.u32[(ec.frame + FRAME_CALL_FLAGS) >> 2] = k.cpu.ram.u32[(at + R11) >> 2];
  enterSyscall(k.cpu, at);
  ec.viaSysret = false;
  // The fork looks the portal up without the event base first and kills the EC when it is missing.
  if (ec.eventBase !== 0 && portalAt(ec, selector) === undefined) return k.life.kill(ec, "PT not found");
  message(k, ec, ec.eventBase + selector);
}

/** There is one CPU. */
const CPU_NUMBER = 0;
