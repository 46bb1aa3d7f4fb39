/**
 * Makes V8 compile chosen functions together with their module, so that Deno's code cache has them: otherwise it has only what runs
 * while a module is loaded, and each function that is called later is parsed and compiled anew in every process.
 *
 * V8 takes a function expression in parentheses for one that is about to be called. So the functions become such expressions:
 *
 *     function f() {}      ->  var f = (function() {});           at the beginning of its scope, since it was hoisted
 *     class C { m() {} }   ->  class C { static { $method(this.prototype, "m", "value", (function() {})); } }
 *     x => x, { m() {} }   ->  (x => x), { m: (function() {}) }
 *
 * Constructors, private methods, asynchronous arrow functions and what uses `super` cannot be had this way.
 */
import { type AnyNode, type ClassBody, type MethodDefinition, type Node, parse } from "acorn";

/** Is the function with the text [start, end) wanted? In UTF-16 units; a method begins with its name, as in V8's coverage. */
export type Wanted = (start: number, end: number) => boolean;

/** Defines a method or one half of an accessor as class syntax does. */
const DEFINE = `var $method = (function(on, name, kind, f) {
  Object.defineProperty(on, name, kind === "value" ? { value: f, writable: true, configurable: true } : { [kind]: f, configurable: true });
});
var $later = (path) => path;
`;

/** The ECMAScript module `source`, in which nothing is called `$method`, with the wanted functions compiled at once. */
export function compileEagerly(source: string, wanted: Wanted): string {
  const program = parse(source, { ecmaVersion: "latest", sourceType: "module" });
  return DEFINE + new Rewriter(source, wanted).text(program);
}

type FunctionNode = AnyNode & { type: "FunctionDeclaration" | "FunctionExpression" | "ArrowFunctionExpression" };

class Rewriter {
  constructor(private readonly source: string, private readonly wanted: Wanted) {}

  /** What becomes of a node. */
  text(node: AnyNode): string {
    switch (node.type) {
      case "Program":
        return this.#scope(node.start, node.end, node.body);
      case "ClassBody":
        return this.#class(node);
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        return this.#wants(node) ? `(${this.#function(node)})` : this.#function(node);
      case "FunctionDeclaration":
        return this.#function(node);
      case "MethodDefinition":
        return this.#method(node, node.value);
      case "Property":
        return this.#property(node);
      case "ImportExpression":
        return `import($later(${this.text(node.source)}))`;
      default:
        return this.#pieces(node.start, node.end, children(node));
    }
  }

  #wants({ start, end }: Node): boolean {
    return this.wanted(start, end);
  }

  /** [start, end) with what becomes of the nodes in it. */
  #pieces(start: number, end: number, nodes: readonly AnyNode[]): string {
    let out = "", at = start;
    for (const node of nodes) {
      // `{ a }`: the same text is key and value.
      if (node.start < at) continue;
      out += this.source.slice(at, node.start) + this.text(node);
      at = node.end;
    }
    return out + this.source.slice(at, end);
  }

  /** Statements, with the wanted functions among them first. */
  #scope(start: number, end: number, statements: readonly AnyNode[]): string {
    let hoisted = "", out = "", at = start;
    for (const node of statements) {
      out += this.source.slice(at, node.start);
      at = node.end;
      if (node.type !== "FunctionDeclaration" || !this.#wants(node)) out += this.text(node);
      else hoisted += `var ${node.id?.name} = (${this.#function(node, node.id ?? undefined)});\n`;
    }
    return hoisted + out + this.source.slice(at, end);
  }

  /** A function, without its own name if that is given. */
  #function(node: FunctionNode, name?: Node): string {
    const { body } = node;
    if (body.type !== "BlockStatement") return this.#pieces(node.start, node.end, children(node));
    const parts = children(node).filter((child) => child !== body && child !== name);
    const head = name
      ? this.source.slice(node.start, name.start) + this.#pieces(name.end, body.start, parts)
      : this.#pieces(node.start, body.start, parts);
    return `${head}{${this.#scope(body.start + 1, body.end - 1, body.body)}}`;
  }

  /** The function of a method, from behind its name on, as an expression. */
  #expression(value: FunctionNode): string {
    const head = `${value.async ? "async " : ""}function${value.generator ? "*" : ""}`;
    return `(${head}${this.#function(value)})`;
  }

  #class(node: ClassBody): string {
    const moved = node.body.filter((member): member is MethodDefinition =>
      member.type === "MethodDefinition" && member.kind !== "constructor" && member.key.type === "Identifier" &&
      !member.computed &&
      this.#wants(member) && !usesSuper(member.value)
    );
    const defined = moved.map((m) => {
      const on = m.static ? "this" : "this.prototype", kind = m.kind === "method" ? "value" : m.kind;
      return `$method(${on}, "${this.source.slice(m.key.start, m.key.end)}", "${kind}", ${this.#expression(m.value)});\n`;
    });
    let rest = "", at = node.start + 1;
    for (const member of node.body) {
      rest += this.source.slice(at, member.start);
      at = member.end;
      if (!moved.some((m) => m === member)) rest += this.text(member);
    }
    const block = defined.length > 0 ? `static {\n${defined.join("")}}` : "";
    return `{${block}${rest}${this.source.slice(at, node.end)}`;
  }

  /** A method that stays where it is. Its function begins behind its name and is no expression of its own. */
  #method(node: Node, value: FunctionNode): string {
    return this.#pieces(node.start, value.start, children(node).filter((child) => child !== value)) + this.#function(value);
  }

  #property(node: AnyNode & { type: "Property" }): string {
    const { key, value } = node;
    if (value.type !== "FunctionExpression" || !node.method && node.kind === "init") {
      return this.#pieces(node.start, node.end, children(node));
    }
    if (!node.method || !this.#wants(node) || usesSuper(value)) return this.#method(node, value);
    return `${node.computed ? `[${this.text(key)}]` : this.text(key)}: ${this.#expression(value)}`;
  }
}

/** The nodes right below, in the order of the text. */
function children(node: Node): AnyNode[] {
  const found: AnyNode[] = [];
  for (const value of Object.values(node)) {
    for (const each of Array.isArray(value) ? value : [value]) if (isNode(each)) found.push(each);
  }
  return found.sort((a, b) => a.start - b.start || b.end - a.end);
}

const isNode = (value: unknown): value is AnyNode =>
  typeof value === "object" && value !== null && "type" in value && "start" in value;

/** `super` belongs to the innermost method; an arrow function has that of the function around it. */
function usesSuper(node: AnyNode): boolean {
  return children(node).some((child) =>
    child.type === "Super" || child.type !== "ClassBody" && child.type !== "FunctionDeclaration" && usesSuper(child)
  );
}
