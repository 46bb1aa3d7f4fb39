/** The manifest of a boot image: which services roottask starts, with which capabilities, and what it does when they end. */
import { parse } from "smol-toml";
import { isPersonality, PERSONALITIES, type PersonalityName, SERVICE_NAMES } from "./layout.ts";

export const RESTART = ["always", "on-failure", "never"] as const;

export interface ServiceSpec {
  name: string;
  /** What it is: the path of a program in the guest's file tree, with its arguments, or a host PD: a personality. */
  program: { binary: string; args: string[] } | { host: PersonalityName };
  /** Of SERVICE_NAMES, "broker" and "kill"; those of a hyperapp. */
  capabilities: string[];
  restart: (typeof RESTART)[number];
  /** After so many restarts it stays down. */
  maxRestarts: number;
}

const CAPABILITIES: readonly string[] = [...SERVICE_NAMES, "broker", "kill"];
const KEYS = ["name", "binary", "args", "host", "capabilities", "restart", "max_restarts"];
const DEFAULT_RESTARTS = 5;

/** The services in order, or one line that says what is wrong. */
export function parseManifest(text: string): ServiceSpec[] | string {
  let root: Record<string, unknown>;
  try {
    root = parse(text);
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0] : String(error);
  }
  const list = root.service ?? [];
  if (!Array.isArray(list) || Object.keys(root).some((key) => key !== "service")) return "expected [[service]] tables only";
  const services: ServiceSpec[] = [];
  for (const entry of list) {
    const service = readService(entry);
    if (typeof service === "string") return service;
    if (services.some(({ name }) => name === service.name)) return `service "${service.name}" stands there twice`;
    services.push(service);
  }
  return services;
}

function readService(entry: unknown): ServiceSpec | string {
  if (typeof entry !== "object" || entry === null) return "expected [[service]] tables only";
  const { name, binary, args, host, capabilities = [], restart = "never", max_restarts: most = DEFAULT_RESTARTS, ...others } =
    entry as Record<string, unknown>; // TOML tables are objects with string keys
  if (typeof name !== "string" || name === "") return "a service has no name";
  const bad = (what: string): string => `service "${name}": ${what}`;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) return bad(`unknown key "${unknown}", expected ${KEYS.join(", ")}`);
  const program = host === undefined ? readProgram(binary, args) : readHost(host, binary, args);
  if (typeof program === "string") return bad(program);
  if (!Array.isArray(capabilities)) return bad("capabilities must be an array");
  const wrong: unknown = capabilities.find((each) => !CAPABILITIES.includes(each));
  if (wrong !== undefined) return bad(`no capability is called "${wrong}", expected ${CAPABILITIES.join(", ")}`);
  const policy = RESTART.find((each) => each === restart);
  if (policy === undefined) return bad(`restart must be one of ${RESTART.join(", ")}`);
  if (typeof most !== "number" || !(most >= 0)) return bad("max_restarts must be a number from 0 up");
  return { name, program, capabilities, restart: policy, maxRestarts: most };
}

function readProgram(binary: unknown, args: unknown): ServiceSpec["program"] | string {
  if (typeof binary !== "string" || !binary.startsWith("/")) return "binary must be an absolute path";
  const texts: unknown[] | undefined = args === undefined ? [] : Array.isArray(args) ? args : undefined;
  if (texts === undefined || !texts.every((each) => typeof each === "string")) return "args must be an array of strings";
  return { binary, args: texts };
}

function readHost(host: unknown, binary: unknown, args: unknown): ServiceSpec["program"] | string {
  if (binary !== undefined || args !== undefined) return "either binary (and args) or host";
  return isPersonality(host) ? { host } : `host must be one of ${PERSONALITIES.join(", ")}`;
}
