/**
 * @file The cron triggers of wrangler.toml, which Miniflare keeps and never fires: fired here, at the minutes that they
 * name in UTC, as Cloudflare does.
 */

/** Twice a minute, so that none is missed. */
const LOOK_MS = 30_000;
const MINUTE_MS = 60_000;
/** A machine that slept for longer is told once of what it missed within this. */
const MISSED_MS = 24 * 60 * MINUTE_MS;
/** Lowest and highest value of each field: minute, hour, day of the month, month, day of the week. */
const FIELDS = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;

/**
 * Whether a minute is one of the expression's: five fields of numbers, `*`, ranges, lists and steps.
 * @throws RangeError for what is no such expression
 */
export function matchesCron(expression: string, time: Date): boolean {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) {
    throw new RangeError(`cron: "${expression}" has ${fields.length} fields, not 5`);
  }
  const values = [
    time.getUTCMinutes(),
    time.getUTCHours(),
    time.getUTCDate(),
    time.getUTCMonth() + 1,
    time.getUTCDay(),
  ];
  return FIELDS.every(([lowest, highest], index) =>
    (fields[index] ?? "").split(",").some((part) => {
      const found = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
      if (!found) throw new RangeError(`cron: "${part}" of "${expression}" is not understood`);
      const [, first, last, step = "1"] = found;
      const from = Number(first ?? lowest);
      // `5` is one value, `5/10` all from there on.
      const to = Number(last ?? (first === undefined || part.includes("/") ? highest : first));
      const value = values[index] ?? -1;
      return value >= from && value <= to && (value - from) % Number(step) === 0;
    }),
  );
}

/**
 * Calls `fire` once in every minute that fits, never twice at once.
 * @returns what ends it
 */
export function startCrons(
  expressions: readonly string[],
  fire: (cron: string) => Promise<unknown>,
): () => void {
  let last = Math.floor(Date.now() / MINUTE_MS);
  let busy = false;
  const look = async () => {
    const now = Math.floor(Date.now() / MINUTE_MS);
    const minutes = Array.from(
      { length: Math.min(now - last, MISSED_MS / MINUTE_MS) },
      (_, back) => new Date((now - back) * MINUTE_MS),
    );
    if (busy) return;
    last = now;
    busy = true;
    try {
      for (const cron of expressions) {
        if (minutes.some((minute) => matchesCron(cron, minute))) await fire(cron);
      }
    } catch (error) {
      console.error("cron:", error);
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
