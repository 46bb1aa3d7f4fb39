/** Writes WebAssembly binaries: function bodies and whole modules (WebAssembly core specification, section 5). */
export { FuncBuilder } from "./func_builder.ts";
export { type FuncImport, type FuncType, ModuleBuilder } from "./module_builder.ts";
