/** The roots in which Debian programs are tried: the host's own, and ones that apt and dpkg make here, as a directory or an archive. */
import assert from "node:assert/strict";
import { execute, text } from "../process.ts";

export interface Root {
  name: string;
  /** Where a guest finds the host's directory of its case. */
  inside: (directory: string) => string;
  /** What `hedra run` is told to give the guest the root and that directory. */
  options: (directory: string) => string[];
  /** The command of the host that runs `command` natively in the same surroundings. */
  native: (directory: string, command: readonly string[]) => string[];
}

/** The host's own root: read-only under an overlay, so the case's directory is there already. */
export const HOST_ROOT: Root = {
  name: "/",
  inside: (directory) => directory,
  options: () => ["--root", "/"],
  native: (_directory, command) => [...command],
};

/** Packages of either root; what they depend on comes with them. */
const PACKAGES: Readonly<Record<"directory" | "archive", readonly string[]>> = {
  directory: [
    ..."base-files libc-bin dash bash coreutils findutils grep sed gawk mawk perl python3.11 lua5.4 sqlite3 git make tcc gcc g++"
      .split(" "),
    ..."libc6-dev gzip xz-utils zstd bzip2 tar openssl jq bc dc curl redis-server redis-tools nginx-light nodejs vim vim-tiny"
      .split(" "),
    ..."less htop procps tmux expect file diffutils patch ed m4 util-linux hostname ncurses-base ncurses-bin".split(" "),
  ],
  archive: [
    ..."base-files libc-bin dash bash coreutils findutils grep sed gawk mawk lua5.4 sqlite3 make tcc libc6-dev gzip xz-utils"
      .split(" "),
    ..."zstd bzip2 tar openssl jq bc dc redis-server redis-tools vim-tiny less htop procps ncurses-base hostname".split(" "),
  ],
};

/** What maintainer scripts would have done, in as much as the programs need it; $1 is the root, the packages are in $2. */
const UNPACK = `set -e
mkdir -p "$1"/usr/bin "$1"/usr/sbin "$1"/usr/lib "$1"/usr/lib64 "$1"/proc "$1"/dev "$1"/sys "$1"/root "$1"/run "$1"/case
for each in bin sbin lib lib64; do ln -s usr/$each "$1"/$each; done
for each in "$2"/*.deb; do dpkg-deb --fsys-tarfile "$each" | tar -x --keep-directory-symlink -C "$1"; done
install -d -m 1777 "$1"/tmp "$1"/var/tmp
ln -sf mawk "$1"/usr/bin/awk
if [ -e "$1"/usr/bin/vim.basic ]; then ln -s vim.basic "$1"/usr/bin/vim; fi
printf 'root:x:0:0:root:/root:/bin/bash\\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\\n' > "$1"/etc/passwd
printf 'root:x:0:\\ndaemon:x:1:\\ntty:x:5:\\nwww-data:x:33:\\nnogroup:x:65534:\\n' > "$1"/etc/group
printf '127.0.0.1 localhost\\n::1 localhost\\n' > "$1"/etc/hosts
printf 'passwd: files\\ngroup: files\\nhosts: files dns\\n' > "$1"/etc/nsswitch.conf`;

/** Downloads $2... and all they depend on to $1, as if nothing were installed; the host's packages stay as they are. */
const DOWNLOAD = `set -e
to=$1; shift
mkdir -p "$to"/partial
: > "$to"/status
apt-get -qq update
apt-get -qq -y --no-install-recommends --download-only -o Dir::State::status="$to"/status -o Dir::Cache::archives="$to" \\
  -o Debug::NoLocking=1 install "$@"`;

async function shell(script: string, ...args: string[]): Promise<void> {
  const outcome = await execute("bash", ["-c", script, "bash", ...args]);
  assert.equal(outcome.code, 0, text(outcome.stderr));
}

/** A root of Debian packages, made once and kept in the host's directory of temporary files. */
async function make(kind: "directory" | "archive"): Promise<string> {
  const packages = PACKAGES[kind];
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(UNPACK + packages.join(" "))));
  const at = `${Deno.env.get("TMPDIR") ?? "/tmp"}/hedra-debian-${kind}-${digest.subarray(0, 6).toHex()}`;
  const made = await Deno.stat(at).then(() => true, () => false);
  if (made) return at;
  const scratch = Deno.makeTempDirSync({ prefix: "hedra-debian-" });
  try {
    await shell(DOWNLOAD, `${scratch}/packages`, ...packages);
    await shell(UNPACK, `${scratch}/root`, `${scratch}/packages`);
    await shell('mv "$1" "$2"', `${scratch}/root`, at);
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
  return at;
}

/** Mounts what a native run needs in a name space of its own; $1 is the root, $2 the directory of the case. */
const CHROOT = `set -e
root=$1 directory=$2; shift 2
mount --rbind /dev "$root"/dev; mount -t proc proc "$root"/proc; mount --bind "$directory" "$root"/case
exec chroot "$root" "$@"`;

function inChroot(root: string, directory: string, command: readonly string[]): string[] {
  return ["unshare", "--mount", "--pid", "--fork", "sh", "-c", CHROOT, "sh", root, directory, ...command];
}

/** A root of its own for the programs, with Debian's packages unpacked; native runs are in a chroot, for which one must be root. */
export async function packagesRoot(kind: "directory" | "archive"): Promise<Root> {
  const path = await make(kind);
  const given = kind === "directory" ? path : `${path}.tar.gz`;
  if (kind === "archive" && !(await Deno.stat(given).then(() => true, () => false))) {
    await shell('tar -C "$1" -czf "$2".part . && mv "$2".part "$2"', path, given);
  }
  return {
    name: kind,
    inside: () => "/case",
    options: (directory) => ["--root", given, "--mount", `${directory}:/case:rw`],
    native: (directory, command) => inChroot(path, directory, command),
  };
}
