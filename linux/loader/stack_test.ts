import assert from "node:assert/strict";
import { getU64 } from "../memory/user.ts";
import { AT, buildStack } from "./stack.ts";

const TOP = 0x7fff_ffff_e000;

/** The stack as a C program reads it. */
function parse(bytes: Uint8Array<ArrayBuffer>, sp: number) {
  const data = new DataView(bytes.buffer);
  let at = sp;
  const word = (): number => {
    at += 8;
    return getU64(data, at - 8 - sp);
  };
  const string = (address: number): string => {
    const end = bytes.indexOf(0, address - sp);
    return new TextDecoder().decode(bytes.subarray(address - sp, end));
  };
  const strings = (): string[] => {
    const list: string[] = [];
    for (let address = word(); address !== 0; address = word()) list.push(string(address));
    return list;
  };
  const argc = word();
  const argv = strings(), env = strings();
  const auxv = new Map<number, number>();
  for (let key = word(); key !== AT.NULL; key = word()) auxv.set(key, word());
  return { argc, argv, env, auxv, string };
}

Deno.test("the initial stack has everything a C library looks for, 16-aligned", () => {
  for (const argv of [["prog"], ["prog", "a"], ["prog", "a", "bb", "ünï"], []]) {
    const env = ["A=1", "LONG=" + "x".repeat(100)];
    const image = buildStack({
      top: TOP,
      argv,
      env,
      execfn: "/bin/prog",
      platform: "x86_64",
      random: new Uint8Array(16).fill(9),
      auxv: [[AT.PAGESZ, 4096], [AT.ENTRY, 0x401000]],
    });
    assert.equal(image.sp % 16, 0);
    assert.equal(image.sp + image.bytes.length, TOP);
    const { argc, argv: args, env: envs, auxv, string } = parse(image.bytes, image.sp);
    assert.equal(argc, argv.length);
    assert.deepEqual(args, argv);
    assert.deepEqual(envs, env);
    assert.equal(auxv.get(AT.PAGESZ), 4096);
    assert.equal(string(auxv.get(AT.EXECFN)!), "/bin/prog");
    assert.equal(string(auxv.get(AT.PLATFORM)!), "x86_64");
    const random = auxv.get(AT.RANDOM)! - image.sp;
    assert.deepEqual([...image.bytes.subarray(random, random + 16)], new Array(16).fill(9));
    assert.equal(image.argEnd, image.envStart);
  }
});
