/** @file Ids that the service has named in its answers, so that requests reach what there is. */

const ID = /^([a-z]+)_[0-9a-z]{24}$/;
/** Of each kind; the newest, since the older ones may be deleted by now. */
const KEPT = 12;

export class KnownIds {
  readonly #kinds = new Map<string, string[]>();

  add(id: string): void {
    const kind = ID.exec(id)?.[1];
    if (kind === undefined) return;
    const ids = (this.#kinds.get(kind) ?? []).filter((each) => each !== id);
    this.#kinds.set(kind, [...ids, id].slice(-KEPT));
  }

  /** Every id in a body. */
  harvest(value: unknown): void {
    if (typeof value === "string") this.add(value);
    else if (typeof value === "object" && value !== null)
      Object.values(value).forEach((each) => this.harvest(each));
  }

  /** One of the kind that `example` (`model_4k2v9x`) is of. */
  like(example: unknown, choice: number): string | undefined {
    const kind = typeof example === "string" ? /^([a-z]+)_/.exec(example)?.[1] : undefined;
    const ids = kind === undefined ? undefined : this.#kinds.get(kind);
    return ids?.[choice % ids.length];
  }
}
