export { PortBus, type PortDevice } from "./bus.ts";
export { DEBUG_CONSOLE_PORT, DebugConsole } from "./debug_console.ts";
export { type ByteSource, Uart16550 } from "./uart16550.ts";
