/** The manifest of a boot image: which services roottask starts, with which capabilities, and what it does when they end. */
import { parse } from "smol-toml";
import { SERVICE_NAMES } from "./layout.ts";

export const RESTART = ["always", "on-failure", "never"] as const;

export interface ServiceSpec {
  name: string;
  /** Path of a hyperapp in the guest's file tree. */
  binary: string;
  /** Of SERVICE_NAMES and "broker". */
  capabilities: string[];
  restart: (typeof RESTART)[number];
  /** After so many restarts it stays down. */
  maxRestarts: number;
}

const CAPABILITIES: readonly string[] = [...SERVICE_NAMES, "broker"];
const KEYS = ["name", "binary", "capabilities", "restart", "max_restarts"];
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
  const { name, binary, capabilities = [], restart = "never", max_restarts: most = DEFAULT_RESTARTS, ...others } =
    entry as Record<string, unknown>; // TOML tables are objects with string keys
  if (typeof name !== "string" || name === "") return "a service has no name";
  const bad = (what: string): string => `service "${name}": ${what}`;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) return bad(`unknown key "${unknown}", expected ${KEYS.join(", ")}`);
  if (typeof binary !== "string" || !binary.startsWith("/")) return bad("binary must be an absolute path");
  if (!Array.isArray(capabilities)) return bad("capabilities must be an array");
  const wrong: unknown = capabilities.find((each) => !CAPABILITIES.includes(each));
  if (wrong !== undefined) return bad(`no capability is called "${wrong}", expected ${CAPABILITIES.join(", ")}`);
  const policy = RESTART.find((each) => each === restart);
  if (policy === undefined) return bad(`restart must be one of ${RESTART.join(", ")}`);
  if (typeof most !== "number" || !(most >= 0)) return bad("max_restarts must be a number from 0 up");
  return { name, binary, capabilities, restart: policy, maxRestarts: most };
}
