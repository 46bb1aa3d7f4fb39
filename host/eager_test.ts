import { deepEqual, equal, ok } from "node:assert/strict";
import { Script } from "node:vm";
import { compileEagerly } from "./eager.ts";

/** Kinds of functions, in places that matter; `result` tells what they do. */
const SOURCE = `
const log = [early(1)];
function early(n) { /* hoisted */ return n + late; }
var late = 10;
const arrow = (a, b = { c: 2 }) => a + b.c, simple = x => x * 2;
class Base {
  static made = Base.make("static field");
  static make(text) { return "made " + text; }
  #secret = 7;
  name() { return "base"; }
  get half() { return this.value / 2; }
  set half(n) { this.value = 2 * n; }
  #hidden() { return this.#secret; }
  reveal() { return this.#hidden(); }
  *count(n) { for (let i = 0; i < n; i++) yield i; }
  async later() { return "later"; }
  arguments() { return arguments.length; }
}
class Derived extends Base {
  value = 6;
  name() { return "derived " + super.name(); }
  outer() { return [1, 2].map((n) => n + this.value); }
}
const object = { m(a) { return a + this.k; }, k: 1, ["com" + "puted"]() { return "c"; }, get g() { return 3; }, shorthand: simple, late };
const { k: renamed = 4, ...rest } = object;
function outer() {
  return inner(2);
  function inner(n) { return n === 0 ? [] : [n, ...inner(n - 1)]; }
}
const named = function self(n) { return n > 0 ? self(n - 1) : "self"; };
const it = new Derived();
it.half = 5;
const result = [
  log, early(2), arrow(1), simple(3), Base.made, it.name(), it.half, it.reveal(), [...it.count(3)], it.outer(), it.arguments(1, 2),
  object.m(2), object.computed(), object.g, object.shorthand(2), renamed, Object.keys(rest), outer(), named(2), early.name, arrow.name,
  Object.keys(Derived.prototype), Object.getOwnPropertyNames(Base.prototype).sort(), object.m.name, it.later() instanceof Promise,
  \`text \${[1, 2].map((n) => \`<\${n}>\`)}\`,
];
`;

const run = (source: string): unknown => new Function(`${source}\nreturn result;`)();

Deno.test("a module whose functions are compiled eagerly does what it did", () => {
  deepEqual(run(compileEagerly(SOURCE, () => true)), run(SOURCE));
  deepEqual(run(compileEagerly(SOURCE, () => false)), run(SOURCE));
});

Deno.test("functions, arrow functions and methods that are wanted are in V8's code cache before they are called, others are not", () => {
  const body = Array.from({ length: 200 }, (_, n) => `x += Math.sin(x) * ${n};`).join(" ");
  const cached = (source: string, all: boolean): number =>
    new Script(compileEagerly(source, () => all)).createCachedData().length;
  for (
    const source of [
      `function f(x) { ${body} }`,
      `class C { m(x) { ${body} } }`,
      `var o = { m(x) { ${body} } };`,
      `var f = (x) => { ${body} };`,
    ]
  ) ok(cached(source, true) > cached(source, false) + 2000, source.slice(0, 20));
});

Deno.test("what a module imports later is loaded when it is needed: Deno cannot see its name", async () => {
  const path = 'import("data:text/javascript,export default 5")',
    source = compileEagerly(`export const five = ${path};`, () => true);
  equal(source.includes(path), false);
  const { five } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  equal((await five).default, 5);
});
