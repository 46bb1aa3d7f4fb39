import { AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM } from "../abi/socket.ts";
import { type Address, unmapped } from "../net/address.ts";
import { Socket, State } from "../net/socket.ts";
import type { Thread } from "../process/thread.ts";
import { directory, file, type VirtualNode } from "./node.ts";

/** include/net/tcp_states.h. */
const ESTABLISHED = 1, CLOSE = 7, CLOSE_WAIT = 8, LISTEN = 10;
const SS_UNCONNECTED = 1, SS_CONNECTED = 3, UNIX_LISTENS = 0x1_0000;

/** Every socket that some process has open, once, with the user who has it. */
function sockets({ os }: Thread): Map<Socket, number> {
  const found = new Map<Socket, number>();
  for (const p of os.processes.values()) {
    for (const open of p.files.files) {
      if (!(open instanceof Socket) || found.has(open)) continue;
      // With the connections that nobody has accepted yet.
      for (const socket of [open, ...open.pending]) found.set(socket, p.credentials.euid);
    }
  }
  return found;
}

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, "0");

/** Address and port: 32-bit words as the machine holds them. */
function endpoint(address: Address | undefined, six: boolean): string {
  const bytes = address === undefined || address.family === AF_UNIX ? [] : six ? [...address.host] : [...unmapped(address.host)];
  while (bytes.length < (six ? 16 : 4)) bytes.unshift(0);
  let text = "";
  for (let i = 0; i < bytes.length; i += 4) text += bytes.slice(i, i + 4).reverse().map((byte) => hex(byte, 2)).join("");
  return `${text}:${hex(address === undefined || address.family === AF_UNIX ? 0 : address.port, 4)}`;
}

function stateOf(s: Socket, stream: boolean): number {
  if (s.listening) return LISTEN;
  if (s.state === State.Connected) return s.receiveShut ? CLOSE_WAIT : ESTABLISHED;
  return stream && s.state === State.Disconnected ? CLOSE_WAIT : CLOSE;
}

const HEAD4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const HEAD6 =
  "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when" +
  " retrnsmt   uid  timeout inode";

/** /proc/net/tcp and the like: get_tcp4_sock(), net/ipv4/tcp_ipv4.c. */
function internet(domain: number, stream: boolean): VirtualNode {
  const six = domain === AF_INET6;
  return file((t) => {
    const rows = [...sockets(t)].filter(([s]) =>
      s.domain === domain && (s.type === SOCK_STREAM) === stream && s.local !== undefined
    );
    const lines = rows.map(([s, uid], i) => {
      const queues = `00000000:${hex(s.listening ? s.pending.length : s.inboxBytes, 8)}`;
      const ends = `${endpoint(s.local, six)} ${endpoint(s.remote, six)} ${hex(stateOf(s, stream), 2)}`;
      const rest = `00:00000000 00000000 ${String(uid).padStart(5)}        0 ${s.ino} 2 0000000000000000`;
      return `${String(i).padStart(4)}: ${ends} ${queues} ${rest}${stream ? " 20 4 0 10 -1" : " 0"}`;
    });
    return [`${six ? HEAD6 : HEAD4}${stream ? "" : " ref pointer drops"}`, ...lines, ""].join("\n");
  });
}

/** unix_seq_show(), net/unix/af_unix.c. */
function unix(t: Thread): string {
  const lines = [...sockets(t).keys()].filter((s) => s.domain === AF_UNIX).map((s) => {
    const connected = s.state === State.Connected;
    const name = s.local?.family === AF_UNIX && s.local.name !== "" ? ` ${s.local.name.replaceAll("\0", "@")}` : "";
    const words = [connected ? 3 : 2, 0, s.listening ? UNIX_LISTENS : 0].map((value) => hex(value, 8)).join(" ");
    const state = connected ? SS_CONNECTED : SS_UNCONNECTED;
    return `0000000000000000: ${words} ${hex(s.type, 4)} ${hex(state, 2)} ${String(s.ino).padStart(5)}${name}`;
  });
  return ["Num       RefCount Protocol Flags    Type St Inode Path", ...lines, ""].join("\n");
}

const LOOPBACK = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;

/** /proc/net: the sockets of this machine, and its loopback. */
export const NET = directory({
  dev: file(() => LOOPBACK),
  tcp: internet(AF_INET, true),
  tcp6: internet(AF_INET6, true),
  udp: internet(AF_INET, false),
  udp6: internet(AF_INET6, false),
  raw: file(() => `${HEAD4} ref pointer drops\n`),
  unix: file(unix),
  arp: file(() => "IP address       HW type     Flags       HW address            Mask     Device\n"),
  route: file(() => "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"),
  if_inet6: file(() => "00000000000000000000000000000001 01 80 10 80       lo\n"),
});
