/** Writes docs/linux-compat.md from the system-call table. */
import { compatPage } from "../linux/compat.ts";
import { REPOSITORY } from "./process.ts";

Deno.writeTextFileSync(`${REPOSITORY}docs/linux-compat.md`, compatPage());
