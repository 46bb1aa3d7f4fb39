import { compile, expectSameAsNative, testWith } from "./tools.ts";

// Programs that were not written for this project, and programs in C and Rust as other people build them: under Hedra they must print the
// same, byte for byte, and end with the same exit code as on this machine's Linux.

const POEM = "the quick brown fox\njumps over the lazy dog\nand 12 34.5 -6 numbers\n\tindented\nthe end\n";
const DATA = new Uint8Array(200_000).map((_, i) => (i * i + (i >> 5)) & 255);
const MANY = Array.from({ length: 3000 }, (_, i) => `${(i * 7919) % 3001} line ${i}`).join("\n") + "\n";

/** busybox APPLET ARGS... with this standard input. */
const APPLETS: readonly (readonly [args: string[], stdin: string | Uint8Array])[] = [
  [["sha256sum"], DATA],
  [["sha512sum"], DATA],
  [["sha1sum"], POEM],
  [["md5sum"], DATA],
  [["cksum"], DATA],
  [["sum"], DATA],
  [["sort"], MANY],
  [["sort", "-rn"], MANY],
  [["sort", "-u", "-k2"], MANY],
  [["uniq", "-c"], "a\na\nb\nc\nc\nc\n"],
  [[
    "awk",
    '{ n += NF; s[length($0)]++ } END { print n; for (i = 0; i < 40; i++) if (s[i]) print i, s[i]; printf "%.3f %e %s\\n", sin(1), 12345.678, toupper("ok") }',
  ], POEM],
  [
    [
      "awk",
      "BEGIN { for (i = 1; i <= 2000; i++) { x = (x * 1103515245 + 12345) % 2147483648; t += x % 100 } print t, x, x / 7 }",
    ],
    "",
  ],
  [
    ["awk", "-F:", '$1 ~ /^[ab]/ { gsub(/o/, "0"); print $2, NR, substr($0, 2, 3), index($0, "c"), split($0, p, ":") }'],
    "abc:foo\nbcd:boo:x\nxyz:no\n",
  ],
  [["sed", "-n", "-e", "s/\\(quick\\) \\(brown\\)/\\2 \\1/p;$="], POEM],
  [["sed", "y/abc/xyz/;/lazy/d;2,3s/o/0/g"], POEM],
  [["gzip", "-c"], MANY],
  [["gzip", "-9c"], DATA],
  [["bzip2", "-c"], MANY],
  [["dc", "-e", "2 200 ^ p 3 k 22 7 / p 10 v p"], ""],
  [["bc"], "scale=20\n4*a(1)\n2^100\nfor (i=0;i<3;i++) i^3\n"],
  [["expr", "7", "*", "6", "+", "1"], ""],
  [["expr", "abc123", ":", "[a-z]*\\([0-9]*\\)"], ""],
  [["factor", "600851475143", "97", "4294967295"], ""],
  [["seq", "1", "7", "100"], ""],
  [["cal", "2", "2024"], ""],
  [["date", "-u", "-d", "@1700000000", "+%Y-%m-%d %H:%M:%S %A"], ""],
  [["printf", "%5d|%-8s|%x|%e|%c\n", "42", "text", "255", "3.14159", "z"], ""],
  [["echo", "-e", "tab\\tnewline\\nescape\\x41"], ""],
  [["od", "-A", "d", "-t", "x1z"], POEM],
  [["hexdump", "-C"], DATA.subarray(0, 3000)],
  [["xxd"], DATA.subarray(0, 500)],
  [["base64"], DATA.subarray(0, 5000)],
  [["base64", "-d"], "SGVkcm9uIHVuZGVyIERlbm8K"],
  [["uuencode", "-m", "name"], POEM],
  [["wc"], MANY],
  [["head", "-n", "3"], MANY],
  [["tail", "-n", "3"], MANY],
  [["tac"], POEM],
  [["rev"], POEM],
  [["nl"], POEM],
  [["fold", "-w", "7"], POEM],
  [["tr", "a-z", "A-Z"], POEM],
  [["tr", "-cd", "aeiou\n"], POEM],
  [["cut", "-d", " ", "-f", "2-"], POEM],
  [["grep", "-n", "-E", "o.*o|^the"], POEM],
  [["grep", "missing"], POEM],
  [["paste", "-", "-"], POEM],
  [["expand"], POEM],
  [["tsort"], "a b\nb c\na c\n"],
  [["cat"], DATA],
  [["basename", "/usr/lib/x.so", ".so"], ""],
  [["dirname", "/usr/lib/x.so"], ""],
  [["true"], ""],
  [["false"], ""],
  [["test", "3", "-gt", "5"], ""],
  [["no-such-applet"], ""],
  [["cat", "/no/such/file"], ""],
  [["sh", "-c", "x=5; while [ $x -gt 0 ]; do echo $x; x=$((x - 1)); done; echo ${HOME} $((0x10 ** 2)); exit 9"], ""],
  [
    ["sh"],
    'f() { echo f $1; return 3; }; f a; echo $?; case abc in a*) echo matched;; esac; read line; echo "got $line"\nthis line\n',
  ],
  [["sh", "-c", "echo one > /tmp/hedra-sh-test; read line < /tmp/hedra-sh-test; echo $line >&2; kill -TERM $$"], ""],
];

for (const [args, stdin] of APPLETS) {
  testWith(
    ["busybox"],
    `busybox ${args.join(" ").slice(0, 60)} does what it does on Linux`,
    () => expectSameAsNative("busybox", args, { stdin }),
  );
}

const C_PROGRAMS: readonly (readonly [source: string, args: string[]])[] = [
  ["floats.c", []],
  ["library.c", ["first", "second argument"]],
  ["signals.c", []],
  // What the translator must get right: deep recursion and longjmp, code that is written, memory that goes away under code that has checked it.
  ["deep_calls.c", []],
  ["generated_code.c", []],
  ["unmapped_while_used.c", []],
  ["single_step.c", []],
  ...["abort", "segv", "fpe", "ill", "term", "kill", "pipe"].map((way): [string, string[]] => ["signals.c", [way]]),
  ["bad_buffers.c", []],
  ["files.c", ["-fn", "12", "--flag", "-x", "/tmp"]],
];

for (const tool of ["gcc", "musl-gcc"] as const) {
  for (const [source, args] of C_PROGRAMS) {
    testWith([tool], `${source} ${args.join(" ")} of ${tool} -static does what it does on Linux`, async () => {
      await expectSameAsNative(await compile(source, tool), args);
    });
  }
}

testWith(["rustc"], "a static Rust program does what it does on Linux", async () => {
  await expectSameAsNative(await compile("collections.rs", "rustc"), [], { stdin: POEM });
});

testWith(["musl-gcc"], "a position independent static program does what it does on Linux", async () => {
  await expectSameAsNative(await compile("library.c", "musl-gcc", ["-fPIE", "-static-pie"]), [
    "x",
  ]);
});
