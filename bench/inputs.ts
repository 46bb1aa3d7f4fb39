/** Inputs of the whole programs, made here so that nothing has to be fetched. The same in every run. */

import { random } from "../tests/support/random.ts";

const SYLLABLES = "ba co di el fu ga hi in jo ke lu ma no or pi qua re si to un ve wi xa yo zu st".split(" ");

/** ASCII text of so many bytes that compresses about as prose does: a few words are frequent, most are rare. */
export function words(bytes: number): string {
  const source = random(2024), next = (n: number): number => source.next().value % n;
  const vocabulary = Array.from(
    { length: 6000 },
    () => Array.from({ length: 1 + next(4) }, () => SYLLABLES[next(SYLLABLES.length)]).join(""),
  );
  const lines: string[] = [];
  for (let length = 0; length < bytes;) {
    const line = Array.from({ length: 8 + next(8) }, () => {
      const rank = Math.floor(vocabulary.length * (next(1000) / 1000) ** 3);
      return next(25) === 0 ? String(next(100_000)) : vocabulary[rank];
    }).join(" ");
    lines.push(line);
    length += line.length + 1;
  }
  return `${lines.join("\n")}\n`.slice(0, bytes);
}

/** A C file of so many functions of twenty lines, for a compiler: loops, switches, calls, floating point. */
export function cSource(functions: number): string {
  const source = random(7), next = (n: number): number => source.next().value % n;
  const parts = ["struct item { unsigned key, count; double weight; struct item *next; };", "static unsigned table[256];"];
  for (let i = 0; i < functions; i++) {
    const a = 3 + next(29), b = 1 + next(15), c = 2 + next(6), mask = (1 << c) - 1;
    parts.push(`
static unsigned work${i}(struct item *list, unsigned seed, int rounds)
{
    unsigned sum = seed * ${2 * a + 1}u;
    double weight = ${a}.${b};
    for (int i = 0; i < rounds; i++) {
        struct item *at = list;
        while (at && at->key != (sum & ${mask})) {
            weight += at->weight * ${b}.5;
            at = at->next;
        }
        switch (sum % ${c + 2}) {
        case 0: table[sum & 255] += seed ^ ${next(65536)}u; break;
        case 1: sum = (sum << ${b}) | (sum >> ${32 - b}); break;
        case ${c}: if (at) at->count += (unsigned)weight; break;
        default: sum -= table[(sum >> ${c}) & 255];
        }
        ${
      i > 0
        ? `if (rounds > 1 && (sum & ${mask}) == ${next(mask)}) sum ^= work${i - 1}(at ? at : list, sum, rounds / 2);`
        : "sum++;"
    }
    }
    return sum + (unsigned)weight;
}`);
  }
  const calls = Array.from({ length: functions }, (_, i) => `    sum += work${i}(&first, sum, ${2 + i % 5});`).join("\n");
  parts.push(
    `int main(void)\n{\n    struct item first = {1, 2, 3.5, 0};\n    unsigned sum = 0;\n${calls}\n    return (int)(sum & 127);\n}\n`,
  );
  return parts.join("\n");
}

export const LUA_SCRIPT = `-- Calls, tables, closures and strings.
local function ack(m, n)
  if m == 0 then return n + 1 end
  if n == 0 then return ack(m - 1, 1) end
  return ack(m - 1, ack(m, n - 1))
end
print("calls", ack(2, 300))

local seed = 11
local function random(n)
  seed = (seed * 16807) % 2147483647
  return seed % n
end
local list, count = {}, {}
for i = 1, 200000 do list[i] = random(100000) end
table.sort(list, function(a, b) return a > b end)
for _, value in ipairs(list) do
  local key = "key" .. value % 3000
  count[key] = (count[key] or 0) + 1
end
local keys = {}
for key in pairs(count) do keys[#keys + 1] = key end
table.sort(keys)
print("tables", list[1], #keys, keys[7], count[keys[7]])

local lines = {}
for i = 1, 40000 do lines[i] = ("%d;%s;%.3f"):format(i, ("ab"):rep(i % 9), i / 7) end
local text, sum = table.concat(lines, "\\n"), 0
for number in text:gmatch("(%d+);") do sum = sum + tonumber(number) end
print("strings", #text, sum, select(2, text:gsub("abab", "-")))
`;

export const PYTHON_SCRIPT = `"""Objects, integers, lists, dictionaries and strings; nothing is imported."""


class Account:
    def __init__(self, name, balance):
        self.name, self.balance, self.log = name, balance, []

    def move(self, amount, other):
        if amount > self.balance:
            return False
        self.balance -= amount
        other.balance += amount
        self.log.append(amount)
        return True


def simulate(rounds):
    accounts = [Account("account %d" % i, 1000 + i) for i in range(50)]
    seed, refused = 17, 0
    for _ in range(rounds):
        seed = (seed * 16807) % 2147483647
        source, target = accounts[seed % 50], accounts[seed // 50 % 50]
        if not source.move(seed % 200, target):
            refused += 1
    return refused, max(accounts, key=lambda a: a.balance).name, sum(len(a.log) for a in accounts)


def collatz(limit):
    steps = {1: 0}
    for start in range(2, limit):
        n, path = start, []
        while n not in steps:
            path.append(n)
            n = n * 3 + 1 if n & 1 else n >> 1
        base = steps[n]
        for i, seen in enumerate(reversed(path)):
            steps[seen] = base + i + 1
    return max(range(1, limit), key=steps.get), len(steps)


def text(count):
    words = [chr(97 + i % 26) * (i % 7 + 1) for i in range(count)]
    joined = " ".join(words)
    return len(joined), joined.upper().count("AB"), sorted(set(joined.split()))[:3]


print(simulate(250000))
print(collatz(50000))
print(text(150000))
`;

/** Statements for the sqlite3 shell: rows, an index, queries over both. */
export const sqlScript = (rows: number): string =>
  `create table t(id integer primary key, k integer, name text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})
  insert into t select i, (i * 7919 + i / 3) % 1009, 'row ' || (i * 31 % 65521) from n;
create index by_k on t(k);
select count(*), sum(k), max(name) from t;
select k, count(*) c, min(name) from t group by k order by c desc, k limit 5;
select count(*) from t a join t b on b.id = a.id + 1 where a.k < 100 and b.k > 500;
select count(*) from t where name like '%99%';`;
