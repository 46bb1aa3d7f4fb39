/** Writes docs/isa.md from the opcode table. */
import { isaPage } from "../cpu/judge/isa_page.ts";
import { REPOSITORY } from "./process.ts";

Deno.writeTextFileSync(`${REPOSITORY}docs/isa.md`, isaPage());
