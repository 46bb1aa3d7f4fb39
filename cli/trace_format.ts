import type { TraceEvent, TraceKind } from "../hedron/trace.ts";

const HEX = (value: number): string => value < 10 ? String(value) : `0x${value.toString(16)}`;

function title({ kind, name, partner }: TraceEvent): string {
  return kind === "ipc" && partner ? `call ${partner.portal}` : name;
}

function details({ selector, status, partner }: TraceEvent): string {
  const to = partner ? ` -> ${partner.pd}, EC ${partner.ec}, ${partner.portal} id ${partner.portalId}` : "";
  return `selector ${HEX(selector)}${to}${status ? `, status ${status}` : ""}`;
}

/** One line per event: time since the first one and duration in us, PD and EC, what it did and with whom. */
export function traceText(events: readonly TraceEvent[]): string {
  const origin = events[0]?.start ?? 0, us = (ns: number) => (ns / 1000).toFixed(1);
  return [...events].sort((a, b) => a.start - b.start).map((event) => {
    const { kind, start, duration, ec, pd, name } = event;
    const took = duration < 0 ? "never ended" : us(duration);
    return `${us(start - origin).padStart(12)} ${took.padStart(11)}  ${`${pd.name}/${ec.name}`.padEnd(28)} ${
      kind.padEnd(9)
    } ${name} ${details(event)}\n`;
  }).join("");
}

/** Number of events of each kind. */
export function countKinds(events: readonly TraceEvent[]): Map<TraceKind, number> {
  const counts = new Map<TraceKind, number>();
  for (const { kind } of events) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/**
 * Trace Event Format, which Perfetto and chrome://tracing load: a process per PD, a thread per EC, a slice per event, and an arrow from
 * each call to a slice of its handler. Times in us.
 */
export function perfettoJson(events: readonly TraceEvent[]): string {
  const origin = events[0]?.start ?? 0, us = (ns: number) => (ns - origin) / 1000;
  const pdOf = new Map<string, number>(), out: object[] = [], threads = new Set<string>();
  const thread = (pd: { id: number; name: string }, ec: { id: number; name: string }) => {
    if (threads.has(`${pd.id}/${ec.id}`)) return;
    threads.add(`${pd.id}/${ec.id}`);
    pdOf.set(pd.name, pd.id);
    out.push({ ph: "M", name: "process_name", pid: pd.id, args: { name: `PD ${pd.name}` } });
    out.push({ ph: "M", name: "thread_name", pid: pd.id, tid: ec.id, args: { name: `EC ${ec.name}` } });
  };
  for (const { pd, ec } of events) thread(pd, ec);
  const end = events.reduce((last, { start, duration }) => Math.max(last, start + Math.max(0, duration)), origin);
  events.forEach((event, id) => {
    const { kind, ec, pd, start, duration, selector, status, partner } = event;
    const dur = (duration < 0 ? end - start : duration) / 1000, name = title(event);
    const common = { cat: kind, ts: us(start), pid: pd.id, tid: ec.id };
    out.push({ ph: "X", name, dur, ...common, args: { selector, status, partner, unfinished: duration < 0 || undefined } });
    if (!partner) return;
    const pid = pdOf.get(partner.pd) ?? partnerPid(partner.pd, pdOf), there = { cat: kind, pid, tid: partner.ec };
    out.push({
      ph: "X",
      name: `serve ${pd.name}: ${event.name}`,
      ts: us(start),
      dur,
      ...there,
      args: { portal: partner.portal },
    });
    out.push({ ph: "s", id, name, ...common });
    out.push({ ph: "f", bp: "e", id, name, ts: us(start), ...there });
  });
  return JSON.stringify({ displayTimeUnit: "ns", traceEvents: out });
}

/** A PD that only ever serves has no event of its own to take its number from. */
function partnerPid(name: string, known: Map<string, number>): number {
  const pid = 1_000_000 + known.size;
  known.set(name, pid);
  return pid;
}
