/** @file JSON that somebody types. */

/** @throws Error that says which field it is of */
export function jsonOf<T>(field: string, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (reason) {
    throw new Error(`${field}: ${(reason as Error).message}`);
  }
}

export const indented = (value: unknown) => JSON.stringify(value, null, 2);

/** As it was sent, unless it is JSON, which is easier to read in lines. */
export function readable(text: string): string {
  try {
    return indented(JSON.parse(text));
  } catch {
    return text;
  }
}
