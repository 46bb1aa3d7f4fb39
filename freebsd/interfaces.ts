/** What the routing sysctl tells of the only network interface, the loopback (sys/net/if.h, if_dl.h, route.h). */

const AF_INET = 2, AF_LINK = 18, AF_INET6 = 28;
const RTM_VERSION = 5, RTM_NEWADDR = 0xc, RTM_IFINFO = 0xe;
/** RTA_*: which addresses follow a header, in the order of their bits. */
const RTA_NETMASK = 4, RTA_IFP = 0x10, RTA_IFA = 0x20;
/** NET_RT_*. */
const IFLIST = 3, IFMALIST = 4;
/** IFF_UP, IFF_LOOPBACK, IFF_RUNNING, IFF_MULTICAST. */
const FLAGS = 0x8049, INDEX = 1, IFT_LOOP = 24, MTU = 16_384, NAME = "lo0";
/** struct if_msghdr with its if_data, struct ifa_msghdr. */
const IFINFO_BYTES = 168, NEWADDR_BYTES = 20, IF_DATA = 16, DATA_MTU = 8, SDL_BYTES = 54;

function message(type: number, header: number, addresses: number, bodies: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const padded = bodies.map((body) => Math.ceil(body.length / 8) * 8);
  const bytes = new Uint8Array(header + padded.reduce((sum, length) => sum + length, 0)), data = new DataView(bytes.buffer);
  data.setUint16(0, bytes.length, true);
  bytes[2] = RTM_VERSION;
  bytes[3] = type;
  data.setUint32(4, addresses, true);
  data.setUint32(8, type === RTM_IFINFO ? FLAGS : 0, true);
  data.setUint16(12, INDEX, true);
  let at = header;
  bodies.forEach((body, i) => {
    bytes.set(body, at);
    at += padded[i];
  });
  return bytes;
}

function address(family: number, host: readonly number[]): Uint8Array {
  const inet = family === AF_INET, bytes = new Uint8Array(inet ? 16 : 28);
  bytes[0] = bytes.length;
  bytes[1] = family;
  bytes.set(host, inet ? 4 : 8);
  return bytes;
}

function link(): Uint8Array {
  const bytes = new Uint8Array(SDL_BYTES);
  bytes.set([SDL_BYTES, AF_LINK, INDEX, 0, IFT_LOOP, NAME.length]);
  bytes.set(new TextEncoder().encode(NAME), 8);
  return bytes;
}

const ONES6 = new Array<number>(16).fill(0xff), LOOPBACK6 = ONES6.map((_, i) => i === 15 ? 1 : 0);

/** The answer to {CTL_NET, AF_ROUTE, 0, `family`, `list`, `index`}, 0 = any; undefined for other lists. */
export function routingInformation(family: number, list: number, index: number): Uint8Array | undefined {
  if (list === IFMALIST) return new Uint8Array(0);
  if (list !== IFLIST) return undefined;
  if (index !== 0 && index !== INDEX) return new Uint8Array(0);
  const interfaceMessage = message(RTM_IFINFO, IFINFO_BYTES, RTA_IFP, [link()]);
  interfaceMessage[IF_DATA] = IFT_LOOP;
  new DataView(interfaceMessage.buffer).setUint32(IF_DATA + DATA_MTU, MTU, true);
  const both = ([[AF_INET, [255, 0, 0, 0], [127, 0, 0, 1]], [AF_INET6, ONES6, LOOPBACK6]] as const)
    .filter(([each]) => family === 0 || family === each)
    .map(([each, mask, host]) =>
      message(RTM_NEWADDR, NEWADDR_BYTES, RTA_NETMASK | RTA_IFA, [address(each, mask), address(each, host)])
    );
  return Uint8Array.from([interfaceMessage, ...both].flatMap((part) => [...part]));
}
