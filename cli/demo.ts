export function runDemo(_options: { verbose: boolean }): Promise<number> {
  return Promise.resolve(0);
}
