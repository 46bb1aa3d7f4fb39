/**
 * Programs on a terminal: the same keys, natively and under Hedra, must give the same screens. The terminal is a tmux of the host, 80x24,
 * outside of both.
 */
import assert from "node:assert/strict";
import { execute, HEDRA, text } from "../process.ts";
import { ENVIRONMENT, freshPath, HOST_ENVIRONMENT, inDirectory, SETTINGS } from "./cases.ts";
import type { Root } from "./roots.ts";

/** Keys as tmux's send-keys names them, and what the screen must show before the next ones are sent. */
interface Step {
  keys: readonly string[];
  shows: RegExp;
}

export interface TerminalCase {
  name: string;
  needs: readonly string[];
  /** For bash, in the fresh directory of the case. */
  script: string;
  steps: readonly Step[];
  /** Only these lines of a screen are compared, because monitors show the machine that they are on. All, without it. */
  compared?: RegExp;
}

const press = (shows: RegExp, ...keys: string[]): Step => ({ keys, shows });
const type = (shows: RegExp, line: string): Step => ({ keys: [line, "Enter"], shows });
const QUIT = 'echo "ended: $?"; read _';

export const TERMINAL_CASES: readonly TerminalCase[] = [
  {
    name: "bash-interactive",
    needs: ["bash", "sleep", "cat", "stty", "seq"],
    script: `PS1='> ' bash --norc --noprofile -i; ${QUIT}`,
    steps: [
      press(/^>$/m),
      type(/^80x24 24 80\n>$/m, "echo ${COLUMNS}x$LINES $(stty size)"),
      type(/^in front$/m, "sh -c 'echo in front; exec sleep 100'"),
      press(/Stopped +sh -c .*\n>$/, "C-z"),
      type(/^> jobs\n.*Stopped +sh -c .*\n>$/m, "jobs"),
      type(/sleep 100. &\n>$/, "bg"),
      type(/> fg\nsh -c .*$/, "fg"),
      press(/\^C\n>$/, "C-c"),
      type(/\n130\n>$/, "echo $?"),
      type(/^\[1\]\+ +Stopped +cat > \/dev\/null\n>$/m, "clear; cat > /dev/null & sleep 0.5; clear; jobs"),
      type(/^> fg\ncat > \/dev\/null$/m, "fg"),
      press(/^cat > \/dev\/null\n>$/m, "C-d"),
      type(/^1\n2\n3$/m, "clear; (seq 3; exec sleep 100) | cat"),
      press(/\^\\Quit *\n>$/, "C-\\"),
      type(/^name:$/m, "clear; read -e -p 'name: ' name"),
      press(/^name: world$/m, "wrld", "Left", "Left", "Left", "o"),
      press(/\n>$/, "Enter"),
      type(/^hello, world\n>$/, "clear; echo hello, $name"),
      type(/^speed 38400 baud[^]*\n>$/, "clear; stty iutf8; stty -a"),
      type(/^ended: 5/m, "exit 5"),
    ],
  },
  {
    name: "vim",
    needs: ["vim"],
    script: `vim -u NONE file; ${QUIT}`,
    steps: [
      press(/~\n"file" \[New File\]/),
      press(/^first line\nsecond line\n~/, "i", "first line", "Enter", "second line", "Escape"),
      press(/^first line\nsecond line\nsecond line\n~/, "y", "y", "p"),
      type(/^line 1 first[^]*line 3 second/, ':%s/^/\\="line " . line(".") . " "/'),
      type(/"file" \[New File\] 3 lines, \d+ bytes written/, ":w"),
      type(/3 file[^]*Press ENTER/, ":!wc -l file"),
      press(/^line 1/, "Enter"),
      type(/^\[No Name\]\nline 1/m, ":split | enew"),
      type(/^30\n\[No Name\] \[\+\]$/m, ":r !seq 30"),
      type(/ended: 0/, ":qa!"),
    ],
  },
  {
    name: "less",
    needs: ["less", "seq"],
    script: `seq 500 > numbers; less numbers; ${QUIT}`,
    steps: [
      press(/^23\nnumbers$/m),
      press(/^46\n:$/m, "Space"),
      type(/^300\n[^]*^322\n:$/m, "/^300"),
      press(/^500\n\(END\)$/m, "G"),
      press(/^1\n2\n[^]*\n:$/, "g"),
      press(/^250\n251\n[^]*\n:$/, "250g"),
      press(/^ended: 0$/m, "q"),
    ],
  },
  {
    name: "htop",
    needs: ["htop"],
    script: `htop; ${QUIT}`,
    compared: /^F1|^ended|^ +PID/,
    steps: [press(/F10Quit$/m), press(/F5List/, "t"), press(/ended: 0/, "q")],
  },
  {
    name: "top",
    needs: ["top"],
    script: `top -d 0.5; ${QUIT}`,
    compared: /^ended|^ +PID/,
    steps: [
      press(/load average[^]*PID USER[^]*\n +1 /),
      press(/Help for Interactive/, "h"),
      press(/PID USER[^]*\n +1 /, "Escape"),
      press(/ended: 0/, "q"),
    ],
  },
];

/** Slow machines take their time to show a screen. */
const PATIENCE_MS = 60_000;
const POLL_MS = 50;

let terminals = 0;

/** The screens of `each`, after every step, when it is run by `command`. */
async function screens({ steps, compared }: TerminalCase, command: readonly string[], directory: string): Promise<string[]> {
  const tmux = async (...args: string[]) =>
    text((await execute("tmux", ["-L", `hedra-${Deno.pid}-${terminals}`, ...args], { env: HOST_ENVIRONMENT })).stdout);
  terminals++;
  await tmux(
    "-f",
    "/dev/null",
    "new-session",
    "-d",
    "-x",
    "80",
    "-y",
    "24",
    "-c",
    directory,
    "env",
    "-i",
    ...Object.entries(ENVIRONMENT).map(([key, value]) => `${key}=${value}`),
    ...command,
  );
  const seen = async () => (await tmux("capture-pane", "-p")).replace(/\n+$/, "");
  const found: string[] = [];
  try {
    for (const { keys, shows } of steps) {
      if (keys.length > 0) await tmux("send-keys", ...keys);
      const end = performance.now() + PATIENCE_MS;
      let screen = await seen();
      while (!shows.test(screen)) {
        assert.ok(performance.now() < end, `after ${keys.join(" ")} the screen does not show ${shows}:\n${screen}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        screen = await seen();
      }
      found.push(
        compared === undefined ? screen : screen.split("\n").filter((line) => compared.test(line)).join("\n").replace(/ +/g, " "),
      );
    }
    return found;
  } finally {
    await tmux("kill-server");
  }
}

/** The screens of both runs of `each`. */
export async function runTerminals(each: TerminalCase, root: Root): Promise<{ native: string[]; hedra: string[] }> {
  const directory = freshPath();
  const shell = ["/bin/bash", "-c", `cd ${root.inside(directory)}; export HOME=$PWD\n${each.script}`];
  const guest = [...HEDRA, "run", ...root.options(directory), ...SETTINGS, ...shell];
  const hedra = await inDirectory(directory, "", () => screens(each, guest, directory));
  const native = await inDirectory(directory, "", () => screens(each, root.native(directory, shell), directory));
  return { native, hedra };
}
